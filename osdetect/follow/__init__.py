"""Follow what is new in a target: events for the detector, alerts for the notifier. Whoever wrote it, nothing is missed.

    shards.py    which shards the target has, and how far each may be read
    follower.py  which of them have something to do, and taking one: cursor and lease are one document
    cursors.py   all cursors of a namespace, also of shards that are no more
    held.py      a shard that is held: its cursor moves by compare-and-set, its lease is renewed meanwhile
    pages.py     the documents of one shard in a range of sequence numbers, in order, page by page
    together.py  those that any of several queries finds
    worker.py    this process's own name
    readable.py  which indices keep their documents whole
    dates.py     which fields of an index are dates
    points.py    named places at which tests stop or kill the process

What is promised, and by what. A document is never passed by, because a cursor stays below the shard's global
checkpoint. Work is never done under a lost lease, because each move of the cursor is a compare-and-set on the very
document that holds the lease: a worker that was paused finds that out at its next move. What it wrote before that must
be harmless when it is written again; alerts are, by their ids.
"""

from osdetect.follow.cursors import stored_cursors
from osdetect.follow.dates import date_fields
from osdetect.follow.follower import AT_ONCE_S, Follower, Waiting
from osdetect.follow.held import Held
from osdetect.follow.pages import (
    StoredEvent,
    Wanted,
    for_one_index,
    number_of,
    of_one_index,
    pages,
    require_shard,
)
from osdetect.follow.points import reached
from osdetect.follow.readable import Readable
from osdetect.follow.shards import (
    Shard,
    incomplete,
    make_visible,
    only,
    shards_of,
    still_there,
    unseen,
)
from osdetect.follow.together import FIRST_PAGE, Asking, Together
from osdetect.follow.worker import this_worker

__all__ = [
    "AT_ONCE_S",
    "FIRST_PAGE",
    "Asking",
    "Follower",
    "Held",
    "Readable",
    "Shard",
    "StoredEvent",
    "Together",
    "Waiting",
    "Wanted",
    "date_fields",
    "for_one_index",
    "incomplete",
    "make_visible",
    "number_of",
    "of_one_index",
    "only",
    "pages",
    "reached",
    "require_shard",
    "shards_of",
    "still_there",
    "stored_cursors",
    "this_worker",
    "unseen",
]
