"""The panels over the demo's alerts: what each asks a real node for, beside the same numbers out of the documents."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cluster import Cluster
from osdetect.dashboards.saved_objects import FILE, SavedObject
from osdetect.dashboards.validate import parsed_lines
from osdetect.resources import folder
from osdetect.schema.attack import matrix
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.dashboards import asked
from tests.faults.material import connect

pytestmark = pytest.mark.node
TUNING = """
[rules."{shadow}"]
mode = "shadow"
[rules."{gathered}"]
suppress = {{ group_by = ["userIdentity.arn"], window = "31d" }}
"""
EXCEPTION = """
title: Made-up exception
id: 0b8f6f0e-6c5e-4f39-9f0e-0f7a3f2f8a55
logsource: {{product: aws, service: cloudtrail}}
osdetect:
    exception: {{owner: a-team, reason: for the test, expires: 2099-01-31}}
filter:
    rules: ["{excepted}"]
    selection: {{eventName|exists: true}}
    condition: not selection
"""
NEVER_SHOWN = {
    "osdetect-rules-unfiltered",
    "osdetect-health-problems",
    "osdetect-health-put-off",
    "osdetect-health-lossy",
}
"""Panels of what the demo has not: a rule without a value, an event without a time, a flood, a loss of the detector."""


def _objects() -> dict[str, SavedObject]:
    lines = parsed_lines((folder("mappings") / FILE).read_bytes())
    return {one["id"]: one for one in lines}


def _fill(ran: Osdetect, url: str, place: Path) -> None:
    """The demo as its user makes it, with tuned rules, an exception and a file that is no CloudTrail."""
    to = ("--url", url)
    titles = {
        "shadow": "API Key Created",
        "gathered": "IAM Enumeration Denied",
        "excepted": "Object Read With A Bulk Transfer Client",
    }
    (place / "tuning.toml").write_text(TUNING.format(**titles))
    (place / "exception.yml").write_text(EXCEPTION.format(**titles))
    rules = (folder("rules"), place / "exception.yml", "--tuning", place / "tuning.toml")
    assert ran("scenario", place / "attack", "--background", "400").status == 0
    damaged = place / "attack" / "damaged.json"
    damaged.write_text(
        '{"Records": [{"eventVersion": "1.08", "eventName": "Odd", "eventTime": "2026-03-02T10:00:00Z", "event": 1}]}'
    )
    assert ran("deploy", *rules, *to).status == 0
    assert ran("load", place / "attack", *to).status == ExitCode.LOSS
    assert ran("detect", "--once", *to).status == 0


def _triage(ran: Osdetect, url: str, ids: list[str]) -> None:
    to = ("--url", url, "--user", "kim")
    assert ran("alerts", "ack", *ids[:3], *to).status == 0
    assert ran("alerts", "assign", *ids[:2], "--to", "robin", *to).status == 0
    assert ran("alerts", "close", *ids[3:6], "--as", "fp", *to).status == 0
    assert ran("alerts", "close", *ids[6:8], "--as", "tp", *to).status == 0


def _documents(cluster: Cluster, pattern: str) -> list[dict[str, Any]]:
    cluster.request("POST", f"/{pattern}/_refresh")
    reply = cluster.request("POST", f"/{pattern}/_search", body={"size": 10_000, "query": {"match_all": {}}})
    assert reply["hits"]["total"]["value"] == len(reply["hits"]["hits"])
    return [hit["_source"] for hit in reply["hits"]["hits"]]


def _same(saved: SavedObject, shown: list[asked.Row], wanted: list[asked.Row]) -> str:
    """What differs. Where equal counts make it open which groups are shown, only the counts must agree."""
    groups = sum(agg["schema"] != "metric" for agg in asked.state_of(saved)["aggs"])
    if any(agg["type"] == "percentiles" for agg in asked.state_of(saved)["aggs"]):
        for row, other in zip(shown, wanted, strict=True):
            numbers = other[groups]
            if row[:groups] != other[:groups] or not all(
                numbers[0] <= one <= numbers[-1] for one in row[groups]
            ):
                return f"{row} is not between {numbers[0]} and {numbers[-1]}"
        return ""
    if Counter(shown) == Counter(wanted):
        return ""
    sizes = [agg["params"]["size"] for agg in asked.state_of(saved)["aggs"] if agg["type"] == "terms"]
    if len(shown) == len(wanted) and len(shown) >= min(sizes, default=10_000):
        return (
            ""
            if Counter(row[groups] for row in shown) == Counter(row[groups] for row in wanted)
            else "other counts"
        )
    return f"{sorted(map(str, shown))[:5]} instead of {sorted(map(str, wanted))[:5]}"


def test_every_panel_shows_what_the_documents_say(
    fresh_cluster: str, osdetect: Osdetect, tmp_path: Path
) -> None:
    _fill(osdetect, fresh_cluster, tmp_path)
    objects = _objects()
    with connect(fresh_cluster) as cluster:
        found = json.loads(osdetect("alerts", "list", "--output", "json", "--url", fresh_cluster).out)
        _triage(
            osdetect,
            fresh_cluster,
            [one["id"] for one in (found["alerts"] if isinstance(found, dict) else found)],
        )
        documents = {
            one["id"]: _documents(cluster, one["id"])
            for one in objects.values()
            if one["type"] == "index-pattern"
        }
        empty, wrong, panels = [], [], 0
        for name, saved in objects.items():
            if saved["type"] != "visualization" or not asked.state_of(saved)["aggs"]:
                continue
            pattern = asked.pattern_of(saved)
            reply = cluster.request("POST", f"/{pattern}/_search", body=asked.request_of(saved))
            shown = asked.rows_of(saved, reply)
            wanted = asked.reckoned(saved, documents[pattern], lowered=pattern == "osdetect-cloudtrail-*")
            if difference := _same(saved, shown, wanted):
                wrong.append(f"{name}: {difference}")
            panels += 1
            empty += [name] if not shown else []
        assert wrong == []
        assert panels > 40
        assert set(empty) <= NEVER_SHOWN
        _searches(cluster, objects, documents)
        _story(cluster, documents)
        _heat(cluster, objects["osdetect-attack-heat"], documents["osdetect-alerts-*"])


def _searches(
    cluster: Cluster, objects: Mapping[str, SavedObject], documents: Mapping[str, list[dict[str, Any]]]
) -> None:
    counts = {}
    for name, saved in objects.items():
        if saved["type"] != "search":
            continue
        held = [one.query for one in asked.conditions(saved)]
        [[field, order]] = saved["attributes"]["sort"]
        body = {
            "query": {"bool": {"filter": held}},
            "sort": [{field: {"order": order}}],
            "track_total_hits": True,
        }
        counts[name] = cluster.request("POST", f"/{asked.pattern_of(saved)}/_search", body=body)["hits"][
            "total"
        ]["value"]
    alerts = documents["osdetect-alerts-*"]
    assert counts["osdetect-alerts"] == len(alerts) > 200
    assert counts["osdetect-events"] == len(documents["osdetect-cloudtrail-*"])
    assert (
        counts["osdetect-queue"]
        == sum(one["osdetect"]["status"] != "closed" for one in alerts)
        == len(alerts) - 5
    )


def _story(cluster: Cluster, documents: Mapping[str, list[dict[str, Any]]]) -> None:
    """A text in quotes without a field, as the query bar sends it: a principal, an access key, an address."""
    alerts, events = documents["osdetect-alerts-*"], documents["osdetect-cloudtrail-*"]
    sources = {one["osdetect"]["source"]["id"] for one in alerts}
    told = [one for one in events if f"{one['recipientAccountId']}-{one['eventID']}" in sources]
    asked_for = 0
    for path in ("userIdentity.arn", "userIdentity.accessKeyId", "sourceIPAddress"):
        found = Counter(value for one in told for value in asked.values(one, path, lowered=False))
        for value, _ in found.most_common(2):
            its = {one["eventID"] for one in events if value in asked.values(one, path, lowered=False)}
            query = {"multi_match": {"type": "phrase", "query": value, "lenient": True}}
            body = {"query": query, "track_total_hits": True, "size": 0}
            hits = {
                pattern: cluster.request("POST", f"/{pattern}/_search", body=body)["hits"]["total"]["value"]
                for pattern in ("osdetect-alerts-*", "osdetect-cloudtrail-*")
            }
            assert hits["osdetect-alerts-*"] >= sum(one["event"]["id"] in its for one in alerts) > 0, value
            assert hits["osdetect-cloudtrail-*"] >= len(its) > 0, value
            asked_for += 1
    assert asked_for == 6


def _heat(cluster: Cluster, saved: SavedObject, alerts: list[dict[str, Any]]) -> None:
    """The cells, joined as the specification says it, beside ATT&CK and the alerts themselves."""
    spec = orjson.loads(asked.state_of(saved)["params"]["spec"])
    data = {one["name"]: one for one in spec["data"]}
    reply = cluster.request(
        "POST", f"/{data['alerts']['url']['index']}/_search", body=data["alerts"]["url"]["body"]
    )
    owned = {one["pair"] for one in data["owners"]["values"]}
    columns = {one["tactic"] for one in data["tactics"]["values"]}
    cells = {
        (tactic["key"], technique["key"]): technique["doc_count"]
        for tactic in reply["aggregations"]["tactics"]["buckets"]
        for technique in tactic["techniques"]["buckets"]
        if f"{tactic['key']}/{technique['key']}" in owned and tactic["key"] in columns
    }
    own = {(tactic.id, technique.id) for tactic, techniques in matrix() for technique in techniques}
    wanted: Counter[tuple[str, str]] = Counter()
    for alert in alerts:
        threat = alert.get("threat", {})
        pairs = {
            (tactic, technique)
            for tactic in threat.get("tactic", {}).get("id", ())
            for technique in threat.get("technique", {}).get("id", ())
        }
        wanted.update(pairs & own)
    assert {cell: cells.get(cell, 0) for cell in wanted} == dict(wanted)
    assert len(wanted) > 80
    # what an alert names of techniques is in the matrix somewhere, if it names one of their tactics
    assert sum(cells.values()) >= sum(wanted.values())
