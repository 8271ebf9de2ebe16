"""Deliberately wrong detectors, made of the real one by replacing a function in the forked process.

None of this is in the product: it is what the harness must catch.
"""

import uuid
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.detect import judge, lanes, watched
from osdetect.detect.flood import Flood
from osdetect.follow import Held, Shard, Wanted, make_visible, shards_of

HIGHEST_VISIBLE = "highest-visible"
MOVED_FIRST = "moved-first"
OWN_IDS = "own-ids"


def _put(into: object, name: str, value: object) -> None:
    """Replace what is there: a detector that does not use the name would be right."""
    assert name in vars(into), f"{into} has no {name} any more"
    setattr(into, name, value)


def _right() -> None:
    """The product as it is."""


def _highest_visible() -> None:
    """The cursor goes to the highest sequence number that a search sees, also beyond the global checkpoint."""

    def visible(cluster: Cluster, target: str) -> tuple[Shard, ...]:
        shards = shards_of(cluster, target)
        make_visible(cluster, shards)
        return tuple(
            replace(shard, checkpoint=max(shard.checkpoint, _highest(cluster, shard))) for shard in shards
        )

    _put(watched, "shards_of", visible)


def _highest(cluster: Cluster, shard: Shard) -> int:
    reply = cluster.request(
        "POST",
        f"/{shard.index}/_search",
        params={"preference": f"_shards:{shard.number}|_primary"},
        body={"size": 1, "sort": [{"_seq_no": "desc"}], "_source": False, "seq_no_primary_term": True},
        accept=(404,),
    )
    hits = reply.get("hits", {}).get("hits", [])
    return int(hits[0]["_seq_no"]) if hits else -1


def _moved_first() -> None:
    """The cursor is moved over a batch before what follows from the batch is stored."""

    def judge_new(self: lanes.Pass, held: Held) -> None:
        shard = held.shard
        for batch in self._work.finder.batches(Wanted(shard, held.cursor.seq_no, shard.checkpoint)):
            if not self._move(held, batch.upto, ()):
                return
            self.counts += lanes.judge_batch(self._work, held, batch, Flood(()))
        self._move(held, shard.checkpoint, ())

    _put(lanes.Pass, "_judge_new", judge_new)


def _own_ids() -> None:
    """An alert gets another id each time that it is made."""
    _put(judge, "alert_id", lambda _rule, _event: uuid.uuid4().hex)


VARIANTS: Mapping[str, Callable[[], None]] = {
    "": _right,
    HIGHEST_VISIBLE: _highest_visible,
    MOVED_FIRST: _moved_first,
    OWN_IDS: _own_ids,
}
