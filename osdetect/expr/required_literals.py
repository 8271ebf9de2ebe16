"""The literal texts without which a regular expression is not found: cheaper to look for than the pattern."""

import itertools

from osdetect.expr.regex_sets import lowered, size
from osdetect.expr.regex_syntax import Unreadable, parse
from osdetect.expr.regex_tree import Atomic, Chars, Choice, Edge, Look, Node, Repeat, Sequence

Alternatives = tuple[str, ...]
Literals = tuple[Alternatives, ...]

LONGEST = 90
"""Characters of a literal; the rest of a longer one is not asked for."""
MOST_ALTERNATIVES = 24
MOST_LITERALS = 8
"""Required literals that are kept: the longest."""
_FEW_CHARACTERS = 4
"""Characters of a set that is written out as alternatives."""


def required_literals(pattern: str, flags: str = "") -> Literals:
    """What every text that the pattern is found in holds, in lower case: of each inner tuple at least one.

    Empty when the pattern requires no literal, or is not read.

    >>> required_literals("(Foo|ba[rz]).*x+=")
    (('bar', 'baz', 'foo'), ('x=',))
    """
    try:
        return _kept(_required(parse(pattern, flags)))
    except Unreadable:
        return ()


def _kept(found: list[Alternatives]) -> Literals:
    kept: list[Alternatives] = []
    for one in sorted(dict.fromkeys(found), key=_worth, reverse=True):
        if not any(_implies(other, one) for other in kept):
            kept.append(one)
    return tuple(kept[:MOST_LITERALS])


def _implies(one: Alternatives, other: Alternatives) -> bool:
    return all(any(part in whole for part in other) for whole in one)


def _worth(alternatives: Alternatives) -> tuple[int, int]:
    """The longer the shortest of them, the fewer events hold one."""
    return (min(map(len, alternatives)), -len(alternatives))


def _required(node: Node) -> list[Alternatives]:
    match node:
        case Chars() | Sequence():
            return _of_sequence(node.parts if isinstance(node, Sequence) else (node,))
        case Choice(parts=parts):
            return _of_choice(parts)
        case Repeat(part=part, low=low) if low:
            return _required(part)
        case Atomic(part=part) | Look(part=part, negated=False):
            return _required(part)
        case Edge() | Look() | Repeat():
            return []


def _of_choice(parts: tuple[Node, ...]) -> list[Alternatives]:
    """One literal of each branch, if each has one."""
    best = [max(_required(part), key=_worth, default=()) for part in parts]
    for length in (LONGEST, 8, 4, 3, 2, 1) if parts and all(best) else ():
        together = tuple(sorted({literal[:length] for alternatives in best for literal in alternatives}))
        if len(together) <= MOST_ALTERNATIVES:
            return [together]
    return []


def _of_sequence(parts: tuple[Node, ...]) -> list[Alternatives]:
    """Characters that follow each other as one literal; an edge between them changes nothing."""
    found: list[Alternatives] = []
    run: Alternatives = ("",)
    for part in parts:
        characters, goes_on = _characters(part)
        longer = tuple(one + other for one, other in itertools.product(run, characters))
        if len(longer) > MOST_ALTERNATIVES or len(run[0]) >= LONGEST or not longer:
            found.append(run)
            longer = characters or ("",)
        run = longer
        if not characters:
            found += [] if isinstance(part, Chars) else _required(part)
        elif not goes_on:  # x+ ends one literal and begins the next
            found.append(run)
            run = characters
    found.append(run)
    return [tuple(sorted(alternatives)) for alternatives in found if all(alternatives)]


def _characters(part: Node) -> tuple[Alternatives, bool]:
    """What a part of a sequence is, if that is a few characters, and whether the literal goes on behind it."""
    match part:
        case Edge():
            return ("",), True
        case Chars(ranges=ranges, sure=True) if size(ranges) <= _FEW_CHARACTERS:
            return tuple(
                chr(point) for first, last in lowered(ranges) for point in range(first, last + 1)
            ), True
        case Repeat(part=Chars() as once, low=low, high=high) if low:
            characters, _ = _characters(once)
            return characters, low == high == 1
        case _:
            return (), False
