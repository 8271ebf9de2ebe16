"""What two trees of a rule differ in: which tests were added and which taken away, whatever their order and nesting.

A change says also which way it goes: whether the rule finds more or fewer events by it. That follows from where it stands: one
more alternative finds more, one more condition fewer, and below a `not` it is the other way round.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Literal, assert_never

import msgspec

from osdetect.expr.fold import leaves
from osdetect.expr.nodes import All, AnyOf, Expr, Leaf, Not
from osdetect.expr.render import render
from osdetect.expr.simplify import simplify

MOST_PAIRS = 40_000
"""Pairs of parts that are compared with each other; more, and what was changed is said as taken away and added."""


_Kind = Literal["all", "any"]
"""The two nodes that have parts."""


class Act(StrEnum):
    """What became of a part of a tree."""

    ADDED = "added"
    REMOVED = "removed"


class Effect(StrEnum):
    """What a change does to what the rule finds."""

    MORE = "more"
    FEWER = "fewer"

    @property
    def other(self) -> "Effect":
        """The opposite."""
        return Effect.FEWER if self is Effect.MORE else Effect.MORE


class Change(msgspec.Struct, frozen=True):
    """A part that only one of the trees has."""

    act: Act
    part: Expr[str]
    within: str
    """The place as a reader would call it: `all of`, `any of`, with `not` before each negation on the way."""
    effect: Effect

    @property
    def text(self) -> str:
        """The part as text."""
        return render(self.part)


def canonical(expr: Expr[str]) -> Expr[str]:
    """One tree for all that differ in order, nesting, repetition and double negation alone; it means the same.

    >>> from osdetect.expr.nodes import Exists
    >>> a, b = Leaf("a", Exists()), Leaf("b", Exists())
    >>> canonical(All((b, All((a, b))))) == canonical(All((a, b)))
    True
    """
    return simplify(_ordered(simplify(expr))[0])


def same_meaning(old: Expr[str], new: Expr[str]) -> bool:
    """Whether the trees differ in order, nesting and repetition at most. Others may mean the same too."""
    return canonical(old) == canonical(new)


def differences(old: Expr[str], new: Expr[str]) -> tuple[Change, ...]:
    """What was added and taken away; none if the trees are canonically the same."""
    return tuple(_differ(canonical(old), canonical(new), "", Effect.FEWER))


def _ordered(expr: Expr[str]) -> tuple[Expr[str], str]:
    """The tree with the parts of each node in the order of their texts, and its own text."""
    match expr:
        case Leaf():
            return expr, render(expr)
        case Not(part=part):
            inner, text = _ordered(part)
            return Not(inner), f"not ({text})"
        case All(parts=parts):
            inside = _sorted(parts)
            return All(tuple(part for part, _ in inside)), " and ".join(f"({text})" for _, text in inside)
        case AnyOf(parts=parts):
            inside = _sorted(parts)
            return AnyOf(tuple(part for part, _ in inside)), " or ".join(f"({text})" for _, text in inside)
        case _:
            assert_never(expr)


def _sorted(parts: Sequence[Expr[str]]) -> list[tuple[Expr[str], str]]:
    return sorted((_ordered(part) for part in parts), key=lambda one: one[1])


def _differ(old: Expr[str], new: Expr[str], way: str, one_more: Effect) -> Iterator[Change]:
    """The changes below a place; `one_more` is what one more condition does there."""
    if old == new:
        return
    if isinstance(old, Not) and isinstance(new, Not):
        yield from _differ(old.part, new.part, f"{way}not ", one_more.other)
        return
    kind = _common_kind(old, new)
    if kind is None:
        yield Change(Act.REMOVED, old, f"{way}all of", one_more.other)
        yield Change(Act.ADDED, new, f"{way}all of", one_more)
        return
    yield from _parts(kind, _parts_of(old, kind), _parts_of(new, kind), way, one_more)


def _common_kind(old: Expr[str], new: Expr[str]) -> _Kind | None:
    """The kind of node that both are; a single part is either, if the other tree has it or a test of the same field."""
    if isinstance(old, All) and isinstance(new, All):
        return "all"
    if isinstance(old, AnyOf) and isinstance(new, AnyOf):
        return "any"
    for one, other in ((old, new), (new, old)):
        if isinstance(one, All) and (other in one.parts or any(_alike(part, other) for part in one.parts)):
            return "all"
        if isinstance(one, AnyOf) and (other in one.parts or _one_field(one, other)):
            return "any"
    return None


def _one_field(one: Expr[str], other: Expr[str]) -> bool:
    return len({leaf.field for tree in (one, other) for leaf in leaves(tree)}) == 1


def _parts_of(expr: Expr[str], kind: _Kind) -> tuple[Expr[str], ...]:
    node = All if kind == "all" else AnyOf
    return expr.parts if isinstance(expr, node) else (expr,)


def _parts(
    kind: _Kind,
    old: Sequence[Expr[str]],
    new: Sequence[Expr[str]],
    way: str,
    one_more: Effect,
) -> Iterator[Change]:
    in_old, in_new = set(old), set(new)
    gone = [part for part in old if part not in in_new]
    come = [part for part in new if part not in in_old]
    pairs = _pairs(gone, come) if len(gone) * len(come) <= MOST_PAIRS else ()
    for before, after in pairs:
        gone.remove(before)
        come.remove(after)
        yield from _differ(before, after, way, one_more)
    place = f"{way}{kind} of"
    effect = one_more if kind == "all" else one_more.other
    yield from (Change(Act.REMOVED, part, place, effect.other) for part in gone)
    yield from (Change(Act.ADDED, part, place, effect) for part in come)


def _pairs(gone: Sequence[Expr[str]], come: Sequence[Expr[str]]) -> Sequence[tuple[Expr[str], Expr[str]]]:
    """Parts that are one part, changed: those with most in common first, each part once."""
    likeness = [
        (_likeness(before, after), number, before, after)
        for number, before in enumerate(gone)
        for after in come
        if _alike(before, after)
    ]
    taken: set[Expr[str]] = set()
    pairs: list[tuple[Expr[str], Expr[str]]] = []
    for _, _, before, after in sorted(likeness, key=lambda one: (-one[0], one[1])):
        if before not in taken and after not in taken:
            taken |= {before, after}
            pairs.append((before, after))
    return pairs


def _alike(before: Expr[str], after: Expr[str]) -> bool:
    """Whether the differences inside say more than that one part went and the other came."""
    if isinstance(before, Not) or isinstance(after, Not):
        return isinstance(before, Not) and isinstance(after, Not)
    if isinstance(before, Leaf) and isinstance(after, Leaf):
        return False
    return _common_fields(before, after) if _lists(before, after) else _likeness(before, after) > 0


def _lists(before: Expr[str], after: Expr[str]) -> bool:
    return all(isinstance(one, (Leaf, AnyOf)) for one in (before, after))


def _common_fields(before: Expr[str], after: Expr[str]) -> bool:
    return {leaf.field for leaf in leaves(before)} == {leaf.field for leaf in leaves(after)}


def _likeness(before: Expr[str], after: Expr[str]) -> float:
    """The share of tests that both have, from 0 to 1."""
    one, other = set(leaves(before)), set(leaves(after))
    return len(one & other) / max(1, len(one | other))
