"""Scanning gzip files: `osdetect scan` against `gzip -dc` to nowhere, and against a plain parse by orjson.

    python benchmarks/scan.py [--full] [--records N] [--files N] [--jobs N] [--passes N]

All read the same files, one after the other, so that all have them from the page cache. By default 100,000 records in
500 files; with --full 1,000,000 in 5,000. The records are the real ones of `OSDETECT_SHARED`, each with ids, time, caller,
address and parameters of its own, so that nothing that remembers values is flattered; else the scenario's. The
rules are all public ones for AWS CloudTrail if they are there, else osdetect's own.

`scan` is measured as the command: start-up, reading the rules (compiled before, as from the second time on), and writing
the table. `judging` leaves out what an empty folder takes. Memory is the sum over all processes of one more scan, each page
shared between them counted once (Pss), sampled ten times a second. The ways take turns, and the median over the
passes of each ratio counts. On a busy machine look at the last line: what the wall time would come to on two free cores
if the workers' processor time were all that differed. With --full it takes three minutes on an idle machine.

Exit status 1 when a target is missed: wall time with 2 jobs at most 0.8 of `gzip -dc`, 150 MB, 0.7 of the plain parse
for each core.
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec
import orjson
from records import shared_rules, varied_records

from osdetect.resources import folder

WALL, MEMORY_MB, PER_CORE = 0.8, 150.0, 0.7


class Taken(msgspec.Struct, frozen=True):
    """What one way took."""

    wall: float
    cpu: float
    """Processor seconds, children included."""
    memory_mb: float = 0.0


def write_files(target: Path, records: int, files: int) -> None:
    """The files, as CloudTrail delivers them."""
    stream = varied_records(records)
    for number in range(files):
        share = records * (number + 1) // files - records * number // files
        text = json.dumps({"Records": list(islice(stream, share))}, separators=(",", ":")).encode()
        (target / f"{number:05}.json.gz").write_bytes(gzip.compress(text, 6))


def cloudtrail_rules(target: Path) -> Path:
    """A folder of the public rules that name CloudTrail, else our own."""
    source = shared_rules()
    if source is None:
        return folder("rules")
    target.mkdir()
    for number, file in enumerate(sorted(source.rglob("*.yml"))):
        if b"cloudtrail" in file.read_bytes():
            (target / f"{number:05}.yml").write_bytes(file.read_bytes())
    return target


def commanded(command: list[str], *, watch_memory: bool = False) -> Taken:
    """A command, its output thrown away."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while watch_memory and process.poll() is None:
            peak = max(peak, sum(map(_memory, _family(process.pid))))
            time.sleep(0.1)
        status = process.wait()
    wall = time.perf_counter() - began
    assert status in (0, 1), command  # 1: public rules of which some are refused
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, cpu, peak)


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            yield from _family(int(child))


def _memory(pid: int) -> float:
    """MB of a process (man 5 proc, /proc/pid/smaps_rollup, Pss)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def parsed(files: list[Path]) -> Taken:
    """What a reader does that only parses: unpack, `orjson.loads`."""
    began, cpu = time.perf_counter(), time.process_time()
    for file in files:
        orjson.loads(gzip.decompress(file.read_bytes()))
    return Taken(time.perf_counter() - began, time.process_time() - cpu)


class Pass(msgspec.Struct, frozen=True):
    """What each way took, one after the other."""

    gunzip: Taken
    parse: Taken
    empty: Taken
    scan: Taken

    @property
    def wall(self) -> float:
        """The scan's wall time, against gunzip's."""
        return self.scan.wall / self.gunzip.wall

    @property
    def judging(self) -> float:
        """The processor time of judging alone."""
        return self.scan.cpu - self.empty.cpu

    @property
    def per_core(self) -> float:
        """The rate of judging for each core, against the plain parse's."""
        return self.parse.cpu / self.judging

    def on_free_cores(self, jobs: int) -> float:
        """`wall` by processor time: start-up, and the rest shared among the workers."""
        return (self.empty.cpu + self.judging / jobs) / self.gunzip.cpu


def main() -> int:
    """Measure, print, compare with the targets."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--full", action="store_true")
    arguments.add_argument("--records", type=int, default=0)
    arguments.add_argument("--files", type=int, default=0)
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--passes", type=int, default=3)
    options = arguments.parse_args()
    records = options.records or (1_000_000 if options.full else 100_000)
    with tempfile.TemporaryDirectory() as made:
        logs, nothing = Path(made) / "logs", Path(made) / "nothing"
        logs.mkdir()
        nothing.mkdir()
        (nothing / "none.json").write_bytes(b'{"Records":[]}')
        write_files(logs, records, options.files or records // 200)
        files = sorted(logs.iterdir())
        rules = cloudtrail_rules(Path(made) / "rules")
        command = [
            sys.executable,
            "-m",
            "osdetect",
            "scan",
            "--rules",
            str(rules),
            "--jobs",
            str(options.jobs),
        ]
        os.environ["OSDETECT_CACHE_DIR"] = str(Path(made) / "cache")
        subprocess.run([*command, nothing], capture_output=True, check=False)  # compiles the rules
        passes = [
            Pass(
                commanded(["gzip", "-dc", *map(str, files)]),
                parsed(files),
                commanded([*command, str(nothing)]),
                commanded([*command, str(logs)]),
            )
            for _ in range(options.passes)
        ]
        # Apart: to ask the system for it ten times a second takes time from the cores that are measured.
        memory = commanded([*command, str(logs)], watch_memory=True).memory_mb
    return report(records, options.jobs, passes, memory)


def report(records: int, jobs: int, passes: Sequence[Pass], memory: float) -> int:
    """Print the figures; 1 when a target is missed."""
    ways: dict[str, Callable[[Pass], Taken]] = {
        "gzip -dc": lambda one: one.gunzip,
        "gzip and orjson.loads": lambda one: one.parse,
        "scan of nothing": lambda one: one.empty,
        f"scan, {jobs} jobs": lambda one: one.scan,
    }
    for name, way in ways.items():
        wall = statistics.median(way(one).wall for one in passes)
        cpu = statistics.median(way(one).cpu for one in passes)
        print(f"{name:<24}{wall:>8.2f} s {cpu:>8.2f} CPU-s {records / wall:>11,.0f} events/s")
    wall = statistics.median(one.wall for one in passes)
    per_core = statistics.median(one.per_core for one in passes)
    free = statistics.median(one.on_free_cores(jobs) for one in passes)
    met = (wall <= WALL, per_core >= PER_CORE, memory <= MEMORY_MB)
    print(f"wall time, of gzip -dc:                {wall:>6.2f}   target <= {WALL}   {_said(met[0])}")
    print(f"rate per core, of the plain parse:     {per_core:>6.2f}   target >= {PER_CORE}   {_said(met[1])}")
    print(
        f"memory of all processes at once, MB:   {memory:>6.0f}   target <= {MEMORY_MB:.0f}   {_said(met[2])}"
    )
    print(f"wall time by processor time:           {free:>6.2f}   if {jobs} cores were free")
    return int(not all(met))


def _said(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    sys.exit(main())
