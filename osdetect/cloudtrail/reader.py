"""One CloudTrail file, opened within limits and split into its records."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from osdetect.cloudtrail import layout
from osdetect.cloudtrail.bare import bare
from osdetect.cloudtrail.record import BadRecord, RawRecord, parse
from osdetect.cloudtrail.split import NO_END, Spans, fast, slow
from osdetect.cloudtrail.unpack import Unpacked, is_gzip, unpack
from osdetect.errors import RecordError, Where

_MIB = 1 << 20


class Limits(msgspec.Struct, frozen=True):
    """How much one file may demand. AWS's own files are below 50 MiB of text and compress 10 to 40 times."""

    text_bytes: int = 512 * _MIB
    """The most text that a file may have, unpacked. It is held in memory."""
    expansion: int = 400
    """The most times that gzip may make text larger, once there are 16 MiB of it."""
    record_bytes: int = 16 * _MIB
    """The most bytes that a record may have; AWS stays below 1 MiB."""


_ALWAYS_ALLOWED = 16 * _MIB


class Digest(msgspec.Struct, frozen=True):
    """A CloudTrail digest file: it holds the hashes of other files and no record. Nothing is read from it."""

    path: Path
    sha256: str
    stored_bytes: int


class Cut(msgspec.Struct, frozen=True):
    """Why a file's records are not all there, and from where in its unpacked text, in bytes."""

    reason: str
    offset: int


class Delivery(msgspec.Struct, frozen=True):
    """A file of records."""

    path: Path
    sha256: str
    """Of the file's bytes as stored: what the ledger knows the file by."""
    stored_bytes: int
    text: bytes
    spans: Spans
    cut: Cut | None
    limits: Limits

    def records(self) -> Iterator[RawRecord | BadRecord]:
        """Each record, in order; what follows the last that can be told apart comes as one `BadRecord`."""
        number = 0
        longest = self.limits.record_bytes
        for number, (start, end) in enumerate(self.spans.records, 1):  # used below the loop
            yield parse(number, start, self.text[start:end], longest)
        rest = self.spans.rest
        if rest >= 0 and self.text[rest:].strip():
            yield BadRecord(number + 1, rest, self.text[rest:], self.spans.cut)


def fingerprint(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal.

    Raises:
        RecordError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def read_file(path: Path, limits: Limits | None = None) -> Delivery | Digest:
    """Open one file.

    Raises:
        RecordError: it cannot be read, exceeds a limit, or is not a delivery; the error says what it seems to be.
    """
    bounds = limits or Limits()
    try:
        if path.stat().st_size > bounds.text_bytes:
            raise _too_large(path, f"more than {bounds.text_bytes} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    sha256 = hashlib.sha256(data).hexdigest()
    unpacked = _text(path, data, bounds)
    spans = spans_of(unpacked.text)
    if spans is not None:
        return Delivery(path, sha256, len(data), unpacked.text, spans, _cut(spans, unpacked), bounds)
    seems = layout.recognise(unpacked.text)
    if seems == layout.DIGEST:
        return Digest(path, sha256, len(data))
    raise refusal(path, seems, broken=unpacked.broken, has_text=bool(unpacked.text), empty=not data)


def spans_of(text: bytes) -> Spans | None:
    """Where the records of a text are, whatever the layout; None when it holds none that is known."""
    whole = fast(text) or slow(text)
    if whole is not None and whole.cut != NO_END:
        return whole
    others = bare(text)
    return others if others is not None else whole


def _text(path: Path, data: bytes, bounds: Limits) -> Unpacked:
    if not is_gzip(data):
        return Unpacked(data)
    limit = min(bounds.text_bytes, max(len(data) * bounds.expansion, _ALWAYS_ALLOWED))
    unpacked = unpack(data, limit)
    if unpacked.over_limit:
        raise _too_large(path, f"{len(data)} bytes that unpack to more than {limit}")
    return unpacked


def _cut(spans: Spans, unpacked: Unpacked) -> Cut | None:
    if not (spans.cut or unpacked.broken):
        return None
    reason = "; ".join(reason for reason in (unpacked.broken, spans.cut) if reason)
    return Cut(reason, spans.rest if spans.rest >= 0 else len(unpacked.text))


def refusal(path: Path, seems: str, *, broken: str, has_text: bool, empty: bool) -> RecordError:
    """Why nothing was read from a file.

    Args:
        path: the file.
        seems: what `layout.recognise` says of its text.
        broken: why its gzip data broke off, if it did.
        has_text: whether there is any text, unpacked.
        empty: whether the file itself is empty.
    """
    if empty:
        what = "the file is empty (0 bytes)"
    elif broken and not has_text:
        what = "nothing of the file can be unpacked"
    else:
        what = f"this holds no CloudTrail records: it seems to be {seems}"
    return RecordError(
        what,
        cause=broken,
        cure='give records as CloudTrail delivers them to S3, {"Records": [...]}, in a list, or one a line; gzip or not',
        where=Where(str(path)),
    )


def _too_large(path: Path, how: str) -> RecordError:
    return RecordError(
        f"the file is too large: {how}",
        cure="if it is genuine, raise --max-file-bytes",
        where=Where(str(path)),
    )


def _unreadable(path: Path, error: OSError) -> RecordError:
    return RecordError(
        "the file cannot be read",
        cause=error.strerror or str(error),
        cure="check its permissions",
        where=Where(str(path)),
    )
