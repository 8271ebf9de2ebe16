"""Properties of the tree that hold for every tree and every event, tried on generated ones."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osdetect.errors import RuleError
from osdetect.expr import (
    All,
    AnyOf,
    Boolean,
    Cidr,
    Compare,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Null,
    Number,
    Regex,
    SameAs,
    Wildcard,
    evaluate,
    evidence,
    fold,
    from_json,
    leaves,
    render,
    simplify,
    to_json,
    witness,
)
from osdetect.expr.nodes import MAX_DEPTH, MAX_INTEGER
from osdetect.expr.predicates import predicate
from osdetect.expr.values import fold_case, resolve, text_of

# Few letters, so that generated tests and values meet; some that are trouble somewhere.
_LETTERS = 'aAbB*?\\/"%. 1\n\u0130ßΣς\U0001f600'
texts = st.text(alphabet=_LETTERS, max_size=6)
paths = st.one_of(st.sampled_from(["a", "b", "a.b", "a.b.c", "b.c", "not", 'a is "x" and b']), texts)
numbers = st.one_of(
    st.integers(-3, 3), st.sampled_from([0.5, 1.0, -2.0, 1e300, MAX_INTEGER]), st.floats(-5, 5, width=16)
)


def _canonical(parts: list[str | Gap]) -> tuple[str | Gap, ...]:
    """As the reader makes them: literals in one piece and never empty, no star behind a star."""
    kept: list[str | Gap] = []
    for part in parts:
        last = kept[-1] if kept else None
        if isinstance(part, str) and isinstance(last, str):
            kept[-1] = last + part
        elif part != "" and not (part is Gap.ANY and last is Gap.ANY):
            kept.append(part)
    return tuple(kept)


patterns = st.lists(st.one_of(texts, st.sampled_from(Gap)), max_size=6).map(_canonical)
flags = st.sets(st.sampled_from("ims")).map(lambda chosen: "".join(sorted(chosen)))
tests = st.one_of(
    st.builds(Equals, texts, st.booleans()),
    st.builds(Wildcard, patterns, st.booleans()),
    st.builds(Regex, st.sampled_from(["a", "^a", "b/", "a|b$", "[^a]+", "a/i and b exists", ""]), flags),
    st.builds(Cidr, st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"])),
    st.builds(Number, numbers),
    st.builds(Compare, st.sampled_from(["lt", "lte", "gt", "gte"]), numbers),
    st.builds(Boolean, st.booleans()),
    st.just(Null()),
    st.just(Exists()),
    st.builds(SameAs, paths),
)
leaf_nodes = st.builds(Leaf, paths, tests)


def _larger(inner: st.SearchStrategy[Expr[str]]) -> st.SearchStrategy[Expr[str]]:
    parts = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(All, parts), st.builds(AnyOf, parts))


trees: st.SearchStrategy[Expr[str]] = st.recursive(leaf_nodes, _larger, max_leaves=8)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    texts,
    st.sampled_from(["10.1.2.3", "2001:db8::1", "true", "FALSE", "9" * 400, "1e3", "0x10"]),
)
keys = st.one_of(st.sampled_from(["a", "b", "c", "a.b", "b.c"]), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
events = st.dictionaries(keys, values, max_size=4)


@given(trees, events)
def test_simplify_keeps_the_meaning(tree: Expr[str], event: Mapping[str, Any]) -> None:
    assert evaluate(simplify(tree), event) is evaluate(tree, event)


@given(trees)
def test_simplify_leaves_nothing_to_simplify(tree: Expr[str]) -> None:
    once = simplify(tree)
    assert simplify(once) == once
    assert len(list(leaves(once))) <= len(list(leaves(tree)))


@given(trees)
def test_the_json_form_leads_back_to_the_tree(tree: Expr[str]) -> None:
    stored = orjson.loads(orjson.dumps(to_json(tree)))
    assert from_json(stored) == tree
    assert to_json(from_json(stored)) == stored


@given(trees, events)
def test_a_tree_read_back_means_the_same(tree: Expr[str], event: Mapping[str, Any]) -> None:
    assert evaluate(from_json(to_json(tree)), event) is evaluate(tree, event)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["field", "not", "all", "any", "equals", "like", "gap", "regex", "lt", "cased", "x"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@given(json_values)
def test_hostile_json_is_a_tree_or_a_refusal(data: object) -> None:
    try:
        tree = from_json(data)
    except RuleError:
        return
    assert to_json(tree) == data


@given(trees, st.data())
def test_a_tree_damaged_anywhere_is_a_tree_or_a_refusal(tree: Expr[str], data: st.DataObject) -> None:
    stored = json.loads(json.dumps(to_json(tree)))
    places = list(_places(stored))
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(json_values)
    try:
        read = from_json(stored)
    except RuleError:
        return
    assert to_json(read) == stored


def _places(node: Any) -> Any:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield node, key
        yield from _places(value)


@pytest.mark.parametrize(
    "data",
    [
        {"field": "a"},
        {"field": "a", "equals": "x", "like": ["x"]},
        {"field": "a", "equals": "x", "flags": "i"},
        {"field": "a", "number": 10**400},
        {"field": "a", "number": float("nan")},
        {"field": "a", "lt": True},
        {"field": "a", "regex": "(x)\\1"},
        {"field": "a", "regex": "x", "flags": "q"},
        {"field": "a", "cidr": "10.0.0.0/99"},
        {"field": "a", "like": [{"gap": "+"}]},
        {"field": "a", "like": ["a", {"gap": "?"}] * 200_000},
        {"field": 1, "exists": True},
        {"not": {"field": "a", "exists": True}, "all": []},
        {"all": {}},
        None,
        [],
    ],
    ids=lambda given: str(given)[:50],
)
def test_what_is_no_tree_is_refused(data: object) -> None:
    with pytest.raises(RuleError, match="a stored tree cannot be read"):
        from_json(data)


def test_a_tree_that_is_too_deep_is_refused_and_one_at_the_limit_is_not() -> None:
    def nested(depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {"field": "a", "exists": True}
        for _ in range(depth):
            data = {"not": data}
        return data

    from_json(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(RuleError, match="deep"):
            from_json(nested(depth))


@settings(max_examples=20)
@given(st.lists(trees, min_size=60, max_size=60))
def test_trees_that_differ_are_rendered_differently(generated: list[Expr[str]]) -> None:
    known: dict[str, Expr[str]] = {}
    for tree in generated:
        line = render(from_json(to_json(tree)))  # equal numbers written alike
        assert line.isprintable()
        assert known.setdefault(line, tree) == tree


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Leaf('a is "x" and b', Exists()), All((Leaf("a", Equals("x")), Leaf("b", Exists())))),
        (Leaf("a", Regex("x/i and b matches /y")), All((Leaf("a", Regex("x", "i")), Leaf("b", Regex("y"))))),
        (Leaf("not", Exists()), Not(Leaf("exists", Exists()))),
        (Leaf("a", Exists()), All((Leaf("a", Exists()),))),
        (All((Leaf("a", Exists()),)), AnyOf((Leaf("a", Exists()),))),
        (Leaf("a", SameAs("b or c")), AnyOf((Leaf("a", SameAs("b")), Leaf("c", Exists())))),
        (Leaf("a", Equals("*")), Leaf("a", Wildcard((Gap.ANY,)))),
        (Leaf("a", Wildcard(("*",))), Leaf("a", Wildcard((Gap.ANY,)))),
        (Leaf("a", Equals("1")), Leaf("a", Number(1))),
        (Leaf("a", Equals("true")), Leaf("a", Boolean(True))),
        (Leaf("a", Equals("\u2028")), Leaf("a", Equals("\\u2028"))),
    ],
    ids=lambda given: str(given)[:50],
)
def test_look_alikes_are_rendered_differently(one: Expr[str], other: Expr[str]) -> None:
    assert render(one) != render(other)


@given(patterns, texts, st.booleans())
def test_a_wildcard_is_what_a_regular_expression_of_dots_would_be(
    parts: tuple[str | Gap, ...], text: str, cased: bool
) -> None:
    def same(part: str) -> str:
        return part if cased else fold_case(part)

    wild = {Gap.ANY: ".*", Gap.ONE: "."}
    naive = "".join(wild[part] if isinstance(part, Gap) else re.escape(same(part)) for part in parts)
    wanted = re.fullmatch(naive, same(text), re.DOTALL) is not None
    assert predicate(Wildcard(parts, cased))(text) is wanted


@given(st.text())
def test_folding_case_keeps_the_length_and_folds_once(text: str) -> None:
    folded = fold_case(text)
    assert len(folded) == len(text)
    assert fold_case(folded) == folded
    assert fold_case(text + "x") == folded + "x"
    assert [fold_case(letter) for letter in text] == list(folded)


@given(trees, events)
def test_evidence_is_given_exactly_for_matches(tree: Expr[str], event: Mapping[str, Any]) -> None:
    held = evidence(tree, event)
    assert (held is not None) is evaluate(tree, event)
    assert witness(tree)(event) == held
    for one in held or ():
        assert any(leaf.field == one.field for leaf in leaves(tree))


@given(trees)
def test_a_fold_visits_every_leaf_once(tree: Expr[str]) -> None:
    count: Callable[[tuple[int, ...]], int] = sum
    assert fold(tree, leaf=lambda _: 1, negate=lambda n: n, conjoin=count, disjoin=count) == len(
        list(leaves(tree))
    )


@given(values)
def test_the_text_of_a_value_is_its_compact_json(value: Any) -> None:
    text = text_of(value)
    if isinstance(value, str) or value is None:
        assert text == value
    else:
        assert text is not None
        assert orjson.loads(text) == value
        assert "\n" not in text


@given(values, st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3))
def test_a_path_finds_a_value_wherever_its_dots_fall(value: Any, names: list[str]) -> None:
    flat = resolve({"x": value}, "x")
    path = ".".join(names)
    nested: Any = value
    for name in reversed(names):
        nested = {name: nested}
    assert resolve(nested, path) == flat
    assert resolve({path: value}, path) == flat
    assert resolve({names[0]: [nested[names[0]]]}, path) == flat


@given(events, paths)
def test_a_path_finds_nothing_but_single_values(event: Mapping[str, Any], path: str) -> None:
    found = resolve(event, path)
    assert found is None or not any(isinstance(value, list) for value in found)
