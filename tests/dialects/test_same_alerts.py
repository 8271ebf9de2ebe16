"""One corpus indexed in the five dialects gives the same alerts, on a real node."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from osdetect.cli.dialects import chosen_dialect
from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster, Connection
from osdetect.deploy import deploy
from osdetect.detect import DetectOptions, detect_once, stored_alerts
from osdetect.resources import folder
from osdetect.scenario import iter_records
from osdetect.sigma import ReadOptions
from tests.dialects.material import WRITERS

pytestmark = pytest.mark.node
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE_MONTH = "2024-01-01T00:00:00.000Z"
"""Stored as the time of every event of the corpus, so that their alerts need one index and not one for each month."""
OF_THE_TREE = ("hash", "ruleset")
"""What an alert says of the deployed tree, which names the dialect's fields."""


class Outcome(msgspec.Struct, frozen=True):
    """What one dialect came to."""

    rules: frozenset[str]
    """The ids of the rules that were deployed."""
    alerts: Mapping[str, Mapping[str, Any]]
    """By id, without what is said of the stored event and of the deployed tree."""
    key: Mapping[str, str]
    """For each alert the `_id` of its event."""


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with Cluster.connect(Connection(url=fresh_cluster)) as made:
        yield made


def outcome(
    cluster: Cluster,
    name: str,
    rules: Sequence[Path],
    records: Sequence[tuple[str, dict[str, Any]]],
    *,
    dated: bool,
) -> Outcome:
    """Store the records as the dialect's writer would, deploy the rules for it, and judge."""
    index = f"events-in-{name}"
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    try:
        assert cluster.create_index(index, {"settings": settings, "mappings": {"enabled": False}})
        lines = []
        for key, record in records:
            event = WRITERS[name](record if dated else {**record, "eventTime": ONE_MONTH})
            lines.append(
                orjson.dumps({"create": {"_index": index, "_id": key}}) + b"\n" + orjson.dumps(event) + b"\n"
            )
        outcomes = cluster.bulk(lines, params={"refresh": "true"})
        assert [one.reason for one in outcomes if not one.created] == []
        chosen = chosen_dialect([name], "", lambda: cluster)
        compiled = compile_rules(rules, ReadOptions(pipeline=chosen.pipeline))
        report = deploy(cluster, compiled.compiled, on_progress=lambda *_: None, dialect=chosen.dialect)
        assert report.refused == ()
        ran = detect_once(
            cluster,
            DetectOptions(namespace=name.replace("-", "_"), target=index),
            run_id=name,
            clock=lambda: NOW,
            on_progress=lambda *_: None,
        )
        assert (ran.counts.events, ran.counts.judged) == (len(records), len(records))
        assert (ran.unreadable, ran.counts.evaluated_alone, ran.counts.deadlettered) == ((), 0, 0)
        found = list(stored_alerts(cluster, name.replace("-", "_")))
    finally:
        cluster.request("DELETE", f"/{index}", accept=(404,))
    return Outcome(
        frozenset(one.id for one in compiled.compiled),
        {alert.id: _common(alert.source) for alert in found},
        {alert.id: alert.source["osdetect"]["source"]["id"] for alert in found},
    )


def _common(alert: Mapping[str, Any]) -> dict[str, Any]:
    rule = {name: value for name, value in alert["rule"].items() if name not in OF_THE_TREE}
    return {**{name: value for name, value in alert.items() if name != "osdetect"}, "rule": rule}


def _of(alerts: Mapping[str, Mapping[str, Any]], rules: frozenset[str]) -> dict[str, Mapping[str, Any]]:
    return {identity: alert for identity, alert in alerts.items() if alert["rule"]["id"] in rules}


def test_the_scenario_gives_the_same_alerts_in_every_dialect(cluster: Cluster) -> None:
    records = [(str(record["eventID"]), record) for record in iter_records(background_count=300)]
    made = {name: outcome(cluster, name, [folder("rules")], records, dated=True) for name in WRITERS}
    plain = made["cloudtrail-raw"]
    assert len(plain.alerts) > 50
    assert all(alert["rule"]["author"] for alert in plain.alerts.values())
    for name, one in made.items():
        assert one.rules <= plain.rules
        assert len(plain.rules) - len(one.rules) == (1 if name == "cloudtrail-ecs" else 0)
        assert one.alerts == _of(plain.alerts, one.rules), name
        assert {one.key[identity] for identity in one.alerts} <= {key for key, _ in records}


@pytest.mark.long
def test_the_corpus_gives_the_same_alerts_for_the_public_rules(cluster: Cluster, shared: Path) -> None:
    with gzip.open(shared / "data/oracle/corpus.ndjson.gz") as lines:
        read = [orjson.loads(line) for line in lines]
    # Some records of the corpus share an eventID, as CloudTrail's never do.
    records = [(one["key"], {**one["event"], "eventID": one["key"]}) for one in read]
    rules = [shared / "data/rules", folder("rules")]
    made = {name: outcome(cluster, name, rules, records, dated=False) for name in WRITERS}
    plain = made["cloudtrail-raw"]
    assert len(plain.alerts) > 2_500
    for name, one in made.items():
        expected = _of(plain.alerts, one.rules)
        if name != "cloudtrail-ecs":
            assert one.alerts == expected, name
            continue
        # What the Elastic Agent drops: an empty errorCode, and the fields of a document that is no CloudTrail record.
        assert set(expected) <= set(one.alerts)
        assert {one.key[identity] for identity in set(one.alerts) - set(expected)} == {"92af7507adf579d0"}
        differing = {one.key[identity] for identity in expected if one.alerts[identity] != expected[identity]}
        assert differing == {"9a53afc282c22f07"}
