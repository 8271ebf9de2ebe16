"""Documents of the state index: where each shard's following stands, and who is at it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

_LONGEST_LEASE_S = 86_400.0
"""A lease that says to last longer is damaged: it would keep everybody away."""
_NO_LENGTH_S = 1e-6
DETECT = "detect"
"""The purpose of the detector's own cursors."""


class Owed(msgspec.Struct, frozen=True):
    """What was put off: these rules must still judge the events in (after, upto]."""

    rules: tuple[str, ...]
    """Their ids."""
    after: int
    upto: int


class Lease(msgspec.Struct, frozen=True):
    """A worker is at the shard. It renews the lease by each write; one that it does not renew expires."""

    worker: str
    length_s: float
    at: datetime
    """When it was taken or last renewed, by that worker's clock."""

    def over(self, now: datetime) -> bool:
        """Whether it has surely expired: it is two lengths old by the clocks of both. One as far in the future is not believed."""
        return abs(now - self.at) >= timedelta(seconds=2 * self.length_s)

    def over_at_once(self) -> "Lease":
        """The same lease, which anybody may take over."""
        return replace(self, length_s=_NO_LENGTH_S)

    @staticmethod
    def stored(said: object) -> "Lease | None":
        """The lease that a cursor's document says; none when it is not readable: anybody may take the shard then."""
        match said:
            case {"worker": str(worker), "length_s": (int() | float()) as length, "at": str(at)}:
                try:
                    moment = datetime.fromisoformat(at)
                except ValueError:
                    return None
                if not 0 < length <= _LONGEST_LEASE_S:  # NaN is neither
                    return None
                return Lease(worker, float(length), moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            case _:
                return None


def began_anew(known: str, now: str) -> bool:
    """Whether sequence numbers of the history that is known are of other documents than those of now; empty: not known."""
    return bool(known and now) and known != now


class Cursor(msgspec.Struct, frozen=True):
    """All documents of the shard up to `seq_no` were dealt with, but for what is `owed`.

    Purpose, namespace, index uuid and shard number are its identity: an index that is deleted and made again, restored under another
    name or shrunk has another uuid and starts at its beginning; ids of content make that harmless. So it does when its sequence numbers
    have another history (`of_history`).
    """

    purpose: str
    """What the documents are followed for: `detect`, or another follower's own word."""
    namespace: str
    index_uuid: str
    shard: int
    seq_no: int = -1
    """The sequence number of the last document dealt with; -1: none."""
    index: str = ""
    """The index's name, for people."""
    owed: tuple[Owed, ...] = ()
    lease: Lease | None = None
    history: str = ""
    """Of the sequence numbers, as OpenSearch calls it; empty: not known."""

    @property
    def id(self) -> str:
        """The id of its document."""
        return f"cursor:{self.purpose}:{self.namespace}:{self.index_uuid}:{self.shard}"

    def at(self, seq_no: int) -> "Cursor":
        """The same shard's cursor at another sequence number."""
        return replace(self, seq_no=seq_no)

    def of_history(self, history: str) -> "Cursor":
        """The cursor for sequence numbers of this history: at the beginning when its own are of another one."""
        if not history or history == self.history:
            return self
        if began_anew(self.history, history):
            return replace(self, history=history, seq_no=-1, owed=())
        return replace(self, history=history)

    def to_source(self, updated: datetime) -> dict[str, Any]:
        """The document's `_source`; `updated` is the time of writing."""
        return {
            "kind": "cursor",
            "namespace": self.namespace,
            "updated": updated.isoformat(),
            "cursor": {
                "purpose": self.purpose,
                "namespace": self.namespace,
                "index": self.index,
                "index_uuid": self.index_uuid,
                "shard": self.shard,
                "seq_no": self.seq_no,
                "owed": [
                    {"rules": list(one.rules), "after": one.after, "upto": one.upto} for one in self.owed
                ],
                **({"history": self.history} if self.history else {}),
                **({"lease": _lease_source(self.lease)} if self.lease else {}),
            },
        }

    @staticmethod
    def named(source: Mapping[str, Any]) -> "Cursor | None":
        """The cursor of a document that names it; None when it does not."""
        match source.get("cursor"):
            case {
                "purpose": str(purpose),
                "namespace": str(namespace),
                "index": str(index),
                "index_uuid": str(index_uuid),
                "shard": int(shard),
            }:
                return Cursor(purpose, namespace, index_uuid, shard, index=index).stored(source)
            case _:
                return None

    def stored(self, source: Mapping[str, Any]) -> "Cursor":
        """This cursor as its document says; at the beginning, which is safe, when a part of that is not readable."""
        match source.get("cursor"):
            case {"seq_no": int(seq_no), "owed": list(owed), **rest} if seq_no >= -1:
                read = [_owed(one) for one in owed]
                lease = Lease.stored(rest.get("lease"))
                known = tuple(one for one in read if one is not None)
                history = rest.get("history")
                said = history if isinstance(history, str) else ""
                if len(known) == len(read):
                    return replace(self, seq_no=seq_no, owed=known, lease=lease, history=said)
        return self


def _lease_source(lease: Lease) -> dict[str, Any]:
    return {"worker": lease.worker, "length_s": lease.length_s, "at": lease.at.isoformat()}


def _owed(said: object) -> Owed | None:
    match said:
        case {"rules": list(rules), "after": int(after), "upto": int(upto)}:
            return Owed(tuple(map(str, rules)), after, upto)
        case _:
            return None
