"""Killed, cut, refused, hostile: what the detector does when things go wrong. No event is skipped or lost in silence."""

import json
from pathlib import Path
from typing import Any

import pytest

from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.deploy import deploy
from osdetect.detect import Method
from osdetect.errors import ClusterRefused, ClusterUnavailable
from tests.faults.material import (
    ask,
    connect,
    cursors,
    deployed,
    detected,
    documents,
    put_records,
    record,
    rule_id,
    rule_text,
)
from tests.faults.proxy import TOO_MANY, Asked, Cut, Fault, FaultProxy, Reply, on, refusal

INDEX = "osdetect-cloudtrail-t-2024.05"
ALERTS = "osdetect-alerts-t-*"
HIT = "{eventName: DeleteThing}"


def _hit(number: int, **fields: Any) -> dict[str, Any]:
    return record(number, eventName="DeleteThing", **fields)


def _cursors(url: str) -> list[int]:
    return [one["cursor"]["seq_no"] for one in cursors(url).values()]


def test_the_cursor_moves_only_when_the_alerts_are_stored(proxy: FaultProxy, tmp_path: Path) -> None:
    with connect(proxy.url, retry_for_s=0.2) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(1), _hit(2)])
        proxy.choose = lambda asked: TOO_MANY if asked.path == "/_bulk" else None
        with pytest.raises(ClusterUnavailable):
            detected(cluster)
        assert documents(proxy.url, ALERTS) == {}
        assert _cursors(proxy.url) == [-1]
        proxy.choose = lambda _asked: None
        assert detected(cluster).counts.alerts_created == 2
        assert _cursors(proxy.url) == [1]


def test_killed_between_the_alerts_and_the_cursor_the_next_pass_finds_them_there(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    def cursor_write(asked: Asked) -> Fault | None:
        moves = asked.path.startswith("/osdetect-state") and b'"seq_no":1' in asked.body
        return Cut() if asked.method == "PUT" and moves else None

    with connect(proxy.url, retry_for_s=0.2) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(1), _hit(2)])
        proxy.choose = cursor_write
        with pytest.raises(ClusterUnavailable):
            detected(cluster)
        proxy.choose = lambda _asked: None
        before = documents(proxy.url, ALERTS)
        assert len(before) == 2
        counts = detected(cluster).counts
    assert (counts.events, counts.alerts_created, counts.alerts_there) == (2, 0, 2)
    assert documents(proxy.url, ALERTS) == before


def test_a_cursor_write_whose_answer_is_lost_is_recognised_as_ours(proxy: FaultProxy, tmp_path: Path) -> None:
    lost = {"left": 2}

    def cursor_write(asked: Asked) -> Fault | None:
        if asked.method == "PUT" and asked.path.startswith("/osdetect-state") and lost["left"]:
            lost["left"] -= 1
            return Cut(after=True)
        return None

    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, HIT)
        proxy.choose = cursor_write
        for number in (1, 2):
            put_records(cluster, INDEX, [_hit(number)])
            lost["left"] = 1
            report = detected(cluster)
            assert (report.left_to_others, report.counts.alerts_created) == (0, 1)


def test_a_lost_answer_to_the_alerts_doubles_none(proxy: FaultProxy, tmp_path: Path) -> None:
    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(1), _hit(2)])
        proxy.choose = on("/_bulk", [Cut(after=True)])
        counts = detected(cluster).counts
    assert counts.alerts_created + counts.alerts_there == 2
    assert counts.deadlettered == 0
    assert len(documents(proxy.url, ALERTS)) == 2


@pytest.mark.parametrize(
    "fault",
    [
        refusal(400, "parsing_exception", "cannot percolate"),
        Reply(413, b""),
        refusal(429, "circuit_breaking_exception", "data too large"),
    ],
)
def test_an_event_that_fails_its_whole_batch_is_found_and_judged_by_evaluation(
    proxy: FaultProxy, tmp_path: Path, fault: Reply
) -> None:
    transient = fault.status == 429

    def poisoned(asked: Asked) -> Fault | None:
        hits = asked.path.endswith("/_search") and b'"percolate"' in asked.body and b"poison" in asked.body
        if not hits or (transient and asked.body.count(b'"present"') == 1):
            return None  # a busy cluster takes the event when it comes alone
        return fault

    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, HIT, "{userAgent: poison}", "{eventName: GetThing}")
        events = [_hit(n, userAgent="poison" if n == 23 else "aws-cli/2.17") for n in range(1, 41)]
        put_records(cluster, INDEX, events)
        proxy.asked.clear()
        proxy.choose = poisoned
        counts = detected(cluster, method=Method.PERCOLATE).counts
    assert (counts.events, counts.judged, counts.deadlettered) == (40, 40, 0)
    assert counts.evaluated_alone == (0 if transient else 1)
    assert counts.alerts_created == 41
    assert len(documents(proxy.url, ALERTS)) == 41
    percolated = [a for a in proxy.asked if b'"percolate"' in a.body and a.path.endswith("/_search")]
    assert len(percolated) < 2 * 6 + 2, "halving finds it in about the logarithm of the batch"


def test_an_alert_that_the_mapping_refuses_becomes_a_dead_letter_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    mapping = {"dynamic": "strict", "properties": {"user": {"properties": {"name": {"type": "long"}}}}}
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.05", {"mappings": mapping})
    named = {"type": "IAMUser", "userName": "123"}
    put_records(cluster, INDEX, [_hit(1), _hit(2, userIdentity=named), record(3)])
    report = detected(cluster)
    counts = report.counts
    assert (counts.events, counts.judged, counts.deadlettered) == (3, 2, 1)
    assert (counts.matches, counts.alerts_created) == (2, 1)
    ((letter_id, letter),) = documents(cluster.url, "osdetect-deadletter-t").items()
    assert letter_id.startswith("detect-")
    assert (letter["source"], letter["namespace"]) == ("detect", "t")
    assert "mapper_parsing_exception" in letter["reason"]
    assert letter["record"]["user"]["name"] == "casey"
    assert letter["record"]["rule"]["author"] == "A Test Author"
    (run,) = documents(cluster.url, "osdetect-runs-*").values()
    assert (run["run"]["outcome"], run["run"]["deadlettered"]) == ("loss", 1)
    for state in cursors(cluster.url):
        ask(cluster.url, "DELETE", f"/osdetect-state/_doc/{state}?refresh=true")
    counts = detected(cluster).counts
    assert (counts.alerts_created, counts.alerts_there, counts.deadlettered) == (0, 1, 1)
    assert len(documents(cluster.url, "osdetect-deadletter-t")) == 1


def test_a_groups_alert_that_the_mapping_refuses_becomes_a_dead_letter_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT) + "osdetect: {suppress: {window: 1h}}\n")
    deploy(cluster, compile_rules([tmp_path]).compiled, on_progress=lambda *_: None)
    mapping = {"dynamic": "strict", "properties": {"user": {"properties": {"name": {"type": "long"}}}}}
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.05", {"mappings": mapping})
    named = {"type": "IAMUser", "userName": "123"}
    put_records(cluster, INDEX, [_hit(1), _hit(2, userIdentity=named)])
    for _ in range(2):
        counts = detected(cluster).counts
        assert (counts.events, counts.judged, counts.deadlettered) == (2, 1, 1)
        assert counts.groups_created + counts.groups_there == 1
        ((_, letter),) = documents(cluster.url, "osdetect-deadletter-t").items()
        assert "mapper_parsing_exception" in letter["reason"]
        assert letter["record"]["user"]["name"] == "casey"
        for state in cursors(cluster.url):
            ask(cluster.url, "DELETE", f"/osdetect-state/_doc/{state}?refresh=true")


def test_alerts_that_the_cluster_takes_none_of_are_no_dead_letters(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1), _hit(2)])
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.05", {"settings": {"index.blocks.write": True}})
    with pytest.raises(ClusterRefused, match="does not take alerts") as refused:
        detected(cluster)
    assert "block" in refused.value.cause
    assert _cursors(cluster.url) == [-1]
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.05/_settings", {"index.blocks.write": False})
    assert detected(cluster).counts.alerts_created == 2
    assert documents(cluster.url, "osdetect-deadletter-t") == {}


def test_a_dead_letter_that_cannot_be_stored_stops_the_cursor(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    mapping = {"properties": {"user": {"properties": {"name": {"type": "long"}}}}}
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.05", {"mappings": mapping})
    ask(cluster.url, "PUT", "/osdetect-deadletter-t", {"settings": {"index.blocks.write": True}})
    put_records(cluster, INDEX, [_hit(1)])
    with pytest.raises(ClusterRefused, match="dead letter"):
        detected(cluster)
    assert _cursors(cluster.url) == [-1]


def test_hostile_events_stop_neither_the_detector_nor_the_other_events(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT, "{requestParameters|contains: needle}")
    deep: Any = "needle"
    for _ in range(900):
        deep = [deep]
    plain = {"settings": {"index.mapping.depth.limit": 1000}, "mappings": {"dynamic": False}}
    ask(cluster.url, "PUT", "/hostile", plain)
    hostile = [
        _hit(1, requestParameters=deep),
        _hit(2, eventTime="0001-01-01T00:00:00+23:59", **{"@timestamp": "0001-01-01T00:00:00+23:59"}),
        _hit(3, eventTime="9999-12-31T23:59:59-23:59"),
        _hit(4, userAgent="\ud800 half", requestParameters={"needle": 10**40}),
        _hit(5, sourceIPAddress=["::1"], userIdentity="root", eventID="x"),
        _hit(6, userAgent="x" * 40_000, errorCode="y" * 40_000, eventID="z" * 40_000),
        {"eventID": "empty"},
        _hit(7, requestParameters={"a": {"needle" + "z" * 40_000: 1}}),
    ]
    try:
        lines = [
            b'{"create":{"_index":"hostile","_id":"%d"}}\n%b\n' % (number, json.dumps(one).encode())
            for number, one in enumerate(hostile)
        ]
        assert [outcome.reason for outcome in cluster.bulk(lines)] == [""] * len(hostile)
        counts = detected(cluster, target="hostile").counts
        assert counts.events == len(hostile) == counts.judged + counts.deadlettered
        found = {alert["osdetect"]["source"]["id"] for alert in documents(cluster.url, ALERTS).values()}
        lost = documents(cluster.url, "osdetect-deadletter-t")
        said = found | {letter["record"].get("id", "") for letter in lost.values()}
        assert {"0", "1", "2", "3", "4", "5", "7"} <= said
        assert {"1", "2", "3", "4", "5", "7"} <= found
        undated = ask(cluster.url, "GET", "/osdetect-alerts-t-undated/_count")["count"]
        assert undated == 2, "made-up times make no index each"
        assert detected(cluster, target="hostile").counts.events == 0
    finally:
        ask(cluster.url, "DELETE", "/hostile")


def test_a_search_that_could_answer_only_in_part_is_no_answer(proxy: FaultProxy, tmp_path: Path) -> None:
    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(1)])
        proxy.asked.clear()
        detected(cluster, method=Method.PERCOLATE)
    searches = [asked for asked in proxy.asked if asked.path.endswith("/_search")]
    assert len(searches) >= 3
    assert all("allow_partial_search_results=false" in asked.query for asked in searches)


def test_a_rule_id_of_ours_stands_in_each_alert(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT, "{eventName|startswith: Delete}")
    put_records(cluster, INDEX, [_hit(1)])
    detected(cluster)
    assert {alert["rule"]["id"] for alert in documents(cluster.url, ALERTS).values()} == {
        rule_id(1),
        rule_id(2),
    }


def test_rules_that_no_shard_can_give_at_present_are_not_taken_for_none(
    cluster: Cluster, proxy: FaultProxy, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, "{eventName: CreateThing}")
    # As a node answers that has come back and has not opened its shards yet.
    proxy.choose = on("/osdetect-rules/_stats/docs", [Reply(200, {"_shards": {"total": 1}, "indices": {}})])
    with connect(proxy.url) as waking, pytest.raises(ClusterUnavailable, match="cannot be read at present"):
        detected(waking)
    assert detected(cluster).rules == 1


def test_an_event_that_came_after_a_deploy_meets_what_was_deployed(
    cluster: Cluster, proxy: FaultProxy, tmp_path: Path
) -> None:
    """The worst moment: when one of the two is read, what the cluster holds or by which rules it is judged."""
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    deployed(cluster, tmp_path / "before", "{eventName: CreateThing}")
    put_records(cluster, INDEX, [record(1, eventName="Other")])
    looks: list[str] = []

    def between(asked: Asked) -> Fault | None:
        if asked.path.endswith("/_stats/docs"):
            looks.append(asked.path)
            if len(looks) == 2:
                deployed(cluster, tmp_path / "after", "{eventName: CreateThing}", HIT)
                put_records(cluster, INDEX, [_hit(2)])
        return None

    proxy.choose = between
    with connect(proxy.url) as other:
        detected(other)
    assert len({path.split("/")[1] for path in looks[:2]}) == 2
    detected(cluster)
    assert [alert["rule"]["id"] for alert in documents(cluster.url, ALERTS).values()] == [rule_id(2)]


def test_so_does_one_that_came_while_a_flood_was_stored(
    cluster: Cluster, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osdetect.detect.flood.MOST", 700)
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    deployed(cluster, tmp_path / "before", HIT)
    put_records(cluster, INDEX, [_hit(number) for number in range(1, 1_201)])
    looks: list[str] = []

    def between(asked: Asked) -> Fault | None:
        if asked.path.endswith("-t-*/_stats/docs"):
            looks.append(asked.path)
            if len(looks) == 2:  # the flood was put off and is being paid
                deployed(cluster, tmp_path / "after", HIT, "{eventName: LateThing}")
                put_records(cluster, INDEX, [record(2_000, eventName="LateThing")])
        return None

    proxy.choose = between
    with connect(proxy.url) as other:
        assert detected(other).put_off
    assert len(looks) == 2
    detected(cluster)
    rules = [alert["rule"]["id"] for alert in documents(cluster.url, ALERTS).values()]
    assert (rules.count(rule_id(1)), rules.count(rule_id(2))) == (1_200, 1)
