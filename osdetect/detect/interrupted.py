"""What a worker that was killed, or failed, between a match and its group's alert left behind.

Mostly the events are judged again and the alert is made then. But an event may be gone meanwhile, overwritten or deleted, or with
its whole index; its match stands, and its group's alert would never count it. So whoever takes up a shard that was not let go
looks for such matches first, and now and then somebody does for shards that are no more (`osdetect.follow.Follower.left_behind`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from osdetect.cluster import Cluster, every_page, refresh
from osdetect.detect.groups import Touched, settle
from osdetect.detect.report import Counts
from osdetect.documents.match import Why, lone_alert
from osdetect.follow import Held, only
from osdetect.vocabulary import ALERTS_PREFIX, MATCHES_PREFIX

_PAGE = 1_000


class Interrupted:
    """The groups of matches of events behind a shard's cursor, as they are when it is made."""

    def __init__(self, cluster: Cluster, namespace: str, held: Held) -> None:
        """See the class.

        Raises:
            ClusterError: the matches cannot be read.
        """
        self._cluster, self._shard = cluster, held.shard
        self._touched: dict[str, tuple[Touched, int]] = {}
        """With the sequence number of an event of each."""
        for match, index in _matches(cluster, namespace, held):
            month = index.removeprefix(MATCHES_PREFIX)
            touched = Touched(match["group"], f"{ALERTS_PREFIX}{month}", index, lone_alert(match))
            self._touched.setdefault(touched.id, (touched, int(match["event"]["seq_no"])))

    def settle_gone(self) -> Counts:
        """Let the alerts count the matches of events that nobody will judge again; those of the others are made when they are judged.

        Raises:
            ClusterError: it could not be done; doing it again is harmless.
        """
        there = self._there()
        return self._settle([one for one, seq_no in self._touched.values() if seq_no not in there])

    def settle(self) -> Counts:
        """Let all alerts count them: what was there may be gone by now.

        Raises:
            ClusterError: it could not be done; doing it again is harmless.
        """
        return self._settle([one for one, _ in self._touched.values()])

    def _settle(self, touched: list[Touched]) -> Counts:
        created, _ = settle(self._cluster, touched)
        return Counts(groups_created=created)

    def _there(self) -> frozenset[int]:
        """Those of the sequence numbers whose events are still in the shard."""
        numbers = sorted({seq_no for _, seq_no in self._touched.values()})
        found: set[int] = set()
        for at in range(0, len(numbers), _PAGE):
            part = numbers[at : at + _PAGE]
            body = {
                "size": len(part),
                "query": {"terms": {"_seq_no": part}},
                "seq_no_primary_term": True,
                "_source": False,
            }
            path = f"/{self._shard.index}/_search"
            reply = self._cluster.request("POST", path, params=only(self._shard), body=body, accept=(404,))
            found.update(int(hit["_seq_no"]) for hit in reply.get("hits", {}).get("hits", ()))
        return frozenset(found)


def _matches(cluster: Cluster, namespace: str, held: Held) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each gathered match of an event behind the cursor, and its index."""
    shard = held.shard
    dealt_with = min((held.cursor.seq_no, *(one.after for one in held.cursor.owed)))
    of_shard = [
        {"term": {"why": Why.GATHERED.value}},
        {"term": {"event.index": shard.index}},
        {"term": {"event.shard": shard.number}},
        {"range": {"event.seq_no": {"gt": dealt_with}}},
    ]
    body = {
        "size": _PAGE,
        "query": {"bool": {"filter": of_shard}},
        "sort": [{"event.seq_no": "asc"}, {"rule.id": "asc"}, {"event.id": "asc"}],
    }
    pattern = f"{MATCHES_PREFIX}{namespace}-*"
    params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    refresh(cluster, pattern, params=params)
    for hits in every_page(cluster, f"/{pattern}/_search", body, params=params):
        yield from ((hit["_source"], hit["_index"]) for hit in hits)
