"""Detecting in 100,000 events, against storing the same events: what a detector costs beside the load itself.

    python benchmarks/detect.py [--records N] [--files N] [--passes N] [--profile throughput|fast-start] [--heap MB]

On one embedded node, in turns: `osdetect load` of the record files; plain bulk requests with the same documents, made
beforehand, two under way; and `detect_once` over the loaded events (search, percolate, evaluate, store alerts, move the
cursor), with the project's own rules and with every public AWS rule in OSDETECT_SHARED. The first pass warms the node
up and is not counted; each figure is the median of the others. Node CPU is read from /proc, so Linux only.

Exit status 1 when the target is missed: with the project's rules, at least as many events/s as plain bulk stores.
"""

import argparse
import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from records import Timed, median, shared_rules, timed, write_files

from osdetect.cli.rules import compile_rules
from osdetect.cloudtrail import BadRecord, Digest, Limits, read_file
from osdetect.cluster import Cluster, Connection
from osdetect.deploy import deploy
from osdetect.detect import DetectOptions, RunReport, detect_once
from osdetect.documents.event import event_document
from osdetect.load import LoadOptions, load
from osdetect.node import NodeOptions, Profile, RunningNode, start, stop
from osdetect.vocabulary import EVENTS_PREFIX

TARGET = 1.0
NODE = "benchmark-detect"
BULK_BYTES = 6 << 20

Row = tuple[str, Timed, str]


class Bench(msgspec.Struct, frozen=True):
    """What every measurement needs."""

    cluster: Cluster
    node: RunningNode
    folder: Path
    events: int

    def timed(self, work: Callable[[], object]) -> Timed:
        """The work's time, with that of the node."""
        return timed(work, self.node.pid)


def bulk_requests(folder: Path, namespace: str) -> list[list[bytes]]:
    """The events as the actions of bulk requests."""
    requests: list[list[bytes]] = [[]]
    size = 0
    for path in sorted(folder.glob("*.json.gz")):
        file = read_file(path, Limits())
        assert not isinstance(file, Digest)
        for record in file.records():
            assert not isinstance(record, BadRecord)
            made = event_document(
                record.raw,
                record.content,
                namespace=namespace,
                by_day=False,
                ingested=datetime.now(UTC).isoformat(),
            )
            line = b'{"create":{"_index":"%b","_id":"%b"}}\n%b\n' % (
                made.index.encode(),
                made.id.encode(),
                made.source,
            )
            if size > BULK_BYTES:
                requests.append([])
                size = 0
            requests[-1].append(line)
            size += len(line)
    return requests


def plain_bulk(bench: Bench, namespace: str) -> Timed:
    """Store the events by bulk requests and nothing else."""
    requests = bulk_requests(bench.folder, namespace)

    def send() -> None:
        with ThreadPoolExecutor(2) as senders:
            for outcomes in senders.map(
                lambda r: bench.cluster.bulk(r, params={"pipeline": "_none"}), requests
            ):
                assert all(outcome.created for outcome in outcomes)

    return bench.timed(send)


def load_files(bench: Bench, namespace: str) -> Timed:
    """`osdetect load` of the same events."""
    options = LoadOptions(namespace=namespace)
    return bench.timed(lambda: load(bench.cluster, [bench.folder], options, now=datetime.now(UTC)))


def detect(bench: Bench, namespace: str) -> tuple[Timed, RunReport]:
    """Every event of the namespace, judged from the start, into alerts of a new namespace."""
    reports: list[RunReport] = []
    name = uuid.uuid4().hex
    options = DetectOptions(namespace=f"d{name}", target=f"{EVENTS_PREFIX}{namespace}-*")

    def run() -> None:
        reports.append(
            detect_once(
                bench.cluster,
                options,
                run_id=name,
                clock=lambda: datetime.now(UTC),
                on_progress=lambda _done, _total: None,
            )
        )

    took = bench.timed(run)
    assert reports[0].counts.judged == bench.events
    drop(bench.cluster, f"osdetect-alerts-d{name}-*")
    return took, reports[0]


def drop(cluster: Cluster, pattern: str) -> None:
    """Delete the indices, so that no pass works beside the merges of an earlier one."""
    for row in cluster.request("GET", f"/_cat/indices/{pattern}", params={"format": "json", "h": "index"}):
        cluster.request("DELETE", f"/{row['index']}")


def measure(bench: Bench, passes: int) -> list[Row]:
    """Each figure's name, its median, and what was done."""
    sets = {"own": compile_rules([]).compiled}
    public = shared_rules()
    if public is not None:
        sets["public AWS"] = compile_rules([public]).compiled
    taken: dict[str, list[Timed]] = {}
    notes: dict[str, str] = {}
    for number in range(passes + 1):
        round_taken = {
            "osdetect load": load_files(bench, f"l{number}"),
            "plain bulk": plain_bulk(bench, f"b{number}"),
        }
        drop(bench.cluster, f"{EVENTS_PREFIX}b{number}-*")
        for name, compiled in sets.items():
            deployed = deploy(bench.cluster, compiled, on_progress=lambda _done, _total: None)
            title = f"detect, {deployed.rules} {name} rules"
            round_taken[title], report = detect(bench, f"l{number}")
            notes[title] = f"{report.counts.matches:,} alerts"
        drop(bench.cluster, f"{EVENTS_PREFIX}l{number}-*")
        if number:
            for title, took in round_taken.items():
                taken.setdefault(title, []).append(took)
    return [(title, median(all_taken), notes.get(title, "")) for title, all_taken in taken.items()]


def show(rows: Sequence[Row], events: int) -> None:
    """The table: rates, their ratio to both ways of storing, and processor time an event."""
    load_wall, bulk_wall = rows[0][1].wall, rows[1][1].wall
    print(f"{'':<32}{'events/s':>10}{'of load':>9}{'of bulk':>9}{'client us':>11}{'node us':>9}")
    for title, took, note in rows:
        print(
            f"{title:<32}{events / took.wall:>10,.0f}{load_wall / took.wall:>9.2f}{bulk_wall / took.wall:>9.2f}"
            f"{took.client_cpu / events * 1e6:>11.1f}{took.node_cpu / events * 1e6:>9.1f}  {note}"
        )
    print("client us, node us: processor time of an event in microseconds")


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.THROUGHPUT)
    parser.add_argument("--heap", type=int, default=2048, help="of the node, in MB")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_files(folder, given.records, given.files)
        node = start(NodeOptions(name=NODE, ephemeral=True, profile=given.profile, heap_mb=given.heap))
        try:
            cluster = Cluster.connect(Connection(url=node.url))
            deploy(cluster, compile_rules([]).compiled, on_progress=lambda _done, _total: None)
            events = sum(len(request) for request in bulk_requests(folder, "count"))
            rows = measure(Bench(cluster, node, folder, events), given.passes)
        finally:
            stop(NODE)
    print(
        f"{events:,} events, OpenSearch {node.version}, profile {given.profile}, heap {given.heap} MB, "
        f"{os.cpu_count()} cores, median of {given.passes} passes after one to warm up"
    )
    show(rows, events)
    ratio = rows[1][1].wall / rows[2][1].wall
    print(f"own rules against plain bulk: {ratio:.2f} (target {TARGET})")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
