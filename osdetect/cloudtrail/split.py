"""Where each record begins and ends in a delivery's text.

Two ways that must agree (tests/cloudtrail/test_split.py): `fast` lets msgspec find the records of a well-formed
delivery at about a microsecond each; `slow` walks the text token by token, and so finds the good records around a bad
one and before a cut.
"""

import re
from collections.abc import Iterator

import msgspec

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some editors put before UTF-8."""
_HEAD = re.compile(rb'\s*\{\s*"Records"\s*:\s*\[\s*')
_TAIL = re.compile(rb"\s*\]\s*\}\s*\Z")
_BETWEEN = re.compile(rb"\s*,\s*")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]"]', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,:"{}\[\]]++')
_OPEN = frozenset(b"{[")
_QUOTE = ord('"')

NO_END = "something other than the end follows the list of records"

Span = tuple[int, int]


class Spans(msgspec.Struct, frozen=True):
    """The records' places in the text, each from its first byte to behind its last; `cut` is why the list ended early.

    `rest` is where the part begins that could not be split, or -1.
    """

    records: tuple[Span, ...]
    cut: str = ""
    rest: int = -1


class _Envelope(msgspec.Struct):
    Records: list[msgspec.Raw]


_DECODER = msgspec.json.Decoder(_Envelope)


def fast(text: bytes) -> Spans | None:
    """The records of a delivery in which nothing is odd; None for any other text."""
    head = _HEAD.match(text)
    if head is None:
        return None
    try:
        raws = _DECODER.decode(text).Records
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    spans: list[Span] = []
    place = head.end()
    for number, raw in enumerate(raws):
        if number:
            gap = _BETWEEN.match(text, place)
            if gap is None:
                return None
            place = gap.end()
        spans.append((place, place + len(memoryview(raw))))
        place = spans[-1][1]
    return Spans(tuple(spans)) if _TAIL.match(text, place) else None


def slow(text: bytes) -> Spans | None:
    """The records of any text whose first value is an object with a list `Records`; None if there is none."""
    place = _records_list(text)
    if place is None:
        return None
    items, end = list_items(text, place)
    if items.cut or _TAIL.match(text, end - 1) or _only_names_follow(text):
        return items
    return Spans(items.records, NO_END, end)


def list_items(text: bytes, bracket: int) -> tuple[Spans, int]:
    """The items of the list that opens at `bracket`, as far as they can be told apart, and where it ends, else -1."""
    spans: list[Span] = []
    place = skip(text, bracket + 1)
    if text[place : place + 1] == b"]":
        return Spans(()), place + 1
    while True:
        end = value_end(text, place)
        if end is None:
            why = "the text ends inside a record" if place < len(text) else "the text ends between records"
            return Spans(tuple(spans), why, place), -1
        spans.append((place, end))
        place = skip(text, end)
        follows = text[place : place + 1]
        if follows == b"]":
            return Spans(tuple(spans)), place + 1
        if follows != b",":
            why = (
                "something other than a comma follows a record"
                if follows
                else "the text ends between records"
            )
            return Spans(tuple(spans), why, place), -1
        place = skip(text, place + 1)


def _only_names_follow(text: bytes) -> bool:
    """Whether the object ends where the text does and has one `Records`: other names in it hold no records."""
    end = value_end(text, _beginning(text))
    return (
        end is not None
        and not text[end:].strip()
        and [name for name, _ in keys(text)].count(b'"Records"') == 1
    )


def _beginning(text: bytes) -> int:
    return skip(text, len(BOM) if text.startswith(BOM) else 0)


def _records_list(text: bytes) -> int | None:
    for name, place in keys(text):
        if name == b'"Records"' and text[place : place + 1] == b"[":
            return place
    return None


def keys(text: bytes, place: int = -1) -> Iterator[tuple[bytes, int]]:
    """The quoted keys of the object at `place` (-1: that `text` begins with), each with where its value begins."""
    place = place if place >= 0 else _beginning(text)
    if text[place : place + 1] != b"{":
        return
    place = skip(text, place + 1)
    while (key := _STRING.match(text, place)) is not None:
        place = skip(text, key.end())
        if text[place : place + 1] != b":":
            return
        place = skip(text, place + 1)
        yield key.group(), place
        end = value_end(text, place)
        if end is None:
            return
        place = skip(text, end)
        if text[place : place + 1] != b",":
            return
        place = skip(text, place + 1)


def value_end(text: bytes, start: int) -> int | None:
    """Behind the last byte of the value at `start`: brackets and strings are paired, nothing else is checked.

    None when the text ends first or no value begins there.
    """
    if text[start : start + 1] not in (b"{", b"["):
        scalar = _STRING.match(text, start) or _SCALAR.match(text, start)
        return scalar.end() if scalar else None
    depth = 0
    for token in _TOKEN.finditer(text, start):
        first = text[token.start()]
        if first == _QUOTE:
            if token.end() - token.start() == 1:
                return None  # a string without its end
        else:
            depth += 1 if first in _OPEN else -1
            if depth == 0:
                return token.end()
    return None


def depth_of(text: bytes, enough: int) -> int:
    """How deep the brackets of `text` nest; it stops counting above `enough`."""
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first == _QUOTE:
            continue
        depth += 1 if first in _OPEN else -1
        deepest = max(deepest, depth)
        if deepest > enough:
            break
    return deepest


def skip(text: bytes, place: int) -> int:
    """Behind the white space at `place`."""
    space = _SPACE.match(text, place)
    assert space is not None  # the pattern matches nothing as well
    return space.end()
