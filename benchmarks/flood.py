"""One rule that matches every event, beside one that matches few: is everything stored, in how much memory, who waits?

    python benchmarks/flood.py [--events N] [--heap MB]

On one embedded node: `N` events are stored that are one after another new to two detectors. The first runs the quiet rule
alone; the second runs it beside the noisy one, in a process of its own whose memory is read from /proc (Linux only). Prints how
long the quiet rule's alerts took in both, how many alerts there are, and the process's peak memory.

Exit status 1 when an alert is missing, the quiet rule's alerts took more than twice as long, or memory passed 500 MB.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster, Connection
from osdetect.deploy import deploy
from osdetect.node import NodeOptions, Profile, start, stop

NODE = "benchmark-flood"
INDEX = "osdetect-cloudtrail-flood-2026.03"
QUIET_EACH = 100
MOST_MEMORY_MB = 500
MOST_DELAY = 2.0
RULE = """title: {title}
id: 00000000-0000-4000-8000-{number:012}
status: test
author: The osdetect authors
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection: {selection}
    condition: selection
level: low
"""
QUIET, NOISY = "{eventName: DeleteThing}", "{awsRegion: eu-west-1}"


def events(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and source of each, as `osdetect load` stores them."""
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(count):
        when = (begin + timedelta(seconds=number % 2_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")
        event_id = f"{number:08x}-0000-4000-8000-000000000000"
        yield (
            f"111122223333-{event_id}",
            {
                "eventTime": when,
                "eventID": event_id,
                "eventName": "DeleteThing" if number % QUIET_EACH == 0 else "DescribeThings",
                "eventSource": "things.amazonaws.com",
                "awsRegion": "eu-west-1",
                "sourceIPAddress": f"198.51.100.{number % 250}",
                "userAgent": "aws-cli/2.17",
                "recipientAccountId": "111122223333",
                "userIdentity": {"type": "IAMUser", "userName": f"user-{number % 1000}"},
                "@timestamp": when,
                "event": {"ingested": when},
            },
        )


def fill(cluster: Cluster, count: int) -> None:
    """Store the events."""
    lines: list[bytes] = []
    for key, source in events(count):
        head = b'{"create":{"_index":"%b","_id":"%b"}}' % (INDEX.encode(), key.encode())
        lines.append(head + b"\n" + json.dumps(source).encode() + b"\n")
        if len(lines) == 5_000:
            assert all(one.created for one in cluster.bulk(lines, params={"pipeline": "_none"}))
            lines = []
    if lines:
        assert all(one.created for one in cluster.bulk(lines, params={"pipeline": "_none"}))


def live(cluster: Cluster, *selections: str) -> None:
    """Make these rules the live ones."""
    with tempfile.TemporaryDirectory() as made:
        for number, selection in enumerate(selections, 1):
            text = RULE.format(title=f"Rule {number}", number=number, selection=selection)
            (Path(made) / f"{number}.yml").write_text(text)
        deploy(cluster, compile_rules([Path(made)]).compiled, on_progress=lambda *_: None)


def count(cluster: Cluster, namespace: str, rule: int) -> int:
    """Alerts of a rule."""
    pattern = f"osdetect-alerts-{namespace}-*"
    cluster.request("POST", f"/{pattern}/_refresh", params={"ignore_unavailable": "true"})
    query = {"query": {"term": {"rule.id": f"00000000-0000-4000-8000-{rule:012}"}}}
    reply = cluster.request("POST", f"/{pattern}/_count", params={"ignore_unavailable": "true"}, body=query)
    return int(reply["count"])


def peak_mb(pid: int) -> float:
    """The most memory that a process had, in MB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = next((line for line in lines if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(found.split()[1]) / 1024


def detect(cluster: Cluster, namespace: str, wanted: int) -> tuple[float, float, float]:
    """A detector in a process of its own: seconds until the quiet rule's alerts were all there, in all, and its peak in MB."""
    began = time.monotonic()
    arguments = ["detect", "--once", "--namespace", namespace, "--target", INDEX, "--url", cluster.url]
    process = subprocess.Popen([sys.executable, "-m", "osdetect", *arguments], stdout=subprocess.DEVNULL)
    peak = [0.0]

    def watch() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], peak_mb(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    quiet = 0.0
    while process.poll() is None:
        time.sleep(0.5)
        if not quiet and count(cluster, namespace, 1) == wanted:
            quiet = time.monotonic() - began
    watcher.join()
    assert process.returncode == 0
    took = time.monotonic() - began
    return quiet or took, took, peak[0]


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--heap", type=int, default=2048, help="of the node, in MB")
    given = parser.parse_args()
    node = start(NodeOptions(name=NODE, ephemeral=True, profile=Profile.THROUGHPUT, heap_mb=given.heap))
    try:
        cluster = Cluster.connect(Connection(url=node.url))
        live(cluster, QUIET)
        fill(cluster, given.events)
        quiet = -(-given.events // QUIET_EACH)
        alone, _, _ = detect(cluster, "alone", quiet)
        live(cluster, QUIET, NOISY)
        beside, took, peak = detect(cluster, "beside", quiet)
        found = count(cluster, "beside", 1), count(cluster, "beside", 2)
    finally:
        stop(NODE)
    print(f"{given.events:,} events, heap {given.heap} MB, {os.cpu_count()} cores")
    print(
        f"alerts: {found[0]:,} of {quiet:,} quiet, {found[1]:,} of {given.events:,} noisy; {took:.0f} s in all"
    )
    print(
        f"the quiet rule's alerts: all there after {alone:.1f} s alone, {beside:.1f} s beside the noisy rule"
    )
    print(
        f"ratio {beside / alone:.2f} (at most {MOST_DELAY}); peak memory {peak:.0f} MB (at most {MOST_MEMORY_MB})"
    )
    whole = found == (quiet, given.events)
    return 0 if whole and beside <= MOST_DELAY * alone and peak <= MOST_MEMORY_MB else 1


if __name__ == "__main__":
    sys.exit(main())
