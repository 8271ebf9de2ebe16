"""Help, pipes and signals."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, environment, start
from tests.faults.material import connect, deployed, put_records, record
from tests.faults.proxy import Asked, Delay, FaultProxy

COMMANDS = (
    ("quickstart",),
    ("check",),
    ("compile",),
    ("explain",),
    ("scan",),
    ("deploy",),
    ("load",),
    ("detect",),
    ("hunt",),
    ("alerts", "list"),
    ("alerts", "show"),
    ("alerts", "ack"),
    ("alerts", "close"),
    ("alerts", "reopen"),
    ("alerts", "assign"),
    ("alerts", "comment"),
    ("scenario",),
    ("node", "up"),
    ("node", "status"),
    ("node", "logs"),
    ("node", "down"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_s_help_shows_an_example(osdetect: Osdetect, command: tuple[str, ...]) -> None:
    ran = osdetect(*command, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert "Example" in ran.out
    assert f"osdetect {' '.join(command)}" in " ".join(ran.out.split())


def test_the_program_s_help_says_how_to_start(osdetect: Osdetect) -> None:
    ran = osdetect("--help")
    assert (ran.status, ran.err) == (0, "")
    assert "Start with: osdetect quickstart" in ran.out
    assert "docs/exit-codes.md" in ran.out
    assert osdetect("--version").out.startswith("osdetect ")


def test_every_command_writes_json_that_can_be_read(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path, nowhere: dict[str, str]
) -> None:
    at = ("--url", fresh_cluster, "--output", "json")
    made = osdetect("scenario", tmp_path / "logs", "--background", 20, "--output", "json")
    summary = json.loads(made.out)
    deployment = json.loads(osdetect("deploy", *at).out)
    assert deployment["changed"] is True
    assert deployment["rules"] > 40
    loaded = json.loads(osdetect("load", tmp_path / "logs", *at).out)
    assert loaded["created"] == summary["records"]
    assert loaded["losses"] == []
    detected = json.loads(osdetect("detect", "--once", *at).out)
    assert detected["events"] == summary["records"]
    assert detected["alerts_created"] >= summary["malicious"]
    assert json.loads(osdetect("node", "status", "--output", "json", **nowhere).out) == {"running": False}
    down = json.loads(osdetect("node", "down", "--output", "json", **nowhere).out)
    assert down == {"stopped": False, "name": "default"}


def _head(arguments: str, lines: int) -> tuple[int, str, str]:
    """The program's status, what `head` let through, and what was said, when `head` goes away."""
    command = f'set -o pipefail; "{sys.executable}" -m osdetect {arguments} | head -{lines}'
    ran = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment(), check=False, timeout=120
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_a_reader_that_goes_away_is_no_failure(fresh_cluster: str, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    with connect(fresh_cluster) as cluster:
        deployed(cluster, tmp_path, "{eventName: x}")
    for arguments in (
        "--help",
        f"deploy --url {fresh_cluster}",
        f"deploy --output json --url {fresh_cluster}",
        f"detect --every 1s --url {fresh_cluster}",
    ):
        status, out, err = _head(arguments, 1)
        told = [line for line in err.splitlines() if not line.startswith('{"at":')]  # a detector keeps a log
        assert (status, told) == (0, []), arguments
        assert len(out.splitlines()) == 1


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.OK)]
)
def test_a_watching_detector_ends_when_it_is_told_to_and_130_is_for_ctrl_c(
    fresh_cluster: str, tmp_path: Path, number: signal.Signals, expected: ExitCode
) -> None:
    with connect(fresh_cluster) as cluster:
        deployed(cluster, tmp_path, "{eventName: CreateThing}")
        put_records(cluster, "osdetect-cloudtrail-t-2024.05", [record(1)])
    with start("detect", "--every", "1s", "--namespace", "t", "--url", fresh_cluster) as process:
        assert process.stdout is not None
        assert "1 new alerts" in process.stdout.readline()
        assert "0 new alerts" in process.stdout.readline()
        process.send_signal(number)
        told = time.monotonic()
        _out, err = process.communicate(timeout=20)
        assert time.monotonic() - told < 3
    assert process.returncode == expected
    assert ("interrupted: what was done is kept" in err) == (expected == ExitCode.INTERRUPTED)
    assert "Traceback" not in err


def test_130_a_detector_whose_cluster_hangs_ends_at_once_at_the_second_signal(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, "{eventName: CreateThing}")
        put_records(cluster, "osdetect-cloudtrail-t-2024.05", [record(1)])
    hanging = threading.Event()

    def choose(asked: Asked) -> Delay | None:
        if b"_seq_no" not in asked.body or not asked.path.endswith("/_search"):
            return None
        hanging.set()
        return Delay(12)

    proxy.choose = choose
    with start("detect", "--once", "--namespace", "t", "--url", proxy.url) as process:
        assert hanging.wait(60)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        told = time.monotonic()
        _out, err = process.communicate(timeout=60)
        assert time.monotonic() - told < 4
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in err
