"""Every cursor and lease that a namespace has in the state index, as stored there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from osdetect.cluster import Cluster
from osdetect.documents.state import DETECT
from osdetect.vocabulary import STATE_INDEX

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """Who is at a shard, as its cursor's document says."""

    worker: str
    at: datetime | None
    length_s: float

    def expired(self, now: datetime) -> bool:
        """Whether its end is as long ago again: also a worker whose clock is a little off is gone by then."""
        return self.at is None or now >= self.at + timedelta(seconds=2 * self.length_s)


@dataclass(frozen=True, slots=True)
class CursorSeen:
    """A cursor."""

    id: str
    purpose: str
    index: str
    index_uuid: str
    shard: int
    seq_no: int
    owed: int
    """Ranges in which named rules must still judge."""
    owed_events: int
    """Sequence numbers in them."""
    lease: LeaseSeen | None


def stored_cursors(cluster: Cluster, namespace: str) -> tuple[CursorSeen, ...]:
    """The namespace's cursors of all purposes, in order of their ids.

    Raises:
        ClusterError: they cannot be read.
    """
    cluster.request("POST", f"/{STATE_INDEX}/_refresh", accept=(404,))
    found: dict[str, CursorSeen] = {}
    after: list[object] | None = None
    while True:
        # By sequence number: a cursor that moves meanwhile is met again later, and none is passed by.
        body = {
            "size": _PAGE,
            "query": {"term": {"kind": "cursor"}},
            "sort": [{"_seq_no": "asc"}],
            **({"search_after": after} if after else {}),
        }
        params = {"allow_partial_search_results": "false"}
        reply = cluster.request("POST", f"/{STATE_INDEX}/_search", params=params, body=body, accept=(404,))
        hits = reply.get("hits", {}).get("hits", [])
        for hit in hits:
            cursor = hit["_source"].get("cursor")
            if isinstance(cursor, Mapping) and cursor.get("namespace") == namespace:
                found[hit["_id"]] = _cursor(hit["_id"], cursor)
        if len(hits) < _PAGE:
            return tuple(found[name] for name in sorted(found))
        after = hits[-1]["sort"]


def _cursor(name: str, said: Mapping[str, Any]) -> CursorSeen:
    ranges = [one for one in said.get("owed") or () if isinstance(one, Mapping)]
    return CursorSeen(
        id=name,
        purpose=str(said.get("purpose", DETECT)),
        index=str(said.get("index", "")),
        index_uuid=str(said.get("index_uuid", "")),
        shard=_whole(said.get("shard"), 0),
        seq_no=_whole(said.get("seq_no"), -1),
        owed=len(ranges),
        owed_events=sum(max(0, _whole(one.get("upto"), 0) - _whole(one.get("after"), 0)) for one in ranges),
        lease=_lease(said.get("lease")),
    )


def _lease(said: object) -> LeaseSeen | None:
    if not isinstance(said, Mapping):
        return None
    length = said.get("length_s")
    return LeaseSeen(
        worker=str(said.get("worker", "")),
        at=moment(said.get("at")),
        length_s=float(length) if isinstance(length, (int, float)) else 0.0,
    )


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def moment(text: object) -> datetime | None:
    """A time as stored, or None for what is none."""
    try:
        parsed = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed and parsed.tzinfo is None else parsed
