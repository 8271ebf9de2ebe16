"""Every cursor and lease that a namespace has in the state index, as stored there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.documents.state import DETECT, Lease, began_anew
from osdetect.follow import Shard, stored_cursors


class CursorSeen(msgspec.Struct, frozen=True):
    """A cursor."""

    id: str
    purpose: str
    index: str
    index_uuid: str
    shard: int
    seq_no: int
    history: str
    """Of the sequence numbers; empty when it is not known."""
    owed: int
    """Ranges in which named rules must still judge."""
    owed_events: int
    """Sequence numbers in them."""
    lease: Lease | None
    """Who is at the shard; None also when what is stored is no lease: nobody heeds it."""

    def of(self, shard: Shard) -> "CursorSeen":
        """What it says of the shard: numbers of another history are of other events, and none of these is judged."""
        if began_anew(self.history, shard.history):
            return replace(self, seq_no=-1, history=shard.history, owed=0, owed_events=0)
        return self


def seen_cursors(cluster: Cluster, namespace: str) -> tuple[CursorSeen, ...]:
    """The namespace's cursors of all purposes, in order of their ids.

    Raises:
        ClusterError: they cannot be read.
    """
    found: dict[str, CursorSeen] = {}
    for hit in stored_cursors(cluster, namespace):
        cursor = hit["_source"].get("cursor")
        if isinstance(cursor, Mapping):
            found[hit["_id"]] = _cursor(hit["_id"], cursor)
    return tuple(found[name] for name in sorted(found))


def _cursor(name: str, said: Mapping[str, Any]) -> CursorSeen:
    ranges = [one for one in said.get("owed") or () if isinstance(one, Mapping)]
    return CursorSeen(
        id=name,
        purpose=str(said.get("purpose", DETECT)),
        index=str(said.get("index", "")),
        index_uuid=str(said.get("index_uuid", "")),
        shard=_whole(said.get("shard"), 0),
        seq_no=_whole(said.get("seq_no"), -1),
        history=str(said.get("history") or ""),
        owed=len(ranges),
        owed_events=sum(max(0, _whole(one.get("upto"), 0) - _whole(one.get("after"), 0)) for one in ranges),
        lease=Lease.stored(said.get("lease")),
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
