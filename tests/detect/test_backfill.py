"""History judged beside the live loop: the same alerts with the same ids, resumable, and where judging begins."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, Detector, RunReport
from osdetect.detect.backfill import Backfill, BackfillOptions
from osdetect.errors import ClusterUnavailable, UsageError
from osdetect.follow import Follower, make_visible, shards_of
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
)
from tests.faults.proxy import TOO_MANY, FaultProxy

INDEX = "osdetect-cloudtrail-t-2024.05"
PLAIN = "plain-trail"
ALERTS = "osdetect-alerts-t-*"
HIT = "{eventName: DeleteThing}"


def _now() -> datetime:
    return datetime.now(UTC)


def _hit(number: int, day: int = 8, **fields: Any) -> dict[str, Any]:
    return record(number, eventName="DeleteThing", eventTime=f"2024-05-{day:02}T10:00:00Z", **fields)


def _filled(cluster: Cluster, target: str = "", **options: Any) -> RunReport:
    job = Backfill(cluster, DetectOptions("t", target), BackfillOptions(**options), _now)
    return job.run("run", lambda *_: None)


def _in_may(day: int) -> datetime:
    return datetime(2024, 5, day, tzinfo=UTC)


def test_a_new_rule_judges_old_events_once(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, "{eventName: Nothing}")
    put_records(cluster, INDEX, [_hit(1), _hit(2), record(3)])
    assert detected(cluster).counts.matches == 0
    deployed(cluster, tmp_path, "{eventName: Nothing}", HIT)
    assert detected(cluster).counts.events == 0
    report = _filled(cluster, new_rules=True)
    assert (report.rules, report.counts.events, report.counts.alerts_created) == (1, 3, 2)
    again = _filled(cluster, new_rules=True)
    assert (again.counts.events, again.counts.matches) == (0, 0)
    made = documents(cluster.url, ALERTS)
    for state in cursors(cluster.url):
        ask(cluster.url, "DELETE", f"/osdetect-state/_doc/{state}?refresh=true")
    counts = detected(cluster).counts
    assert (counts.alerts_created, counts.alerts_there) == (0, 2)
    assert documents(cluster.url, ALERTS) == made


@pytest.mark.parametrize("index", [INDEX, PLAIN])
def test_only_events_of_the_time_are_judged(cluster: Cluster, tmp_path: Path, index: str) -> None:
    deployed(cluster, tmp_path, HIT)
    if index == PLAIN:
        ask(cluster.url, "PUT", f"/{PLAIN}", {"mappings": {"enabled": False}})
    try:
        undated = {**_hit(5), "eventTime": "soon"}
        put_records(cluster, index, [_hit(1, 7), _hit(2, 8), _hit(3, 9), _hit(4, 10), undated])
        report = _filled(cluster, index, start=_in_may(8), end=_in_may(10))
        assert report.counts.alerts_created == 2
        found = {one["event"]["id"] for one in documents(cluster.url, ALERTS).values()}
        assert found == {_hit(2)["eventID"], _hit(3)["eventID"]}
    finally:
        ask(cluster.url, "DELETE", f"/{PLAIN}", accept=(404,))


def test_events_that_osdetect_did_not_stamp_are_judged_by_the_time_of_their_record(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    for number, day in ((1, 7), (2, 8)):
        path = f"/{INDEX}/_doc/{number}?refresh=true&pipeline=_none"
        ask(cluster.url, "PUT", path, _hit(number, day))
    report = _filled(cluster, INDEX, start=_in_may(8), end=_in_may(10))
    assert report.counts.alerts_created == 1


def test_it_goes_on_where_it_was_interrupted(proxy: FaultProxy, tmp_path: Path) -> None:
    with connect(proxy.url, retry_for_s=0.2) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(number) for number in range(1, 1_501)])
        sent = {"left": 2}

        def second_bulk(asked: Any) -> Any:
            if asked.path == "/_bulk":
                sent["left"] -= 1
            return TOO_MANY if asked.path == "/_bulk" and sent["left"] < 1 else None

        proxy.choose = second_bulk
        with pytest.raises(ClusterUnavailable):
            _filled(cluster, rules=(rule_id(1),))
        proxy.choose = lambda _asked: None
        report = _filled(cluster, rules=(rule_id(1),))
    assert 0 < report.counts.events <= 1_500
    ask(proxy.url, "POST", f"/{ALERTS}/_refresh")
    assert ask(proxy.url, "GET", f"/{ALERTS}/_count")["count"] == 1_500


def test_it_waits_for_a_live_worker(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(number) for number in range(1, 6)])
    shards = shards_of(cluster, INDEX)
    make_visible(cluster, shards)
    live = Follower(cluster, purpose="detect", namespace="t", worker="live", lease_s=30, clock=_now)
    held = live.take(live.look(shards)[0])
    assert held is not None

    def work_ends(_seconds: float) -> None:
        held.move(4)
        held.release()

    job = Backfill(cluster, DetectOptions("t"), BackfillOptions(rules=(rule_id(1),)), _now, work_ends)
    assert job.run("run", lambda *_: None).counts.alerts_created == 5
    assert job.waited_s > 0


def test_a_rule_that_is_not_deployed_and_no_release_to_compare_with_are_told(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    with pytest.raises(UsageError, match="no deployed rule has the id or title 'nope'"):
        _filled(cluster, rules=("nope",))
    with pytest.raises(UsageError, match="no earlier release"):
        _filled(cluster, new_rules=True)


def test_a_shard_that_was_never_judged_begins_where_it_is_told(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1, 7), _hit(2, 8), _hit(3, 9), _hit(4, 7)])
    options = DetectOptions("t", since=_in_may(8))
    report = Detector(cluster, options, _now).make_pass("one", lambda *_: None)
    assert (report.passed_over, report.counts.alerts_created) == (1, 3)
    put_records(cluster, INDEX, [_hit(5, 7)])
    report = Detector(cluster, options, _now).make_pass("two", lambda *_: None)
    assert (report.passed_over, report.counts.alerts_created) == (0, 1)


def test_an_index_that_tells_no_times_is_not_begun_in_the_middle(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    ask(cluster.url, "PUT", f"/{PLAIN}", {"mappings": {"enabled": False}})
    try:
        put_records(cluster, PLAIN, [_hit(1)])
        with pytest.raises(UsageError, match="--since cannot be told"):
            Detector(cluster, DetectOptions("t", PLAIN, since=_in_may(8)), _now).make_pass(
                "a", lambda *_: None
            )
    finally:
        ask(cluster.url, "DELETE", f"/{PLAIN}")
