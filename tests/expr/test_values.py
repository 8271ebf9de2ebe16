"""What a path finds, the text of a value, and values that an attacker chose."""

import re
from typing import Any

import orjson
import pytest

from osdetect.expr import Cidr, Compare, Equals, Exists, Leaf, Number, Regex, Wildcard, evaluate
from osdetect.expr.nodes import Gap
from osdetect.expr.values import resolve, text_of


@pytest.mark.parametrize(
    ("event", "path", "found"),
    [
        ({"a": {"b": 1}}, "a.b", (1,)),
        ({"a": {"b": None}}, "a.b", (None,)),
        ({"a": {"b": []}}, "a.b", ()),
        ({"a": {"b": [[], [1, [2]]]}}, "a.b", (1, 2)),
        ({"a": [{"b": 1}, {"c": 2}, {"b": [3]}]}, "a.b", (1, 3)),
        ({"a": [[{"b": 1}], {"b": 2}]}, "a.b", (1, 2)),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", (1, 2)),
        ({"a.b": {"c": 1}, "a": {"b.c": 2, "b": {"c": 3}}}, "a.b.c", (2, 3, 1)),
        ({"a": "b"}, "a.b", None),
        ({"a": None}, "a.b", None),
        ({"a": [1, "x"]}, "a.b", None),
        ({}, "a", None),
        ({"": 1}, "", (1,)),
        ({"a": {"": 1}}, "a.", (1,)),
    ],
)
def test_what_a_path_finds(event: Any, path: str, found: tuple[Any, ...] | None) -> None:
    assert resolve(event, path) == found


@pytest.mark.parametrize("depth", [10, 300, 1_000, 20_000])
def test_how_deep_an_event_is_nested_is_no_matter(depth: int) -> None:
    lists: Any = "x"
    objects: Any = "x"
    for _ in range(depth):
        lists, objects = [lists], {"a": objects}
    assert evaluate(Leaf("f", Equals("x")), {"f": lists})
    assert evaluate(Leaf("f.a", Exists()), {"f": [objects]})
    assert evaluate(Leaf(".".join("a" * min(depth, 500)), Exists()), objects)
    assert text_of(objects) == '{"a":' * depth + '"x"' + "}" * depth
    assert evaluate(Leaf("f", Wildcard((Gap.ANY, '"x"', Gap.ANY))), {"f": objects})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 2**70}, '{"a":1180591620717411303424}'),
        (
            [2**70, {"b": [], "c": {}}, None, True, "é"],
            '[1180591620717411303424,{"b":[],"c":{}},null,true,"é"]',
        ),
        ({"a": "\ud800"}, '{"a":"\ud800"}'),
        ({"\ud800": 1}, '{"\ud800":1}'),
        (2**70, "1180591620717411303424"),
        (1.0, "1.0"),
    ],
)
def test_values_beyond_what_the_fast_writer_takes_have_a_text_too(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_a_lone_surrogate_does_no_harm() -> None:
    event = {"a": "x\ud800y"}
    assert evaluate(Leaf("a", Regex("^x.y$")), event)
    assert evaluate(Leaf("a", Wildcard(("x", Gap.ONE, "y"))), event)
    assert evaluate(Leaf("a", Equals("X\ud800Y")), event)


@pytest.mark.parametrize(
    "text",
    ["", "+", "-", ".", "1.2.3", "1_000", " 1", "1 ", "0x10", "inf", "nan", "²", "٣", "1e999", "9" * 5_000],
)
def test_texts_that_are_no_numbers_fail_every_comparison(text: str) -> None:
    assert not any(evaluate(Leaf("a", Compare(side, 0)), {"a": text}) for side in ("lt", "lte", "gt", "gte"))


@pytest.mark.parametrize("text", ["7", "+7", "7.", "07", "7.0", "0.7e1", "70E-1", 7, 7.0])
def test_texts_that_read_as_a_number_are_compared_as_one(text: str | float) -> None:
    assert evaluate(Leaf("a", Compare("gte", 7)), {"a": text})
    assert evaluate(Leaf("a", Compare("lte", 7)), {"a": text})
    assert not evaluate(Leaf("a", Compare("lt", 7)), {"a": text})


def test_large_integers_are_compared_exactly() -> None:
    event = {"a": str(2**53 + 1)}
    assert evaluate(Leaf("a", Compare("gt", 2**53)), event)
    assert not evaluate(Leaf("a", Number(2**53)), {"a": 2**53 + 1})
    assert evaluate(Leaf("a", Compare("gt", 5)), {"a": "9" * 400})


def test_an_address_with_a_zone_is_inside_its_network() -> None:
    assert evaluate(Leaf("a", Cidr("fe80::/10")), {"a": "fe80::1%eth0"})


def test_wildcards_and_patterns_stay_fast_on_long_hostile_texts() -> None:
    text = "a" * 200_000
    assert not evaluate(Leaf("a", Wildcard((Gap.ANY, "a", Gap.ONE) * 30 + (Gap.ANY, "b"))), {"a": text})
    assert not evaluate(Leaf("a", Wildcard((Gap.ANY, "aaaa") * 60 + (Gap.ANY, "b"))), {"a": text})
    assert not evaluate(Leaf("a", Regex("^(a|a)*(a+)+b")), {"a": text})


def test_the_pattern_of_a_rule_is_text_to_a_test_without_wildcards() -> None:
    assert evaluate(Leaf("a", Equals("a.*b")), {"a": "a.*b"})
    assert not evaluate(Leaf("a", Equals("a.*b")), {"a": "axxb"})
    assert evaluate(Leaf("a", Wildcard((re.escape("x.y"), Gap.ANY))), {"a": r"x\.yz"})


def test_an_event_read_from_json_needs_no_other_types() -> None:
    event = orjson.loads(b'{"a":{"b":[1,2.5,true,null,"x"]}}')
    assert resolve(event, "a.b") == (1, 2.5, True, None, "x")
    assert text_of(event["a"]) == '{"b":[1,2.5,true,null,"x"]}'
