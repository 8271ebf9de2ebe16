"""What the hot fields of an event decide, and what they leave open.

A rule's tree whose leaves on hot fields are replaced by true or false, and then simplified, is true, false, or a
smaller tree on the other fields. Events that pass the same tests of their hot fields share the outcome.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, TypeVar, assert_never

import msgspec

from osdetect.expr.engine.closures import Decide, closure
from osdetect.expr.engine.column import Column, Held
from osdetect.expr.engine.memory import Memory
from osdetect.expr.fold import leaves
from osdetect.expr.nodes import ANYWHERE, All, AnyOf, Expr, Leaf, Not, SameAs, Test
from osdetect.expr.simplify import simplify

REMEMBERED = 8_192
"""Outcomes that are remembered; AWS accounts have a few thousand."""

F = TypeVar("F")
G = TypeVar("G")
Slot = tuple[int, int]
"""The number of a column and the place of a test in it."""
Bound = Expr[Slot | str]
Key = tuple[Held | None, ...]
"""What holds of each hot field."""
_TRUE: Expr[str] = All(())
_FALSE: Expr[str] = AnyOf(())


class Outcome(msgspec.Struct, frozen=True, eq=False):
    """What is known of the rules once the hot fields are."""

    ids: tuple[str, ...] = ()
    """The rules that hold."""
    rules: tuple[int, ...] = ()
    """Their places."""
    undecided: tuple[tuple[int, Decide], ...] = ()
    """The places of those that depend on other fields, and how they are decided on the event."""
    reads: tuple[str, ...] = ()
    """The paths that they read for that."""


NOTHING = Outcome()
"""No rule holds, none is undecided."""


class Outcomes(msgspec.Struct, frozen=True):
    """The outcome for each combination of what holds, made when it first comes."""

    ids: tuple[str, ...]
    columns: tuple[Column, ...]
    trees: tuple[Bound, ...]
    by_slot: Mapping[Slot, tuple[int, ...]]
    """Rules that can only hold if this test, or another that they are listed under, holds."""
    always: tuple[int, ...]
    """Rules that no test of a hot field is needed for."""
    memo: Memory[Key, Outcome]
    _closures: Memory[Expr[str], Decide]

    @staticmethod
    def of(rules: Sequence[tuple[str, Expr[str]]], columns: Sequence[Column]) -> "Outcomes":
        """Rules in their order; the columns hold every test of their fields that a tree makes."""
        slots = {
            (column.path, test): (number, place)
            for number, column in enumerate(columns)
            for test, place in column.places.items()
        }
        bound = tuple(_bind(tree, slots) for _, tree in rules)
        common = Counter(slot for tree in bound for slot in _slots(tree))
        by_slot: dict[Slot, list[int]] = {}
        always: list[int] = []
        for place, tree in enumerate(bound):
            needed = _needed(tree, common)
            if needed is None:
                always.append(place)
            for slot in needed or ():
                by_slot.setdefault(slot, []).append(place)
        return Outcomes(
            tuple(rule_id for rule_id, _ in rules),
            tuple(columns),
            bound,
            {slot: tuple(found) for slot, found in by_slot.items()},
            tuple(always),
            Memory(REMEMBERED, REMEMBERED),
            Memory(REMEMBERED, REMEMBERED),
        )

    def outcome(self, key: Key) -> Outcome:
        """The outcome for what holds of each column; every one of them is known."""
        found = self.memo.get(key)
        return found if found is not None else self.memo.put(key, self._make(key))

    def _make(self, key: Key) -> Outcome:
        held = {(number, place) for number, one in enumerate(key) if one is not None for place in one.places}
        candidates = {*self.always, *(rule for slot in held for rule in self.by_slot.get(slot, ()))}
        rules: list[int] = []
        undecided: list[tuple[int, Decide]] = []
        reads: set[str] = set()
        for place in sorted(candidates):
            known = _known(self.trees[place], held)
            rest = (_TRUE if known else _FALSE) if known is not None else _rest(self.trees[place], held)
            if rest == _TRUE:
                rules.append(place)
            elif rest != _FALSE:
                undecided.append((place, self._closure(rest)))
                reads.update(paths(rest))
        if not rules and not undecided:
            return NOTHING
        ids = tuple(self.ids[place] for place in rules)
        return Outcome(ids, tuple(rules), tuple(undecided), tuple(sorted(reads)))

    def _closure(self, tree: Expr[str]) -> Decide:
        made = self._closures.get(tree)
        return made if made is not None else self._closures.put(tree, closure(tree))


def decide(outcomes: Outcomes, outcome: Outcome, event: Mapping[str, Any]) -> tuple[str, ...]:
    """The rules of an outcome that hold for the event, of which only what the outcome reads is looked at."""
    if not outcome.undecided:
        return outcome.ids
    held = [place for place, holds in outcome.undecided if holds(event)]
    if not held:
        return outcome.ids
    return tuple(outcomes.ids[place] for place in sorted((*outcome.rules, *held)))


def paths(tree: Expr[str]) -> set[str]:
    """Every path that the tree reads."""
    found: set[str] = set()
    for leaf in leaves(tree):
        found.add(leaf.field)
        if isinstance(leaf.test, SameAs):
            found.add(leaf.test.path)
    return found


def is_hot(leaf: Leaf[str]) -> bool:
    """Whether the leaf can be decided by its own field alone."""
    return leaf.field != ANYWHERE and not isinstance(leaf.test, SameAs)


def _bind(tree: Expr[str], slots: Mapping[tuple[str, Test], Slot]) -> Bound:
    """The tree with its leaves on hot fields bound to their slots."""

    def leaf(one: Leaf[str]) -> Bound:
        slot = slots.get((one.field, one.test)) if is_hot(one) else None
        return one if slot is None else Leaf(slot, one.test)

    return _mapped(tree, leaf)


def _mapped(tree: Expr[F], leaf: Callable[[Leaf[F]], Expr[G]]) -> Expr[G]:
    """The tree with something else in place of each leaf."""
    match tree:
        case Leaf():
            return leaf(tree)
        case Not(part=part):
            return Not(_mapped(part, leaf))
        case All(parts=parts):
            return All(tuple(_mapped(part, leaf) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(_mapped(part, leaf) for part in parts))
        case _:
            assert_never(tree)


def _slots(tree: Bound) -> set[Slot]:
    return {leaf.field for leaf in leaves(tree) if isinstance(leaf.field, tuple)}


def _needed(tree: Bound, common: Mapping[Slot, int]) -> frozenset[Slot] | None:
    """Tests of which at least one holds for every event that the tree holds for, the least common; None if none are."""
    match tree:
        case Leaf(field=slot):
            return frozenset({slot}) if isinstance(slot, tuple) else None
        case Not():
            return None
        case All(parts=parts):
            known = [needed for part in parts if (needed := _needed(part, common)) is not None]
            return min(known, key=lambda needed: sum(common[slot] for slot in needed), default=None)
        case AnyOf(parts=parts):
            each = [_needed(part, common) for part in parts]
            return None if None in each else frozenset(slot for needed in each for slot in needed or ())
        case _:
            assert_never(tree)


def _known(tree: Bound, held: Container[Slot]) -> bool | None:
    """Whether the tree holds; None where that depends on other fields. Most are known, and need no tree to be made."""
    match tree:
        case Leaf(field=slot):
            return slot in held if isinstance(slot, tuple) else None
        case Not(part=part):
            known = _known(part, held)
            return None if known is None else not known
        case All(parts=parts) | AnyOf(parts=parts):
            decisive, open_ = isinstance(tree, AnyOf), False
            for part in parts:
                known = _known(part, held)
                if known is decisive:
                    return decisive
                open_ = open_ or known is None
            return None if open_ else not decisive
        case _:
            assert_never(tree)


def _rest(tree: Bound, held: set[Slot]) -> Expr[str]:
    """What remains of the tree to be decided."""

    def leaf(one: Leaf[Slot | str]) -> Expr[str]:
        if isinstance(one.field, str):
            return Leaf(one.field, one.test)
        return _TRUE if one.field in held else _FALSE

    return simplify(_mapped(tree, leaf))
