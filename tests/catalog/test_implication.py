"""What is said of two rules holds for every event: tried on trees and events made at random."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from osdetect.catalog.implication import Outline, implies
from osdetect.catalog.predicates import indicators
from osdetect.expr import (
    All,
    AnyOf,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Number,
    Wildcard,
    evaluate,
    simplify,
)

_TEXTS = ("a", "A", "ab", "abc", "b", "bc", "1")
_TESTS = (
    *(Equals(text) for text in _TEXTS),
    Equals("A", cased=True),
    *(Wildcard((Gap.ANY, text, Gap.ANY)) for text in ("a", "b", "bc")),
    *(Wildcard((text, Gap.ANY)) for text in ("a", "ab")),
    *(Wildcard((Gap.ANY, text)) for text in ("b", "bc")),
    Wildcard(("a", Gap.ANY, "c")),
    Exists(),
    Number(1),
)
_LEAVES = st.builds(Leaf, st.sampled_from(("f", "g")), st.sampled_from(_TESTS))
TREES: st.SearchStrategy[Expr[str]] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from((*_TEXTS, "xabcx", "", 1, None)), st.lists(st.sampled_from(_TEXTS), max_size=2)
)
EVENTS = st.dictionaries(st.sampled_from(("f", "g")), VALUES)


@settings(max_examples=300, deadline=None)
@given(TREES, TREES, st.lists(EVENTS, min_size=4, max_size=12))
def test_an_implication_holds_for_every_event(
    one: Expr[str], other: Expr[str], events: list[dict[str, Any]]
) -> None:
    one, other = simplify(one), simplify(other)
    for narrow, wide in (
        (one, other),
        (simplify(All((one, other))), other),
        (one, simplify(AnyOf((one, other)))),
    ):
        if implies(narrow, wide):
            assert not [event for event in events if evaluate(narrow, event) and not evaluate(wide, event)]


@settings(max_examples=300, deadline=None)
@given(TREES, TREES)
def test_the_outline_rules_out_no_implication_that_would_be_found(one: Expr[str], other: Expr[str]) -> None:
    one, other = simplify(one), simplify(other)
    for narrow, wide in ((one, other), (simplify(All((one, other))), other)):
        if indicators(narrow) and indicators(wide) and implies(narrow, wide):
            assert Outline(narrow).may_imply(Outline(wide))


def test_more_is_implied_by_less_general() -> None:
    assert implies(Leaf("f", Equals("abc")), Leaf("f", Wildcard((Gap.ANY, "B", Gap.ANY))))
    assert not implies(Leaf("f", Wildcard((Gap.ANY, "b", Gap.ANY))), Leaf("f", Equals("abc")))
    assert implies(Not(Leaf("f", Exists())), Not(Leaf("f", Equals("a"))))
    assert not implies(Not(Leaf("f", Equals("a"))), Not(Leaf("f", Exists())))
