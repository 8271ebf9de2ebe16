"""The detection loop on events with at most 5 alerts for 100 of them (`--hits`), with every visible AWS rule: against plain bulk requests and single documents.

    python benchmarks/loop.py [--records N] [--batches N] [--warm N] [--hits SHARE] [--heap MB] [--growth]

On one embedded node, in one run, when bulk requests and backlogs have warmed it up (Java compiles for some ten passes): plain bulk
requests store the events, two under way; then `Detector` judges them, from a fresh cursor each time, as a backlog (each way of finding candidates, and the cheapest), in live batches of 1,000 and 10,000 (each stored,
and then timed, its refresh with it; beside it what storing the same batch by one bulk request took), and one document a percolate request
on a part of them. With --growth also live batches by 100, 1,000 and 10,000 rules, the larger sets made of the first one's rules for
other calls, and by the AWS rules with and without those of other products in the same index. Rules come from OSDETECT_SHARED, or are
the project's own.

Ordinary records of the scenario are varied; of those that rules match only so many are kept as make 5 alerts for 100 events.
Exit status 1 when a target is missed: live batches as fast as bulk, the backlog 5 times, and 100 times one document a request; 1,000
rules at most 1.25 times the cost of 100 and 10,000 at most 3 times; rules of other products at most 1.1 times.
"""

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import orjson
from detect import drop
from growth import grown_rules
from records import Timed, shared_rules, timed

from osdetect import scenario
from osdetect.cli.main import collect_from_here
from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster, Connection
from osdetect.compiler.compiled_file import CompiledRule
from osdetect.deploy import deploy
from osdetect.detect import DetectOptions, Detector, Method, RunReport
from osdetect.documents.event import event_document
from osdetect.documents.stored_rule import StoredRule
from osdetect.expr.engine import Engine
from osdetect.node import NodeOptions, Profile, RunningNode, start, stop
from osdetect.sigma import ReadOptions

NODE = "benchmark-loop"
HITS = 0.05
INDEX = "osdetect-cloudtrail-bench-2026.03"
LIVE = "osdetect-cloudtrail-live-2026.03"
BULK_EVENTS = 5_000
SINGLES = 300
AT_LEAST = {"live 1,000": 1.0, "live 10,000": 1.0, "backlog": 5.0, "of single": 100.0}
AT_MOST = {"1,000 rules": 1.25, "10,000 rules": 3.0, "other products": 1.1}
GROWTH_BATCH = 10_000
GROWTH_BATCHES = 10


def made_records(count: int, rules: Sequence[tuple[str, Any]], share: float) -> Iterator[dict[str, Any]]:
    """Ordinary records, with at most this share of an alert for each."""
    engine = Engine.of(rules)
    kept = hits = 0
    for record in scenario.iter_records(seed=7, background_count=count * 10):
        if found := engine.match(record):
            if hits + len(found) > share * (kept + 1):
                continue
            hits += len(found)
        kept += 1
        yield record
        if kept == count:
            return


def rules_and_records(count: int, share: float) -> tuple[Sequence[CompiledRule], list[dict[str, Any]]]:
    """All rules there are for CloudTrail, and so many records with at most this share of an alert for each."""
    public = shared_rules()
    compiled = compile_rules([public] if public else []).compiled
    stored = [StoredRule.from_source(one.id, orjson.loads(one.document)) for one in compiled]
    return compiled, list(made_records(count, [(one.id, one.tree) for one in stored], share))


def actions(index: str, records: Sequence[dict[str, Any]]) -> list[bytes]:
    """What stores each record's event in the index."""
    lines = []
    now = datetime.now(UTC).isoformat()
    for record in records:
        raw = orjson.dumps(record)
        made = event_document(raw, record, namespace="bench", by_day=False, ingested=now)
        lines.append(
            b'{"create":{"_index":"%b","_id":"%b"}}\n%b\n' % (index.encode(), made.id.encode(), made.source)
        )
    return lines


class Bench(msgspec.Struct, frozen=True):
    """What every measurement needs."""

    cluster: Cluster
    node: RunningNode

    def bulk(self, lines: Sequence[bytes]) -> Timed:
        """Store them, two requests under way."""
        parts = [lines[at : at + BULK_EVENTS] for at in range(0, len(lines), BULK_EVENTS)]

        def send() -> None:
            with ThreadPoolExecutor(2) as senders:
                for outcomes in senders.map(
                    lambda part: self.cluster.bulk(part, params={"pipeline": "_none"}), parts
                ):
                    assert all(one.created for one in outcomes)

        return timed(send, self.node.pid)

    def detector(self, method: Method | None = None, index: str = INDEX) -> tuple[Detector, str]:
        """One that has judged nothing yet, and its namespace."""
        namespace = f"d{uuid.uuid4().hex[:12]}"
        options = DetectOptions(namespace, index, method=method)
        return Detector(self.cluster, options, lambda: datetime.now(UTC)), namespace

    def backlog(self, method: Method | None = None, index: str = INDEX) -> tuple[Timed, RunReport]:
        """Everything that is there, judged from the first event."""
        detector, namespace = self.detector(method, index)
        reports: list[RunReport] = []
        took = timed(lambda: reports.append(detector.make_pass("r", lambda *_: None)), self.node.pid)
        drop(self.cluster, f"osdetect-alerts-{namespace}-*")
        return took, reports[0]

    def live(self, lines: Sequence[bytes], size: int, batches: int) -> tuple[float, float, int]:
        """Events a second of passes over one new batch each, and of storing it before: medians of the later half; and the alerts."""
        detector, namespace = self.detector(index=LIVE)
        passed, stored, alerts = [], [], 0
        for number in range(batches):
            part = lines[number * size : (number + 1) * size]
            stored.append(size / self.bulk(part).wall)
            began = time.perf_counter()
            report = detector.make_pass(f"r{number}", lambda *_: None)
            passed.append(size / (time.perf_counter() - began))
            assert report.counts.events == len(part)
            alerts += report.counts.matches
        drop(self.cluster, f"osdetect-alerts-{namespace}-*")
        drop(self.cluster, LIVE)
        return median(passed[batches // 2 :]), median(stored[batches // 2 :]), alerts


def rate(took: Timed, events: int) -> float:
    """Events a second."""
    return events / took.wall


def show(name: str, per_s: float, bulk: float, took: Timed | None, events: int, note: str = "") -> None:
    """A row: rate, its ratio to bulk, processor time an event."""
    cpu = f"{took.client_cpu / events * 1e6:>9.1f}{took.node_cpu / events * 1e6:>9.1f}" if took else " " * 18
    print(f"{name:<36}{per_s:>10,.0f}{per_s / bulk:>9.2f}{cpu}  {note}", flush=True)


def measure(bench: Bench, records: Sequence[dict[str, Any]], batches: int, warm: int) -> dict[str, float]:
    """Print each figure; the ratios that have targets."""
    lines = actions(INDEX, records)
    for _ in range(warm):
        bench.bulk(lines)
        bench.backlog()
        drop(bench.cluster, INDEX)
    stored = bench.bulk(lines)
    bulk = rate(stored, len(lines))
    print(f"{'':<36}{'events/s':>10}{'of bulk':>9}{'client us':>9}{'node us':>9}")
    show("plain bulk", bulk, bulk, stored, len(lines))
    bench.backlog()
    rates = {}
    for method in (None, Method.SEARCH, Method.IN_PROCESS, Method.PERCOLATE):
        took, report = bench.backlog(method)
        rates[method] = rate(took, len(lines))
        note = f"{report.counts.matches:,} alerts"
        show(f"backlog, {method or 'the cheapest way'}", rates[method], bulk, took, len(lines), note)
    live_lines = actions(LIVE, records)
    lives = {}
    for size, number in ((1_000, 6 * batches), (10_000, batches)):
        lives[size], own, alerts = bench.live(live_lines, size, max(2, min(number, len(records) // size)))
        note = f"{alerts:,} alerts, {lives[size] / own:.2f} of storing such a batch"
        show(f"live batches of {size:,}", lives[size], bulk, None, 0, note)
    bench.bulk(live_lines[:SINGLES])
    single, _ = bench.backlog(Method.PERCOLATE_EACH, LIVE)
    drop(bench.cluster, LIVE)
    one = rate(single, SINGLES)
    show("one document a request", one, bulk, single, SINGLES)
    return {
        "live 1,000": lives[1_000] / bulk,
        "live 10,000": lives[10_000] / bulk,
        "backlog": rates[None] / bulk,
        "of single": rates[None] / one,
    }


def growth(bench: Bench, records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """What more rules cost: ours in copies that ask for other calls, and rules of other products beside."""
    lines = actions(LIVE, records)
    cost: dict[str, float] = {}

    def measured(name: str, compiled: Sequence[Any]) -> None:
        deploy(bench.cluster, compiled, on_progress=lambda *_: None)
        batches = max(2, min(GROWTH_BATCHES, len(records) // GROWTH_BATCH))
        per_s, _, alerts = bench.live(lines, GROWTH_BATCH, batches)
        cost[name] = 1 / per_s
        print(f"{name:<36}{per_s:>10,.0f}  {alerts:,} alerts", flush=True)

    for number in (100, 1_000, 10_000):
        with tempfile.TemporaryDirectory() as made:
            measured(f"{number:,} rules", compile_rules([grown_rules(Path(made), number)]).compiled)
    ratios = {name: cost[name] / cost["100 rules"] for name in ("1,000 rules", "10,000 rules")}
    if (public := shared_rules()) is not None:
        everything = compile_rules([public], ReadOptions(every_log_source=True)).compiled
        ours = [one for one in everything if one.logsource.covers_cloudtrail()]
        measured(f"{len(ours):,} AWS rules", ours)
        measured(f"with {len(everything) - len(ours):,} of other products", everything)
        alone, beside = list(cost.values())[-2:]
        ratios["other products"] = beside / alone
    return ratios


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument(
        "--warm", type=int, default=4, help="times that all is stored and judged before it is measured"
    )
    parser.add_argument("--hits", type=float, default=HITS, help="alerts for each event, at most")
    parser.add_argument("--heap", type=int, default=2048, help="of the node, in MB")
    parser.add_argument("--growth", action="store_true", help="also by more and more rules")
    given = parser.parse_args()
    compiled, records = rules_and_records(given.records, given.hits)
    collect_from_here()  # as the command does: to look for garbage among the records again and again is none of the loop's work
    profile = Profile.THROUGHPUT
    node = start(NodeOptions(name=NODE, ephemeral=True, profile=profile, heap_mb=given.heap))
    try:
        cluster = Cluster.connect(Connection(url=node.url))
        deploy(cluster, compiled, on_progress=lambda *_: None)
        print(f"{len(records):,} events, {len(compiled)} rules, heap {given.heap} MB, {os.cpu_count()} cores")
        bench = Bench(cluster, node)
        ratios = measure(bench, records, given.batches, given.warm)
        if given.growth:
            ratios |= growth(bench, records)
    finally:
        stop(NODE)
    missed = 0
    for name, ratio in ratios.items():
        met = ratio >= AT_LEAST[name] if name in AT_LEAST else ratio <= AT_MOST[name]
        target = f"at least {AT_LEAST[name]:g}" if name in AT_LEAST else f"at most {AT_MOST[name]:g}"
        print(f"{name}: {ratio:.2f} ({target}: {'met' if met else 'missed'})")
        missed += not met
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
