"""Indices of others, and what stands between here and the cluster: nothing of it makes the detector pass over an event."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, Detector, Method, RunReport
from osdetect.detect.beginning import last_before
from osdetect.detect.schedule import PassStopped
from osdetect.errors import ClusterRefused, ClusterUnavailable
from osdetect.follow import make_visible, shards_of
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
from tests.faults.proxy import Asked, Fault, FaultProxy, Reply, refusal

INDEX = "osdetect-cloudtrail-t-2024.05"
ODD = "odd-trail"
ALERTS = "osdetect-alerts-t-*"
HIT = "{eventName: DeleteThing}"


def _hit(number: int, **fields: Any) -> dict[str, Any]:
    return record(number, eventName="DeleteThing", **fields)


@pytest.fixture(autouse=True)
def _gone(cluster: Cluster) -> Any:
    yield
    ask(cluster.url, "DELETE", f"/{ODD}", accept=(404,))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"enabled": False}, "it keeps no _source"),
        ({"excludes": ["userIdentity"]}, "it keeps a part of _source only"),
        ({"includes": ["event*"]}, "it keeps a part of _source only"),
    ],
)
def test_an_index_without_whole_documents_is_named_and_not_passed_over(
    cluster: Cluster, tmp_path: Path, said: dict[str, Any], words: str
) -> None:
    deployed(cluster, tmp_path, HIT)
    ask(cluster.url, "PUT", f"/{ODD}", {"mappings": {"_source": said}})
    put_records(cluster, ODD, [_hit(1)])
    put_records(cluster, INDEX, [_hit(2)])
    report = detected(cluster, target=f"{ODD},{INDEX}")
    assert (report.counts.events, report.counts.alerts_created, report.lossy) == (1, 1, True)
    assert [error.cause for error in report.not_judged] == [words]
    assert [one["cursor"]["index"] for one in cursors(cluster.url).values()] == [INDEX]


@pytest.mark.parametrize("method", [None, Method.IN_PROCESS, Method.PERCOLATE, Method.PERCOLATE_EACH])
def test_numbers_beyond_all_bounds_stop_nothing(
    cluster: Cluster, tmp_path: Path, method: Method | None
) -> None:
    deployed(cluster, tmp_path, HIT)
    fields = {"requestParameters": {"type": "object", "enabled": False}}
    ask(cluster.url, "PUT", f"/{ODD}", {"mappings": {"properties": fields}})
    for number, odd in enumerate(("1e999", "9" * 400, "-1e999", "9" * 900), 1):
        text = json.dumps(_hit(number))[:-1] + f', "requestParameters": {{"size": {odd}}}}}'
        line = b'{"create":{"_index":"%b","_id":"%d"}}\n%b\n' % (ODD.encode(), number, text.encode())
        assert cluster.bulk([line])[0].created
    report = detected(cluster, target=ODD, method=method)
    assert (report.counts.events, report.counts.judged, report.counts.alerts_created) == (4, 4, 4)


def test_one_id_with_two_routings_is_two_events(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    ask(cluster.url, "PUT", f"/{ODD}", {"settings": {"index.number_of_shards": 3}})
    without_id = {name: value for name, value in _hit(1).items() if name != "eventID"}
    for routing in "abcdef":
        ask(cluster.url, "PUT", f"/{ODD}/_doc/same?routing={routing}&refresh=true", without_id)
    there = len(documents_of(cluster, ODD))
    assert there > 1
    assert detected(cluster, target=ODD).counts.alerts_created == there


def documents_of(cluster: Cluster, index: str) -> list[Any]:
    """Its documents, of which several may have one id."""
    hits: list[Any] = ask(cluster.url, "GET", f"/{index}/_search?size=100")["hits"]["hits"]
    return hits


@pytest.mark.parametrize(
    "answer",
    [
        b"default backend - 404",
        b'{"message": "no Route matched"}',
        b'{"detail": "Not Found"}',
        b'{"timestamp": "2026-03-01T12:00:00Z", "status": 404, "error": "Not Found", "path": "/"}',
    ],
)
def test_a_404_of_a_proxy_says_of_no_index_that_it_is_deleted(
    proxy: FaultProxy, tmp_path: Path, answer: bytes
) -> None:
    with connect(proxy.url, retry_for_s=0.2) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(number) for number in range(1, 30)])

        def lost(asked: Asked) -> Fault | None:
            return Reply(404, answer) if asked.path == f"/{INDEX}/_search" else None

        proxy.choose = lost
        with pytest.raises(ClusterUnavailable, match="between here and the cluster"):
            detected(cluster)
        proxy.choose = lambda _asked: None
        assert detected(cluster).counts.alerts_created == 29


def test_an_index_that_may_not_be_read_keeps_no_other_waiting(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, ODD, [_hit(1)])
    put_records(cluster, INDEX, [_hit(2)])
    blocks = {"index.blocks.read": True}
    ask(cluster.url, "PUT", f"/{ODD}/_settings", blocks)
    report = detected(cluster, target=f"{ODD},{INDEX}")
    assert (report.counts.alerts_created, report.lossy) == (1, True)
    (error,) = report.not_judged
    assert "cluster_block_exception" in error.cause
    with pytest.raises(ClusterRefused):  # all of the target: that is no matter of one index
        detected(cluster, target=ODD)
    ask(cluster.url, "PUT", f"/{ODD}/_settings", {"index.blocks.read": None})
    assert detected(cluster, target=f"{ODD},{INDEX}").counts.alerts_created == 1


def test_an_index_that_tells_no_times_keeps_no_other_from_its_begin(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    ask(cluster.url, "PUT", f"/{ODD}", {"mappings": {"enabled": False}})
    put_records(cluster, ODD, [_hit(1)])
    put_records(cluster, INDEX, [_hit(2)])
    options = DetectOptions("t", f"{ODD},{INDEX}", since=datetime(2024, 1, 1, tzinfo=UTC))
    report = Detector(cluster, options, lambda: datetime.now(UTC)).make_pass("r", lambda *_: None)
    assert report.counts.alerts_created == 1
    assert [error.what for error in report.not_judged] == [f"--since cannot be told of {ODD}"]


def test_an_index_that_gives_small_pages_only_is_judged(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    ask(cluster.url, "PUT", f"/{ODD}", {"settings": {"index.max_result_window": 60}})
    put_records(cluster, ODD, [_hit(number) for number in range(1, 200)])
    assert detected(cluster, target=ODD).counts.alerts_created == 199


def test_an_index_that_is_closed_meanwhile_ends_nothing(proxy: FaultProxy, tmp_path: Path) -> None:
    closed = refusal(400, "index_closed_exception", "closed")
    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, ODD, [_hit(1)])
        put_records(cluster, INDEX, [_hit(2)])
        for path in ("_search", "_refresh"):
            proxy.choose = lambda asked, at=path: closed if asked.path == f"/{ODD}/{at}" else None  # type: ignore[misc]
            report = detected(cluster, target=f"{ODD},{INDEX}")
            assert ["index_closed" in error.cause for error in report.not_judged] == [True], path
        assert report.lossy
        proxy.choose = lambda _asked: None
        assert len(documents(proxy.url, ALERTS)) == 1
        assert detected(cluster, target=f"{ODD},{INDEX}").counts.alerts_created == 1


def test_one_of_several_shards_without_a_primary_keeps_no_other_index_waiting(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, HIT)
    settings = {"index.number_of_shards": 2, "index.routing.allocation.total_shards_per_node": 1}
    ask(cluster.url, "PUT", f"/{ODD}?wait_for_active_shards=0", {"settings": settings})
    put_records(cluster, INDEX, [_hit(2)])
    report = detected(cluster, target=f"{ODD},{INDEX}")
    assert report.counts.alerts_created == 1
    assert ["has no primary" in error.what for error in report.not_judged] == [True]


def test_rules_of_another_format_are_refused_and_pass_over_nothing(cluster: Cluster, tmp_path: Path) -> None:
    release = deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    source = documents(cluster.url, release.index)[rule_id(1)]
    older = {**source, "detection": {**source["detection"], "format": 99}}
    ask(cluster.url, "PUT", f"/{release.index}/_doc/{rule_id(1)}?refresh=true", older)
    with pytest.raises(ClusterRefused, match="cannot be run by this version"):
        detected(cluster)
    assert cursors(cluster.url) == {}
    ask(cluster.url, "PUT", f"/{release.index}/_doc/{rule_id(1)}?refresh=true", source)
    assert detected(cluster).counts.alerts_created == 1


def test_the_begin_is_never_above_the_checkpoint(cluster: Cluster) -> None:
    put_records(cluster, INDEX, [_hit(number) for number in range(1, 10)])
    (shard,) = shards_of(cluster, INDEX)
    make_visible(cluster, [shard])
    since = datetime(2024, 5, 8, tzinfo=UTC)
    assert last_before(cluster, shard, since) == 5
    assert last_before(cluster, replace(shard, checkpoint=3), since) == 3, "4 and 5 may not be visible yet"


def test_events_without_a_usable_time_are_not_before_it(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    times = {"@timestamp": {"type": "date"}, "eventTime": {"type": "date"}, "number": {"type": "long"}}
    ask(cluster.url, "PUT", f"/{ODD}", {"mappings": {"dynamic": False, "properties": times}})
    without = {name: value for name, value in _hit(3).items() if name != "eventTime"}
    put_records(cluster, ODD, [_hit(1), _hit(2), without])
    options = DetectOptions("t", ODD, since=datetime(2026, 1, 1, tzinfo=UTC))
    report = Detector(cluster, options, lambda: datetime.now(UTC)).make_pass("r", lambda *_: None)
    assert (report.counts.alerts_created, report.passed_over) == (1, 2)


def test_since_is_not_forgotten_by_a_start_that_failed(proxy: FaultProxy, tmp_path: Path) -> None:
    options = DetectOptions("t", since=datetime(2024, 5, 8, tzinfo=UTC))
    with connect(proxy.url, retry_for_s=0.2) as cluster:
        deployed(cluster, tmp_path, HIT)
        put_records(cluster, INDEX, [_hit(number) for number in range(1, 10)])
        proxy.choose = lambda asked: Reply(200, b"{}") if "_field_caps" in asked.path else None
        detector = Detector(cluster, options, lambda: datetime.now(UTC))
        with pytest.raises(ClusterUnavailable):
            detector.make_pass("1", lambda *_: None)
        proxy.choose = lambda _asked: None
        report = detector.make_pass("2", lambda *_: None)
    assert (report.counts.events, report.passed_over) == (3, 6)


def test_what_a_pass_did_that_was_cut_short_is_told_and_kept(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, HIT)
    put_records(cluster, INDEX, [_hit(1)])
    put_records(cluster, ODD, [_hit(2)])
    told: list[RunReport] = []

    def stop(done: int, total: int) -> None:
        if done < total:
            raise PassStopped

    options = DetectOptions("t", target=f"{ODD},{INDEX}")
    with pytest.raises(PassStopped):
        Detector(cluster, options, lambda: datetime.now(UTC)).make_pass("r", stop, told.append)
    assert [one.counts.alerts_created for one in told] == [1]
    (run,) = documents(cluster.url, "osdetect-runs-*").values()
    assert (run["run"]["outcome"], run["run"]["alerts_created"]) == ("interrupted", 1)
