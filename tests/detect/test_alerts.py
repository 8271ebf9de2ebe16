"""What a pass of the detector finds and writes, on a real node."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.deploy import deploy
from osdetect.detect import DetectOptions, detect_once, stored_alerts
from osdetect.detect.percolate import Percolator
from osdetect.errors import ClusterRefused
from osdetect.sigma import ReadOptions
from tests.faults.material import (
    ACCOUNT,
    ask,
    connect,
    cursors,
    deployed,
    detected,
    documents,
    put_records,
    record,
    rule_id,
    write_rules,
)

INDEX = "osdetect-cloudtrail-t-2024.05"
ALERTS = "osdetect-alerts-t-*"
HIT = "{eventName: DeleteThing}"
NOW = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)


def _hit(number: int, **fields: Any) -> dict[str, Any]:
    return record(number, eventName="DeleteThing", **fields)


def _alert_id(rule: int, key: str) -> str:
    return hashlib.sha256(f"{rule_id(rule)}\0{key}".encode()).hexdigest()[:40]


def test_an_alert_says_what_where_who_and_why(cluster: Cluster, tmp_path: Path) -> None:
    release = deployed(cluster, tmp_path, "{eventName: deletething, userAgent|contains: 'CLI/'}")
    long_agent = "aws-cli/2.17 " + "x" * 3000
    event = _hit(7, userAgent=long_agent, errorCode="AccessDenied")
    put_records(cluster, INDEX, [event, record(8)])
    report = detect_once(
        cluster,
        DetectOptions(namespace="t"),
        run_id="run-1",
        clock=lambda: NOW,
        on_progress=lambda _done, _total: None,
    )
    assert report.to_json() == {
        "run": "run-1",
        "ruleset": release.index.removeprefix("osdetect-rules-"),
        "rules": 1,
        "rules_unreadable": [],
        "shards": 1,
        "left_to_others": 0,
        "leases_taken": 1,
        "leases_lost": 0,
        "rules_off": 0,
        "rules_put_off": [],
        "passed_over": 0,
        "not_judged": [],
        "events": 2,
        "judged": 2,
        "deadlettered": 0,
        "evaluated_alone": 0,
        "candidates": 1,
        "matches": 1,
        "alerts_created": 1,
        "alerts_there": 0,
        "gathered": 0,
        "groups_created": 0,
        "groups_there": 0,
        "shadowed": 0,
        "excepted": 0,
        "deadlettered_owed": 0,
    }
    ((alert_id, alert),) = documents(cluster.url, "osdetect-alerts-t-2024.05").items()
    event_id = f"{ACCOUNT}-{event['eventID']}"
    assert alert_id == _alert_id(1, event_id)
    assert alert["@timestamp"] == "2024-05-08T07:07:00.000Z"
    assert alert["event"].pop("ingested")
    assert alert["event"] == {
        "kind": "alert",
        "id": event["eventID"],
        "action": "DeleteThing",
        "provider": "things.amazonaws.com",
        "outcome": "failure",
        "created": "2026-03-04T05:06:07.890Z",
    }
    assert alert["rule"].pop("hash")
    assert alert["rule"] == {
        "id": rule_id(1),
        "name": "Made-up rule 1",
        "level": "high",
        "author": "A Test Author",
        "reference": ["https://example.org/1"],
        "ruleset": report.ruleset,
    }
    assert alert["threat"]["technique"]["id"] == ["T1098.001"]
    assert alert["cloud"] == {"account": {"id": ACCOUNT}, "region": "eu-west-1"}
    assert alert["user"] == {"name": "casey", "id": "AIDAEXAMPLE"}
    assert alert["source"] == {"ip": "198.51.100.7", "address": "198.51.100.7"}
    assert alert["related"] == {"user": ["AIDAEXAMPLE", "casey"], "ip": ["198.51.100.7"]}
    assert alert["error"] == {"code": "AccessDenied"}
    assert alert["user_agent"]["original"] == long_agent[:2048]
    own = alert["osdetect"]
    assert own["status"] == "open"
    assert own["run_id"] == "run-1"
    assert own["matched"] == ["eventName", "userAgent"]
    assert own["source"] == {"index": INDEX, "id": event_id, "shard": 0, "seq_no": 0}
    assert own["lag_ms"] >= 0
    evidence = {one["field"]: one for one in own["evidence"]}
    assert evidence["eventName"]["value"] == "DeleteThing"
    assert evidence["userAgent"]["value"] == long_agent[:2048]
    assert evidence["userAgent"]["characters_cut"] == len(long_agent) - 2048
    (run,) = documents(cluster.url, "osdetect-runs-*").values()
    assert (run["run"]["outcome"], run["run"]["events"], run["run"]["alerts_created"]) == ("complete", 2, 1)


def test_a_second_pass_adds_nothing_and_a_new_event_is_found(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT, "{eventSource: things.amazonaws.com}")
    put_records(cluster, INDEX, [_hit(1), record(2)])
    assert detected(cluster).counts.alerts_created == 3
    before = documents(cluster.url, ALERTS)
    again = detected(cluster)
    assert (again.counts.events, again.counts.matches) == (0, 0)
    assert documents(cluster.url, ALERTS) == before
    put_records(cluster, INDEX, [_hit(3)])
    third = detected(cluster).counts
    assert (third.events, third.alerts_created, third.alerts_there) == (1, 2, 0)
    assert len(documents(cluster.url, ALERTS)) == 5
    assert [alert.source["@timestamp"] for alert in stored_alerts(cluster, "t")] == sorted(
        alert["@timestamp"] for alert in documents(cluster.url, ALERTS).values()
    )


def test_several_indices_of_three_shards_are_judged_to_the_last_event(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    for month in ("2024.05", "2024.06"):
        settings = {"index.number_of_shards": 3}
        ask(cluster.url, "PUT", f"/osdetect-cloudtrail-t-{month}", {"settings": settings})
        day = month.replace(".", "-")
        made = [_hit(int(month[-2:]) * 1000 + n, eventTime=f"{day}-11T00:00:00Z") for n in range(700)]
        put_records(cluster, f"osdetect-cloudtrail-t-{month}", made)
    told: list[tuple[int, int]] = []
    report = detect_once(
        cluster,
        DetectOptions(namespace="t"),
        run_id="r",
        clock=lambda: NOW,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert (report.shards, report.counts.events, report.counts.alerts_created) == (6, 1400, 1400)
    assert told[-1] == (1400, 1400)
    assert len(documents(cluster.url, ALERTS)) == 1400
    at = [one["cursor"] for one in cursors(cluster.url).values()]
    assert len({(one["index_uuid"], one["shard"]) for one in at}) == len(at) == 6
    assert sum(one["seq_no"] + 1 for one in at) == 1400
    assert detected(cluster).counts.events == 0


def test_more_events_in_a_shard_than_a_page_holds_are_all_judged(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(n) if n % 10 == 0 else record(n) for n in range(1, 2301)])
    counts = detected(cluster).counts
    assert (counts.events, counts.judged, counts.alerts_created) == (2300, 2300, 230)


def test_an_index_made_again_under_its_name_is_judged_from_its_beginning(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1), _hit(2), _hit(3)])
    assert detected(cluster).counts.alerts_created == 3
    ask(cluster.url, "DELETE", f"/{INDEX}")
    put_records(cluster, INDEX, [_hit(2), _hit(4)])
    counts = detected(cluster).counts
    assert (counts.events, counts.alerts_created, counts.alerts_there) == (2, 1, 1)


def test_new_rules_judge_new_events_and_the_old_alerts_stay(cluster: Cluster, tmp_path: Path) -> None:
    first = deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    detected(cluster)
    second = deployed(cluster, tmp_path, HIT, "{awsRegion: eu-west-1}")
    put_records(cluster, INDEX, [_hit(2)])
    counts = detected(cluster).counts
    assert (counts.events, counts.alerts_created) == (1, 2)
    rulesets = [alert["rule"]["ruleset"] for alert in documents(cluster.url, ALERTS).values()]
    names = [release.index.removeprefix("osdetect-rules-") for release in (first, second)]
    assert sorted(rulesets) == sorted([names[0], names[1], names[1]])


def test_any_index_can_be_the_target_and_its_events_need_no_event_id(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    ask(
        cluster.url,
        "PUT",
        "/trail-1/_doc/a",
        {"eventName": "DeleteThing", "eventTime": "2024-05-01T00:00:00Z"},
    )
    ask(cluster.url, "PUT", "/trail-2/_doc/a", {"eventName": "DeleteThing"})
    ask(cluster.url, "POST", "/_aliases", {"actions": [{"add": {"index": "trail-*", "alias": "trail"}}]})
    try:
        report = detected(cluster, target="trail")
        assert (report.shards, report.counts.alerts_created) == (2, 2)
        alerts = documents(cluster.url, ALERTS)
        uuids = {
            name: entry["settings"]["index"]["uuid"]
            for name, entry in ask(cluster.url, "GET", "/trail-*/_settings").items()
        }
        assert set(alerts) == {_alert_id(1, f"{uuid}/a") for uuid in uuids.values()}
        indices = {one["index"] for one in ask(cluster.url, "GET", f"/_cat/indices/{ALERTS}?format=json")}
        assert indices == {"osdetect-alerts-t-2024.05", "osdetect-alerts-t-undated"}
    finally:
        for name in ("trail-1", "trail-2"):
            ask(cluster.url, "DELETE", f"/{name}")


def test_a_target_that_stands_for_nothing_is_an_idle_pass(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    for target in ("no-such-index", "no-such-*"):
        report = detected(cluster, target=target)
        assert (report.shards, report.counts.events) == (0, 0)


def test_without_rules_the_cure_is_named(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ClusterRefused, match="no rules are deployed") as refused:
        detected(cluster)
    assert "osdetect deploy" in refused.value.cure
    deployed(cluster, tmp_path, HIT)
    ask(cluster.url, "DELETE", "/_index_template/osdetect-alerts")
    with pytest.raises(ClusterRefused, match="alerts template") as refused:
        detected(cluster)
    assert "osdetect deploy" in refused.value.cure


def test_a_stored_rule_that_cannot_be_read_is_counted_and_the_others_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    release = deployed(cluster, tmp_path, HIT, HIT, HIT)
    for number, change in (
        (1, {"detection": {"tree": ["no such node"]}}),
        (2, {"detection": {"columns": "none"}}),
    ):
        source = documents(cluster.url, release.index)[rule_id(number)]
        source["detection"] |= change["detection"]
        ask(cluster.url, "PUT", f"/{release.index}/_doc/{rule_id(number)}?refresh=true", source)
    put_records(cluster, INDEX, [_hit(1)])
    report = detected(cluster)
    assert (report.rules, report.counts.alerts_created, report.counts.judged) == (1, 1, 1)
    assert sorted(error.what for error in report.unreadable) == [
        f"the deployed rule {rule_id(number)} cannot be read" for number in (1, 2)
    ]
    assert all("osdetect deploy" in error.cure for error in report.unreadable)
    assert len(report.to_json()["rules_unreadable"]) == 2
    (run,) = documents(cluster.url, "osdetect-runs-*").values()
    assert (run["run"]["outcome"], run["run"]["rules_unreadable"]) == ("loss", 2)


def test_each_namespace_has_its_own_cursors_and_alerts(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    assert detected(cluster, namespace="t").counts.alerts_created == 1
    with connect(cluster.url) as other:
        assert detected(other, namespace="u", target=INDEX).counts.alerts_created == 1
    assert set(documents(cluster.url, "osdetect-alerts-u-*")) == set(documents(cluster.url, ALERTS))


ELSEWHERE = (
    "{product: windows}",
    "{product: windows, service: cloudtrail}",
    "{product: aws, service: guardduty}",
    "{product: aws, category: network}",
    "{product: aws, service: cloudtrail, category: process_creation}",
    "{service: cloudtrail}",
)


@pytest.mark.parametrize("alone", [False, True], ids=["percolated", "evaluated alone"])
def test_rules_for_other_log_sources_are_stored_and_judge_no_event(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, alone: bool
) -> None:
    rules = write_rules(tmp_path, [HIT] * (len(ELSEWHERE) + 1))
    for number, logsource in enumerate(ELSEWHERE, 2):
        file = rules / f"rule_{number}.yml"
        file.write_text(file.read_text().replace("{product: aws, service: cloudtrail}", logsource))
    compiled = compile_rules([rules], ReadOptions(every_log_source=True)).compiled
    release = deploy(cluster, compiled, on_progress=lambda *_: None)
    assert set(documents(cluster.url, release.index)) == {rule_id(n) for n in range(1, len(ELSEWHERE) + 2)}
    if alone:  # as if the cluster could not percolate the event
        monkeypatch.setattr(Percolator, "_document", lambda _self, _event: None)
    put_records(cluster, INDEX, [_hit(7)])
    report = detected(cluster)
    assert (report.rules, report.counts.candidates, report.counts.alerts_created) == (1, 1, 1)
    assert set(documents(cluster.url, ALERTS)) == {_alert_id(1, f"{ACCOUNT}-{_hit(7)['eventID']}")}
