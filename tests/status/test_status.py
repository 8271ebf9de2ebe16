"""`osdetect status` on a real node: lag counted, gaps named, lateness told, and the exit code of each."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.status.heartbeat import PassMark, mark_pass, raise_alarm, read_mark
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.faults.material import ask, documents, put_records, record
from tests.faults.proxy import NOT_REFRESHED, Asked, FaultProxy, Reply
from tests.status.material import without_primary

INDEX = "osdetect-cloudtrail-t-2024.05"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def told(osdetect: Osdetect, cluster: Cluster) -> Any:
    def ran(*arguments: str, status: ExitCode = ExitCode.OK) -> dict[str, Any]:
        done = osdetect("status", "-n", "t", *arguments, "--url", cluster.url, "--output", "json")
        assert (done.status, done.err) == (status, "")
        found: dict[str, Any] = json.loads(done.out)
        return found

    return ran


def _detect(osdetect: Osdetect, cluster: Cluster) -> None:
    assert osdetect("detect", "--once", "-n", "t", "--url", cluster.url).status == ExitCode.OK


def test_lag_is_counted_in_events_and_seconds_and_is_gone_after_a_pass(
    cluster: Cluster, osdetect: Osdetect, told: Any
) -> None:
    put_records(cluster, INDEX, [record(n) for n in range(1, 11)])
    _detect(osdetect, cluster)
    put_records(cluster, INDEX, [record(n) for n in range(11, 18)])
    ask(cluster.url, "DELETE", f"/{INDEX}/_doc/111122223333-{record(12)['eventID']}")
    behind = told()
    assert behind["lag"]["events"] == 6, "sequence numbers 10 to 17 are 8, two of them of no event any more"
    (shard,) = behind["shards"]
    assert (shard["seq_no"], shard["checkpoint"], shard["has_cursor"]) == (9, 17, True)
    assert 0 < behind["lag"]["seconds"] < 60
    _detect(osdetect, cluster)
    level = told("--max-lag", "1")
    assert (level["lag"], level["problems"]) == (
        {"events": 0, "seconds": 0.0, "events_of_unknown_age": 0},
        [],
    )
    assert level["shards"][0]["lag_seconds"] is None
    assert [run["events"] for run in level["runs"]] == [6, 10]
    assert level["last_pass"]["ended"] <= level["at"]
    assert level["release"]["rules"] == 1


def test_an_index_that_cannot_be_searched_hides_no_other(
    cluster: Cluster, osdetect: Osdetect, told: Any
) -> None:
    other = "osdetect-cloudtrail-t-2024.06"
    _detect(osdetect, cluster)
    put_records(cluster, INDEX, [record(1)])
    put_records(cluster, other, [record(2, eventTime="2024-06-11T00:00:00Z")])
    ask(cluster.url, "PUT", f"/{INDEX}/_settings", {"index.blocks.read": True})
    found = told(status=ExitCode.LOSS)
    assert [(one["index"], one["lag_events"]) for one in found["shards"]] == [(other, 1)]
    (why,) = found["gaps"]["indices_not_counted"]
    assert why.startswith(f"{INDEX}: ")
    assert found["problems"] == ["1 indices of the target cannot be searched"]


@pytest.mark.parametrize(("index", "status"), [(INDEX, ExitCode.LOSS), ("osdetect-runs-", ExitCode.CLUSTER)])
def test_figures_from_which_the_newest_documents_may_be_missing_are_not_shown(
    cluster: Cluster, osdetect: Osdetect, index: str, status: ExitCode
) -> None:
    put_records(cluster, INDEX, [record(1)])
    _detect(osdetect, cluster)
    put_records(cluster, INDEX, [record(2)])

    def choose(asked: Asked) -> Reply | None:
        return NOT_REFRESHED if index in asked.path and asked.path.endswith("/_refresh") else None

    with FaultProxy(cluster.url, choose) as proxy:
        done = osdetect("status", "-n", "t", "--url", proxy.url)
    assert done.status == status
    assert "could be refreshed" in done.err + done.out


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("2", ExitCode.LOSS), ("3", ExitCode.OK), ("1h", ExitCode.OK), ("1s", ExitCode.LOSS)],
)
def test_lag_above_the_limit_is_code_1(cluster: Cluster, told: Any, limit: str, expected: ExitCode) -> None:
    came = datetime.now(UTC) - timedelta(minutes=2)
    for number in range(3):
        body = {"eventName": "x", "@timestamp": came.isoformat()}
        ask(cluster.url, "PUT", f"/osdetect-cloudtrail-t-x/_doc/{number}?pipeline=_none", body)
        path = "/osdetect-cloudtrail-t-x/_mapping"
        ask(cluster.url, "PUT", path, {"properties": {"@timestamp": {"type": "date"}}})
    found = told("--max-lag", limit, status=expected)
    assert found["lag"]["events"] == 3
    assert found["lag"]["seconds"] == pytest.approx(120, abs=30)
    assert found["gaps"]["indices_without_cursor"] == ["osdetect-cloudtrail-t-x"]


def test_gaps_are_named(cluster: Cluster, osdetect: Osdetect, told: Any) -> None:
    for month in ("05", "06", "07"):
        put_records(
            cluster,
            f"osdetect-cloudtrail-t-2024.{month}",
            [record(int(month), eventTime=f"2024-{month}-11T00:00:00Z")],
        )
    _detect(osdetect, cluster)
    ask(cluster.url, "DELETE", f"/{INDEX}")
    ask(cluster.url, "POST", "/osdetect-cloudtrail-t-2024.06/_close")
    found = told(status=ExitCode.LOSS)
    assert found["gaps"]["closed_indices"] == ["osdetect-cloudtrail-t-2024.06"]
    (deleted,) = found["gaps"]["cursors_of_deleted_indices"]
    assert deleted.startswith(f"{INDEX} (")
    assert found["problems"] == ["1 indices of the target are closed"]


def test_an_open_index_that_is_named_is_not_closed(cluster: Cluster, told: Any) -> None:
    put_records(cluster, INDEX, [record(1)])
    found = told("--target", INDEX)
    assert (found["gaps"]["closed_indices"], found["problems"]) == ([], [])
    ask(cluster.url, "POST", f"/{INDEX}/_close")
    found = told("--target", INDEX, status=ExitCode.LOSS)
    assert found["gaps"]["closed_indices"] == [INDEX]


def test_an_index_without_a_primary_is_named(cluster: Cluster, osdetect: Osdetect, told: Any) -> None:
    put_records(cluster, INDEX, [record(1)])
    _detect(osdetect, cluster)
    without_primary(cluster.url, "osdetect-cloudtrail-t-2024.06")
    found = told(status=ExitCode.LOSS)
    assert found["problems"] == ["1 indices of the target have a shard without a primary"]
    said = "shard 0 of osdetect-cloudtrail-t-2024.06 has no primary"
    assert found["gaps"]["shards_without_primary"] == [said]
    assert [shard["index"] for shard in found["shards"]] == [INDEX]
    assert said in osdetect("status", "-n", "t", "--url", cluster.url).out


@pytest.mark.parametrize("kind", ["keyword", "text", None])
def test_an_unknown_age_is_above_every_limit(
    cluster: Cluster, osdetect: Osdetect, told: Any, kind: str | None
) -> None:
    ask(cluster.url, "DELETE", "/shipped-1", accept=(404,))
    fields = {"@timestamp": {"type": kind}, "event": {"properties": {"ingested": {"type": kind}}}}
    properties = {"properties": fields} if kind else {}
    ask(cluster.url, "PUT", "/shipped-1", {"mappings": {"dynamic": False, **properties}})
    try:
        now = datetime.now(UTC).isoformat()
        ask(cluster.url, "PUT", "/shipped-1/_doc/1", {"@timestamp": now, "event": {"ingested": now}})
        at = ("--target", "shipped-1")
        found = told(*at, "--max-lag", "1h", status=ExitCode.LOSS)
        assert found["problems"] == ["1 events that are not judged do not say when they came"]
        assert found["lag"] == {"events": 1, "seconds": None, "events_of_unknown_age": 1}
        assert found["shards"][0]["lag_events_of_unknown_age"] == 1
        assert told(*at, "--max-lag", "1")["problems"] == []
        assert "unknown" in osdetect("status", "-n", "t", *at, "--url", cluster.url).out
    finally:
        ask(cluster.url, "DELETE", "/shipped-1")


def test_each_event_is_as_old_as_the_first_of_its_times_says(cluster: Cluster, told: Any) -> None:
    ask(cluster.url, "DELETE", "/shipped-1", accept=(404,))
    date = {"type": "date"}
    fields = {"@timestamp": date, "event": {"properties": {"ingested": date}}}
    ask(cluster.url, "PUT", "/shipped-1", {"mappings": {"properties": fields}})
    try:
        now = datetime.now(UTC)
        ago = {minutes: (now - timedelta(minutes=minutes)).isoformat() for minutes in (1, 5, 60)}
        events = (
            {"event": {"ingested": ago[1]}, "@timestamp": ago[60]},
            {"@timestamp": ago[5]},
            {"eventName": "x"},
        )
        for number, one in enumerate(events):
            ask(cluster.url, "PUT", f"/shipped-1/_doc/{number}", one)
        lag = told("--target", "shipped-1")["lag"]
        assert (lag["events"], lag["events_of_unknown_age"]) == (3, 1)
        assert lag["seconds"] == pytest.approx(300, abs=30)
    finally:
        ask(cluster.url, "DELETE", "/shipped-1")


def test_leases_and_owed_ranges_are_shown(cluster: Cluster, osdetect: Osdetect, told: Any) -> None:
    put_records(cluster, INDEX, [record(1)])
    _detect(osdetect, cluster)
    ((name, source),) = (
        one for one in documents(cluster.url, "osdetect-state").items() if one[1]["kind"] == "cursor"
    )
    source["cursor"]["owed"] = [{"rules": ["a"], "after": 3, "upto": 10}]
    lease = {"worker": "worker-\x1b[2J1", "length_s": 30.0, "at": datetime.now(UTC).isoformat()}
    source["cursor"]["lease"] = lease
    ask(cluster.url, "PUT", f"/osdetect-state/_doc/{name}", source)
    found = told()
    (shard,) = found["shards"]
    assert (shard["owed_ranges"], shard["owed_sequence_numbers"]) == (1, 7)
    assert told("--max-lag", "7")["problems"] == []
    (problem,) = told("--max-lag", "6", status=ExitCode.LOSS)["problems"]
    assert problem == "7 sequence numbers are owed to rules that were put off, more than 6"
    assert (shard["lease"]["worker"], shard["lease"]["expired"]) == ("worker-\x1b[2J1", False)
    table = osdetect("status", "-n", "t", "--url", cluster.url)
    assert "worker-" in table.out
    assert "\x1b" not in table.out


def test_what_was_lost_is_code_1(cluster: Cluster, told: Any) -> None:
    letter = {
        "@timestamp": datetime.now(UTC).isoformat(),
        "namespace": "t",
        "source": "detect",
        "reason": "x",
    }
    old = {**letter, "@timestamp": "2024-05-05T00:00:00Z"}
    for number, source in enumerate((letter, old, {**letter, "namespace": "other"})):
        ask(cluster.url, "PUT", f"/osdetect-deadletter-t/_doc/{number}?refresh=true", source)
    broken = {"rule": {"id": "b"}, "logsource": {"product": "aws", "service": "", "category": ""}}
    ask(cluster.url, "PUT", "/osdetect-rules/_doc/b?refresh=true", broken)
    found = told(status=ExitCode.LOSS)
    assert found["dead_letters"] == {"all": 2, "last_24_hours": 1}
    assert found["problems"] == ["1 dead letters in 24 hours", "1 rules cannot be read"]


@pytest.mark.parametrize("others", [0, 1])
def test_dead_letters_that_cannot_all_be_counted_are_not_shown_as_a_number(
    cluster: Cluster, osdetect: Osdetect, others: int
) -> None:
    for number in range(others):
        letter = {"@timestamp": datetime.now(UTC).isoformat(), "namespace": "t"}
        ask(cluster.url, "PUT", f"/osdetect-deadletter-t/_doc/{number}", letter)
    without_primary(cluster.url, "osdetect-deadletter-u")
    done = osdetect("status", "-n", "t", "--url", cluster.url)
    assert (done.status, "dead letters" in done.out) == (ExitCode.CLUSTER, False)


def test_no_rules_and_no_pass_are_said(fresh_cluster: str, osdetect: Osdetect) -> None:
    done = osdetect("status", "--url", fresh_cluster)
    assert (done.status, "no rules are deployed" in done.out) == (ExitCode.LOSS, True)


def test_a_silence_makes_one_alert_however_often_it_is_noticed(
    cluster: Cluster, osdetect: Osdetect, told: Any
) -> None:
    _detect(osdetect, cluster)
    assert told("--heartbeat", "10m")["problems"] == []
    assert documents(cluster.url, "osdetect-alerts-*") == {}
    target = "osdetect-cloudtrail-t-*"
    ended = datetime(2030, 1, 31, 23, 59, tzinfo=UTC)
    mark = PassMark("t", target, ended, "run-9", "w", 0)
    assert mark_pass(cluster, mark)
    assert read_mark(cluster, "t", target) == mark
    for minutes in (11, 12, 60 * 24 * 40):
        now = ended + timedelta(minutes=minutes)
        made = raise_alarm(cluster, "t", target, mark, limit_s=600, now=now)
        assert (made is not None) == (minutes == 11)
    ((alert, source),) = documents(cluster.url, "osdetect-alerts-t-2030.02").items()
    assert len(alert) == 40
    assert source["@timestamp"] == "2030-02-01T00:09:00.000Z"
    assert (source["rule"]["level"], source["osdetect"]["status"]) == ("high", "open")
    assert "no pass over osdetect-cloudtrail-t-* in 600 s" in source["error"]["message"]
    later = PassMark("t", target, ended + timedelta(hours=1), "run-10", "w", 0)
    assert mark_pass(cluster, later)
    assert raise_alarm(cluster, "t", target, later, limit_s=600, now=ended + timedelta(hours=9))
    assert len(documents(cluster.url, "osdetect-alerts-*")) == 2, "another silence is another alert"


def test_status_writes_the_alert_when_a_pass_is_late(cluster: Cluster, told: Any) -> None:
    mark = PassMark("t", "osdetect-cloudtrail-t-*", NOW, "run-9", "w", 0)
    assert mark_pass(cluster, mark)
    for _ in range(2):
        (problem,) = told("--heartbeat", "10m", status=ExitCode.LOSS)["problems"]
        assert problem.startswith("passes are late: the last ended at 2026-03-04T05:06:07")
    assert len(documents(cluster.url, "osdetect-alerts-t-2026.03")) == 1


def test_a_silence_is_told_when_nothing_else_can_be(cluster: Cluster, osdetect: Osdetect) -> None:
    assert mark_pass(cluster, PassMark("t", "osdetect-cloudtrail-t-*", NOW, "run-9", "w", 0))
    without_primary(cluster.url, "osdetect-deadletter-u")
    done = osdetect("status", "-n", "t", "--heartbeat", "10m", "--url", cluster.url)
    assert done.status == ExitCode.CLUSTER
    assert len(documents(cluster.url, "osdetect-alerts-t-2026.03")) == 1


def test_a_mark_of_a_clock_that_was_ahead_hides_nothing(cluster: Cluster) -> None:
    ahead = PassMark("t", "x", NOW + timedelta(days=1), "1", "w", 30)
    assert mark_pass(cluster, ahead)
    assert ahead.late(NOW, 30)
    assert not ahead.late(NOW + timedelta(days=1), 30)
    assert raise_alarm(cluster, "t", "x", ahead, limit_s=30, now=NOW)
    ((_, alert),) = documents(cluster.url, "osdetect-alerts-t-2026.03").items()
    assert alert["@timestamp"] == "2026-03-04T05:06:07.000Z"
    own = PassMark("t", "x", NOW, "2", "w", 30)
    assert mark_pass(cluster, own)
    assert read_mark(cluster, "t", "x") == own


def test_numbers_of_another_history_are_not_judged(cluster: Cluster, osdetect: Osdetect, told: Any) -> None:
    put_records(cluster, "osdetect-cloudtrail-t-2024.05", [record(1), record(2)])
    _detect(osdetect, cluster)
    ((name, state),) = (
        (name, one) for name, one in documents(cluster.url, "osdetect-state").items() if "cursor" in one
    )
    assert told()["lag"]["events"] == 0
    state["cursor"] |= {"history": "another", "seq_no": 10_000}
    ask(cluster.url, "PUT", f"/osdetect-state/_doc/{name}?refresh=true", state)
    assert told()["lag"]["events"] == 2


def test_a_mark_never_goes_back(cluster: Cluster) -> None:
    target = "x"
    newer = PassMark("t", target, NOW, "2", "w", 30)
    assert mark_pass(cluster, newer)
    assert not mark_pass(cluster, PassMark("t", target, NOW - timedelta(seconds=1), "1", "w", 30))
    assert read_mark(cluster, "t", target) == newer
