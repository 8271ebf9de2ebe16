"""A regular expression as a tree: what its parts mean, without flags, groups, or laziness.

Those change which match is found, or are resolved when the pattern is read; the question here is only whether there
is a match. The functions make trees that are simple already.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TypeAlias, assert_never

import msgspec

from osdetect.expr.regex_sets import Ranges, union


class Edge(Enum):
    """A place between two characters."""

    BEGIN = "begin of the text"
    END = "end of the text"
    BEGIN_LINE = "begin of a line"
    END_LINE = "end of a line"
    WORD = "word boundary"
    NOT_WORD = "no word boundary"


class Chars(msgspec.Struct, frozen=True):
    """One character out of a set."""

    ranges: Ranges
    sure: bool = True
    """False when the set is larger than the pattern says (a Unicode property, which is not looked up)."""


class Sequence(msgspec.Struct, frozen=True):
    """One after the other; `Sequence(())` is the empty text."""

    parts: "tuple[Node, ...]"


class Choice(msgspec.Struct, frozen=True):
    """One of them; `Choice(())` fits nothing."""

    parts: "tuple[Node, ...]"


class Repeat(msgspec.Struct, frozen=True):
    """The part from `low` to `high` times; None is without end."""

    part: "Node"
    low: int
    high: int | None


class Look(msgspec.Struct, frozen=True):
    """What must, or must not, fit ahead or behind; not RE2."""

    part: "Node"
    ahead: bool
    negated: bool


class Atomic(msgspec.Struct, frozen=True):
    """The part, whose first match alone counts (atomic group, possessive quantifier); not RE2."""

    part: "Node"


Node: TypeAlias = Edge | Chars | Sequence | Choice | Repeat | Look | Atomic

EMPTY = Sequence(())
NOTHING = Choice(())


def sequence(parts: Iterable[Node]) -> Node:
    """The parts one after the other."""
    made: list[Node] = []
    for part in parts:
        if part == NOTHING:
            return NOTHING
        made += part.parts if isinstance(part, Sequence) else (part,)
    return made[0] if len(made) == 1 else Sequence(tuple(made))


def choice(parts: Iterable[Node]) -> Node:
    """One of the parts; single characters become one set, an empty text makes the others optional."""
    made: dict[Node, None] = {}
    optional = False
    for part in parts:
        for one in part.parts if isinstance(part, Choice) else (part,):
            optional = optional or one == EMPTY
            if one != EMPTY:
                made[one] = None
    single = [one for one in made if isinstance(one, Chars) and one.sure]
    if len(single) > 1:
        merged = Chars(union(*(one.ranges for one in single)))
        made = {merged if one is single[0] else one: None for one in made if one not in single[1:]}
    several = tuple(made)
    either = several[0] if len(several) == 1 else Choice(several)
    return repeat(either, 0, 1) if optional else either


def repeat(part: Node, low: int, high: int | None) -> Node:
    """The part so many times; repeats of repeats become one where that is the same."""
    if part == EMPTY or high == 0:
        return EMPTY
    if part == NOTHING:
        return NOTHING if low else EMPTY
    if (low, high) == (1, 1):
        return part
    if isinstance(part, Repeat) and part.low <= 1:
        if high is None or part.high is None:
            return Repeat(part.part, part.low * low, None)
        if (part.low, part.high) == (0, 1):
            return Repeat(part.part, 0, high)
        if (low, high) == (0, 1):
            return Repeat(part.part, 0, part.high)
    return Repeat(part, low, high)


def inside(node: Node) -> tuple[Node, ...]:
    """The parts that a node has."""
    match node:
        case Sequence(parts=parts) | Choice(parts=parts):
            return parts
        case Repeat(part=part) | Look(part=part) | Atomic(part=part):
            return (part,)
        case Edge() | Chars():
            return ()
        case _:
            assert_never(node)


def nodes(node: Node) -> Iterator[Node]:
    """The node and all in it."""
    pending = [node]
    while pending:
        here = pending.pop()
        yield here
        pending += inside(here)


def nullable(node: Node) -> bool:
    """Whether it fits the empty text somewhere; an edge does."""
    match node:
        case Sequence(parts=parts):
            return all(map(nullable, parts))
        case Choice(parts=parts):
            return any(map(nullable, parts))
        case Repeat(part=part, low=low):
            return low == 0 or nullable(part)
        case Atomic(part=part):
            return nullable(part)
        case Edge() | Look():
            return True
        case Chars():
            return False
        case _:
            assert_never(node)


def width(node: Node) -> int | None:
    """How many characters each of its matches has; None when that varies."""
    match node:
        case Chars():
            return 1
        case Edge() | Look():
            return 0
        case Sequence(parts=parts):
            widths = [width(part) for part in parts]
            return None if None in widths else sum(one for one in widths if one is not None)
        case Choice(parts=parts):
            each = {width(part) for part in parts}
            return each.pop() if len(each) == 1 else None
        case Repeat(part=part, low=low, high=high):
            one = width(part)
            return one * low if one is not None and low == high else None
        case Atomic(part=part):
            return width(part)
        case _:
            assert_never(node)
