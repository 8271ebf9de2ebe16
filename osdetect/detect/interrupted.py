"""What a worker that was killed, or failed, between a match and its group's alert left behind.

Mostly the events are judged again and the alert is made then. But an event may be gone meanwhile, overwritten or deleted, or with
its whole index; its match stands, and its group's alert would never count it. So whoever takes up a shard that was not let go
looks for such matches first, and now and then somebody does for shards that are no more (`osdetect.follow.Follower.left_behind`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from osdetect.cluster import Cluster, every_page, refresh
from osdetect.detect.groups import Touched, settle
from osdetect.detect.losses import store_dead_letters
from osdetect.detect.report import Counts
from osdetect.documents.match import Why, lone_alert
from osdetect.follow import Held, Wanted, pages
from osdetect.vocabulary import ALERTS_PREFIX, MATCHES_PREFIX

_PAGE = 1_000
_Match = tuple[Mapping[str, Any], str]
"""Its `_source`, and its index."""


Clock = Callable[[], datetime]


def go_on(cluster: Cluster, namespace: str, held: Held, work: Callable[[Held], None], clock: Clock) -> Counts:
    """Do the work on a shard, and what the last worker at it may have left half done; what was done of the latter.

    Raises:
        ClusterError: something could not be done; doing it again is harmless.
        Exception: whatever the work raises.
    """
    if not held.interrupted:
        work(held)
        return Counts()
    left = Interrupted(cluster, namespace, held, clock)
    counts = left.settle_gone()
    work(held)
    return counts + left.settle()


class Interrupted:
    """The matches of events behind a shard's cursor as it is taken up. They are read page by page: they may be many."""

    def __init__(self, cluster: Cluster, namespace: str, held: Held, clock: Clock) -> None:
        self._cluster, self._namespace, self._clock = cluster, namespace, clock
        self._shard = held.shard
        self._pattern = f"{MATCHES_PREFIX}{namespace}-*"
        self._after = min((held.cursor.seq_no, *(one.after for one in held.cursor.owed)))
        self._upto: int | None = None
        """The last event that has such a match, once they were read: what comes behind it is this worker's own."""

    def settle_gone(self) -> Counts:
        """Let the alerts count the matches of events that nobody will judge again; those of the others are made when they are judged.

        Raises:
            ClusterError: it could not be done; doing it again is harmless.
        """
        counts, last = Counts(), self._after
        for matches in self._pages():
            there = self._there([_event(match) for match, _ in matches])
            counts += self._settle([one for one in matches if _event(one[0]) not in there])
            last = _seq_no(matches[-1][0])
        self._upto = last
        return counts

    def settle(self) -> Counts:
        """Let all alerts count them: what was there may be gone by now.

        Raises:
            ClusterError: it could not be done; doing it again is harmless.
        """
        counts = Counts()
        for matches in self._pages():
            counts += self._settle(matches)
        return counts

    def _settle(self, matches: Sequence[_Match]) -> Counts:
        touched = {}
        for match, index in matches:
            month = index.removeprefix(MATCHES_PREFIX)
            touched[match["group"]] = Touched(
                match["group"], f"{ALERTS_PREFIX}{month}", index, lone_alert(match)
            )
        settled = settle(self._cluster, touched.values())
        store_dead_letters(self._cluster, self._namespace, settled.refused, [], self._clock())
        return Counts(groups_created=settled.created, deadlettered_owed=len(settled.refused))

    def _there(self, events: Sequence[tuple[int, str]]) -> frozenset[tuple[int, str]]:
        """Those of them, in order of their numbers, that are in the shard as they were; one that was overwritten has another number."""
        ids = {"ids": {"values": sorted({key for _, key in events})}}
        wanted = Wanted(self._shard, events[0][0] - 1, events[-1][0], ids)
        return frozenset((one.at.seq_no, one.at.id) for page in pages(self._cluster, wanted) for one in page)

    def _pages(self) -> Iterator[Sequence[_Match]]:
        bounds = {"gt": self._after, **({} if self._upto is None else {"lte": self._upto})}
        of_shard = [
            {"term": {"why": Why.GATHERED.value}},
            {"term": {"event.index": self._shard.index}},
            {"term": {"event.shard": self._shard.number}},
            {"range": {"event.seq_no": bounds}},
        ]
        body = {
            "size": _PAGE,
            "query": {"bool": {"filter": of_shard}},
            "sort": [{"event.seq_no": "asc"}, {"rule.id": "asc"}, {"event.id": "asc"}],
        }
        params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
        refresh(self._cluster, self._pattern, params=params)
        asked = {**params, "preference": "_primary"}  # a replica may lag behind a refresh
        for hits in every_page(self._cluster, f"/{self._pattern}/_search", body, params=asked):
            yield [(hit["_source"], hit["_index"]) for hit in hits]


def _event(match: Mapping[str, Any]) -> tuple[int, str]:
    return _seq_no(match), match["event"]["id"]


def _seq_no(match: Mapping[str, Any]) -> int:
    return int(match["event"]["seq_no"])
