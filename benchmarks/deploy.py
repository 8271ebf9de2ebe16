"""The life of 800 deployed rules: what each command takes, and an unchanged deploy beside a full one.

    python benchmarks/deploy.py [--rules N] [--passes N] [--url URL]

The rules are those of the project, written again and again under other ids with another value each until there are N. Each figure is a process of its own,
as a user starts it, with the start of Python; the compile cache is in a folder of the benchmark. Without --url it starts a
node of its own. What osdetect has on the cluster is deleted before each pass.

    full          nothing deployed, nothing compiled before
    unchanged     the same again, on a warm compile cache: 800 documents are read back and compared
    not compiled  the same again with an empty cache: what the cache is for
    plan          against what is live: no changes
    changed       another level in every fortieth rule
    rollback      back to the full one, with what that changes
    drift         every document, template and pipeline compared

Exit status 1: a target is missed.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from osdetect.node import NodeOptions, start, stop
from osdetect.resources import folder

TARGETS = {"unchanged": 2.0, "rollback": 5.0}
"""Seconds."""
CHANGED = 40
_NAME = "bench-deploy"

Times = tuple[float, float]
"""Wall clock and processor."""


def write_rules(into: Path, wanted: int) -> None:
    """So many rules, the same in every run."""
    sources = sorted(file for file in folder("rules").rglob("*.yml") if not file.name.endswith(".tests.yml"))
    for number in range(wanted):
        source = sources[number % len(sources)]
        text = source.read_text("utf-8")
        turn = number // len(sources)
        if turn:
            fresh = uuid.uuid5(uuid.NAMESPACE_URL, f"{source.name} {turn}")
            text = re.sub(r"^id: .*$", f"id: {fresh}", text, count=1, flags=re.MULTILINE)
            text = re.sub(r"^title: (.*)$", rf"title: \1 {turn}", text, count=1, flags=re.MULTILINE)
        (into / f"{number:04d}_{source.name}").write_text(text, "utf-8")


def change_rules(into: Path) -> None:
    """Another level in every fortieth rule."""
    for number, file in enumerate(sorted(into.glob("*.yml"))):
        if number % CHANGED == 0:
            text = file.read_text("utf-8")
            level = "low" if "\nlevel: high" in text else "high"
            file.write_text(re.sub(r"^level: .*$", f"level: {level}", text, flags=re.MULTILINE), "utf-8")


def timed(url: str, cache: Path, *arguments: object, expected: int = 0) -> Times:
    """One command in a process of its own."""
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "osdetect", *map(str, arguments), "--url", url],
        env={**os.environ, "OSDETECT_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    wall, after = time.perf_counter() - begun, os.times()
    if done.returncode != expected:
        raise SystemExit(f"{arguments} ended with {done.returncode}: {done.stderr}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, used


def one_pass(url: str, wanted: int) -> Mapping[str, Times]:
    """All commands once."""
    with tempfile.TemporaryDirectory() as made:
        rules, cache, empty = (Path(made) / name for name in ("rules", "cache", "empty"))
        rules.mkdir()
        write_rules(rules, wanted)
        timed(url, cache, "destroy", "--everything", "--yes")
        shutil.rmtree(cache, ignore_errors=True)
        every = "--max-delete=100%"
        figures = {
            "full": timed(url, cache, "deploy", rules, every),
            "unchanged": timed(url, cache, "deploy", rules, every),
            "not compiled": timed(url, empty, "deploy", rules, every),
            "plan": timed(url, cache, "plan", rules),
        }
        change_rules(rules)
        figures["changed"] = timed(url, cache, "deploy", rules)
        figures["rollback"] = timed(url, cache, "rollback")
        figures["drift"] = timed(url, cache, "drift")
        return figures


@contextmanager
def cluster_at(url: str) -> Iterator[str]:
    """The cluster of that URL, or a node of the benchmark's own."""
    if url:
        yield url
        return
    node = start(NodeOptions(name=_NAME, ephemeral=True, heap_mb=1024))
    try:
        yield node.url
    finally:
        stop(_NAME)


def main() -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rules", type=int, default=800)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    with cluster_at(given.url) as url:
        passes = [one_pass(url, given.rules) for _ in range(given.passes)]
    middle = {
        name: tuple(statistics.median(one[name][part] for one in passes) for part in (0, 1))
        for name in passes[0]
    }
    print(f"{given.rules} rules, median of {given.passes} passes, seconds")
    for name, (wall, used) in middle.items():
        print(f"  {name:14} {wall:6.2f} wall  {used:6.2f} processor of the command")
    ratio = middle["unchanged"][0] / middle["full"][0]
    print(f"unchanged beside full: {ratio:.3f}")
    missed = [name for name, limit in TARGETS.items() if middle[name][0] >= limit]
    for name in missed:
        print(f"missed: {name} takes {middle[name][0]:.2f} s, {TARGETS[name]:.0f} s are allowed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
