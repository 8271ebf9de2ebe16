"""`osdetect detect --listen`: metrics and health by real HTTP, of a real process."""

import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from osdetect.cluster import Cluster
from osdetect.status.health import AllWell, Health, serving
from osdetect.status.heartbeat import PassMark, mark_pass
from osdetect.status.metrics import Metrics
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, start
from tests.faults.material import documents, put_records, record

INDEX = "osdetect-cloudtrail-t-2024.05"


def _get(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_detector_says_what_it_does(cluster: Cluster) -> None:
    put_records(cluster, INDEX, [record(n) for n in range(5)])
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    assert mark_pass(cluster, PassMark("t", "another-*", long_ago, "r", "w", 30))
    process = start("detect", "-n", "t", "--every", "1s", "--listen", "127.0.0.1:0", "--url", cluster.url)
    try:
        assert process.stderr is not None
        found = re.search(r'"listens":"(http://127\.0\.0\.1:\d+)"', process.stderr.readline())
        assert found
        url = found[1]
        _until(lambda: _get(f"{url}/readyz")[0] == 200)
        _until(lambda: "osdetect_shard_lag_events{" in _get(f"{url}/metrics")[1])
        status, text = _get(f"{url}/metrics")
        assert status == 200
        numbers = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert float(numbers["osdetect_events_total"]) == 5
        assert float(numbers["osdetect_events_judged_total"]) == 5
        assert float(numbers["osdetect_alerts_created_total"]) == 5
        assert float(numbers["osdetect_dead_letters_total"]) == 0
        assert float(numbers['osdetect_lease_events_total{event="taken"}']) >= 1
        assert float(numbers['osdetect_lease_events_total{event="lost"}']) == 0
        assert float(numbers['osdetect_passes_total{outcome="complete"}']) >= 1
        assert float(numbers["osdetect_pass_duration_seconds_count"]) >= 1
        assert float(numbers[f'osdetect_shard_lag_events{{index="{INDEX}",shard="0"}}']) == 0
        assert abs(float(numbers["osdetect_last_success_timestamp_seconds"]) - time.time()) < 30
        assert "osdetect_build_info{version=" in text
        assert _get(f"{url}/healthz") == (200, "ok\n")
        assert _get(f"{url}/elsewhere")[0] == 404
        _until(lambda: len(documents(cluster.url, "osdetect-alerts-*")) == 6)
        late = [a for a in documents(cluster.url, "osdetect-alerts-*").values() if "error" in a]
        assert "another-*" in late[0]["error"]["message"], "a worker sees that another target is late"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == ExitCode.OK
    finally:
        process.kill()
        process.communicate()


def test_health_is_a_matter_of_time_since_the_last_batch() -> None:
    now = [0.0]
    health = Health(60, lambda: now[0])
    with serving("127.0.0.1:0", health, Metrics()) as url:
        assert _get(f"{url}/healthz")[0] == 200
        assert _get(f"{url}/readyz") == (503, "no pass has ended yet\n")
        health.failed("cannot be reached\x1b[2J")
        now[0] = 61
        status, reason = _get(f"{url}/healthz")
        assert status == 503
        assert "no batch and no pass in 61 s" in reason
        assert "cannot be reached\\x1b" in reason
        health.moved()
        assert _get(f"{url}/healthz") == (200, "ok\n"), "a long pass is well as long as its batches go on"
        assert _get(f"{url}/readyz")[0] == 503
        health.passed()
        assert _get(f"{url}/readyz") == (200, "ok\n")


def test_several_are_well_while_each_is() -> None:
    now = [0.0]
    parts = {name: Health(10, lambda: now[0]) for name in ("channel a", "channel b")}
    both = AllWell(parts)
    assert both.unready().startswith("channel a: no pass has ended yet")
    parts["channel a"].passed()
    assert both.unready().startswith("channel b: no pass has ended yet")
    parts["channel b"].passed()
    assert (both.ill(), both.unready()) == ("", "")
    now[0] = 11
    parts["channel a"].moved()
    assert both.ill().startswith("channel b: no batch and no pass in 11 s")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--every", "1s", "--listen", "9464"),
        ("--every", "1s", "--listen", "127.0.0.1:http"),
        ("--every", "1s", "--listen", "192.0.2.1:9464"),
        ("--once", "--listen", "127.0.0.1:0"),
    ],
)
def test_what_cannot_be_listened_on_is_said(
    osdetect: Osdetect, cluster: Cluster, arguments: tuple[str, ...]
) -> None:
    ran = osdetect("detect", *arguments, "--url", cluster.url)
    assert (ran.status, "cure:" in ran.err) == (ExitCode.USAGE, True)
