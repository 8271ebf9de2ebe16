"""What a match is gathered by: the values of its fields, wherever its event holds them, and how that is stored."""

from typing import Any

import pytest

from osdetect.documents.match import gathered_id, group_of
from osdetect.tuning import Suppression, Tuning

NAMED = Suppression(("sourceIPAddress",), 3_600)
PLACED = Suppression(("sourceIPAddress",), 3_600, {"sourceIPAddress": ("src.ip", "src.domain")})


@pytest.mark.parametrize(
    ("event", "value"),
    [
        ({"src": {"ip": "198.51.100.7"}}, "198.51.100.7"),
        ({"src": {"domain": "x.amazonaws.com"}}, "x.amazonaws.com"),
        ({"src": {"ip": None, "domain": "x.amazonaws.com"}}, "x.amazonaws.com"),
        ({"src": {"ip": "198.51.100.7", "domain": "x.amazonaws.com"}}, "198.51.100.7"),
        ({"src.ip": ["a", None]}, "a, null"),
        ({"src": {"ip": [], "domain": None}}, "null"),
        ({"src": {"ip": {}}}, "{}"),
        ({"src": "sourceIPAddress", "sourceIPAddress": "not here"}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_the_first_place_that_has_a_value_says_it(event: dict[str, Any], value: str) -> None:
    assert group_of("rule", PLACED, event, None, "t").values == (value,)


def test_where_a_value_stands_is_no_part_of_the_identity() -> None:
    there = group_of("rule", PLACED, {"src": {"ip": "198.51.100.7"}}, None, "t")
    here = group_of("rule", NAMED, {"sourceIPAddress": "198.51.100.7"}, None, "t")
    assert there.to_json() == here.to_json()
    assert there.to_json()["fields"] == ["sourceIPAddress"]
    assert gathered_id("alert", PLACED) == gathered_id("alert", NAMED)


def test_it_is_read_back_as_it_was_stored() -> None:
    for one in (NAMED, PLACED):
        assert Tuning.from_json(Tuning(suppression=one).to_json()) == Tuning(suppression=one)
    assert Suppression.from_json({"group_by": ["sourceIPAddress"], "window_s": 3_600}) == NAMED


@pytest.mark.parametrize("paths", [7, "x", ["x"], {"a": None}], ids=str)
def test_stored_paths_that_are_none_are_refused(paths: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Suppression.from_json({"group_by": ["a"], "window_s": 60, "paths": paths})
