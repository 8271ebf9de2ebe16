"""A delivery's text in pieces: JSON lists of records that are small enough to be read at once."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec

PIECE = 64 << 10
"""Bytes of text that are read at once, about fifty records: what is read of them stays in the cache. A text of up to twice as many is not cut."""
LONGEST = 64 << 20
"""Bytes that a piece may have where its records cannot be told apart without reading them."""
_HEAD = re.compile(rb'\s*\{\s*"Records"\s*:\s*\[\s*')
_TAIL = re.compile(rb"\s*\]\s*\}\s*\Z")
_BETWEEN = re.compile(rb"\s*,\s*")
_SPACE = re.compile(rb"\s*")
_FIRST_KEY = re.compile(rb'\{\s*"[A-Za-z]+"\s*:')
_ROOM_FOR_TAIL = 1_000
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])

Span = tuple[int, int]


class Piece(msgspec.Struct, frozen=True):
    """A JSON list of records, and where in the whole text that stands which is behind its bracket."""

    text: bytes | memoryview
    start: int


def of_delivery(text: bytes) -> list[Piece] | None:
    """The records of `{"Records": [...]}` in pieces; None for any other text.

    The pieces are cut where a record seems to begin. Should none begin there, a piece is no JSON.
    """
    head = _HEAD.match(text)
    tail = _TAIL.search(text, max(len(text) - _ROOM_FOR_TAIL, 0))
    if head is None or tail is None:
        return None
    first, end = head.end(), tail.start()
    if first >= end:
        return [] if _TAIL.match(text, first) else None
    view = memoryview(text)
    if end - first <= 2 * PIECE:
        bracket = text.rindex(b"[", 0, first)
        return [Piece(view[bracket : text.index(b"]", end) + 1], bracket + 1)]
    return _whole(
        [Piece(b"".join((b"[", view[start:stop], b"]")), start) for start, stop in _cuts(text, first, end)]
    )


def _cuts(text: bytes, first: int, end: int) -> Iterator[Span]:
    key = _FIRST_KEY.match(text, first)
    between = re.compile(rb"\}\s*,\s*(?=%s)" % re.escape(key.group())) if key else None
    while between and end - first > 2 * PIECE and (cut := between.search(text, first + PIECE, end)):
        yield first, cut.start() + 1
        first = cut.end()
    yield first, end


def of_lines(text: bytes) -> list[Piece] | None:
    """The records of NDJSON, one a line, in pieces; None where a piece would be too long."""
    pieces: list[Piece] = []
    place = 0
    while place < len(text):
        stop = text.find(b"\n", min(place + PIECE, len(text)))
        stop = len(text) if stop == -1 else stop
        lines = [line for line in text[place:stop].split(b"\n") if not _is_blank(line)]
        if lines:
            pieces.append(Piece(b"[" + b",".join(lines) + b"]", place))
        place = stop + 1
    return _whole(pieces)


def _is_blank(line: bytes) -> bool:
    return not line or line.isspace()


def _whole(pieces: list[Piece]) -> list[Piece] | None:
    return pieces if all(len(piece.text) <= LONGEST for piece in pieces) else None


def is_unicode(text: bytes | memoryview) -> bool:
    """Whether the text is valid UTF-8."""
    try:
        str(text, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def split(piece: Piece) -> list[memoryview]:
    """Each record's bytes.

    Raises:
        msgspec.DecodeError: the piece is no JSON list.
        RecursionError: it is nested too deeply.
    """
    return list(map(memoryview, _RAWS.decode(piece.text)))  # type: ignore[arg-type]  # Raw is a buffer


def spans(piece: Piece, records: Sequence[memoryview]) -> list[Span]:
    """Where each record of a delivery's piece stands in the whole text."""
    lengths = list(map(len, records))
    shift = piece.start - 1  # the piece has a bracket before its first record
    if sum(lengths) + len(lengths) + 1 == len(piece.text):  # one byte between two: a comma
        starts = accumulate((length + 1 for length in lengths), initial=piece.start)
        return [(start, start + length) for start, length in zip(starts, lengths, strict=False)]
    found: list[Span] = []
    place = 1
    for length in lengths:
        gap = (_BETWEEN if found else _SPACE).match(piece.text, place)
        place = gap.end() if gap else place
        found.append((place + shift, place + length + shift))
        place += length
    return found


def line_spans(text: bytes, piece: Piece, records: Sequence[memoryview]) -> list[Span] | None:
    """Where each record of a piece of NDJSON stands in the whole text; None when they are not one a line."""
    found: list[Span] = []
    place = piece.start
    for record in records:
        stop = text.find(b"\n", place)
        while _is_blank(text[place : stop if stop != -1 else len(text)]):
            place, stop = stop + 1, text.find(b"\n", stop + 1)
        line = text[place : stop if stop != -1 else len(text)]
        start = place + len(line) - len(line.lstrip())
        if line.strip() != record:
            return None
        found.append((start, start + len(record)))
        place = stop + 1
    return found
