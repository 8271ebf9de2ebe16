"""Columns of the percolated document, the fields of the event index, and ATT&CK names."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osdetect.cluster import Cluster, Connection
from osdetect.deploy import deploy
from osdetect.documents.event import HOLLOW_FIELDS
from osdetect.expr import All, AnyOf, Equals, Exists, Expr, Leaf, Null, Number, Regex
from osdetect.expr.values import fold_case
from osdetect.resources import folder
from osdetect.schema.attack import threat
from osdetect.schema.event_fields import EventFields
from osdetect.schema.projection import EVERY_EVENT, MAX_TERM, Projection, column_key, token


@given(st.text(), st.text())
def test_two_paths_never_share_a_column(one: str, other: str) -> None:
    assert (column_key(one) == column_key(other)) is (one == other)
    assert "." not in column_key(one)


@pytest.mark.parametrize(
    ("one", "other"), [("a.b", "a/b"), ("a/b", "a%2Fb"), ("a%2Fb", "a%252Fb"), ("a.b", "a%b")]
)
def test_look_alike_paths_have_columns_of_their_own(one: str, other: str) -> None:
    assert column_key(one) != column_key(other)


def test_a_token_is_a_function_of_field_and_test() -> None:
    assert token(Leaf("a", Number(1))) == token(Leaf("a", Number(1.0)))
    leaves = [Leaf("a", Number(1)), Leaf("b", Number(1)), Leaf("a", Equals("1")), Leaf("a", Regex("1"))]
    assert len({token(leaf) for leaf in leaves}) == len(leaves)
    assert EVERY_EVENT not in {token(leaf) for leaf in leaves}


class _Reader(msgspec.Struct, frozen=True):
    tree: Expr[str]
    columns: tuple[str, ...] = ()
    presence: tuple[str, ...] = ()
    tests: tuple[Leaf[str], ...] = ()


def test_a_projection_holds_what_is_asked_and_nothing_else() -> None:
    tests = (Leaf("c", Regex("^x")), Leaf("d", Null()), Leaf("g", Regex("^x")))
    asked = (
        Leaf("a.b", Equals("x")),
        Leaf("a.b", Equals("y" * MAX_TERM)),
        Leaf("a.b", Equals("5")),
        Leaf("c", Equals("other")),
    )
    presence = tuple(Leaf(path, Exists()) for path in ("e", "f", "*"))
    readers = (
        _Reader(AnyOf(asked), columns=("a.b", "c"), presence=("e", "f", "*")),
        _Reader(All((*tests, *presence)), tests=tests),
    )
    event: dict[str, Any] = {
        "a": [{"b": "X"}, {"b": ["y" * MAX_TERM, "z" * (MAX_TERM + 1), None, 5, "not asked for"]}],
        "c": "xyz",
        "e": None,
        "secret": "s",
    }
    projection = Projection.of(readers)
    projected = projection.project(event)
    assert set(projected) == {"values", "present", "tests"}
    assert set(projected["values"]) == {"a/b"}
    assert set(projected["values"]["a/b"]) == {"x", "y" * MAX_TERM, "5"}
    assert projected["present"] == ["e"]
    assert set(projected["tests"]) == {EVERY_EVENT, token(tests[0]), token(tests[1])}
    assert projection.project({}) == {"values": {}, "present": [], "tests": [EVERY_EVENT, token(tests[1])]}


def test_the_fields_of_the_event_index_are_those_of_the_template() -> None:
    fields = EventFields.shipped()
    assert {"eventName", "userIdentity.arn", "sourceIPAddress"} <= fields.keywords
    assert "requestParameters" not in fields.keywords
    assert fields.ips == {"sourceIPAddress": "sourceIPAddress.ip"}
    assert fields.ignore_above == 8_191


def test_fields_that_a_search_cannot_rely_on_are_left_out() -> None:
    lowered = {"type": "keyword", "normalizer": "lowercase"}
    fields = EventFields.of(
        {
            "a": {**lowered, "ignore_above": 100},
            "b": {"properties": {"c": {**lowered, "ignore_above": 50}, "d": {"type": "keyword"}}},
            "e": {"type": "text"},
        }
    )
    assert fields == EventFields(frozenset({"a", "b.c"}), {}, 50)
    assert EventFields.of({}) == EventFields(frozenset(), {}, 0)


def test_the_template_promises_the_marks_that_events_get() -> None:
    assert EventFields.shipped().hollow == frozenset(HOLLOW_FIELDS)
    assert EventFields.shipped().hollow <= EventFields.shipped().keywords


def test_attack_names_come_from_the_official_data() -> None:
    found = threat(
        [
            "attack.persistence",
            "attack.T1098.001",
            "attack.t1098",
            "attack.g0016",
            "cve.2024-1",
            "attack.nowhere",
        ]
    )
    assert found["tactic"] == {"id": ["TA0003"], "name": ["Persistence"]}
    assert found["technique"]["id"] == ["T1098.001", "T1098"]
    assert found["technique"]["name"] == ["Additional Cloud Credentials", "Account Manipulation"]
    assert threat([]) == {}
    assert threat(["attack.t9999"]) == {"technique": {"id": ["T9999"], "name": ["T9999"]}}
    assert orjson.loads((folder("mappings") / "attack.json").read_bytes())["tactics"]


@pytest.mark.node
def test_case_is_folded_as_the_engine_folds_it(fresh_cluster: str) -> None:
    """Every character that has another case: search queries rely on both sides folding alike."""
    cased = [
        c
        for c in map(chr, range(1, 0x110000))
        if not "\ud800" <= c <= "\udfff" and (c.lower() != c or c.upper() != c)
    ]
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        deploy(cluster, [], on_progress=lambda *_: None)
        index = "osdetect-cloudtrail-folding-2024.01"
        assert cluster.create_index(index, {})
        body = {"field": "eventName", "text": cased}
        tokens = cluster.request("POST", f"/{index}/_analyze", body=body)["tokens"]
    folded = [one["token"] for one in tokens]
    assert len(folded) == len(cased) > 2_000
    assert [(c, f) for c, f in zip(cased, folded, strict=True) if fold_case(c) != f] == []
