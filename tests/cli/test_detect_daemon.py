"""`osdetect detect` as a process that goes on: ticks, signals, a cluster that goes away and one that refuses."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from osdetect.cli.signals import asked_by_signals
from osdetect.cluster import Cluster
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, start
from tests.faults.material import connect, cursors, deployed, documents, put_records, record
from tests.faults.proxy import Asked, Cut, Delay, Fault, FaultProxy, always, refusal

INDEX = "osdetect-cloudtrail-t-2024.05"


@pytest.fixture
def cluster(fresh_cluster: str, tmp_path: Path) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        deployed(made, tmp_path, "{eventName: CreateThing}")
        yield made


@contextmanager
def _detector(*arguments: str, **extra: str) -> Iterator["subprocess.Popen[str]"]:
    process = start("detect", "-n", "t", *arguments, **extra)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alerts(url: str) -> int:
    return len(documents(url, "osdetect-alerts-t-*"))


def _ended(process: "subprocess.Popen[str]") -> tuple[int, list[dict[str, Any]]]:
    _, told = process.communicate(timeout=20)
    assert "Traceback" not in told
    return process.returncode, [json.loads(line) for line in told.splitlines() if line.startswith("{")]


def test_passes_go_on_and_sigterm_ends_them_with_0_and_a_log_that_says_all(cluster: Cluster) -> None:
    put_records(cluster, INDEX, [record(1)])
    with _detector("--every", "1s", "--url", cluster.url) as process:
        _until(lambda: _alerts(cluster.url) == 1)
        put_records(cluster, INDEX, [record(2), record(3)])
        _until(lambda: _alerts(cluster.url) == 3)
        process.send_signal(signal.SIGTERM)
        status, log = _ended(process)
    assert status == ExitCode.OK
    assert log[0]["event"] == "detector started"
    assert (log[-1]["event"], log[-1]["signal"]) == ("detector stopped", "SIGTERM")
    ended = [line for line in log if line["event"] == "pass ended"]
    assert sum(line["events"] for line in ended) == 3
    assert sum(line["alerts_created"] for line in ended) == 3
    assert len([line for line in log if line["event"] == "pass started"]) == len(ended) == log[-1]["passes"]


def test_ctrl_c_ends_it_as_gracefully_with_130(cluster: Cluster) -> None:
    put_records(cluster, INDEX, [record(1)])
    with _detector("--every", "1h", "--url", cluster.url) as process:
        _until(lambda: _alerts(cluster.url) == 1)
        process.send_signal(signal.SIGINT)
        status, log = _ended(process)
    assert status == ExitCode.INTERRUPTED
    assert (log[-1]["signal"], log[-1]["pass_unfinished"]) == ("SIGINT", False)


@pytest.mark.parametrize(
    ("how", "expected"), [(("--every", "1h"), ExitCode.OK), (("--once",), ExitCode.INTERRUPTED)]
)
def test_a_stop_in_the_middle_finishes_the_batch_and_keeps_its_cursor(
    cluster: Cluster, proxy: FaultProxy, how: tuple[str, ...], expected: ExitCode
) -> None:
    put_records(cluster, INDEX, [record(n) for n in range(1, 1301)])
    proxy.choose = lambda asked: Delay(1.5) if b'"_index":"osdetect-alerts-t-' in asked.body else None
    by_pages = ("--method", "in-process")
    with _detector(*how, *by_pages, "--url", proxy.url) as process:
        _until(lambda: any(b'"_index":"osdetect-alerts-t-' in asked.body for asked in proxy.asked))
        process.send_signal(signal.SIGTERM)
        status, _log = _ended(process)
    assert status == expected
    done = _alerts(cluster.url)
    assert 0 < done < 1300
    (cursor,) = [one["cursor"] for one in cursors(cluster.url).values()]
    assert cursor["seq_no"] == done - 1, "behind the batch whose alerts are stored"
    assert not cursor.get("lease")


@pytest.mark.parametrize("whole", [False, True], ids=["a request hangs", "the cluster hangs"])
def test_a_second_signal_ends_it_at_once(cluster: Cluster, proxy: FaultProxy, *, whole: bool) -> None:
    put_records(cluster, INDEX, [record(1)])
    hangs: list[Asked] = []

    def choose(asked: Asked) -> Fault | None:
        if b'"_index":"osdetect-alerts-t-' in asked.body:
            hangs.append(asked)
            return Delay(15)
        return Delay(15) if whole and hangs else None

    proxy.choose = choose
    with _detector("--every", "1h", "--url", proxy.url) as process:
        _until(lambda: any(b'"_index":"osdetect-alerts-t-' in asked.body for asked in proxy.asked))
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None, "the first one waits for the batch"
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status, _log = _ended(process)
        assert time.monotonic() - begun < 5
    assert status == ExitCode.INTERRUPTED


@pytest.mark.parametrize("first", ["/_stats/docs", f"/{INDEX}/_search", "/osdetect-state/"])
def test_an_outage_is_outlasted_and_the_catch_up_does_not_wait_for_its_tick(
    cluster: Cluster, proxy: FaultProxy, first: str
) -> None:
    put_records(cluster, INDEX, [record(1), record(2)])
    down = threading.Event()

    def choose(asked: Asked) -> Fault | None:
        if first in asked.path:
            down.set()
        return Cut() if down.is_set() else None

    proxy.choose = choose
    with _detector("--every", "1h", "--url", proxy.url, OSDETECT_RETRY_FOR_S="0") as process:
        _until(down.is_set)
        failed_already = len(proxy.asked)
        _until(lambda: len(proxy.asked) >= failed_already + 3)
        proxy.choose = lambda _asked: None
        _until(lambda: _alerts(cluster.url) == 2)
        process.send_signal(signal.SIGTERM)
        status, log = _ended(process)
    assert status == ExitCode.OK
    failed = [line for line in log if line["event"] == "pass failed: cluster away"]
    assert len(failed) >= 2
    assert all(line["what"] and 0 < line["next_attempt_s"] <= 15 for line in failed)


@pytest.mark.parametrize("command", [("detect",), ("notify", "run")])
def test_a_cluster_that_is_away_at_the_start_is_waited_for(
    cluster: Cluster, proxy: FaultProxy, tmp_path: Path, command: tuple[str, ...]
) -> None:
    put_records(cluster, INDEX, [record(1)])
    proxy.choose = lambda _asked: Cut()
    channels = tmp_path / "channels.toml"
    channels.write_text('[channels.told]\nkind = "file"\npath = "told.ndjson"\n')
    more = ("--channels", str(channels)) if command[0] == "notify" else ()
    arguments = (*command, "-n", "t", "--every", "1s", "--url", proxy.url, *more)
    process = start(*arguments, OSDETECT_RETRY_FOR_S="0")
    try:
        _until(lambda: len(proxy.asked) >= 2)
        proxy.choose = lambda _asked: None
        _until(lambda: len(proxy.asked) >= 5)
        process.send_signal(signal.SIGTERM)
        status, log = _ended(process)
    finally:
        process.kill()
        process.communicate()
    assert status == ExitCode.OK
    away = [line for line in log if line["event"] == "the cluster is away at the start"]
    assert len(away) >= 2
    assert all(line["what"] and 0 < line["next_attempt_s"] <= 15 for line in away)


def test_a_signal_ends_the_waiting_for_a_cluster_at_once_and_a_wrong_one_is_not_waited_for(
    cluster: Cluster, proxy: FaultProxy
) -> None:
    assert cluster.version
    proxy.choose = lambda _asked: Cut()
    with _detector("--every", "1s", "--url", proxy.url, OSDETECT_RETRY_FOR_S="0") as process:
        _until(lambda: len(proxy.asked) >= 4)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status, log = _ended(process)
        assert time.monotonic() - begun < 3
    assert status == ExitCode.OK
    assert (log[-1]["event"], log[-1]["passes"]) == ("detector stopped", 0)
    proxy.choose = lambda _asked: refusal(401, "security_exception", "Unauthorized")
    with _detector("--every", "1s", "--url", proxy.url) as process:
        status, log = _ended(process)
    assert status == ExitCode.CLUSTER
    assert not [line for line in log if line["event"] == "the cluster is away at the start"]


def test_a_stop_during_an_outage_does_not_wait_for_the_cluster(cluster: Cluster, proxy: FaultProxy) -> None:
    assert cluster.version
    with _detector("--every", "1s", "--url", proxy.url, OSDETECT_RETRY_FOR_S="600") as process:
        _until(lambda: proxy.count("/_stats/docs") >= 1)
        proxy.choose = always("/_stats/docs", Cut())
        before = proxy.count("/_stats/docs")
        _until(lambda: proxy.count("/_stats/docs") >= before + 4)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status, log = _ended(process)
        assert time.monotonic() - begun < 5
    assert (status, log[-1]["pass_unfinished"]) == (ExitCode.OK, True)


def test_a_cluster_that_refuses_ends_it_with_5(cluster: Cluster, proxy: FaultProxy) -> None:
    assert cluster.version
    with _detector("--every", "1s", "--url", proxy.url) as process:
        _until(lambda: proxy.count("/_stats/docs") >= 1)
        proxy.choose = always("", refusal(403, "security_exception", "no permissions for [x]"))
        status, log = _ended(process)
    assert status == ExitCode.CLUSTER
    assert log[-1]["event"] == "detector ended: the cluster refuses"
    assert "no permissions" in log[-1]["cause"]


def test_a_loss_meanwhile_is_the_exit_code_of_the_stop(cluster: Cluster, fresh_cluster: str) -> None:
    rule = {"rule": {"id": "broken"}, "logsource": {"product": "aws", "service": "", "category": ""}}
    with connect(fresh_cluster) as made:
        made.request("PUT", "/osdetect-rules/_doc/broken", params={"refresh": "true"}, body=rule)
    put_records(cluster, INDEX, [record(1)])
    with _detector("--every", "1h", "--url", cluster.url) as process:
        _until(lambda: bool(documents(cluster.url, "osdetect-runs-*")))
        process.send_signal(signal.SIGTERM)
        status, log = _ended(process)
    assert status == ExitCode.LOSS
    assert [line["what"] for line in log if line["event"] == "rule refused"] == [
        "the deployed rule broken cannot be read"
    ]


def test_cron_makes_passes_too_and_a_single_pass_logs_when_told(cluster: Cluster, osdetect: Osdetect) -> None:
    put_records(cluster, INDEX, [record(1)])
    ran = osdetect("detect", "--once", "-n", "t", "--log-format", "text", "--url", cluster.url)
    assert ran.status == ExitCode.OK
    assert "pass ended  namespace=t" in ran.err
    for arguments in (("--cron", "often"), ("--once", "--cron", "* * * * *"), ("--once", "--jitter", "5s")):
        ran = osdetect("detect", *arguments, "--url", cluster.url)
        assert (ran.status, "cure:" in ran.err) == (ExitCode.USAGE, True)


def test_the_grace_after_the_first_signal_has_an_end() -> None:
    begun = time.monotonic()
    with asked_by_signals(grace_s=0.3) as asked:
        signal.raise_signal(signal.SIGTERM)
        assert asked.asked
        with pytest.raises(KeyboardInterrupt):
            time.sleep(20)  # as a cluster that hangs
    assert time.monotonic() - begun < 5
    with asked_by_signals(grace_s=0.3):
        signal.raise_signal(signal.SIGTERM)
    time.sleep(0.5)  # who came to the end in time is not interrupted any more
