"""Values that a test holds for, and values close by that it does not hold for: what records are made of."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, assert_never

from osdetect.expr import (
    Boolean,
    Cidr,
    Compare,
    CompareTime,
    Equals,
    Exists,
    Gap,
    Leaf,
    Null,
    Number,
    Regex,
    SameAs,
    Test,
    TimePart,
    Wildcard,
)
from osdetect.expr.evaluate import holds
from osdetect.expr.moments import moment_of
from osdetect.expr.regex_syntax import Unreadable, parse
from osdetect.expr.regex_tree import Atomic, Chars, Choice, Edge, Look, Node, Repeat
from osdetect.expr.regex_tree import Sequence as InOrder
from osdetect.ruletest.known_values import known_values


class Absent(Enum):
    """Stands for a field that is not there."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
_SHARED = "example-one"
"""What two fields have that are to be the same."""
_MANY = 40
_LONGEST = 2_000


def values_at(field: str, leaves: Iterable[Leaf[str]], *, cloudtrail: bool) -> tuple[Any, ...]:
    """Values to try in a field, so that each of these tests of it holds for some and not for others.

    Args:
        field: its path.
        leaves: tests; those of other fields count as far as they name this one.
        cloudtrail: whether a field with a closed list of values has no others than CloudTrail knows.
    """
    own = [leaf.test for leaf in dict.fromkeys(leaves) if leaf.field == field]
    found: list[Any] = [ABSENT]
    for test in own:
        found += [value for value in _values(test) if not isinstance(value, str) or len(value) <= _LONGEST]
    if any(isinstance(leaf.test, SameAs) and leaf.test.path == field for leaf in leaves):
        found += [_SHARED, f"a-{_SHARED}-z"]
    found += _together(own)
    found += ["example", "other", None]
    known = known_values(field) if cloudtrail else ()
    if known:
        named = {text.lower() for test in own if (text := _named(test))}
        said = {value.lower() for value in known}
        found = [v for v in found if not isinstance(v, str) or v.lower() in named | said]
        found += _told_apart(field, tuple(own))
    return tuple({repr(value): value for value in found}.values())


def _named(test: Test) -> str:
    return test.text if isinstance(test, Equals) else ""


@lru_cache(maxsize=4_096)
def _told_apart(field: str, tests: tuple[Test, ...]) -> tuple[str, ...]:
    """Of the known values one for each way in which the tests can come out."""
    groups = [frozenset(known_values(field))]
    for test in tests:
        held = _held(field, test)
        groups = [part for group in groups for part in (group & held, group - held) if part]
    return tuple(sorted(map(min, groups)))


@lru_cache(maxsize=4_096)
def _held(field: str, test: Test) -> frozenset[str]:
    return frozenset(value for value in known_values(field) if holds("x", test, {"x": value}))


def _values(test: Test) -> Iterator[Any]:
    """Some for which the test holds, the plainest first, and some for which it nearly does."""
    match test:
        case Equals(text=text):
            yield from _around(text)
        case Wildcard(parts=parts):
            for fill in ("", "example"):
                yield from _around("".join(_filled(part, fill) for part in parts))
            yield "".join(_filled(part, "") for part in parts if isinstance(part, str))
        case Regex(pattern=pattern, flags=flags):
            yield from _of_regex(pattern, flags)
        case Cidr(network=network):
            yield from _addresses(network)
        case Number(value=value):
            yield from (value, value + 1)
        case Compare(value=value):
            yield from (value, value + 1, value - 1)
        case CompareTime(moment=moment):
            yield from _times(moment)
        case TimePart():
            yield from _moments(test)
        case Boolean(value=truth):
            yield from (truth, not truth)
        case Null():
            yield None
        case Exists():
            yield "example"
        case SameAs():
            yield from (_SHARED, f"a-{_SHARED}-z")
        case _:
            assert_never(test)


def _around(text: str) -> Iterator[str]:
    yield from (text, f"{text}-2", f"x-{text}", f"x-{text}-2", f"{text}~")
    if text.swapcase() != text:
        yield text.swapcase()


def _filled(part: str | Gap, fill: str) -> str:
    if isinstance(part, str):
        return part
    return fill if part is Gap.ANY else "x"


def _together(tests: Sequence[Test]) -> Iterator[Any]:
    """Values for which several tests of a field hold together: their texts in one, or as a list."""
    patterns = [test for test in tests if isinstance(test, Wildcard)]
    if 1 < len(patterns) <= _MANY:
        first = [one for one in patterns if one.parts[0] is not Gap.ANY]
        last = [one for one in patterns if one.parts[-1] is not Gap.ANY and one not in first]
        between = [one for one in patterns if one not in first and one not in last]
        yield " ".join("".join(_filled(part, "") for part in one.parts) for one in (*first, *between, *last))
    single = [value for test in tests if (value := next(_values(test), None)) is not None]
    if 1 < len(single) <= _MANY:
        yield single


def _addresses(network: str) -> Iterator[str]:
    given = ipaddress.ip_network(network, strict=False)
    yield str(given[min(1, given.num_addresses - 1)])
    yield str(given[-1])
    if int(given[-1]) < 2**given.max_prefixlen - 1:
        yield str(given[-1] + 1)
    if int(given[0]):
        yield str(given[0] - 1)


def _times(moment: str) -> Iterator[str]:
    bound = moment_of(moment)
    if bound is not None:
        for away in (0, -1, 1):
            yield _written((bound.instant + timedelta(seconds=away)).isoformat())


def _written(iso: str) -> str:
    return iso.replace("+00:00", "Z")


_STARTS = {"minute": "2024-05-01T10:{:02}:00Z", "hour": "2024-05-01T{:02}:30:00Z", "day": "2024-05-{:02}T10:30:00Z",
           "month": "2024-{:02}-01T10:30:00Z", "year": "{:04}-05-01T10:30:00Z"}  # fmt: skip


def _moments(test: TimePart) -> Iterator[str]:
    for value in (test.value, test.value + 1, test.value - 1):
        if test.part == "week":
            from datetime import date  # noqa: PLC0415

            if 1 <= value <= 52:
                yield f"{date.fromisocalendar(2024, value, 3).isoformat()}T10:30:00Z"
            continue
        text = _STARTS[test.part].format(max(value, 0))
        if moment_of(text) is not None:
            yield text


def _of_regex(pattern: str, flags: str) -> Iterator[str]:
    try:
        tree = parse(pattern, flags)
    except Unreadable:
        return
    for more in (0, 1):
        text = _fitting(tree, more)[:_LONGEST]
        yield from (text, f"x{text}", f"{text}x", f"x{text}x")


def _fitting(node: Node, more: int) -> str:
    """A text that the node fits, if edges and what must not stand ahead are left out of account."""
    match node:
        case Edge() | Look():
            return ""
        case Chars(ranges=ranges):
            return _plainest(ranges)
        case InOrder(parts=parts):
            return "".join(_fitting(part, more) for part in parts)
        case Choice(parts=parts):
            return _fitting(parts[-1 if more else 0], more) if parts else ""
        case Repeat(part=part, low=low, high=high):
            times = min(low + more, high) if high is not None else low + more
            return _fitting(part, more) * min(times, 64)
        case Atomic(part=part):
            return _fitting(part, more)
        case _:
            assert_never(node)


def _plainest(ranges: Sequence[tuple[int, int]]) -> str:
    """A character of the set that is easy to read."""
    for wanted in "ax019 -_":
        if any(low <= ord(wanted) <= high for low, high in ranges):
            return wanted
    printable = [low for low, _ in ranges if low > 32]
    return chr(printable[0] if printable else ranges[0][0]) if ranges else ""
