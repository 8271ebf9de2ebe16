"""The cases in this folder, each run four ways: tree as text, `evaluate`, percolation, and the search query."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import orjson
import pytest
from msgspec.structs import replace

from osdetect import expr
from osdetect.cluster import Cluster, Connection
from osdetect.compiler import Compiled, compile_rule
from osdetect.compiler.prefilter import prefilter
from osdetect.compiler.search_query import is_exact
from osdetect.deploy import deploy
from osdetect.detect.percolate import Percolator
from osdetect.detect.release import live_release
from osdetect.documents.told import EventReference
from osdetect.expr import All, evaluate, leaves, render
from osdetect.follow import StoredEvent
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import LogSource, Rule, RuleSet, read_rules
from osdetect.sigma.modifiers import MODIFIERS
from tests.cases.case_file import Case, all_cases
from tests.cases.constructs import CONSTRUCTS
from tests.compiler.material import as_stored

INDEX = "osdetect-cloudtrail-cases-2024.01"
CASES = {case.title: case for case in all_cases()}
ACCEPTED = {title: case for title, case in CASES.items() if case.refusal is None}
REFUSED = {title: case for title, case in CASES.items() if case.refusal is not None}


def _read(case: Case, folder: Path) -> RuleSet[Rule]:
    file = folder / "case.yml"
    file.write_bytes(case.content)
    return read_rules([file], case.options)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Rule]]:
    """The rules of each accepted case, by their titles; of all cases no two have the same id."""
    folder = tmp_path_factory.mktemp("cases")
    read = {}
    for title, case in ACCEPTED.items():
        rule_set = _read(case, folder)
        assert not rule_set.refused, (title, str(rule_set.refused[0]))
        read[title] = {
            rule.title: replace(rule, id=str(uuid5(NAMESPACE_URL, f"{title}\n{rule.title}")))
            for rule in rule_set.rules
        }
    return read


def test_names_are_unique_and_every_case_says_why() -> None:
    assert len(CASES) == len(all_cases())
    for title, case in ACCEPTED.items():
        assert case.probes, title
        assert all(probe.why for probe in case.probes), title


@pytest.mark.parametrize("title", ACCEPTED)
def test_the_trees_are_as_written(title: str, rules: dict[str, dict[str, Rule]]) -> None:
    expected = ACCEPTED[title].rules
    assert rules[title].keys() == expected.keys()
    for name, rule in rules[title].items():
        assert render(rule.tree) == (expected[name].tree or render(rule.tree))


@pytest.mark.parametrize("title", ACCEPTED)
def test_the_percolator_filters_as_written(title: str, rules: dict[str, dict[str, Rule]]) -> None:
    for name, rule in rules[title].items():
        assert compile_rule(rule, EventFields.shipped()).prefilter.word == ACCEPTED[title].rules[name].kind


@pytest.mark.parametrize("title", ACCEPTED)
def test_evaluate_decides_as_written(title: str, rules: dict[str, dict[str, Rule]]) -> None:
    for probe in ACCEPTED[title].probes:
        matches = {name for name, rule in rules[title].items() if evaluate(rule.tree, probe.event)}
        assert matches == probe.matches, probe.why


@pytest.mark.parametrize("title", ACCEPTED)
def test_the_reader_warns_as_written(title: str, tmp_path: Path) -> None:
    warnings = _read(ACCEPTED[title], tmp_path).warnings
    assert [warning.what for warning in warnings] == list(ACCEPTED[title].warnings)
    assert all(warning.where and warning.where.line for warning in warnings)


@pytest.mark.parametrize("title", REFUSED)
def test_a_refusal_names_reason_and_place(title: str, tmp_path: Path) -> None:
    expected = REFUSED[title].refusal
    assert expected is not None
    read = _read(REFUSED[title], tmp_path)
    assert not read.rules
    assert not read.other_sources
    (error,) = read.refused
    assert expected.said in str(error)
    assert error.where is not None
    place = f"{error.where.line}:{error.where.column}"
    assert (error.where.file, place) == (str(tmp_path / "case.yml"), expected.at)
    told = f"{error.what} {error.cause}"
    assert " at 0x" not in told  # the address of an object in memory says nothing to anybody
    assert str(tmp_path) not in told  # the place is told once


class _Asked(msgspec.Struct, frozen=True):
    """What the node answered for all cases at once."""

    compiled: tuple[Compiled, ...]
    percolated: set[tuple[int, str]]
    """Event's place and rule's id."""
    found: set[tuple[int, str]]
    """The same, by search queries."""
    unindexed: frozenset[int]
    """Events that the event index refused."""


@pytest.mark.node
def test_percolation_equals_evaluation_and_no_search_misses(
    fresh_cluster: str, rules: dict[str, dict[str, Rule]]
) -> None:
    probes = [probe for case in ACCEPTED.values() for probe in case.probes]
    events = tuple(probe.event for probe in probes)
    # The percolator asks for CloudTrail's rules alone; what those of other log sources mean is judged the same way.
    ours = LogSource(product="aws", service="cloudtrail")
    every = [replace(rule, logsource=ours) for read in rules.values() for rule in read.values()]
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        asked = _ask(cluster, every, events)
    held = {
        (place, one.stored.id)
        for one in asked.compiled
        for place, event in enumerate(events)
        if evaluate(one.stored.tree, event)
    }
    names = {one.stored.id: one.stored.words["rule"]["name"] for one in asked.compiled}
    wrong = [(names[rule], events[place]) for place, rule in asked.percolated ^ held]
    missed = [
        (names[rule], events[place]) for place, rule in held - asked.found if place not in asked.unindexed
    ]
    fields = EventFields.shipped()
    exact = {one.stored.id for one in asked.compiled if is_exact(one.stored.tree, fields)}
    needless = [(names[rule], events[place]) for place, rule in asked.found - held if rule in exact]
    assert not wrong
    assert not missed
    assert not needless
    assert asked.unindexed == {place for place, probe in enumerate(probes) if probe.unindexable}
    assert len(held) > len(events) / 2


def _ask(cluster: Cluster, rules: Sequence[Rule], events: Sequence[Mapping[str, Any]]) -> _Asked:
    fields = EventFields.shipped()
    compiled = tuple(compile_rule(rule, fields) for rule in rules)
    report = deploy(cluster, compiled, on_progress=lambda *_: None)
    assert not report.refused
    release = live_release(cluster)
    assert not release.unreadable
    assert len(release.rules) == len(compiled)
    stored = [
        StoredEvent(EventReference(INDEX, "uuid", str(place), 0, place), source=event)
        for place, event in enumerate(events)
    ]
    percolated = {(event.at.seq_no, rule) for event, rule in Percolator(cluster, release).candidates(stored)}
    outcomes = cluster.bulk(
        [
            orjson.dumps({"create": {"_index": INDEX, "_id": str(place)}}) + b"\n" + as_stored(event) + b"\n"
            for place, event in enumerate(events)
        ],
        params={"pipeline": "_none", "refresh": "true"},
    )
    searches = b"".join(
        b"{}\n" + orjson.dumps({"size": 10_000, "_source": False, "query": one.source["search"]}) + b"\n"
        for one in compiled
    )
    replies = cluster.request("POST", f"/{INDEX}/_msearch", body=searches)["responses"]
    found = {
        (int(hit["_id"]), one.stored.id)
        for one, reply in zip(compiled, replies, strict=True)
        for hit in reply["hits"]["hits"]
    }
    unindexed = frozenset(place for place, outcome in enumerate(outcomes) if outcome.failed)
    return _Asked(compiled, percolated, found, unindexed)


def test_every_kind_of_test_has_a_case(rules: dict[str, dict[str, Rule]]) -> None:
    shown = {
        type(leaf.test) for read in rules.values() for rule in read.values() for leaf in leaves(rule.tree)
    }
    assert shown == set(expr.Test.__args__)


def test_every_modifier_has_a_case() -> None:
    assert {word for case in ACCEPTED.values() for word in case.modifiers} == MODIFIERS.keys()


def test_every_construct_has_a_case_and_every_case_a_construct() -> None:
    named = {construct for case in CASES.values() for construct in case.constructs}
    assert named == CONSTRUCTS.keys()
    assert all(case.constructs for case in CASES.values())


def test_each_construct_that_is_not_refused_by_design_is_accepted_in_a_case() -> None:
    accepted = {construct for case in ACCEPTED.values() for construct in case.constructs}
    assert CONSTRUCTS.keys() - accepted == {
        "aggregation",
        "condition",
        "detection",
        "filter",
        "modifier",
        "selection",
        "title",
    }


def test_a_rule_that_asks_nothing_is_the_only_one_judged_on_every_event() -> None:
    assert {expected.kind for case in ACCEPTED.values() for expected in case.rules.values()} == {
        "indexed",
        "token",
    }
    assert prefilter(All(())).word == "every event"
