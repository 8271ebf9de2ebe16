"""`osdetect scan` on what is large, many or has no room: what it says, and what all its processes take together."""

import gzip
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import environment
from tests.scan.material import RULES, delivery, put, put_records, quiet, record

MIB = 1 << 20
MOST_MB = 150
"""What a scan may take, all its processes together, pages that they share counted once."""


class Watched(msgspec.Struct, frozen=True):
    """What a scan came to."""

    status: int
    scan: dict[str, Any]
    """The counts of `--output json`."""
    err: str
    peak_mb: float


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return put(tmp_path / "rules/rules.yml", RULES.encode()).parent


def _watched(folder: Path, *arguments: object) -> Watched:
    """A scan, its memory looked at ten times a second."""
    out, err = folder / "out.json", folder / "err.txt"
    peak = 0.0
    with out.open("wb") as to_out, err.open("wb") as to_err:
        command = [sys.executable, "-m", "osdetect", "scan", *map(str, arguments), "--output", "json"]
        with subprocess.Popen(command, stdout=to_out, stderr=to_err, env=environment()) as process:
            while process.poll() is None:
                peak = max(peak, sum(_memory(psutil.Process(process.pid))))
                time.sleep(0.1)
    said = err.read_text()
    assert "Traceback" not in said
    return Watched(process.returncode, json.loads(out.read_bytes())["scan"], said, peak)


def _memory(process: psutil.Process) -> Iterator[float]:
    """MB of a process and its children."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                yield one.memory_full_info().pss / MIB


def _padded(number: int, size: int) -> bytes:
    line = json.dumps(quiet(number), separators=(",", ":")).encode()
    return line[:-1] + b',"noise":"' + b"a" * size + b'"}'


def test_a_gzip_bomb_of_a_thousand_to_one_is_cut_off_and_takes_no_memory(tmp_path: Path, rules: Path) -> None:
    filler = b"," + _padded(1, 4_000_000)
    with gzip.open(tmp_path / "bomb.json.gz", "wb", 9) as file:
        size = file.write(b'{"Records":[' + json.dumps(record(1)).encode())
        for _ in range(40):
            size += file.write(filler)
        size += file.write(b"]}")
    assert size > 900 * (tmp_path / "bomb.json.gz").stat().st_size
    put_records(tmp_path / "good.json", [record(2)])
    ran = _watched(tmp_path, tmp_path / "bomb.json.gz", tmp_path / "good.json", "--rules", rules)
    assert ran.status == ExitCode.LOSS
    assert "as a gzip bomb does" in ran.err
    assert (ran.scan["alerts"], ran.scan["files_partial"]) == (4, 1)
    assert ran.peak_mb < MOST_MB


def _on_a_small_disk(disk: Path, *arguments: object, then: str = "true", **more: str) -> Any:
    """A scan to which `disk` is a file system of 256 KiB that is full after so much, as no other process sees it."""
    unshare = shutil.which("unshare")
    probe = f"mount -t tmpfs -o size=256k none {shlex.quote(str(disk))}"
    if unshare is None or subprocess.run([unshare, "-rm", "sh", "-c", probe], check=False).returncode:
        pytest.skip("this system does not let a test mount a file system of its own")
    command = shlex.join([sys.executable, "-m", "osdetect", "scan", *map(str, arguments)])
    return subprocess.run(
        [unshare, "-rm", "sh", "-c", f"{probe} && {{ {command}; status=$?; {then}; exit $status; }}"],
        capture_output=True,
        text=True,
        env=environment(**more),
        timeout=120,
        check=False,
    )


def test_on_a_full_disk_the_other_output_is_whole_and_each_row_is(tmp_path: Path, rules: Path) -> None:
    put_records(tmp_path / "a.json.gz", (record(number) for number in range(2000)))
    (tmp_path / "disk").mkdir()
    timeline = tmp_path / "disk/timeline.csv"
    ran = _on_a_small_disk(
        tmp_path / "disk",
        *(tmp_path / "a.json.gz", "--rules", rules, "--timeline", timeline, "--output", "ndjson"),
        then=f"wc -c < {shlex.quote(str(timeline))} >&2",
    )
    assert ran.returncode == ExitCode.NOT_WRITTEN, ran.stderr
    assert "the timeline cannot be written" in ran.stderr
    assert "No space left" in ran.stderr
    assert "what the file holds is cut short" in ran.stderr
    assert len([json.loads(line) for line in ran.stdout.splitlines()]) == 4000
    assert int(ran.stderr.splitlines()[-1]) > 200_000


def test_without_room_for_temporary_files_the_table_is_whole_and_documents_are_those_found_before(
    tmp_path: Path, rules: Path
) -> None:
    put_records(tmp_path / "a.json.gz", (record(number) for number in range(2000)))
    (tmp_path / "disk").mkdir()
    asked = (tmp_path / "a.json.gz", "--rules", rules)
    table = _on_a_small_disk(tmp_path / "disk", *asked, TMPDIR=str(tmp_path / "disk"))
    assert table.returncode == 0, table.stderr
    assert "2,000 events in 1 files judged by 2 rules: 4,000 alerts" in table.stdout
    lines = _on_a_small_disk(tmp_path / "disk", *asked, "--output", "ndjson", TMPDIR=str(tmp_path / "disk"))
    assert lines.returncode == ExitCode.NOT_WRITTEN, lines.stderr
    assert "No space left" in lines.stderr
    assert "TMPDIR" in lines.stderr
    noise = [quiet(number) | {"noise": "n" * 1000} for number in range(9000)]
    put_records(tmp_path / "first.json", [record(1), *noise])  # large files are read first
    for form in ("ndjson", "json", "csv"):
        found = _on_a_small_disk(
            tmp_path / "disk",
            *(tmp_path / "first.json", *asked, "--jobs", 1, "--output", form),
            TMPDIR=str(tmp_path / "disk"),
        )
        assert found.returncode == ExitCode.NOT_WRITTEN, found.stderr
        assert found.stdout.count("first.json") == 2
        assert "1 of 2 files were not read" in found.stderr
        assert "No space left" in found.stderr
        assert "what was found until then is shown" in found.stderr


@pytest.mark.long
def test_a_hundred_thousand_tiny_files(tmp_path: Path, rules: Path) -> None:
    for number in range(100_000):
        put(tmp_path / f"logs/{number // 1000:03}/{number}.json", delivery([record(number)]))
    ran = _watched(tmp_path, tmp_path / "logs", "--rules", rules)
    assert (ran.status, ran.scan["events"], ran.scan["alerts"]) == (0, 100_000, 200_000), ran.err
    assert ran.peak_mb < 2 * MOST_MB, ran.peak_mb


@pytest.mark.long
def test_one_file_of_five_gigabytes(tmp_path: Path, rules: Path) -> None:
    some = b"".join(b"," + _padded(number, 800) for number in range(4000))
    count = 1
    with (tmp_path / "large.json").open("wb") as file:
        file.write(b'{"Records":[' + json.dumps(record(1)).encode())
        while file.tell() < 5 << 30:
            file.write(some)
            count += 4000
        file.write(b"," + json.dumps(record(2)).encode() + b"]}")
    try:
        ran = _watched(tmp_path, tmp_path / "large.json", "--rules", rules)
    finally:
        (tmp_path / "large.json").unlink()
    assert (ran.status, ran.scan["events"], ran.scan["alerts"]) == (0, count + 1, 4), ran.err
    assert ran.peak_mb < MOST_MB, ran.peak_mb
