"""Records for which a tree holds, or two trees differ: found by trying values, and always checked by evaluation."""

from collections.abc import Iterator, Mapping
from itertools import combinations, islice, product
from typing import Any, assert_never

import msgspec

from osdetect.expr import ANYWHERE, All, AnyOf, Expr, Leaf, Not, SameAs, evaluate, leaves, simplify
from osdetect.expr.explanation import lacking
from osdetect.expr.values import resolve
from osdetect.ruletest.samples import values_at
from osdetect.ruletest.skeleton import Record, with_value

Tree = Expr[str]
_ROUNDS = 60
_ALTERNATIVES = 400
"""Ways to match that are looked at of one rule."""
_PAIRS = 1_500
"""Records with two fields changed that are tried to tell two trees apart."""
_KEYWORD_AT = "requestParameters.description"
"""Where a keyword is put, which may stand anywhere."""


class Space(msgspec.Struct, frozen=True):
    """The values to try in each field that some trees ask for."""

    values: Mapping[str, tuple[Any, ...]]
    same: tuple[tuple[str, str], ...] = ()
    """Pairs of fields that some test compares with one another."""

    @staticmethod
    def of(*trees: Tree, cloudtrail: bool) -> "Space":
        """The space of these trees."""
        every = tuple(dict.fromkeys(leaf for tree in trees for leaf in leaves(tree)))
        fields = dict.fromkeys(leaf.field for leaf in every)
        fields.update(dict.fromkeys(leaf.test.path for leaf in every if isinstance(leaf.test, SameAs)))
        same = tuple((leaf.field, leaf.test.path) for leaf in every if isinstance(leaf.test, SameAs))
        return Space({field: values_at(field, every, cloudtrail=cloudtrail) for field in fields}, same)

    def changes(self, record: Mapping[str, Any], field: str) -> Iterator[Record]:
        """The record with each of the values in the field."""
        at = _KEYWORD_AT if field == ANYWHERE else field
        others = (path for own, path in self.same if own == field)
        told = (value for path in others for value in resolve(record, path) or ())
        for value in (*self.values.get(field, ()), *told):
            changed = with_value(record, at, value)
            if changed is not None:
                yield changed


def matching(tree: Tree, start: Mapping[str, Any], space: Space) -> Record | None:
    """A record for which the tree holds, with few changes from `start`; None if none was found."""
    record: Record = dict(start)
    seen: set[str] = set()
    for _ in range(_ROUNDS):
        changes = lacking(tree, record)
        if changes is None:
            return None
        if not changes:
            return record
        seen.add(repr(record))
        best = _nearer(tree, record, space, tuple(dict.fromkeys(leaf.field for leaf, _ in changes)), seen)
        if best is None:
            return None
        record = best
    return None


def _nearer(
    tree: Tree, record: Record, space: Space, fields: tuple[str, ...], seen: set[str]
) -> Record | None:
    """The record with one field changed that then lacks the fewest tests."""
    best: Record | None = None
    least = 1_000_000
    for field in fields:
        for changed in space.changes(record, field):
            needed = lacking(tree, changed)
            if needed is None or repr(changed) in seen:
                continue
            if not needed:
                return changed
            number = len(set(needed))
            if number < least:
                best, least = changed, number
    return best


def ways_to_match(tree: Tree, start: Mapping[str, Any], space: Space) -> Iterator[Record]:
    """Records for which the tree holds: one at least by each part of each alternative that can be the one that holds."""
    first = matching(tree, start, space)
    if first is None:
        return
    yield first
    for forced in islice(_forced(tree), _ALTERNATIVES):
        found = matching(simplify(All((forced, tree))), first, space) or matching(
            simplify(All((forced, tree))), start, space
        )
        if found is not None:
            yield found


def _forced(tree: Tree) -> Iterator[Tree]:
    """The tree with each part of each `AnyOf` as its only one."""
    match tree:
        case Leaf() | Not():
            return
        case All(parts=parts):
            for number, part in enumerate(parts):
                for forced in _forced(part):
                    yield All((*parts[:number], forced, *parts[number + 1 :]))
        case AnyOf(parts=parts):
            for number, part in enumerate(parts):
                others = tuple(Not(other) for other in (*parts[:number], *parts[number + 1 :]))
                yield All((part, *others)) if len(others) <= _ALTERNATIVES else part
                yield from _forced(part)
        case _:
            assert_never(tree)


def telling_apart(one: Tree, other: Tree, pool: tuple[Record, ...], space: Space) -> Record | None:
    """A record for which one tree holds and the other does not; None if none was found.

    Args:
        one: a tree.
        other: another.
        pool: records close to which such a record may be: those that the tree holds for.
        space: the values of both trees.
    """
    fields = tuple(space.values)
    for record in pool:
        if evaluate(one, record) is not evaluate(other, record):
            return record
    for record in pool:
        for field in fields:
            for changed in space.changes(record, field):
                if evaluate(one, changed) is not evaluate(other, changed):
                    return changed
    return _directed(one, other, pool, space) or _by_pairs(one, other, pool, space)


def _directed(one: Tree, other: Tree, pool: tuple[Record, ...], space: Space) -> Record | None:
    for wanted in (All((Not(one), other)), All((one, Not(other)))):
        for record in pool[:2]:
            found = matching(simplify(wanted), record, space)
            if found is not None and evaluate(one, found) is not evaluate(other, found):
                return found
    return None


def _by_pairs(one: Tree, other: Tree, pool: tuple[Record, ...], space: Space) -> Record | None:
    tried = (
        changed
        for record in pool[:1]
        for left, right in combinations(space.values, 2)
        for changed in _both(record, left, right, space)
    )
    return next(
        (
            changed
            for changed in islice(tried, _PAIRS)
            if evaluate(one, changed) is not evaluate(other, changed)
        ),
        None,
    )


def _both(record: Record, left: str, right: str, space: Space) -> Iterator[Record]:
    for first, second in product(space.values[left], space.values[right]):
        half = with_value(record, left or _KEYWORD_AT, first)
        whole = None if half is None else with_value(half, right or _KEYWORD_AT, second)
        if whole is not None:
            yield whole
