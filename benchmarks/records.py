"""What the benchmarks share: record files to work on, and how a figure is taken."""

import gzip
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from osdetect.scenario import iter_records


def write_files(folder: Path, records: int, files: int) -> None:
    """`records` of the scenario's ordinary records and its story in `files` gzip files, as CloudTrail delivers them."""
    stream = iter_records(seed=1, background_count=records)
    for number in range(files):
        share = records * (number + 1) // files - records * number // files
        # The last file takes the story's few records too.
        taken = stream if number == files - 1 else islice(stream, share)
        text = json.dumps({"Records": list(taken)}, separators=(",", ":")).encode()
        (folder / f"{number:05}.json.gz").write_bytes(gzip.compress(text, 6))


@dataclass(frozen=True, slots=True)
class Timed:
    """What one piece of work took, in seconds."""

    wall: float
    client_cpu: float
    node_cpu: float


def timed(work: Callable[[], object], node_pid: int | None = None) -> Timed:
    """Do the work and take its time; that of the node only if its process id is given (Linux)."""
    wall, client, node = time.perf_counter(), time.process_time(), _cpu_of(node_pid)
    work()
    return Timed(time.perf_counter() - wall, time.process_time() - client, _cpu_of(node_pid) - node)


def median(passes: Iterable[Timed]) -> Timed:
    """The median of each figure over the passes."""
    taken = list(passes)
    return Timed(
        statistics.median(one.wall for one in taken),
        statistics.median(one.client_cpu for one in taken),
        statistics.median(one.node_cpu for one in taken),
    )


def _cpu_of(pid: int | None) -> float:
    """User and system time of a process (man 5 proc, /proc/pid/stat, fields 14 and 15)."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shared_rules() -> Path | None:
    """The folder of public rules: `data/rules` in OSDETECT_SHARED, or in `shared` beside the repository."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    folder = Path(os.environ.get("OSDETECT_SHARED") or beside) / "data" / "rules"
    return folder if folder.is_dir() else None
