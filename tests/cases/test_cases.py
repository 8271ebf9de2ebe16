"""The cases in this folder, each run four ways: tree as text, `evaluate`, percolation, and the search query."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest
import yaml

from osdetect import expr
from osdetect.cluster import Cluster, Connection
from osdetect.compiler import Compiled, compile_rule
from osdetect.deploy import deploy
from osdetect.detect.events import StoredEvent
from osdetect.detect.percolate import Percolator
from osdetect.detect.release import live_release
from osdetect.documents.alert import EventReference
from osdetect.expr import evaluate, leaves, render
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import Rule, read_rules
from osdetect.sigma.reader import SUPPORTED_MODIFIERS
from tests.compiler.material import as_stored

FOLDER = Path(__file__).parent
CONDITION_FORMS = frozenset(
    {
        "1 of pattern",
        "1 of them",
        "all of pattern",
        "all of them",
        "any of them",
        "list",
        "not",
        "not 1 of pattern",
        "parentheses",
        "precedence",
        "timeframe",
    }
)
INDEX = "osdetect-cloudtrail-cases-2024.01"


class _CaseLoader(yaml.SafeLoader):
    """YAML with two tags for texts that are too long to write."""


def _times(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.SequenceNode)
    text, count = loader.construct_sequence(node, deep=True)
    return str(text) * int(count)


def _join(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.SequenceNode)
    return "".join(loader.construct_sequence(node, deep=True))


_CaseLoader.add_constructor("!times", _times)
_CaseLoader.add_constructor("!join", _join)


def _cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(FOLDER.glob("*.yml")):
        for case in _CaseLoader(file.read_text(encoding="utf-8")).get_single_data():
            yield f"{file.stem}: {case['name']}", case


CASES = dict(_cases())
ACCEPTED = {name: case for name, case in CASES.items() if "refused" not in case}
REFUSED = {name: case for name, case in CASES.items() if "refused" in case}


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def _write_rule(name: str, case: Mapping[str, Any], folder: Path) -> Path:
    rule = {
        "title": name,
        "id": _id(name),
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": case["detection"],
    }
    file = folder / "rule.yml"
    file.write_text(yaml.safe_dump(rule, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rule]:
    """The rule of each accepted case."""
    folder = tmp_path_factory.mktemp("cases")
    read = {}
    for name, case in ACCEPTED.items():
        rule_set = read_rules([_write_rule(name, case, folder)])
        assert not rule_set.refused, (name, str(rule_set.refused[0]))
        (read[name],) = rule_set.rules
    return read


def test_names_are_unique_and_every_case_says_why() -> None:
    assert len(CASES) == sum(1 for _ in _cases())
    for name, case in ACCEPTED.items():
        assert all(one["why"] for one in case["events"]), name


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_tree_is_as_written(name: str, rules: dict[str, Rule]) -> None:
    if "tree" in ACCEPTED[name]:
        assert render(rules[name].tree) == ACCEPTED[name]["tree"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_percolator_filters_as_written(name: str, rules: dict[str, Rule]) -> None:
    assert compile_rule(rules[name], EventFields.shipped()).prefilter.word == ACCEPTED[name]["class"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_evaluate_decides_as_written(name: str, rules: dict[str, Rule]) -> None:
    tree = rules[name].tree
    wrong = [one for one in ACCEPTED[name]["events"] if evaluate(tree, one["event"]) is not one["match"]]
    assert not wrong


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_reader_warns_as_written(name: str, tmp_path: Path) -> None:
    warnings = read_rules([_write_rule(name, ACCEPTED[name], tmp_path)]).warnings
    assert [warning.what for warning in warnings] == [
        ACCEPTED[name]["warning"] for _ in range("warning" in ACCEPTED[name])
    ]
    assert all(warning.where and warning.where.line for warning in warnings)


_REST = "\ntitle: A case\nid: 0f4cf2a1-6d4c-4f4e-9b0a-3b1f6a1c2d3e\nlogsource: {product: aws, service: cloudtrail}\n"


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_reason_and_place(name: str, tmp_path: Path) -> None:
    case = REFUSED[name]
    file = tmp_path / "case.yml"
    if "base64" in case:
        file.write_bytes(base64.b64decode(case["base64"]))
    else:
        file.write_text(case["text"] + ("" if case.get("complete") else _REST), encoding="utf-8")
    read = read_rules([file])
    assert not read.rules
    assert not read.other_sources
    (error,) = read.refused
    assert case["refused"] in str(error)
    assert error.where is not None
    assert (error.where.file, f"{error.where.line}:{error.where.column}") == (str(file), case["at"])
    assert " at 0x" not in str(error)  # the address of an object in memory says nothing to anybody


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the node answered for all cases at once."""

    compiled: tuple[Compiled, ...]
    events: tuple[Mapping[str, Any], ...]
    percolated: set[tuple[int, str]]
    """Event's place and rule's id."""
    found: set[tuple[int, str]]
    """The same, by search queries."""
    unindexed: frozenset[int]
    """Events that the event index refused."""


@pytest.mark.node
def test_percolation_equals_evaluation_and_no_search_misses(
    fresh_cluster: str, rules: dict[str, Rule]
) -> None:
    events = tuple(one["event"] for case in ACCEPTED.values() for one in case["events"])
    flagged = [one.get("unindexable", False) for case in ACCEPTED.values() for one in case["events"]]
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        asked = _ask(cluster, list(rules.values()), events)
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
    assert not wrong
    assert not missed
    assert asked.unindexed == {place for place, flag in enumerate(flagged) if flag}
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
        StoredEvent(EventReference(INDEX, "uuid", str(place), 0, place), event)
        for place, event in enumerate(events)
    ]
    percolated = {(event.at.seq_no, rule) for event, rule in Percolator(cluster, release).candidates(stored)}
    outcomes = cluster.bulk(
        [
            orjson.dumps({"create": {"_index": INDEX, "_id": str(place)}})
            + b"\n"
            + as_stored(event)
            + b"\n"
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
    return _Asked(compiled, tuple(events), percolated, found, unindexed)


def test_every_kind_of_test_has_a_case(rules: dict[str, Rule]) -> None:
    shown = {type(leaf.test) for rule in rules.values() for leaf in leaves(rule.tree)}
    assert shown == set(expr.Test.__args__)


def _modifiers(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _modifiers(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from key.split("|")[1:]
            yield from _modifiers(value)


def test_every_supported_modifier_has_a_case() -> None:
    assert {
        word for case in ACCEPTED.values() for word in _modifiers(case["detection"])
    } == SUPPORTED_MODIFIERS


def test_every_condition_form_has_a_case() -> None:
    assert {case.get("form") for case in ACCEPTED.values()} >= CONDITION_FORMS


def test_each_class_of_stored_query_has_a_case() -> None:
    assert {case["class"] for case in ACCEPTED.values()} == {"indexed", "token", "every event"}
