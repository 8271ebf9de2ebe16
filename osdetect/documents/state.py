"""Documents of the state index: where each shard's judging stands."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Cursor:
    """All events of the shard up to `seq_no` were judged, and their alerts are stored.

    One detector's alerts namespace, index uuid and shard number are its identity: an index that is deleted
    and made again, restored or shrunk has another uuid and starts at its beginning; alert ids make that harmless.
    """

    namespace: str
    index_uuid: str
    shard: int
    seq_no: int = -1
    """The sequence number of the last event judged; -1: none."""
    index: str = ""
    """The index's name, for people."""

    @property
    def id(self) -> str:
        """The id of its document."""
        return f"cursor:{self.namespace}:{self.index_uuid}:{self.shard}"

    def at(self, seq_no: int) -> "Cursor":
        """The same shard's cursor at another sequence number."""
        return replace(self, seq_no=seq_no)

    def to_source(self, updated: str) -> dict[str, Any]:
        """The document's `_source`; `updated` is the time of writing, ISO 8601."""
        return {
            "kind": "cursor",
            "updated": updated,
            "cursor": {
                "namespace": self.namespace,
                "index": self.index,
                "index_uuid": self.index_uuid,
                "shard": self.shard,
                "seq_no": self.seq_no,
            },
        }

    def read_seq_no(self, source: Mapping[str, Any]) -> int:
        """The sequence number in a stored cursor; -1, the safe beginning, when it is not readable."""
        cursor = source.get("cursor")
        seq_no = cursor.get("seq_no") if isinstance(cursor, Mapping) else None
        return seq_no if isinstance(seq_no, int) and seq_no >= -1 else -1
