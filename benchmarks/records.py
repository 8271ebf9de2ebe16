"""What the benchmarks share: record files to work on, and how a figure is taken."""

import gzip
import json
import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

import msgspec

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


def varied_records(records: int) -> Iterator[dict[str, Any]]:
    """Real records if they are there, else the scenario's, over and over, each varied; without end for the former.

    Ids, time, caller, address, user agent and every text and number of the parameters are another record's every time.
    """
    corpus = shared_folder() / "data" / "oracle" / "corpus.ndjson.gz"
    if not corpus.is_file():
        yield from iter_records(seed=1, background_count=records)
        return
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        real = [json.loads(line)["event"] for line in lines]
    rng = Random(1)
    for record in cycle(record for record in real if {"eventID", "eventTime"} <= record.keys()):
        yield _varied(record, rng)


def _varied(record: dict[str, Any], rng: Random) -> dict[str, Any]:
    moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(30 * 86_400))
    changed = {
        **record,
        "eventID": str(uuid.UUID(int=rng.getrandbits(128))),
        "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "requestParameters": _other(record.get("requestParameters"), rng),
    }
    if "requestID" in record:
        changed["requestID"] = str(uuid.UUID(int=rng.getrandbits(128)))
    address = str(record.get("sourceIPAddress", ""))
    if address[:1].isdigit():
        changed["sourceIPAddress"] = ".".join(str(rng.randrange(1, 255)) for _ in range(4))
    identity = record.get("userIdentity")
    if isinstance(identity, dict) and isinstance(identity.get("arn"), str):
        name = f"{rng.randrange(20_000)}"
        changed["userIdentity"] = {
            **identity,
            "arn": identity["arn"] + name,
            "principalId": f"AIDA{name:0>17}",
        }
    return changed


def _other(value: Any, rng: Random) -> Any:
    """The same shape; a third of the texts end otherwise, so that rules still find what they look for."""
    if isinstance(value, dict):
        return {name: _other(inner, rng) for name, inner in value.items()}
    if isinstance(value, list):
        return [_other(inner, rng) for inner in value]
    return f"{value}-{rng.randrange(100_000)}" if isinstance(value, str) and rng.random() < 1 / 3 else value


class Timed(msgspec.Struct, frozen=True):
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
    folder = shared_folder() / "data" / "rules"
    return folder if folder.is_dir() else None


def shared_folder() -> Path:
    """OSDETECT_SHARED, or `shared` beside the repository; it need not be there."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    return Path(os.environ.get("OSDETECT_SHARED") or beside)
