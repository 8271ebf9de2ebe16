"""History judged beside the live loop: the same alerts with the same ids, resumable, and where judging begins."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, Detector, RunReport
from osdetect.detect.backfill import Backfill, BackfillOptions
from osdetect.detect.hunt import in_span
from osdetect.documents.dialect import RAW
from osdetect.documents.told import EventReference
from osdetect.errors import ClusterBusy, ClusterUnavailable, IndexRefused, UsageError
from osdetect.follow import Follower, Held, StoredEvent, make_visible, shards_of
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, nowhere, osdetect
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
from tests.status.material import without_primary

__all__ = ["nowhere", "osdetect"]
INDEX = "osdetect-cloudtrail-t-2024.05"
OTHER = "osdetect-cloudtrail-t-2024.06"
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


@pytest.mark.parametrize("target", ["", PLAIN])
def test_only_events_of_the_time_are_judged_and_those_without_one(
    cluster: Cluster, tmp_path: Path, target: str
) -> None:
    deployed(cluster, tmp_path, HIT)
    if target:
        ask(cluster.url, "PUT", f"/{PLAIN}", {"mappings": {"enabled": False}})
    try:
        undated = {**_hit(5), "eventTime": "soon"}
        records = [_hit(1, 7), _hit(2, 8), _hit(3, 9), _hit(4, 10), undated]
        put_records(cluster, target or INDEX, records)
        report = _filled(cluster, target, start=_in_may(8), end=_in_may(10))
        assert report.counts.alerts_created == 3
        found = {one["event"]["id"] for one in documents(cluster.url, ALERTS).values()}
        assert found == {_hit(number)["eventID"] for number in (2, 3, 5)}
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


def test_it_lets_a_live_worker_go_before_the_first_batch(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    held = _taken(cluster, "detect", 30)
    there: list[int] = []

    def work_ends(_seconds: float) -> None:
        there.append(len(documents(cluster.url, ALERTS)))
        held.move(0)
        held.release()

    job = Backfill(cluster, DetectOptions("t"), BackfillOptions(rules=(rule_id(1),)), _now, work_ends)
    assert job.run("run", lambda *_: None).counts.alerts_created == 1
    assert there == [0]


def _taken(cluster: Cluster, purpose: str, lease_s: float) -> Held:
    """The first shard, held by another worker."""
    shards = shards_of(cluster, INDEX)
    other = Follower(cluster, purpose=purpose, namespace="t", worker="other", lease_s=lease_s, clock=_now)
    held = other.take(other.look(shards)[0])
    assert held is not None
    return held


def test_an_index_without_a_primary_is_named_and_the_others_are_judged(
    cluster: Cluster, osdetect: Osdetect, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    without_primary(cluster.url, "osdetect-cloudtrail-t-2024.06")
    report = _filled(cluster, rules=(rule_id(1),))
    assert (report.counts.alerts_created, report.lossy) == (1, True)
    assert [error.what for error in report.not_judged] == [
        "shard 0 of osdetect-cloudtrail-t-2024.06 has no primary"
    ]
    ran = osdetect("backfill", "-n", "t", "--rules", rule_id(1), "--url", cluster.url)
    assert ran.status == ExitCode.LOSS
    assert "shard 0 of osdetect-cloudtrail-t-2024.06 has no primary" in ran.err


def test_it_ends_when_another_worker_of_the_job_ended_the_shard(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1), _hit(2)])
    slept: list[float] = []

    def other_goes_on(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            held.move(1)
            held.release()

    job = Backfill(cluster, DetectOptions("t"), BackfillOptions(rules=(rule_id(1),)), _now, other_goes_on)
    held = _taken(cluster, f"backfill-{job.job}", 3_600)
    report = job.run("run", lambda *_: None)
    assert (report.counts.events, report.left_to_others, len(slept)) == (0, 1, 2)
    assert not report.lossy


def test_a_shard_of_a_worker_that_was_killed_is_taken_over_by_the_same_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1), _hit(2)])
    job = Backfill(cluster, DetectOptions("t"), BackfillOptions(rules=(rule_id(1),)), _now)
    _taken(cluster, f"backfill-{job.job}", 1.5)
    report = job.run("run", lambda *_: None)
    assert (report.counts.alerts_created, report.left_to_others) == (2, 0)


def test_ctrl_c_ends_the_wait_for_others(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])

    def pressed(_seconds: float) -> None:
        raise KeyboardInterrupt

    job = Backfill(cluster, DetectOptions("t"), BackfillOptions(rules=(rule_id(1),)), _now, pressed)
    _taken(cluster, f"backfill-{job.job}", 3_600)
    with pytest.raises(KeyboardInterrupt):
        job.run("run", lambda *_: None)


def test_what_a_job_did_and_lost_until_ctrl_c_is_told_and_kept(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    mapping = {"dynamic": "strict", "properties": {"user": {"properties": {"name": {"type": "long"}}}}}
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.05", {"mappings": mapping})
    put_records(cluster, INDEX, [_hit(1)])
    put_records(cluster, OTHER, [{**_hit(2), "eventTime": "2024-06-08T10:00:00Z"}])
    told: list[RunReport] = []

    def pressed(done: int, total: int) -> None:
        if 0 < done < total:
            raise KeyboardInterrupt

    job = Backfill(cluster, DetectOptions("t"), BackfillOptions(), _now)
    with pytest.raises(KeyboardInterrupt):
        job.run("run", pressed, told.append)
    assert [(one.counts.events, one.counts.deadlettered) for one in told] == [(1, 1)]
    (run,) = (one["run"] for one in documents(cluster.url, "osdetect-runs-*").values())
    assert (run["purpose"], run["outcome"], run["deadlettered"]) == ("backfill", "loss", 1)


def test_a_rate_bounds_every_second_of_the_work(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(number) for number in range(1, 36)])
    slept: list[tuple[float, int]] = []

    def note(seconds: float) -> None:
        slept.append((seconds, len(documents(cluster.url, ALERTS))))

    options = BackfillOptions(rules=(rule_id(1),), events_per_s=10)
    report = Backfill(cluster, DetectOptions("t"), options, _now, note).run("run", lambda *_: None)
    assert report.counts.alerts_created == 35
    assert [alerts for _, alerts in slept] == [10, 20, 30, 35]
    assert all(seconds <= 1 for seconds, _ in slept)


def test_a_rate_takes_no_request_for_numbers_that_nothing_is_wanted_of(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(number, 7) for number in range(1, 900)])
        put_records(cluster, INDEX, [_hit(number, 8) for number in range(900, 903)])
        before = len(proxy.asked)
        report = _filled(cluster, start=_in_may(8), events_per_s=1_000)
        assert report.counts.alerts_created == 3
        in_one = len(proxy.asked) - before
        report = _filled(cluster, start=_in_may(8), events_per_s=2, again=True)
        assert report.counts.alerts_there == 3
        assert len(proxy.asked) - before < 3 * in_one


def test_an_index_that_may_not_be_read_keeps_no_other_from_being_judged(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    put_records(cluster, OTHER, [{**_hit(2), "eventTime": "2024-06-08T10:00:00Z"}])
    ask(cluster.url, "POST", f"/{INDEX}/_refresh")
    ask(cluster.url, "PUT", f"/{INDEX}/_settings", {"index.blocks.read": True})
    report = _filled(cluster)
    assert (report.counts.alerts_created, report.lossy) == (1, True)
    assert [INDEX in error.cause for error in report.not_judged] == [True]
    runs = [one["run"] for one in documents(cluster.url, "osdetect-runs-*").values()]
    assert [(run["alerts_created"], run["shards_not_judged"]) for run in runs] == [(1, 1)]
    ask(cluster.url, "PUT", f"/{INDEX}/_settings", {"index.blocks.read": None})
    assert _filled(cluster).counts.alerts_created == 1


def test_beginning_again_forgets_no_index_that_is_away(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    put_records(cluster, OTHER, [{**_hit(2), "eventTime": "2024-06-08T10:00:00Z"}])
    assert _filled(cluster).counts.alerts_created == 2
    ask(cluster.url, "POST", f"/{OTHER}/_close")
    assert _filled(cluster, again=True).counts.alerts_there == 1
    ask(cluster.url, "POST", f"/{OTHER}/_open?wait_for_active_shards=1")
    assert _filled(cluster).counts.alerts_there == 1


def test_an_event_that_is_nested_too_deeply_is_left_to_the_judge() -> None:
    at = EventReference(INDEX, "uuid", "deep", 0, 1)
    deep = StoredEvent(at, b'{"a":' * 20_000 + b"1" + b"}" * 20_000)
    with pytest.raises(RecursionError):
        _ = deep.source
    span = BackfillOptions(start=_in_may(8), end=_in_may(10)).span
    assert list(in_span([(deep, rule_id(1))], span, RAW)) == [(deep, rule_id(1))]


def test_a_job_that_is_done_begins_again_only_when_told_to(
    cluster: Cluster, osdetect: Osdetect, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1), _hit(2)])
    assert detected(cluster).counts.alerts_created == 2
    live = {one["cursor"]["purpose"]: one["cursor"]["seq_no"] for one in cursors(cluster.url).values()}
    assert _filled(cluster, start=_in_may(8)).counts.alerts_there == 2
    ran = osdetect("destroy", "--with-alerts", "--yes", "--url", cluster.url)
    assert ran.status == ExitCode.OK
    deployed(cluster, tmp_path, HIT)
    line = ("backfill", "--from", "2024-05-08", "-n", "t", "--url", cluster.url, "-o", "json")
    assert json.loads(osdetect(*line).out)["alerts_created"] == 0
    assert json.loads(osdetect(*line, "--again").out)["alerts_created"] == 2
    assert json.loads(osdetect(*line).out)["events"] == 0
    assert len(documents(cluster.url, ALERTS)) == 2
    after = {one["cursor"]["purpose"]: one["cursor"]["seq_no"] for one in cursors(cluster.url).values()}
    assert after["detect"] == live["detect"]


def test_a_job_that_another_worker_is_at_does_not_begin_again(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1), _hit(2)])
    assert _filled(cluster, rules=(rule_id(1),)).counts.events == 2
    job = Backfill(cluster, DetectOptions("t"), BackfillOptions(rules=(rule_id(1),), again=True), _now)
    held = _taken(cluster, f"backfill-{job.job}", 3_600)
    with pytest.raises(ClusterBusy, match="other is at this job"):
        job.run("run", lambda *_: None)
    assert [one["cursor"]["seq_no"] for one in cursors(cluster.url).values()] == [1]
    assert held.release()
    assert job.run("run", lambda *_: None).counts.events == 2


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
        with pytest.raises(IndexRefused, match="--since cannot be told"):
            Detector(cluster, DetectOptions("t", PLAIN, since=_in_may(8)), _now).make_pass(
                "a", lambda *_: None
            )
    finally:
        ask(cluster.url, "DELETE", f"/{PLAIN}")
