"""How far the judging of each shard is behind: in events, counted, and in seconds."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Cluster, refresh
from osdetect.documents.state import DETECT, Lease
from osdetect.errors import ClusterError
from osdetect.follow import Shard, date_fields, incomplete, only
from osdetect.status.cursors import CursorSeen

_TIMES = ("event.ingested", "@timestamp")
"""What says when an event came: the first of them that it has."""


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
    ageless: int
    """How many of them do not say when they came: they may be older than any other."""
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
            "lag_events_of_unknown_age": self.ageless,
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


class Lags(msgspec.Struct, frozen=True):
    """The lag of each shard that can be counted, and why others cannot."""

    shards: tuple[ShardLag, ...]
    without_primary: tuple[ClusterError, ...]
    """One for each index of which a shard has no primary."""
    not_counted: Mapping[str, ClusterError]
    """By index, if it does not answer or does not let itself be searched."""


def lags(
    cluster: Cluster, target: str, shards: Sequence[Shard], cursors: Iterable[CursorSeen], now: datetime
) -> Lags:
    """The lag of each shard: a few requests for each that is behind.

    Args:
        cluster: where.
        target: what is watched.
        shards: of the target.
        cursors: of the namespace.
        now: to reckon ages from, in UTC.

    Raises:
        ClusterError: the cluster does not answer.
    """
    known = {(one.index_uuid, one.shard): one for one in cursors if one.purpose == DETECT}
    missing = incomplete(cluster, target, shards)
    found: list[ShardLag] = []
    failed: dict[str, ClusterError] = {}
    for shard in shards:
        if shard.index in missing or shard.index in failed:
            continue
        try:
            found.append(_lag(cluster, shard, known.get((shard.index_uuid, shard.number)), now))
        except ClusterError as error:
            cluster.require_answer()
            failed[shard.index] = error
    return Lags(tuple(found), tuple(missing.values()), failed)


def _lag(cluster: Cluster, shard: Shard, cursor: CursorSeen | None, now: datetime) -> ShardLag:
    cursor = cursor.of(shard) if cursor else None
    seq_no = cursor.seq_no if cursor else -1
    waiting = _Waiting()
    if seq_no < shard.checkpoint:
        waiting = _unjudged(cluster, shard, seq_no)
    return ShardLag(
        index=shard.index,
        shard=shard.number,
        seq_no=seq_no,
        checkpoint=shard.checkpoint,
        started=cursor is not None,
        events=waiting.events,
        seconds=None if waiting.oldest is None else max(0.0, now.timestamp() - waiting.oldest),
        ageless=waiting.ageless,
        owed=cursor.owed if cursor else 0,
        owed_events=cursor.owed_events if cursor else 0,
        lease=cursor.lease if cursor else None,
    )


class _Waiting(msgspec.Struct, frozen=True):
    """The events of a shard that wait."""

    events: int = 0
    oldest: float | None = None
    """When the first of them came, in seconds since 1970, as far as they say."""
    ageless: int = 0


def _unjudged(cluster: Cluster, shard: Shard, after: int) -> _Waiting:
    index = quote(shard.index, safe="")
    refresh(cluster, shard.index, accept=(404,))  # what is not visible cannot be counted
    times = date_fields(cluster, shard.index, _TIMES)
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": {"range": {"_seq_no": {"gt": after, "lte": shard.checkpoint}}},
        "aggs": {
            **{
                path: {"filter": _without(times[:number]), "aggs": {"first": {"min": {"field": path}}}}
                for number, path in enumerate(times)
            },
            "ageless": {"filter": _without(times)},
        },
    }
    reply = cluster.request("POST", f"/{index}/_search", params=only(shard), body=body, accept=(404,))
    if "hits" not in reply:  # deleted since its shards were listed: nothing waits there
        return _Waiting()
    found: Mapping[str, Any] = reply["aggregations"]
    first = [value for path in times if (value := found[path]["first"]["value"]) is not None]
    return _Waiting(
        events=int(reply["hits"]["total"]["value"]),
        oldest=min(first) / 1000 if first else None,
        ageless=int(found["ageless"]["doc_count"]),
    )


def _without(paths: Sequence[str]) -> dict[str, Any]:
    """A query for events that have none of these fields."""
    return {"bool": {"must_not": [{"exists": {"field": path}} for path in paths]}}
