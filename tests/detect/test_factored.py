"""Fewer clauses find the same: against a reading of the queries that knows nothing of how they were made fewer."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from osdetect.detect.factored import CLAUSES, any_of, clauses, factored, grouped

_FIELDS = ("eventSource", "eventName", "errorCode")
_VALUES = ("a", "b", "c")
_EVENTS = [dict(zip(_FIELDS, values, strict=True)) for values in product((*_VALUES, ""), repeat=len(_FIELDS))]


def finds(query: Mapping[str, Any], event: Mapping[str, str]) -> bool:
    match query:
        case {"term": named}:
            return all(event[name] == value for name, value in named.items())
        case {"terms": named}:
            return all(event[name] in values for name, values in named.items())
        case {"bool": {"should": parts, **rest}}:
            return set(rest) <= {"minimum_should_match"} and any(finds(part, event) for part in parts)
        case {"bool": parts}:
            held = all(finds(part, event) for part in parts.get("filter", ()))
            return held and not any(finds(part, event) for part in parts.get("must_not", ()))
        case _:
            raise AssertionError(query)


_field, _value = st.sampled_from(_FIELDS), st.sampled_from(_VALUES)
_leaf = st.one_of(
    st.builds(lambda name, value: {"term": {name: value}}, _field, _value),
    st.builds(lambda name, values: {"terms": {name: values}}, _field, st.lists(_value, max_size=3)),
)
_conjuncts = st.lists(
    st.one_of(_leaf, _leaf.map(lambda leaf: {"bool": {"must_not": [leaf]}})), min_size=1, max_size=4
)
_query = st.one_of(
    _leaf,
    _conjuncts.map(lambda parts: {"bool": {"filter": parts}}),
    st.lists(_leaf, min_size=1, max_size=3).map(any_of),
    st.tuples(_conjuncts, _leaf).map(lambda both: {"bool": {"filter": both[0], "must_not": [both[1]]}}),
)


@given(st.lists(_query, min_size=1, max_size=12))
def test_factored_queries_find_what_the_queries_find(queries: list[dict[str, Any]]) -> None:
    fewer = factored(queries)
    for event in _EVENTS:
        assert any(finds(one, event) for one in fewer) == any(finds(one, event) for one in queries)
    assert sum(map(clauses, fewer)) <= sum(map(clauses, queries)) + len(queries)


def test_rules_of_one_service_that_ask_for_calls_alone_are_one_query() -> None:
    asked = [
        {"bool": {"filter": [{"term": {"eventSource": "s"}}, {"term": {"eventName": f"call{i}"}}]}}
        for i in range(5_000)
    ]
    (one,) = factored(asked)
    assert clauses(one) == 3
    assert one["bool"]["filter"][1] == {"terms": {"eventName": [f"call{i}" for i in range(5_000)]}}


def test_a_service_with_many_conditions_is_several_queries_each_of_a_size_that_a_search_takes() -> None:
    asked = [
        {
            "bool": {
                "filter": [
                    {"term": {"eventSource": "s"}},
                    {"term": {"errorCode": f"e{i}"}},
                    {"term": {"eventName": "n"}},
                ]
            }
        }
        for i in range(2_000)
    ]
    groups = [any_of(group) for group in grouped(factored(asked))]
    assert all(clauses(group) <= CLAUSES for group in groups)
    assert all(
        any(finds(group, {"eventSource": "s", "errorCode": f"e{i}", "eventName": "n"}) for group in groups)
        for i in range(2_000)
    )
    assert len(groups) < 12
