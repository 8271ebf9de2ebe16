"""Every visible public rule against every visible record: what two other engines agree about, we agree with.

`expected_matches.json` names for each rule the records that it matches, as two independent engines found them, and
whether they agreed. Where they did not, docs/semantics.md gives our decision.
"""

import gzip
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.compiler import compile_rule
from osdetect.deploy import deploy
from osdetect.detect import DetectOptions, RunReport, detect_once, stored_alerts
from osdetect.expr import evaluate
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import Rule, RuleSet, read_rules

HERE = Path(__file__).parent
SEMANTICS = HERE.parents[1] / "docs" / "semantics.md"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE_MONTH = {"@timestamp": "2024-01-01T00:00:00Z"}
"""Given to every stored record, so that their alerts need one index instead of one for each month since 2014."""
Matches = dict[str, set[str]]
"""Rule id to the keys of the records that it matches; rules without a match are left out."""


@pytest.fixture(scope="module")
def records(shared: Path) -> dict[str, dict[str, Any]]:
    """Every visible record by its key."""
    with gzip.open(shared / "data/oracle/corpus.ndjson.gz") as lines:
        read = [orjson.loads(line) for line in lines]
    return {record["key"]: record["event"] for record in read}


@pytest.fixture(scope="module")
def expected(shared: Path) -> dict[str, dict[str, Any]]:
    """What the other engines found, by rule id."""
    return dict(json.loads((shared / "data/oracle/expected_matches.json").read_bytes()))


@pytest.fixture(scope="module")
def rule_set(shared: Path) -> RuleSet[Rule]:
    """Every visible rule file, read."""
    return read_rules([shared / "data/rules"])


@pytest.fixture(scope="module")
def evaluated(rule_set: RuleSet[Rule], records: Mapping[str, Mapping[str, Any]]) -> Matches:
    """Our own answer, by evaluation alone."""
    found = {
        rule.id: {key for key, event in records.items() if evaluate(rule.tree, event)}
        for rule in rule_set.rules
    }
    return {rule: keys for rule, keys in found.items() if keys}


def _agreed(expected: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {rule for rule, entry in expected.items() if entry["agreed"]}


def _wanted(expected: Mapping[str, Mapping[str, Any]]) -> Matches:
    return {
        rule: set(entry["matches"])
        for rule, entry in expected.items()
        if entry["agreed"] and entry["matches"]
    }


def _only(matches: Matches, rules: Iterable[str]) -> Matches:
    chosen = set(rules)
    return {rule: keys for rule, keys in matches.items() if rule in chosen}


def test_every_rule_that_the_oracle_knows_is_loaded_or_refused(
    rule_set: RuleSet[Rule], expected: Mapping[str, Mapping[str, Any]]
) -> None:
    loaded = {rule.id for rule in rule_set.rules}
    assert loaded <= set(expected)
    assert _agreed(expected) <= loaded
    (missing,) = set(expected) - loaded
    (refusal,) = [
        e
        for e in rule_set.refused
        if e.where and e.where.file.endswith(expected[missing]["file"].removeprefix("data/"))
    ]
    assert "placeholder" in refusal.what


def test_evaluation_agrees_with_the_oracle(
    evaluated: Matches, expected: Mapping[str, Mapping[str, Any]]
) -> None:
    assert _only(evaluated, _agreed(expected)) == _wanted(expected)
    assert len(_wanted(expected)) > 100


def test_the_document_decides_every_rule_that_is_not_agreed(
    evaluated: Matches, rule_set: RuleSet[Rule], expected: Mapping[str, Mapping[str, Any]]
) -> None:
    row = re.compile(
        r"^\| `([0-9a-f-]{36})` \| ([^|]+) \| `([^`|]+)` \| (refused|\d+) \| ([^|]+) \|$", re.MULTILINE
    )
    rows = row.findall(SEMANTICS.read_text(encoding="utf-8"))
    assert {identity for identity, *_ in rows} == set(expected) - _agreed(expected)
    assert len(rows) == len(expected) - len(_agreed(expected))
    loaded = {rule.id for rule in rule_set.rules}
    for identity, title, file, result, decision in rows:
        assert title == expected[identity]["title"]
        assert file == Path(expected[identity]["file"]).name
        assert len(decision.split()) > 8
        ours = str(len(evaluated.get(identity, ()))) if identity in loaded else "refused"
        assert result == ours, title


def _store(cluster: Cluster, index: str, records: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    outcomes = cluster.bulk(
        [
            orjson.dumps({"create": {"_index": index, "_id": key}})
            + b"\n"
            + orjson.dumps({**event, **ONE_MONTH, "eventID": key})  # some sources give two records one id
            + b"\n"
            for key, event in records
        ],
        params={"pipeline": "_none", "refresh": "true"},
    )
    assert [outcome.reason for outcome in outcomes if not outcome.created] == []


def _create(cluster: Cluster, index: str, shards: int) -> None:
    """An index of somebody else's: it knows no field, and detection needs none."""
    settings = {"number_of_shards": shards, "number_of_replicas": 0}
    assert cluster.create_index(index, {"settings": settings, "mappings": {"enabled": False}})


def _deploy(cluster: Cluster, rule_set: RuleSet[Rule]) -> Sequence[Mapping[str, Any]]:
    fields = EventFields.shipped()
    compiled = [compile_rule(rule, fields) for rule in rule_set.rules]
    report = deploy(cluster, compiled, on_progress=lambda *_: None)
    assert (report.refused, report.rules) == ((), len(rule_set.rules))
    return [one.source for one in compiled]


def _detect(cluster: Cluster, namespace: str, target: str) -> tuple[RunReport, Matches]:
    report = detect_once(
        cluster,
        DetectOptions(namespace=namespace, target=target),
        run_id=namespace,
        clock=lambda: NOW,
        on_progress=lambda *_: None,
    )
    found: Matches = {}
    for alert in stored_alerts(cluster, namespace):
        found.setdefault(alert.source["rule"]["id"], set()).add(alert.source["osdetect"]["source"]["id"])
    return report, found


@pytest.mark.node
def test_the_node_finds_what_the_oracle_knows_however_the_events_are_spread(
    fresh_cluster: str,
    rule_set: RuleSet[Rule],
    records: Mapping[str, Mapping[str, Any]],
    expected: Mapping[str, Mapping[str, Any]],
    evaluated: Matches,
) -> None:
    names = ("oracle-whole", "oracle-a", "oracle-b")
    listed = list(records.items())
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        try:
            _deploy(cluster, rule_set)
            for name, shards, some in (
                (names[0], 1, listed),
                (names[1], 3, listed[::2]),
                (names[2], 2, listed[1::2]),
            ):
                _create(cluster, name, shards)
                _store(cluster, name, some)
            whole, found = _detect(cluster, "whole", "oracle-whole")
            spread, found_spread = _detect(cluster, "spread", "oracle-a,oracle-b")
            again, found_again = _detect(cluster, "whole", "oracle-whole")
        finally:
            for name in names:
                cluster.request("DELETE", f"/{name}", accept=(404,))
    assert _only(found, _agreed(expected)) == _wanted(expected)
    assert found == evaluated
    assert found_spread == found
    assert found_again == found
    assert (whole.shards, spread.shards) == (1, 5)
    for report in (whole, spread):
        assert report.counts.events == report.counts.judged == len(records)
        assert report.counts.candidates == report.counts.matches == report.counts.alerts_created
        assert report.counts.deadlettered == 0
    assert again.counts.events == 0


@pytest.mark.node
def test_search_queries_find_what_the_oracle_knows_and_evaluation_makes_them_exact(
    fresh_cluster: str,
    rule_set: RuleSet[Rule],
    records: Mapping[str, Mapping[str, Any]],
    evaluated: Matches,
) -> None:
    index = "osdetect-cloudtrail-oracle-2024.01"
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        sources = _deploy(cluster, rule_set)
        _store(cluster, index, records.items())
        body = b"".join(
            b"{}\n" + orjson.dumps({"size": 10_000, "_source": False, "query": source["search"]}) + b"\n"
            for source in sources
        )
        params = {"filter_path": "responses.error,responses.timed_out,responses.hits.hits._id"}
        replies = cluster.request("POST", f"/{index}/_msearch", params=params, body=body)["responses"]
    exact: Matches = {}
    hits = 0
    for rule, reply in zip(rule_set.rules, replies, strict=True):
        assert "error" not in reply, rule.title
        candidates = {hit["_id"] for hit in reply.get("hits", {}).get("hits", ())}
        hits += len(candidates)
        assert evaluated.get(rule.id, set()) <= candidates, rule.title
        if held := {key for key in candidates if evaluate(rule.tree, records[key])}:
            exact[rule.id] = held
    assert exact == evaluated
    # The queries are worth asking: they leave out nearly everything that does not match.
    assert hits < len(records) * len(rule_set.rules) / 20
