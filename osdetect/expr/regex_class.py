"""Reads one character of a regular expression: an escape, or a class in brackets, as RE2 has them.

All of it is of ASCII but Unicode's properties, which are not looked up: such a class counts as any character.
"""

import re

import msgspec

from osdetect.expr.regex_sets import ALL, Ranges, complement, of, union
from osdetect.expr.regex_sets import any_case as in_any_case

_DIGIT: Ranges = ((48, 57),)
_UPPER: Ranges = ((65, 90),)
_LOWER: Ranges = ((97, 122),)
_LETTER = union(_UPPER, _LOWER)
WORD: Ranges = union(_DIGIT, _LETTER, of("_"))
_SPACE = of("\t\n\f\r ")

_CONTROLS = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_ESCAPED_CLASSES = {"d": _DIGIT, "s": _SPACE, "w": WORD}
_NAMED_CLASSES: dict[str, Ranges] = {
    "alnum": union(_DIGIT, _LETTER),
    "alpha": _LETTER,
    "ascii": ((0, 127),),
    "blank": of("\t "),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": _LOWER,
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": union(_SPACE, of("\v")),
    "upper": _UPPER,
    "word": WORD,
    "xdigit": union(_DIGIT, ((65, 70), (97, 102))),
}

_HEXADECIMAL = re.compile(r"\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_PROPERTY = re.compile(r"\\[pP](?:\{\^?\w+\}|[A-Z])", re.ASCII)
_NAMED = re.compile(r"\[:(\^?)([a-z]+):\]")

Found = tuple[Ranges, bool]
"""The set, and whether it is just what the pattern says (false: larger)."""


class _Item(msgspec.Struct, frozen=True):
    """Something in a class, and where it ends; `point` when it is one character, which may begin a range."""

    ranges: Ranges
    end: int
    point: int | None = None
    sure: bool = True


def escape_at(pattern: str, at: int, *, any_case: bool) -> tuple[Found | None, int]:
    """The escape that begins with the backslash at `at`, and where it ends; None if it is not read."""
    item = _escape(pattern, at, any_case=any_case)
    if item is None:
        return None, at
    return (_cased(item, any_case=any_case), item.sure), item.end


def class_at(pattern: str, at: int, *, any_case: bool) -> tuple[Found | None, int]:
    """The class whose opening bracket stands at `at`, and where it ends; None if it is not read."""
    at += 1
    negated = pattern.startswith("^", at)
    start = at = at + negated
    items: list[Ranges] = []
    sure = True
    while at == start or not pattern.startswith("]", at):
        item = _range(pattern, at, any_case=any_case)
        if item is None:
            return None, at
        items.append(item.ranges)
        sure = sure and item.sure
        at = item.end
    if not sure:
        return (ALL, False), at + 1
    found = union(*items)
    found = in_any_case(found) if any_case else found
    return (complement(found) if negated else found, True), at + 1


def _cased(item: _Item, *, any_case: bool) -> Ranges:
    return in_any_case(item.ranges) if any_case and item.ranges != ALL else item.ranges


def _range(pattern: str, at: int, *, any_case: bool) -> _Item | None:
    first = _item(pattern, at, any_case=any_case)
    if first is None or first.point is None or not pattern.startswith("-", first.end):
        return first
    if pattern.startswith("]", first.end + 1):
        return first
    last = _item(pattern, first.end + 1, any_case=any_case)
    if last is None or last.point is None or last.point < first.point:
        return None
    return _Item(((first.point, last.point),), last.end)


def _item(pattern: str, at: int, *, any_case: bool) -> _Item | None:
    if at >= len(pattern):
        return None
    if pattern[at] == "\\":
        return _escape(pattern, at, any_case=any_case)
    if pattern.startswith("[:", at):
        return _named(pattern, at, any_case=any_case)
    return _one(ord(pattern[at]), at + 1)


def _one(point: int, end: int) -> _Item:
    return _Item(((point, point),), end, point)


def _named(pattern: str, at: int, *, any_case: bool) -> _Item | None:
    named = _NAMED.match(pattern, at)
    if named is None:
        return None if ":]" in pattern[at:] else _one(ord("["), at + 1)
    ranges = _NAMED_CLASSES.get(named[2])
    if ranges is None:
        return None
    return _Item(_negated(ranges, negate=bool(named[1]), any_case=any_case), named.end())


def _negated(ranges: Ranges, *, negate: bool, any_case: bool) -> Ranges:
    """A negated class excludes every case of what it names."""
    ranges = in_any_case(ranges) if any_case else ranges
    return complement(ranges) if negate else ranges


def _escape(pattern: str, at: int, *, any_case: bool) -> _Item | None:
    letter = pattern[at + 1 : at + 2]
    if letter.lower() in _ESCAPED_CLASSES and letter.isascii():
        named = _ESCAPED_CLASSES[letter.lower()]
        return _Item(_negated(named, negate=letter.isupper(), any_case=any_case), at + 2)
    if letter in _CONTROLS:
        return _one(_CONTROLS[letter], at + 2)
    if letter.isascii() and (letter == "_" or (letter and not letter.isalnum())):
        return _one(ord(letter), at + 2)
    if hexadecimal := _HEXADECIMAL.match(pattern, at):
        return _one(int(hexadecimal[1] or hexadecimal[2], 16), hexadecimal.end())
    if octal := _OCTAL.match(pattern, at):
        return _one(int(octal[1], 8), octal.end())
    if known := _PROPERTY.match(pattern, at):
        return _Item(ALL, known.end(), sure=False)
    return None
