"""What each way of finding candidates takes for batches of several sizes, beside what the loop chooses itself.

    python benchmarks/ways.py [--repeats N] [--warm N] [--heap MB]

On one embedded node, with every visible AWS rule and at most 5 alerts for 100 events: a batch is stored and made visible, and then
judged by one `Detector` for each way and one that chooses, in an order that turns with each batch; each keeps what it learned from one
batch to the next. What the pass does besides (reading the checkpoint and the cursor, taking and leaving the shard, storing alerts) is the
same for all and is included. One document a request is left out where it would take too long.
Exit status 1 when the loop's choice takes more than 1.25 times what the fastest way takes, by the medians of any size.
"""

import argparse
import os
import sys
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from statistics import median

from detect import drop
from loop import HITS, INDEX, LIVE, Bench, actions, rules_and_records

from osdetect.cli.main import collect_from_here
from osdetect.cluster import Cluster, Connection
from osdetect.deploy import deploy
from osdetect.detect import Detector, Method
from osdetect.follow import make_visible, shards_of
from osdetect.node import NodeOptions, Profile, start, stop

NODE = "benchmark-ways"
SIZES = (1, 10, 30, 100, 300, 1_000, 3_000, 10_000, 20_000)
MOST_ALONE = 300
"""Events that are judged by a request each."""
WAYS: tuple[Method | None, ...] = (None, *Method)
UNSEEN = 2
"""Batches of a size that warm it up."""
AT_MOST = 1.25


def by_size(bench: Bench, lines: Sequence[bytes], size: int, repeats: int) -> Mapping[Method | None, float]:
    """The median of the seconds of a pass over one new batch, for each way."""
    ways = deque(way for way in WAYS if way is not Method.PERCOLATE_EACH or size <= MOST_ALONE)
    detectors: dict[Method | None, Detector] = {}
    namespaces = []
    for way in ways:
        detectors[way], namespace = bench.detector(way, LIVE)
        namespaces.append(namespace)
    took: dict[Method | None, list[float]] = defaultdict(list)
    for number in range(UNSEEN + repeats):
        bench.bulk(lines[number * size : (number + 1) * size])
        make_visible(bench.cluster, shards_of(bench.cluster, LIVE))
        for way in ways:
            began = time.perf_counter()
            report = detectors[way].make_pass(f"r{number}", lambda *_: None)
            took[way].append(time.perf_counter() - began)
            assert report.counts.events == size
        ways.rotate()
    for namespace in namespaces:
        drop(bench.cluster, f"osdetect-alerts-{namespace}-*")
    drop(bench.cluster, LIVE)
    return {way: median(seconds[UNSEEN:]) for way, seconds in took.items()}


def show(size: int, seconds: Mapping[Method | None, float]) -> float:
    """A row, in milliseconds; what the choice takes of what the fastest way takes."""
    own = {way: took for way, took in seconds.items() if way is not None}
    best = min(own, key=lambda way: own[way])
    cells = "".join(f"{seconds[way] * 1e3:>16.1f}" if way in seconds else f"{'':>16}" for way in WAYS)
    print(f"{size:>8,}{cells}  {best}", flush=True)
    return seconds[None] / own[best]


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7, help="batches of each size that are measured")
    parser.add_argument(
        "--warm", type=int, default=3, help="times that all is stored and judged before it is measured"
    )
    parser.add_argument("--heap", type=int, default=2048, help="of the node, in MB")
    given = parser.parse_args()
    compiled, records = rules_and_records((UNSEEN + given.repeats) * max(SIZES), HITS)
    collect_from_here()
    node = start(NodeOptions(name=NODE, ephemeral=True, profile=Profile.THROUGHPUT, heap_mb=given.heap))
    try:
        cluster = Cluster.connect(Connection(url=node.url))
        deploy(cluster, compiled, on_progress=lambda *_: None)
        bench = Bench(cluster, node)
        stored = actions(INDEX, records)
        for _ in range(given.warm):
            bench.bulk(stored)
            bench.backlog()
            drop(cluster, INDEX)
        lines = actions(LIVE, records)
        print(f"milliseconds a pass, {len(compiled)} rules, {os.cpu_count()} cores")
        print(
            f"{'events':>8}" + "".join(f"{way or 'as it chooses':>16}" for way in WAYS) + "  fastest",
            flush=True,
        )
        ratios = {size: show(size, by_size(bench, lines, size, given.repeats)) for size in SIZES}
    finally:
        stop(NODE)
    missed = [size for size, ratio in ratios.items() if ratio > AT_MOST]
    for size, ratio in ratios.items():
        print(
            f"{size:,}: {ratio:.2f} of the fastest (at most {AT_MOST:g}: {'missed' if size in missed else 'met'})"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
