"""How far the judging of each shard is behind: in events, counted, and in seconds."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Cluster, refresh
from osdetect.documents.state import DETECT, Lease
from osdetect.follow import Shard, only
from osdetect.status.cursors import CursorSeen


class ShardLag(msgspec.Struct, frozen=True):
    """How far one shard is behind."""

    index: str
    shard: int
    seq_no: int
    checkpoint: int
    started: bool
    """Whether it has a cursor: a shard without one was never judged."""
    events: int
    """Events in (cursor, checkpoint]; deleted documents have numbers there too and are not counted."""
    seconds: float | None
    """Age of the oldest of them; None when there is none, or none that says when it came."""
    owed: int
    owed_events: int
    lease: Lease | None

    def to_json(self, now: datetime) -> dict[str, Any]:
        """For machines."""
        lease = self.lease
        return {
            "index": self.index,
            "shard": self.shard,
            "seq_no": self.seq_no,
            "checkpoint": self.checkpoint,
            "has_cursor": self.started,
            "lag_events": self.events,
            "lag_seconds": None if self.seconds is None else round(self.seconds, 3),
            "owed_ranges": self.owed,
            "owed_sequence_numbers": self.owed_events,
            "lease": None
            if lease is None
            else {
                "worker": lease.worker,
                "at": lease.at.isoformat(),
                "length_s": lease.length_s,
                "expired": lease.over(now),
            },
        }


def lags(
    cluster: Cluster, shards: Iterable[Shard], cursors: Iterable[CursorSeen], now: datetime
) -> tuple[ShardLag, ...]:
    """The lag of each shard: one request for each that is behind, none for the others.

    Args:
        cluster: where.
        shards: of the target.
        cursors: of the namespace.
        now: to reckon ages from, in UTC.

    Raises:
        ClusterError: a shard cannot be searched.
    """
    known = {(one.index_uuid, one.shard): one for one in cursors if one.purpose == DETECT}
    return tuple(_lag(cluster, shard, known.get((shard.index_uuid, shard.number)), now) for shard in shards)


def _lag(cluster: Cluster, shard: Shard, cursor: CursorSeen | None, now: datetime) -> ShardLag:
    seq_no = cursor.seq_no if cursor else -1
    events, oldest = 0, None
    if seq_no < shard.checkpoint:
        events, oldest = _unjudged(cluster, shard, seq_no)
    return ShardLag(
        index=shard.index,
        shard=shard.number,
        seq_no=seq_no,
        checkpoint=shard.checkpoint,
        started=cursor is not None,
        events=events,
        seconds=None if oldest is None else max(0.0, now.timestamp() - oldest),
        owed=cursor.owed if cursor else 0,
        owed_events=cursor.owed_events if cursor else 0,
        lease=cursor.lease if cursor else None,
    )


def _unjudged(cluster: Cluster, shard: Shard, after: int) -> tuple[int, float | None]:
    """How many events are waiting, and when the first of them came, in seconds since 1970."""
    index = quote(shard.index, safe="")
    refresh(cluster, shard.index, accept=(404,))  # what is not visible cannot be counted
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": {"range": {"_seq_no": {"gt": after, "lte": shard.checkpoint}}},
        "aggs": {
            "came": {"min": {"field": "event.ingested"}},
            "happened": {"min": {"field": "@timestamp"}},
        },
    }
    reply = cluster.request("POST", f"/{index}/_search", params=only(shard), body=body, accept=(404,))
    if "hits" not in reply:  # deleted since its shards were listed: nothing waits there
        return 0, None
    aggregated: Mapping[str, Any] = reply.get("aggregations", {})
    times = (aggregated.get(name, {}).get("value") for name in ("came", "happened"))
    first = next((float(value) / 1000 for value in times if value is not None), None)
    return int(reply["hits"]["total"]["value"]), first
