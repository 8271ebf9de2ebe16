"""Files that are not as they should be: told by name, the good ones not touched, memory bounded."""

import gzip
import json
import multiprocessing
import os
import re
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from osdetect.cli.scan_output import NotShown, print_found
from osdetect.scan import ScanFailed, ScanOptions, Workers, workers
from osdetect.scan.worker import Worker
from tests.scan.material import alerts, delivery, placed, put, put_records, quiet, record, scanning

MIB = 1 << 20


def _told(tmp_path: Path) -> tuple[dict[str, str], set[tuple[str, int]], int]:
    """What is said of each file, which records raised alerts, and how many records were unreadable."""
    with scanning(tmp_path) as found:
        said: dict[str, str] = {}
        for loss in found.report.losses:
            assert loss.where is not None
            name = Path(loss.where.file).name
            said[name] = f"{said.get(name, '')} {loss.what}: {loss.cause}"
        return said, {placed(alert)[:2] for alert in alerts(found)}, found.report.bad_records


def test_a_broken_record_costs_itself_only(tmp_path: Path) -> None:
    good = [json.dumps(record(number)).encode() for number in range(4)]
    bad = {
        "nested.json": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "nan.json": b'{"eventName":NaN}',
        "list.json": b"[1]",
    }
    for number, (name, text) in enumerate(bad.items()):
        put(tmp_path / name, b'{"Records":[' + text + b"," + good[number] + b"]}")
    put(tmp_path / "lines.ndjson", good[3] + b"\n{cut\n" + json.dumps(record(9)).encode())
    said, found, unreadable = _told(tmp_path)
    assert found == {
        ("nested.json", 2),
        ("nan.json", 2),
        ("list.json", 2),
        ("lines.ndjson", 1),
        ("lines.ndjson", 3),
    }
    assert unreadable == 4
    assert "nested deeper than 100 levels" in said["nested.json"]
    assert "not JSON" in said["nan.json"]
    assert "not an object but a list" in said["list.json"]
    assert "record 2 cannot be read" in said["lines.ndjson"]


def test_text_that_is_no_unicode_is_judged(tmp_path: Path) -> None:
    lone = json.dumps(record(1, userAgent="Q")).encode().replace(b'"Q"', b'"\\ud800"')
    invalid = json.dumps(record(2, userAgent="Q")).encode().replace(b'"Q"', b'"\xff\xfe"')
    put(tmp_path / "a.json", b'{"Records":[' + lone + b"," + invalid + b"]}")
    assert _told(tmp_path) == ({}, {("a.json", 1), ("a.json", 2)}, 0)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_what_comes_before_a_break_is_judged(tmp_path: Path, share: float) -> None:
    many = [record(number, noise=os.urandom(40).hex()) for number in range(3000)]
    data = gzip.compress(delivery(many))
    put(tmp_path / "cut.json.gz", data[: int(len(data) * share)])
    broken = bytearray(data)
    broken[int(len(data) * share)] ^= 0xFF
    put(tmp_path / "flipped.json.gz", bytes(broken))
    put(tmp_path / "noise.json.gz", b"\x1f\x8b" + os.urandom(200))
    said, found, _ = _told(tmp_path)
    assert "the gzip data ends before its end" in said["cut.json.gz"]
    assert "the gzip data is corrupt" in said["flipped.json.gz"]
    assert "nothing of the file can be unpacked" in said["noise.json.gz"]
    assert sum(name == "cut.json.gz" for name, _ in found) > 3000 * (share - 0.1)


def test_what_is_no_file_of_records_is_told(tmp_path: Path) -> None:
    put_records(tmp_path / "good.json", [record(1)])
    put(tmp_path / "empty.json", b"")
    put(tmp_path / "empty.json.gz", gzip.compress(b""))
    put(tmp_path / "page.json", b"<html>")
    put(tmp_path / "digest.json", b'{"digestStartTime":1,"digestEndTime":2,"logFiles":[]}')
    put(tmp_path / "LICENSE", b"words")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    said, found, _ = _told(tmp_path)
    assert found == {("good.json", 1)}
    assert set(said) == {"empty.json", "empty.json.gz", "page.json", "pipe.json", "loop.json", "zero.json"}
    assert "empty" in said["empty.json"]
    assert "a web page" in said["page.json"]
    assert "neither a file nor a folder" in said["pipe.json"]
    assert "a link to nothing" in said["loop.json"]


def test_a_pipe_or_nothing_in_a_file_s_place_does_not_hold_the_scan_up(tmp_path: Path) -> None:
    put_records(tmp_path / "a.json", [record(1)])
    put_records(tmp_path / "b.json", [record(2)])
    put_records(tmp_path / "c.json", [record(3)])

    def swap(_: Workers) -> bool:
        if (tmp_path / "b.json").is_file():
            (tmp_path / "b.json").unlink()
            os.mkfifo(tmp_path / "b.json")
            (tmp_path / "c.json").unlink()
        return False

    with scanning(tmp_path, stop=swap) as found:
        assert {placed(alert)[0] for alert in alerts(found)} == {"a.json"}
        assert sorted(error.what for error in found.report.refused) == [
            "the file cannot be read",
            "this is not a plain file",
        ]


def test_a_gzip_bomb_is_cut_off_and_what_comes_before_it_stays(tmp_path: Path) -> None:
    filler = b'{"eventVersion":"1","a":"' + b"a" * 4000 + b'"},'
    text = b'{"Records":[' + json.dumps(record(1)).encode() + b"," + filler * 60_000 + b"{}]}"
    bomb = put(tmp_path / "bomb.json.gz", gzip.compress(text, 9))
    assert len(text) > 400 * bomb.stat().st_size
    put_records(tmp_path / "good.json", [record(2)])
    said, found, _ = _told(tmp_path)
    assert "as a gzip bomb does" in said["bomb.json.gz"]
    assert found == {("bomb.json.gz", 1), ("good.json", 1)}


def _peak(pid: int) -> int:
    """The most MiB that a process had beyond what the scanning process has, of which it is a copy."""
    return _status(pid, "VmHWM") - _status(os.getpid(), "VmRSS")


def _status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) >> 10


@pytest.mark.parametrize("layout", ["delivery", "list", "lines", "row", "record"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, layout: str) -> None:
    line = json.dumps(record(1, eventName="Other", noise="x" * 1000), separators=(",", ":")).encode()
    before, between, behind = {
        "delivery": (b'{"Records":[', b",", b"]}"),
        "list": (b"[", b",\n", b"]"),
        "lines": (b"", b"\n", b"\n"),
        "row": (b"", b"", b""),
        "record": (b'{"Records":[' + b'{"a":"' + b"b" * (90 * MIB) + b'"},', b",", b"]}"),
    }[layout]
    with (tmp_path / "big.json").open("wb") as file:
        file.write(before)
        file.write((line + between) * 120_000 + line)
        file.write(behind)
    peaks: list[int] = []

    def measure(workers: Workers) -> bool:
        peaks.append(max(map(_peak, workers.pids)))
        return False

    with scanning(tmp_path, jobs=1, stop=measure) as found:
        report = found.report
    if layout == "record":
        assert (
            "a record is larger than" in report.partial[0].what if report.partial else report.refused[0].what
        )
    else:
        assert (report.events, report.lossless) == (120_001, True)
    assert max(peaks) < 90


def test_a_hundred_thousand_alerts_of_one_rule_are_all_there_and_memory_is_bounded(tmp_path: Path) -> None:
    for number in range(20):
        put_records(
            tmp_path / f"{number}.json.gz", (record(n) for n in range(number * 2500, number * 2500 + 2500))
        )
    peaks: list[int] = []

    def measure(workers: Workers) -> bool:
        peaks.extend(map(_peak, workers.pids))
        return False

    with scanning(tmp_path, stop=measure) as found:
        assert sum(1 for _ in found.documents()) == found.report.alerts == 100_000
    assert max(peaks) < 90


def test_a_worker_that_is_killed_costs_at_most_the_file_it_read(tmp_path: Path) -> None:
    line = json.dumps(record(1, eventName="Other", noise="x" * 1000)).encode()
    with (tmp_path / "big.json").open("wb") as file:
        file.write(b'{"Records":[' + b",".join([line] * 400_000) + b"]}")
    for number in range(30):
        put_records(tmp_path / f"{number}.json", [record(number)])
    asked: list[float] = []
    killed: list[int] = []

    def kill(workers: Workers) -> bool:
        asked.append(time.monotonic())  # the first time before any task is given out
        if not killed and asked[-1] - asked[0] > 0.4:
            # The first task, which the first worker has, is the large file.
            killed.append(workers.pids[0])
            os.kill(workers.pids[0], signal.SIGKILL)
        return False

    with scanning(tmp_path, stop=kill) as found:
        report = found.report
        assert len({placed(alert)[0] for alert in alerts(found)}) == 30
    assert killed
    (loss,) = report.losses
    assert loss.where is not None
    assert Path(loss.where.file).name == "big.json"
    assert "the worker process that read it died" in loss.what
    assert "killed by signal 9" in loss.cause
    assert report.revived == 1


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_over_what_is_shown_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_records(tmp_path / "a.json", [record(1)])
    monkeypatch.setattr(Worker, "_described", _die)
    with scanning(tmp_path) as found, pytest.raises(NotShown, match="2 alerts cannot be shown") as told:
        print_found(found, refused=0, other_sources=0, limit=100)
    assert "the process that read them again died" in told.value.cause
    shown = capsys.readouterr().out
    assert "2 alerts" in shown
    assert "more: --limit 0 shows all" not in shown


def test_a_worker_that_dies_over_what_is_there_twice_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_records(tmp_path / "a.json", [record(1)])
    put_records(tmp_path / "b.json", [record(1), quiet(2)])
    monkeypatch.setattr(Worker, "_identified", _die)
    with scanning(tmp_path) as found:
        losses = found.report.losses
        assert {placed(alert)[0] for alert in alerts(found)} == {"a.json", "b.json"}
    assert {Path(loss.where.file).name for loss in losses if loss.where} == {"a.json", "b.json"}
    assert all("may be there more than once" in loss.what and "signal 9" in loss.cause for loss in losses)


def test_workers_that_do_not_live_end_the_scan_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        put_records(tmp_path / f"{number}.json", [record(number)])
    monkeypatch.setattr(workers, "serve", lambda *_: sys.exit(3))
    with pytest.raises(ScanFailed, match="have ended before their time") as caught, scanning(tmp_path):
        pass
    assert "it ended with status 1" in caught.value.cause


def test_workers_end_when_the_scanning_process_does(tmp_path: Path) -> None:
    put_records(tmp_path / "a.json", [record(1)])
    parent, child = multiprocessing.Pipe()
    scans = multiprocessing.get_context("fork").Process(target=_scan_and_tell, args=(tmp_path, child))
    scans.start()
    pids = parent.recv()
    scans.kill()
    scans.join()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/stat").exists() and not _is_zombie(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _scan_and_tell(folder: Path, tell: Connection) -> None:
    def stop(workers: Workers) -> bool:
        tell.send(workers.pids)
        time.sleep(60)
        return False

    with scanning(folder, jobs=3, stop=stop):
        pass


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


def test_no_room_for_temporary_files_is_told_and_the_file_counts_as_not_read(tmp_path: Path) -> None:
    put_records(tmp_path / "a.json.gz", [record(number) for number in range(5000)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with scanning(tmp_path, options=ScanOptions(documents=True)) as found:
            failure, report = found.failure, found.report
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failure is not None
    assert re.search(r"a temporary file in .* cannot be written", failure.what)
    assert "TMPDIR" in failure.cure
    assert (report.stopped, len(report.unread), report.alerts) == (True, 1, 0)


def test_stopped_it_has_what_was_found_and_says_what_was_not_read(tmp_path: Path) -> None:
    line = json.dumps(record(1, eventName="Other", noise="x" * 1000)).encode()
    with (tmp_path / "big.json").open("wb") as file:
        file.write(b'{"Records":[' + json.dumps(record(2)).encode())
        some = (b"," + line) * 100_000
        for _ in range(9):
            file.write(some)
        file.write(b"]}")
    began = time.monotonic()
    asked: list[float] = []

    def stop(_: Workers) -> bool:
        if time.monotonic() - began > 1.2:
            asked.append(time.monotonic())
        return bool(asked)

    with scanning(tmp_path, stop=stop) as found:
        assert time.monotonic() - asked[0] < 1.5
        report = found.report
        assert {placed(alert)[1] for alert in alerts(found)} == {1}
        assert len(found.top(5)) == 2
    assert report.stopped
    assert [Path(name).name for name in report.unread] == ["big.json"]
    assert 0 < report.events < 900_001
    assert not report.lossless


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_the_right_to_read_it_is_told(tmp_path: Path) -> None:
    put_records(tmp_path / "a.json", [record(1)]).chmod(0)
    put_records(tmp_path / "b.json", [record(2)])
    said, found, _ = _told(tmp_path)
    assert "Permission denied" in said["a.json"]
    assert found == {("b.json", 1)}
