"""What `explain` and `nearest_miss` say agrees with `evaluate`."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from osdetect.expr import All, AnyOf, Equals, Exists, Expr, Leaf, Not, Null, evaluate
from osdetect.expr.explanation import Step, explain, nearest_miss

RULE = All(
    (
        Leaf("eventName", Equals("CreateUser")),
        AnyOf((Leaf("awsRegion", Equals("eu-west-1")), Leaf("userAgent", Equals("x")))),
        Not(Leaf("errorCode", Exists())),
    )
)


def test_every_test_is_told_with_what_it_met() -> None:
    step = explain(RULE, {"eventName": "createuser", "awsRegion": ["us-east-1", None], "errorCode": ""})
    assert (step.kind, step.held) == ("all of", False)
    name, either, denied = step.parts
    assert (name.held, name.values) == (True, ("createuser",))
    assert [(part.held, part.values) for part in either.parts] == [
        (False, ("us-east-1", "null")),
        (False, None),
    ]
    assert (denied.kind, denied.held, denied.parts[0].values) == ("not", False, ("",))


def test_the_nearest_miss_is_the_fewest_tests() -> None:
    changes = nearest_miss(RULE, {"eventName": "createuser", "errorCode": "AccessDenied"})
    assert changes is not None
    assert [(change.text, change.must_hold, change.values) for change in changes] == [
        ('awsRegion is "eu-west-1"', True, None),
        ("errorCode exists", False, ("AccessDenied",)),
    ]


def test_a_match_misses_nothing_and_nothing_helps_the_impossible() -> None:
    assert nearest_miss(RULE, {"eventName": "CreateUser", "userAgent": "X"}) == ()
    assert nearest_miss(AnyOf(()), {}) is None
    assert nearest_miss(Not(All(())), {}) is None


LEAVES = st.builds(
    Leaf, st.sampled_from(["a", "b", "c"]), st.sampled_from([Equals("x"), Equals("y"), Exists(), Null()])
)
TREES: st.SearchStrategy[Expr[str]] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
EVENTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y", "", None, ["x", "y"]]))


def _steps(step: Step) -> list[Step]:
    return [step, *(inner for part in step.parts for inner in _steps(part))]


@given(TREES, EVENTS)
def test_it_says_what_evaluate_says(tree: Expr[str], event: dict[str, Any]) -> None:
    held = evaluate(tree, event)
    assert explain(tree, event).held is held
    changes = nearest_miss(tree, event)
    assert (changes == ()) is held
    outcomes = {(step.text, step.held) for step in _steps(explain(tree, event)) if step.kind == "test"}
    assert all((change.text, not change.must_hold) in outcomes for change in changes or ())
