"""What is asked of a window with certain calls finds there what all queries find: against a reading of the queries alone."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from osdetect.detect.factored import clauses
from osdetect.detect.searches import Searches
from tests.detect.test_factored import _EVENTS, _query, finds


@given(st.lists(_query, min_size=1, max_size=12), st.frozensets(st.sampled_from(["a", "b", "c", ""])))
def test_no_event_of_the_window_is_found_less(queries: list[dict[str, Any]], calls: frozenset[str]) -> None:
    narrowed = Searches(queries).of(calls)
    for event in _EVENTS:
        if event["eventName"] in calls:
            assert any(finds(one, event) for one in narrowed) == any(finds(one, event) for one in queries)


def _asks(call: Any) -> dict[str, Any]:
    return {"bool": {"filter": [{"term": {"eventName": call}}, {"term": {"errorCode": f"of {call}"}}]}}


def test_rules_for_calls_that_did_not_happen_are_not_asked_for() -> None:
    searches = Searches([_asks(f"call{number}") for number in range(10_000)])
    (few,) = searches.of(frozenset(["call17", "call18", "unheard"]))
    assert clauses(few) <= 7
    assert searches.of(frozenset()) == ()
    assert len(searches.of(None)) > 10
    assert searches.of(None) == searches.whole


def test_a_call_whose_lower_case_is_in_doubt_is_always_asked_for() -> None:
    # The cluster's lower case of the Kelvin sign and of the dotted I is not everybody's.
    for call in ("\u212aill", "I\u0307nvoke", 7, True):
        (asked,) = Searches([_asks(call)]).of(frozenset(["other"]))
        event: Any = {"eventName": call, "errorCode": f"of {call}"}
        assert finds(asked, event)
    assert Searches([_asks("Mixed")]).of(frozenset(["mixed"]))
