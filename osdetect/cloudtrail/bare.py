"""Records without AWS's frame, or with more than one: a list, one a line, one after the other, deliveries in a row.

Tools that people use leave CloudTrail records like that: `jq .Records` a list, `jq -c .Records[]` one a line,
`zcat *.json.gz` deliveries in a row.
"""

import re

from osdetect.cloudtrail.layout import digest_end
from osdetect.cloudtrail.split import BOM, NO_END, Span, Spans, keys, list_items, skip, value_end

_SIGNS = frozenset({b'"eventVersion"', b'"eventName"', b'"eventSource"', b'"eventID"'})
"""AWS docs, "CloudTrail record contents": a record has all of them; one tells it from other JSON."""
_LINE = re.compile(rb"[^\n]+")
_ENVELOPE = b'"Records"'


def bare(text: bytes) -> Spans | None:
    """The records of a text that is no single delivery; None when its first value holds none.

    A line that cannot be read costs that line where there is a record on each; elsewhere the rest of the text.
    """
    place = skip(text, len(BOM) if text.startswith(BOM) else 0)
    if text[place : place + 1] == b"[":
        return _list(text, place)
    if text[place : place + 1] != b"{":
        return None
    if is_record(text, place) and one_a_line(text, place):
        return by_line(text, place)
    return _row(text, place)


def by_line(text: bytes, place: int = 0) -> Spans:
    """The lines behind `place` that are not blank, each taken for a record."""
    return Spans(tuple(line.span() for line in _LINE.finditer(text, place) if line.group().strip()))


def is_record(text: bytes, place: int) -> bool:
    """Whether the object at `place` has a name at its top that CloudTrail's records have."""
    return any(name in _SIGNS for name, _ in keys(text, place))


def one_a_line(text: bytes, place: int) -> bool:
    """Whether the value at `place` ends where its line does, and something follows on the next."""
    end = text.find(b"\n", place)
    return end >= 0 and value_end(text[place:end].rstrip(), 0) == len(text[place:end].rstrip())


def _list(text: bytes, place: int) -> Spans | None:
    first = skip(text, place + 1)
    if text[first : first + 1] != b"{" or not is_record(text, first):
        return None
    items, end = list_items(text, place)
    if items.cut or not text[end:].strip():
        return items
    return Spans(items.records, NO_END, end)


def _row(text: bytes, place: int) -> Spans | None:
    """Values one after the other, each a record or a delivery; digest files among them hold no records."""
    found: list[Span] = []
    known = False
    while place < len(text):
        digest = digest_end(text, place)
        if digest is not None:
            place = skip(text, digest)
            continue
        taken, end, why = _value(text, place)
        if taken is None:
            return Spans(tuple(found), why, place) if known else None
        found += taken.records
        if taken.cut:
            return Spans(tuple(found), taken.cut, taken.rest)
        known = True
        place = skip(text, end)
    return Spans(tuple(found)) if known else None


def _value(text: bytes, place: int) -> tuple[Spans | None, int, str]:
    """The records in the value at `place`, where it ends, and why it holds none."""
    names = list(keys(text, place))
    lists = [at for name, at in names if name == _ENVELOPE]
    end = value_end(text, place)
    if lists and text[lists[0] : lists[0] + 1] == b"[":
        items, behind = list_items(text, lists[0])
        if items.cut or (end is not None and len(lists) == 1):
            return items, end or -1, ""
        return Spans(items.records, NO_END, behind), -1, ""
    if end is None:
        return None, -1, "the text ends inside a record"
    if any(name in _SIGNS for name, _ in names):
        return Spans(((place, end),)), end, ""
    return None, -1, "something other than a record follows"
