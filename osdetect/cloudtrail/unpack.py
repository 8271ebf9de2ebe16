"""Gzip, unpacked within bounds, as far as it goes (RFC 1952)."""

import zlib

import msgspec

_GZIP = 31
"""zlib's window bits for a gzip header and trailer with the largest window."""
_MAGIC = b"\x1f\x8b"
_STEP = 256
"""How much input a broken stream is fed at once: the text is lost from the step that fails, not before."""


class Unpacked(msgspec.Struct, frozen=True):
    """The text of a file and, when the stream broke off, why; `over_limit` when it was cut by the limit."""

    text: bytes
    broken: str = ""
    over_limit: bool = False


def is_gzip(data: bytes) -> bool:
    """Whether `data` begins like gzip, whatever the file is called."""
    return data.startswith(_MAGIC)


def unpack(data: bytes, limit: int) -> Unpacked:
    """The members of a gzip file, one after the other, at most `limit` bytes of text.

    What comes before a break is kept: a truncated download still has its first records.
    """
    parts: list[bytes] = []
    room = limit
    while data:
        if not is_gzip(data):
            return Unpacked(b"".join(parts), "bytes that are not gzip follow the gzip data")
        text, data, broken = _member(data, room)
        parts.append(text)
        room -= len(text)
        if room < 0:
            return Unpacked(b"".join(parts), over_limit=True)
        if broken:
            return Unpacked(b"".join(parts), broken)
        data = data.lstrip(b"\0")  # tape blocks and some tools pad with zeros, which gzip(1) ignores as well
    return Unpacked(b"".join(parts))


def _member(data: bytes, room: int) -> tuple[bytes, bytes, str]:
    """One member's text (at most one byte over `room`), the bytes after it, and why it broke."""
    stream = zlib.decompressobj(_GZIP)
    try:
        text = stream.decompress(data, room + 1)
    except zlib.error as error:
        return _salvage(data, room), b"", f"the gzip data is corrupt ({error})"
    if len(text) > room or stream.eof:
        return text, stream.unused_data, ""
    return text, b"", "the gzip data ends before its end"


def _salvage(data: bytes, room: int) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    parts: list[bytes] = []
    left = room + 1
    for start in range(0, len(data), _STEP):
        try:
            parts.append(stream.decompress(stream.unconsumed_tail + data[start : start + _STEP], left))
        except zlib.error:
            break
        left -= len(parts[-1])
        if left <= 0:
            break
    return b"".join(parts)
