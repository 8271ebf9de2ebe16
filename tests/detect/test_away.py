"""Indices that do not answer while the cluster does: they keep no other from being judged, and are judged when they are back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, Detector, RunReport
from osdetect.detect.backfill import Backfill, BackfillOptions
from osdetect.detect.hunt import Hunt, HuntOptions, Span
from osdetect.detect.release import live_index, read_release
from osdetect.detect.turns import Turns
from osdetect.documents.state import Owed
from osdetect.documents.told import RunReference
from osdetect.errors import ClusterUnavailable, IndexAway
from osdetect.follow import Shard, shards_of
from tests.faults.material import ask, connect, cursors, deployed, documents, put_records, record
from tests.faults.proxy import Asked, Fault, FaultProxy, Reply, refusal

INDEX = "osdetect-cloudtrail-t-2024.05"
HIT = "{eventName: DeleteThing}"
MONTHS = [f"osdetect-cloudtrail-t-2024.{month:02}" for month in range(1, 6)]


def _now() -> datetime:
    return datetime.now(UTC)


def _put_in_each_month(cluster: Cluster) -> None:
    for month, index in enumerate(MONTHS, 1):
        time = f"2024-{month:02}-08T10:00:00Z"
        put_records(cluster, index, [record(month, eventName="DeleteThing", eventTime=time)])


def _away(*indices: str) -> Callable[[Asked], Fault | None]:
    paths = {f"/{index}/_search" for index in indices}
    return lambda asked: Reply(503, b"") if asked.path in paths else None


@pytest.fixture
def cluster_by_proxy(proxy: FaultProxy, tmp_path: Path) -> Any:
    with connect(proxy.url, retry_for_s=0.2) as cluster:
        deployed(cluster, tmp_path, HIT)
        _put_in_each_month(cluster)
        yield cluster


@pytest.fixture
def make_pass(cluster_by_proxy: Cluster) -> Callable[[], RunReport]:
    detector = Detector(cluster_by_proxy, DetectOptions("t"), _now)
    return lambda: detector.make_pass("r", lambda *_: None)


def _not_judged(report: RunReport) -> list[str]:
    return sorted(error.what.partition(" ")[0] for error in report.not_judged)


def test_indices_that_do_not_answer_keep_no_other_waiting(
    proxy: FaultProxy, cluster_by_proxy: Cluster, make_pass: Callable[[], RunReport]
) -> None:
    proxy.choose = _away(*MONTHS[1:3])
    report = make_pass()
    assert (report.counts.alerts_created, report.lossy, report.again_soon) == (3, True, True)
    assert _not_judged(report) == MONTHS[1:3]
    assert not [one for one in cursors(proxy.url).values() if "lease" in one["cursor"]]
    (run,) = (one["run"] for one in documents(proxy.url, "osdetect-runs-*").values())
    assert (run["alerts_created"], run["shards_not_judged"], run["outcome"]) == (3, 2, "loss")
    before = len(proxy.asked)
    report = make_pass()
    assert (report.counts.events, report.lossy) == (0, True), "the others have nothing new: that is no outage"
    asked = [one for one in proxy.asked[before:] if one.path == f"/{MONTHS[1]}/_search"]
    assert len(asked) == 1, "what was away is asked once"
    proxy.choose = lambda _asked: None
    report = make_pass()
    assert (report.counts.alerts_created, report.lossy, report.again_soon) == (2, False, False)
    assert len(documents(cluster_by_proxy.url, "osdetect-alerts-t-*")) == 5


def test_an_outage_is_no_loss(proxy: FaultProxy, cluster_by_proxy: Cluster) -> None:
    told: list[RunReport] = []
    detector = Detector(cluster_by_proxy, DetectOptions("t"), _now)
    down = False

    def fails(asked: Asked) -> Fault | None:
        nonlocal down
        down = down or (asked.path.endswith("/_search") and asked.path.startswith(f"/{INDEX[:-8]}"))
        return Reply(503, b"") if down else None

    proxy.choose = fails
    with pytest.raises(ClusterUnavailable):
        detector.make_pass("r", lambda *_: None, told.append)
    assert [one.lossy for one in told] == [False]
    proxy.choose = lambda _asked: None
    assert detector.make_pass("r", lambda *_: None).counts.alerts_created == 5


def test_what_was_away_and_refuses_then_keeps_no_other_waiting(
    proxy: FaultProxy, make_pass: Callable[[], RunReport]
) -> None:
    proxy.choose = _away(MONTHS[1])
    make_pass()
    no = refusal(403, "cluster_block_exception", "index read block")
    proxy.choose = lambda asked: no if asked.path == f"/{MONTHS[1]}/_search" else None
    report = make_pass()
    assert (report.lossy, report.again_soon, len(report.not_judged)) == (True, False, 1)


def test_alerts_that_one_month_does_not_take_now_keep_no_other_waiting(
    proxy: FaultProxy, make_pass: Callable[[], RunReport]
) -> None:
    late = b"osdetect-alerts-t-2024.03"
    proxy.choose = lambda asked: Reply(503, b"") if asked.path == "/_bulk" and late in asked.body else None
    report = make_pass()
    assert (report.counts.alerts_created, report.again_soon) == (4, True)
    assert _not_judged(report) == MONTHS[2:3]
    proxy.choose = lambda _asked: None
    assert make_pass().counts.alerts_created == 1


def test_a_run_that_looks_once_pays_what_a_killed_worker_owed(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    _put_in_each_month(cluster)
    first = DetectOptions("t", INDEX, worker="killed", lease_s=1.0)
    Detector(cluster, first, _now).make_pass("r", lambda *_: None)
    follower = first.follower(cluster, "detect", lambda: datetime.now(UTC) - timedelta(hours=1))
    shards = shards_of(cluster, INDEX)
    ask(cluster.url, "DELETE", "/osdetect-alerts-t-2024.05")
    (rule,) = read_release(cluster, live_index(cluster)).rules
    held = follower.take(*follower.look(shards))
    assert held is not None
    assert held.move(shards[0].checkpoint, owed=(Owed((rule,), -1, shards[0].checkpoint),))
    once = Detector(cluster, DetectOptions("t", INDEX, worker="other"), _now)
    assert once.make_pass("r", lambda *_: None).counts.alerts_created == 1


def test_a_target_of_which_nothing_answers_is_an_outage(
    proxy: FaultProxy, make_pass: Callable[[], RunReport]
) -> None:
    proxy.choose = _away(*MONTHS)
    with pytest.raises(IndexAway):
        make_pass()
    proxy.choose = lambda _asked: None
    assert make_pass().counts.alerts_created == 5


def test_a_back_fill_and_a_hunt_pass_over_no_index_but_the_one_that_is_away(
    proxy: FaultProxy, cluster_by_proxy: Cluster
) -> None:
    proxy.choose = _away(MONTHS[1])
    detect = DetectOptions("t")
    report = Backfill(cluster_by_proxy, detect, BackfillOptions(), _now).run("b", lambda *_: None)
    assert (report.counts.alerts_created, report.lossy) == (4, True)
    release = read_release(cluster_by_proxy, live_index(cluster_by_proxy))
    options = HuntOptions("t", detect.watched(), Span())
    hunt = Hunt(cluster_by_proxy, release, None, options, RunReference("h", _now()))
    assert len(list(hunt.alerts(lambda *_: None))) == 4
    assert len(hunt.not_read) == 1
    proxy.choose = lambda _asked: None
    report = Backfill(cluster_by_proxy, detect, BackfillOptions(), _now).run("b", lambda *_: None)
    assert (report.counts.alerts_created, report.lossy) == (1, False)


def test_an_index_that_tells_no_fields_is_not_one_without_times(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    _put_in_each_month(cluster)
    detector = Detector(cluster, DetectOptions("t", since=datetime(2024, 1, 1, tzinfo=UTC)), _now)
    ask(cluster.url, "POST", f"/{INDEX}/_refresh")
    ask(cluster.url, "PUT", f"/{INDEX}/_settings", {"index.blocks.read": True})
    report = detector.make_pass("r", lambda *_: None)
    assert report.counts.alerts_created == 4
    (error,) = report.not_judged
    assert "--since" not in error.what
    ask(cluster.url, "PUT", f"/{INDEX}/_settings", {"index.blocks.read": None})
    assert detector.make_pass("r", lambda *_: None).counts.alerts_created == 1


def test_an_index_whose_alerts_are_not_taken_keeps_no_other_waiting(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    _put_in_each_month(cluster)
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.03")
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.03/_settings", {"index.blocks.write": True})
    detector = Detector(cluster, DetectOptions("t"), _now)
    report = detector.make_pass("r", lambda *_: None)
    assert (report.counts.alerts_created, report.counts.deadlettered) == (4, 0)
    (error,) = report.not_judged
    assert "osdetect-alerts-t-2024.03" in error.what
    ask(cluster.url, "PUT", "/osdetect-alerts-t-2024.03/_settings", {"index.blocks.write": None})
    assert detector.make_pass("r", lambda *_: None).counts.alerts_created == 1


def test_each_shard_is_first_in_its_turn_and_what_was_away_is_last() -> None:
    shards = tuple(Shard(name, f"uuid-{name}", 0, 1) for name in "abc")
    turns = Turns("worker")
    orders = [turns.turned(shards) for _ in range(3)]
    assert {order[0] for order in orders} == set(shards)
    turns.ended(["uuid-b"])
    orders = [turns.turned(shards) for _ in range(3)]
    assert {order[2].index for order in orders} == {"b"}
    assert {order[0].index for order in orders} == {"a", "c"}
