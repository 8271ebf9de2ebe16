"""Read and move a shard's cursor. Moving is compare-and-set: two detectors never move it over each other."""

from dataclasses import dataclass
from datetime import datetime

from osdetect.cluster import Cluster, Version
from osdetect.detect.shards import Shard
from osdetect.documents.state import Cursor
from osdetect.vocabulary import STATE_INDEX


@dataclass(frozen=True, slots=True)
class HeldCursor:
    """A cursor as it was read or written by us; `version` is None when it is not stored yet."""

    cursor: Cursor
    version: Version | None


def read_cursor(cluster: Cluster, namespace: str, shard: Shard) -> HeldCursor:
    """The shard's cursor; before the first event when there is none."""
    fresh = Cursor(namespace, shard.index_uuid, shard.number, index=shard.index)
    stored = cluster.read_document(STATE_INDEX, fresh.id)
    if stored is None:
        return HeldCursor(fresh, None)
    return HeldCursor(fresh.at(fresh.read_seq_no(stored.source)), stored.version)


def move_cursor(cluster: Cluster, held: HeldCursor, seq_no: int, now: datetime) -> HeldCursor | None:
    """The cursor at `seq_no`; None when another detector moved it since it was read."""
    moved = held.cursor.at(seq_no)
    source = moved.to_source(now.isoformat())
    if held.version is None:
        version = cluster.create_document(STATE_INDEX, moved.id, source)
    else:
        version = cluster.replace_document(STATE_INDEX, moved.id, source, held.version)
    if version is not None:
        return HeldCursor(moved, version)
    # The write may have been ours, repeated because its answer was lost.
    stored = cluster.read_document(STATE_INDEX, moved.id)
    if stored is not None and stored.source == source:
        return HeldCursor(moved, stored.version)
    return None
