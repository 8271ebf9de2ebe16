"""What two trees differ in: nothing that means the same, everything else, and which way each change goes."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osdetect.expr import All, AnyOf, Equals, Expr, Leaf, Not, evaluate
from osdetect.expr.difference import Act, Effect, canonical, differences, same_meaning
from tests.expr.test_properties import events, trees


def _is(path: str, text: str) -> Leaf[str]:
    return Leaf(path, Equals(text))


A, B1, B2, B3, C = _is("a", "x"), _is("b", "1"), _is("b", "2"), _is("b", "3"), _is("c", "y")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (A, A, []),
        (All((A, B1)), All((B1, All((A, A)))), []),
        (Not(Not(A)), A, []),
        (A, All((A, C)), [("added", "all of", 'c is "y"', "fewer")]),
        (All((A, C)), A, [("removed", "all of", 'c is "y"', "more")]),
        (A, AnyOf((C, A)), [("added", "any of", 'c is "y"', "more")]),
        (
            All((A, AnyOf((B1, B2)))),
            All((AnyOf((B3, B1)), A)),
            [("removed", "any of", 'b is "2"', "fewer"), ("added", "any of", 'b is "3"', "more")],
        ),
        (All((A, B1)), All((AnyOf((B2, B1)), A)), [("added", "any of", 'b is "2"', "more")]),
        (
            All((A, Not(AnyOf((B1, C))))),
            All((A, Not(AnyOf((B1, B2, C))))),
            [("added", "not any of", 'b is "2"', "fewer")],
        ),
        (
            All((A, B1)),
            All((A, B2)),
            [("removed", "all of", 'b is "1"', "more"), ("added", "all of", 'b is "2"', "fewer")],
        ),
        (A, C, [("removed", "all of", 'a is "x"', "more"), ("added", "all of", 'c is "y"', "fewer")]),
        (
            A,
            Not(A),
            [("removed", "all of", 'a is "x"', "more"), ("added", "all of", 'not a is "x"', "fewer")],
        ),
    ],
)
def test_what_came_and_what_went(
    old: Expr[str], new: Expr[str], expected: list[tuple[str, str, str, str]]
) -> None:
    found = [(one.act.value, one.within, one.text, one.effect.value) for one in differences(old, new)]
    assert found == expected
    assert same_meaning(old, new) is (not expected)


def _turned(tree: Expr[str]) -> Expr[str]:
    """The same with the parts of each node the other way round, once more in each, and each node in another of its kind."""
    if isinstance(tree, Not):
        return Not(Not(Not(_turned(tree.part))))
    if isinstance(tree, (All, AnyOf)):
        parts = tuple(_turned(part) for part in reversed(tree.parts))
        kind = All if isinstance(tree, All) else AnyOf
        return kind((kind(parts), *parts))
    return tree


@given(trees)
def test_order_nesting_and_repetition_are_no_difference(tree: Expr[str]) -> None:
    assert differences(tree, _turned(tree)) == ()
    assert canonical(tree) == canonical(_turned(tree))


@given(trees, events)
def test_the_canonical_tree_means_the_same(tree: Expr[str], event: Mapping[str, Any]) -> None:
    assert evaluate(canonical(tree), event) is evaluate(tree, event)


@given(trees, trees)
def test_trees_without_differences_are_canonically_the_same(old: Expr[str], new: Expr[str]) -> None:
    assert (differences(old, new) == ()) is (canonical(old) == canonical(new))


@given(trees, trees, trees, events)
def test_what_finds_more_finds_all_that_was_found(
    one: Expr[str], other: Expr[str], third: Expr[str], event: Mapping[str, Any]
) -> None:
    for old, new in (
        (one, other),
        (All((one, other)), All((one, AnyOf((other, third))))),
        (one, AnyOf((one, other))),
    ):
        effects = {change.effect for change in differences(old, new)}
        if effects == {Effect.MORE}:
            assert evaluate(new, event) or not evaluate(old, event)
        if effects == {Effect.FEWER}:
            assert evaluate(old, event) or not evaluate(new, event)


@given(
    st.lists(st.integers(0, 400), max_size=30, unique=True),
    st.lists(st.integers(0, 400), max_size=30, unique=True),
)
def test_lists_of_values_differ_in_their_values(old: list[int], new: list[int]) -> None:
    before, after = (
        All((A, AnyOf(tuple(_is("b", str(number)) for number in numbers)))) for numbers in (old, new)
    )
    if len(old) < 2 or len(new) < 2:
        return
    found = differences(before, after)
    assert {one.text for one in found if one.act is Act.ADDED} == {f'b is "{n}"' for n in set(new) - set(old)}
    assert {one.text for one in found if one.act is Act.REMOVED} == {
        f'b is "{n}"' for n in set(old) - set(new)
    }


def test_very_long_lists_are_compared_in_bounded_time() -> None:
    old, new = (
        All(tuple(AnyOf((_is(f"f{number}", word), _is(f"g{number}", "z"))) for number in range(400)))
        for word in ("old", "new")
    )
    found = differences(old, new)
    assert len(found) == 800, "too many pairs to try: what changed is said as gone and come"
