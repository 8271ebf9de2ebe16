"""The document for a record that cannot be an event: its bytes, the reason, and where it stands."""

import base64

import msgspec

from osdetect.cluster import create_action
from osdetect.load.ledger import printable
from osdetect.vocabulary import DEADLETTER_PREFIX

KEPT_BYTES = 256 * 1024
"""So much of a record's bytes is kept in its dead letter; the file still has the rest, at the offset."""


class DeadLetter(msgspec.Struct, frozen=True):
    """A record, or what stands in its place, that became no event."""

    file: int
    """The number of its file within this load."""
    path: str
    sha256: str
    """Of the file."""
    record: int
    offset: int
    raw: bytes
    reason: str


def action(letter: DeadLetter, namespace: str, *, ingested: str) -> bytes:
    """The bulk action that stores it. The id is the place in the file, so storing it again adds nothing."""
    index = f"{DEADLETTER_PREFIX}{namespace}"
    kept = letter.raw[:KEPT_BYTES]
    source = {
        "@timestamp": ingested,
        "namespace": namespace,
        "source": "load",
        "reason": letter.reason,
        "file": {
            "path": printable(letter.path),
            "sha256": letter.sha256,
            "offset": letter.offset,
            "record": letter.record,
        },
        "raw": {
            "text": kept.decode("utf-8", "replace"),
            "base64": base64.b64encode(kept).decode(),
            "bytes": len(letter.raw),
            "cut": len(letter.raw) > KEPT_BYTES,
        },
    }
    return create_action(index, f"{letter.sha256}-{letter.offset}", source)
