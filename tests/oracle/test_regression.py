"""SigmaHQ's regression events: one positive event for each of 129 public rules, and each rule must match its event.

An event of Windows comes as its EVTX record in JSON. Sigma rules name its fields flat, so it is flattened as the
rules' taxonomy asks: every field of EventData by its name; of System each element by its name, with
what stands in an element's attributes as `Provider_Name`, `TimeCreated_SystemTime` and so on. A line of text, as a
network device sends it, is an event with one field, `message`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import yaml

from osdetect.cluster import Cluster, Connection
from osdetect.compiler import compile_rule
from osdetect.deploy import deploy
from osdetect.expr import evaluate
from osdetect.schema.event_fields import EventFields
from osdetect.schema.projection import Projection
from osdetect.sigma import ReadOptions, Rule, read_rules

Event = dict[str, Any]


class Regression(msgspec.Struct, frozen=True):
    """What SigmaHQ keeps for a rule."""

    events: tuple[Event, ...]
    """As recorded: in a few cases the event stands among others."""
    matches: int | None
    """How many of them match, where SigmaHQ says so; at least one does."""


RULES = 129
EVENTS = 159
MORE: Mapping[str, tuple[int, str]] = {
    "8fbf3271-1ef6-4e94-8210-03c2317947f6": (
        3,
        "three of the files are programs that the rule lists by name",
    ),
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393": (
        3,
        "three values are set below ZoneMap\\\\Domains, none to 0 or 1",
    ),
    "c7dcacd0-cc59-4004-b0a4-1d6cdebe6f3e": (
        2,
        "AutoShareServer and AutoShareWks are set to 0, the rule lists both",
    ),
}
"""Rules whose `match_count` is 1, but whose own words fit more of the events: how many, and why."""
_ATTRIBUTES = "#attributes"
_ID = re.compile(r"^id:\s*['\"]?([0-9a-f-]{36})", re.MULTILINE)


def _flat(record: Mapping[str, Any]) -> Event:
    """The fields of an EVTX record by the names that rules use."""
    event: Event = {}
    inside = record["Event"]
    for name, value in inside["System"].items():
        if isinstance(value, dict):
            event.update({f"{name}_{key}": one for key, one in value[_ATTRIBUTES].items()})
        elif value is not None:
            event[name] = value
    return {**event, **inside["EventData"]}


def _records(text: str) -> Iterator[Mapping[str, Any]]:
    """JSON values one behind the other."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        record, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        yield record


def _events(file: Path) -> tuple[Event, ...]:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".raw":
        return ({"message": text.rstrip("\n")},)
    return tuple(_flat(record) for record in _records(text))


def _read(folder: Path) -> Iterator[tuple[str, Regression]]:
    for info in sorted(folder.rglob("info.yml")):
        said = yaml.safe_load(info.read_text(encoding="utf-8"))
        (rule,) = said["rule_metadata"]
        (file,) = (one for one in info.parent.iterdir() if one.suffix in {".json", ".raw"})
        (test,) = said.get("regression_tests_info") or [{}]
        yield rule["id"], Regression(_events(file), test.get("match_count"))


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Regression]:
    """What is kept for each rule, by the rule's id."""
    return dict(_read(shared / "data/regression/sigmahq"))


@pytest.fixture(scope="module")
def rules(shared: Path, recorded: Mapping[str, Regression]) -> dict[str, Rule]:
    """The rules that have an event."""
    files = [
        file
        for file in sorted((shared / "data/rules/sigmahq").rglob("*.yml"))
        if recorded.keys() & set(_ID.findall(file.read_text(encoding="utf-8")))
    ]
    read = read_rules(files, ReadOptions(every_log_source=True))
    assert read.refused == ()
    return {rule.id: rule for rule in read.rules if rule.id in recorded}


def _listed(recorded: Mapping[str, Regression]) -> list[Event]:
    return [event for one in recorded.values() for event in one.events]


def test_every_rule_that_has_an_event_is_read(
    recorded: Mapping[str, Regression], rules: Mapping[str, Rule]
) -> None:
    assert len(recorded) == RULES
    assert len(_listed(recorded)) == EVENTS
    assert set(rules) == set(recorded)


def test_every_rule_matches_its_event(recorded: Mapping[str, Regression], rules: Mapping[str, Rule]) -> None:
    for identity, one in recorded.items():
        matches = sum(evaluate(rules[identity].tree, event) for event in one.events)
        wanted = MORE[identity][0] if identity in MORE else one.matches
        assert matches == (wanted or matches), rules[identity].title
        assert matches, rules[identity].title


def test_a_rule_matches_few_of_the_other_rules_events(
    recorded: Mapping[str, Regression], rules: Mapping[str, Rule]
) -> None:
    """Or a matcher that says yes to everything would pass."""
    pairs = sum(evaluate(rule.tree, event) for rule in rules.values() for event in _listed(recorded))
    assert RULES <= pairs < 2 * RULES


@pytest.mark.node
def test_the_percolator_finds_the_pairs_that_evaluation_finds(
    fresh_cluster: str, recorded: Mapping[str, Regression], rules: Mapping[str, Rule]
) -> None:
    """Asked directly: the detector asks only for rules for CloudTrail."""
    fields, events = EventFields.shipped(), _listed(recorded)
    compiled = [compile_rule(rule, fields) for rule in rules.values()]
    projection = Projection.of([one.stored for one in compiled])
    documents = [projection.project(event) for event in events]
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        report = deploy(cluster, compiled, on_progress=lambda *_: None)
        assert report.refused == ()
        query = {"percolate": {"field": "query", "documents": documents}}
        body = orjson.dumps({"size": len(compiled), "_source": False, "query": query})
        hits = cluster.request("POST", f"/{report.index}/_search", body=body)["hits"]["hits"]
    found = {(slot, hit["_id"]) for hit in hits for slot in hit["fields"]["_percolator_document_slot"]}
    assert found == {
        (place, rule.id)
        for rule in rules.values()
        for place, event in enumerate(events)
        if evaluate(rule.tree, event)
    }
    assert {rule for _, rule in found} == set(rules)
