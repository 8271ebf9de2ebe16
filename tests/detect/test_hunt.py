"""A hunt finds what the detector alerts on, just that, and each once."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from osdetect import load as loading
from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.deploy import deploy
from osdetect.detect.hunt import Span
from osdetect.resources import folder
from osdetect.scenario import generate
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, Ran, nowhere, osdetect
from tests.faults.material import (
    ask,
    deployed,
    detected,
    documents,
    put_records,
    record,
    rule_id,
    rule_text,
)
from tests.status.material import without_primary

__all__ = ["nowhere", "osdetect"]
INDEX = "osdetect-cloudtrail-t-2024.05"
STORED = "osdetect-cloudtrail-t-*"
THING = "{eventSource: things.amazonaws.com, userAgent|contains: nimble}"


def _pairs(alerts: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Alert, rule and event."""
    return {(one, source["rule"]["id"], source["osdetect"]["source"]["id"]) for one, source in alerts.items()}


def _found(ran: Ran) -> dict[str, Any]:
    """What the hunt wrote, by alert; each once."""
    lines = [json.loads(line) for line in ran.out.splitlines()]
    found = {line["id"]: line for line in lines}
    assert len(found) == len(lines)
    return found


def test_all_own_rules_find_on_the_scenario_what_the_detector_alerts_on(
    osdetect: Osdetect, cluster: Cluster, tmp_path: Path
) -> None:
    generate(tmp_path / "logs", seed=3, background=400)
    deploy(cluster, compile_rules([]).compiled, on_progress=lambda _done, _total: None)
    loading.load(
        cluster,
        [tmp_path / "logs"],
        loading.LoadOptions(namespace="t"),
        now=datetime.now(UTC),
        on_progress=lambda _done, _total: None,
    )
    detected(cluster)
    alerts = documents(cluster.url, "osdetect-alerts-t-*")
    assert len(alerts) > 50
    at = ("-n", "t", "--url", cluster.url, "-o", "ndjson")
    rules = sorted({source["rule"]["id"] for source in alerts.values()})
    ran = osdetect("hunt", *rules, *at)
    assert ran.status == ExitCode.OK
    found = _found(ran)
    assert _pairs(found) == _pairs(alerts)
    times = sorted(source["@timestamp"] for source in alerts.values())
    since, until = times[len(times) // 4], times[len(times) * 3 // 4]
    ran = osdetect("hunt", *rules, *at, "--from", since, "--to", until)
    inside = {one: source for one, source in alerts.items() if since <= source["@timestamp"] < until}
    assert len(alerts) > len(inside) > 10
    assert _pairs(_found(ran)) == _pairs(inside)
    # The rules' files say the same as what is deployed of them, and a hunt makes the documents that are stored.
    ran = osdetect("hunt", folder("rules"), *at)
    assert _pairs(_found(ran)) == _pairs(alerts)
    for one, source in alerts.items():
        told = found[one]
        for name in ("@timestamp", "user", "rule", "cloud"):
            assert told.get(name) == source.get(name)
        assert told["osdetect"]["evidence"] == source["osdetect"]["evidence"]
    assert documents(cluster.url, "osdetect-alerts-t-*") == alerts


def test_what_no_search_can_find_is_found_all_the_same(
    osdetect: Osdetect, cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, THING, "{eventName: Other}")
    long = "x" * 9_000 + "nimble"
    events = [
        record(1, userAgent="nimble/1"),
        record(2, userAgent=long),
        record(3, userAgent="slow/1"),
        record(4, userAgent="nimble/2", eventTime="soon"),
        record(5, userAgent="NIMBLE", eventTime="2024-05-31T23:59:59Z"),
        record(6, userAgent="nimble/3", eventTime="2024-06-01T00:00:00Z"),
        record(7, userAgent="nimble/4", eventTime="2024-04-30T23:59:59Z"),
    ]
    put_records(cluster, INDEX, events)
    # Stored past the pipeline: not stamped, and in no form that the mapping promises. And again, elsewhere.
    unstamped = [
        record(8, userAgent=f"{long}/8"),
        record(9, userAgent="nimble/9") | {"@timestamp": "2030-01-01T00:00:00Z"},
    ]
    for one in unstamped:
        ask(cluster.url, "PUT", f"/{INDEX}/_doc/111122223333-{one['eventID']}?pipeline=_none", one)
    ask(cluster.url, "DELETE", "/logs-elsewhere", accept=(404,))
    ask(cluster.url, "PUT", "/logs-elsewhere", {"mappings": {"dynamic": False}})
    for number, one in enumerate([*events, record(10, userAgent="nimble/10")]):
        ask(cluster.url, "PUT", f"/logs-elsewhere/_doc/{number}", one)
    window = ("--from", "2024-05-01", "--to", "2024-06-01")
    for target, ids in ((STORED, (1, 2, 4, 5, 8, 9)), ("logs-elsewhere", (1, 2, 4, 5, 10))):
        at = ("-n", "t", "--url", cluster.url, "--target", target)
        ran = osdetect("hunt", rule_id(1), *at, *window, "-o", "ndjson")
        assert sorted(int(one["event"]["id"][-4:], 16) for one in _found(ran).values()) == list(ids)
        assert "1 matches are of events without a usable time" in ran.err
        assert ("every event of the span was read" in ran.err) == (target != STORED)
    both = ("-n", "t", "--url", cluster.url, "--target", f"{STORED},logs-elsewhere")
    everything = _found(osdetect("hunt", rule_id(1), *both, "-o", "ndjson"))
    detected(cluster, target=f"{STORED},logs-elsewhere")
    alerts = {
        one: source
        for one, source in documents(cluster.url, "osdetect-alerts-t-*").items()
        if source["rule"]["id"] == rule_id(1)
    }
    assert everything.keys() == alerts.keys()
    assert len(alerts) == 9
    report = json.loads(osdetect("hunt", rule_id(1), "-n", "t", "--url", cluster.url, "-o", "json").out)
    assert (report["matches"], len(report["alerts"]), report["undated"]) == (8, 8, 1)
    assert report["events_read"] < 9
    days = Counter(one["@timestamp"][:10] for one in report["alerts"] if one["event"]["id"][-1] != "4")
    assert report["per_day"] == {**days, "undated": 1}


def test_the_table_shows_the_earliest_and_counts_every_day(
    osdetect: Osdetect, cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, "{eventSource: things.amazonaws.com}", "{eventName: CreateThing}")
    hostile = record(1, userIdentity={"userName": "x\x1b[31m\u202e"}, eventName="CreateThing")
    put_records(cluster, INDEX, [hostile, *(record(number) for number in range(2, 301))])
    at = ("-n", "t", "--url", cluster.url)
    ran = osdetect("hunt", rule_id(1), rule_id(2), *at, "--limit", 7)
    assert ran.status == ExitCode.OK
    assert "7 of 600 matches, the earliest" in ran.out
    assert not set("\x1b\u202e") & set(ran.out)
    listed = [line for line in ran.out.splitlines() if "things:CreateThing" in line]
    assert len(listed) == 7
    assert all("2024-05-01" in line for line in listed)
    days = Counter(f"2024-05-{1 + number % 28:02}" for number in range(1, 301) for _ in range(2))
    for day, count in days.items():
        assert any(line.split() == ["│", day, "│", str(count), "│"] for line in ran.out.splitlines())
    assert "600 matches in 1 shards; 300 events were read" in ran.out
    none = osdetect("hunt", rule_id(1), *at, "--from", "2030-01-01", "-o", "json")
    assert json.loads(none.out) == {
        "alerts": [],
        "matches": 0,
        "per_day": {},
        "per_rule": {},
        "undated": 0,
        "excepted": 0,
        "events_read": 0,
        "not_searched": [],
        "shards": 1,
        "not_judged": 0,
        "not_read": [],
    }
    empty = osdetect("hunt", rule_id(1), *at, "--target", "nothing-*")
    assert (empty.status, "stands for no index" in empty.err) == (ExitCode.OK, True)


_CORRELATION = """title: Many things
id: 00000000-0000-4000-8000-00000000c0de
correlation:
    type: event_count
    rules: [00000000-0000-4000-8000-000000000001]
    group-by: [userIdentity.userName]
    timespan: 5m
    condition: {gte: 10}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "one.yml").write_text(rule_text(1, THING))
    (tmp_path / "both.yml").write_text(rule_text(1, THING) + "---\n" + _CORRELATION)
    (tmp_path / "alone.yml").write_text(_CORRELATION)
    (tmp_path / "broken.yml").write_text("title: x\nlogsource: {product: aws}\n  - : [")
    return tmp_path


def test_what_cannot_be_hunted_for_is_said(osdetect: Osdetect, cluster: Cluster, rules: Path) -> None:
    deployed(cluster, rules, THING, "{eventName: Other}")
    put_records(cluster, INDEX, [record(1, userAgent="nimble/1")])
    at = ("-n", "t", "--url", cluster.url)
    ran = osdetect("hunt", rules / "both.yml", *at, "-o", "ndjson")
    assert (ran.status, len(_found(ran))) == (ExitCode.LOSS, 1)
    assert "Many things is a correlation rule" in ran.err
    for arguments, status, said in (
        ((rules / "alone.yml",), ExitCode.NO_INPUT, "correlation"),
        ((rules / "broken.yml",), ExitCode.NO_INPUT, "broken.yml"),
        ((rules / "absent.yml",), ExitCode.NO_INPUT, "absent.yml"),
        (("no such rule",), ExitCode.NO_INPUT, "no deployed rule has the id"),
        (("made-up",), ExitCode.NO_INPUT, "stands for 2 deployed rules"),
        ((rules / "one.yml", rule_id(1)), ExitCode.USAGE, "together"),
        ((rule_id(1), "--pipeline", "cloudtrail-ecs"), ExitCode.USAGE, "--pipeline is for rule files"),
        ((rule_id(1), "--from", "soon"), ExitCode.USAGE, "no time for --from"),
        (
            (rule_id(1), "--from", "2024-05-02", "--to", "2024-05-01"),
            ExitCode.USAGE,
            "no event is in this span",
        ),
    ):
        ran = osdetect("hunt", *arguments, *at)
        assert (ran.status, said in ran.err) == (status, True), (arguments, ran.err)
        assert "cure:" in ran.err or "cause:" in ran.err
    assert osdetect("hunt", "Made-up rule 1", *at).status == ExitCode.OK


def test_a_rule_for_another_dialect_is_hunted_in_it(
    osdetect: Osdetect, cluster: Cluster, rules: Path
) -> None:
    ask(cluster.url, "DELETE", "/filebeat-1,shipped-1?ignore_unavailable=true")
    elsewhere = {
        "eventTime": "2024-05-03T01:00:00Z",
        "userAgent": "nimble",
        "eventSource": "things.amazonaws.com",
    }
    for number, stamp in enumerate(("2024-05-03T02:00:00Z", "2030-01-01T00:00:00Z")):
        one = {**elsewhere, "eventID": f"e-{number}", "recipientAccountId": "1", "@timestamp": stamp}
        ask(cluster.url, "PUT", f"/shipped-1/_doc/{number}", one)
    late = ask(cluster.url, "PUT", "/shipped-1/_doc/2", {**elsewhere, "eventTime": "2024-05-05T00:00:00Z"})
    assert late["result"] in ("created", "updated")
    said: dict[str, Any] = {
        "@timestamp": "2024-05-03T01:00:00Z",
        "event": {"provider": "things.amazonaws.com", "action": "CreateThing", "id": "e-1"},
        "user_agent": {"original": "nimble/2"},
        "cloud": {"account": {"id": "111122223333"}},
    }
    ask(cluster.url, "PUT", "/filebeat-1/_doc/a", said)
    ask(cluster.url, "PUT", "/filebeat-1/_doc/b", {**said, "user_agent": {"original": "slow"}})
    at = ("-n", "t", "--url", cluster.url, "--target", "filebeat-*", "-o", "ndjson")
    for pipeline in ("cloudtrail-ecs", "auto"):
        ran = osdetect("hunt", rules / "one.yml", "--pipeline", pipeline, *at)
        assert [one["osdetect"]["source"]["id"] for one in _found(ran).values()] == ["a"]
    # A shipper's own time beside the record's: the record's counts.
    span = ("--from", "2024-05-03", "--to", "2024-05-04")
    shipped = ("-n", "t", "--url", cluster.url, "--target", "shipped-*", *span)
    found = _found(osdetect("hunt", rules / "one.yml", *shipped, "-o", "ndjson"))
    assert sorted(one["osdetect"]["source"]["id"] for one in found.values()) == ["0", "1"]
    told = json.loads(osdetect("hunt", rules / "one.yml", *shipped, "-o", "json").out)
    assert (told["events_read"], told["not_searched"]) == (2, ["shipped-1"])


_EXCEPTION = f"""title: The nightly backup
id: 00000000-0000-4000-8000-0000000000ee
logsource: {{product: aws, service: cloudtrail}}
osdetect: {{exception: {{owner: cloud-team, reason: known, expires: {datetime.now(UTC).year + 1}-06-01}}}}
filter:
    rules: [Made-up rule 1]
    selection: {{userIdentity.userName: backup}}
    condition: not selection
"""


@pytest.mark.parametrize(
    ("tuning", "alerts", "withheld"),
    [("{suppress: {window: 31d}}", 1, 8), ("{mode: shadow}", 0, 8), ("{mode: off}", 0, 0), ("", 8, 0)],
)
def test_each_match_of_a_tuned_rule_is_found_but_what_is_excepted(
    osdetect: Osdetect, cluster: Cluster, tmp_path: Path, tuning: str, alerts: int, withheld: int
) -> None:
    tuned = f"osdetect: {tuning}\n" if tuning else ""
    (tmp_path / "one.yml").write_text(rule_text(1, "{eventName: CreateThing}") + tuned)
    (tmp_path / "two.yml").write_text(_EXCEPTION)
    deploy(cluster, compile_rules([tmp_path]).compiled, on_progress=lambda *_: None)
    when = {"eventTime": "2024-05-08T10:00:00Z"}
    events = [record(number, **when) for number in range(1, 9)]
    put_records(cluster, INDEX, [*events, record(9, userIdentity={"userName": "backup"}, **when)])
    detected(cluster)
    stored = documents(cluster.url, "osdetect-alerts-t-*")
    matches = {
        one: source
        for one, source in documents(cluster.url, "osdetect-matches-t-*").items()
        if source["why"] != "excepted"
    }
    assert (len(stored), len(matches)) == (alerts, withheld)
    at = ("-n", "t", "--url", cluster.url, "-o", "ndjson")
    for named in (rule_id(1), tmp_path):
        ran = osdetect("hunt", named, *at)
        found = _found(ran)
        assert len(found) == 8
        assert "1 matches more are left out: an exception is for them" in ran.err
        if matches or not alerts == withheld == 0:
            assert {one["osdetect"]["source"]["id"] for one in found.values()} == {
                one["event"]["id"] for one in matches.values()
            } | {one["osdetect"]["source"]["id"] for one in stored.values() if not matches}


def test_an_index_without_a_primary_is_named_and_the_others_are_hunted_in(
    osdetect: Osdetect, cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, THING)
    put_records(cluster, INDEX, [record(1, userAgent="nimble/1")])
    without_primary(cluster.url, "osdetect-cloudtrail-t-2024.06")
    at = ("-n", "t", "--url", cluster.url, "-o", "json")
    ran = osdetect("hunt", rule_id(1), *at)
    said = "shard 0 of osdetect-cloudtrail-t-2024.06 has no primary"
    assert (ran.status, said in ran.err) == (ExitCode.LOSS, True)
    told = json.loads(ran.out)
    assert (told["matches"], told["shards"], told["not_read"]) == (1, 1, [said])


@pytest.mark.parametrize(
    ("span", "gte", "lte"),
    [
        (Span(until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)), None, "9999-12-31T23:59:59+00:00"),
        (Span(since=datetime(1, 1, 1, tzinfo=UTC)), "0001-01-01T00:00:00+00:00", None),
        (
            Span(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC)),
            "2024-04-30T23:59:59+00:00",
            "2024-05-02T00:00:01+00:00",
        ),
    ],
)
def test_a_span_ends_where_the_calendar_does(span: Span, gte: str | None, lte: str | None) -> None:
    assert span.bounds() == {name: said for name, said in (("gte", gte), ("lte", lte)) if said}


def test_a_hunt_to_the_end_of_the_calendar(osdetect: Osdetect, cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, THING)
    put_records(cluster, INDEX, [record(1, userAgent="nimble/1")])
    ran = osdetect(
        "hunt", rule_id(1), "--to", "9999-12-31T23:59:59Z", "-n", "t", "--url", cluster.url, "-o", "json"
    )
    assert (ran.status, json.loads(ran.out)["matches"]) == (ExitCode.OK, 1)
