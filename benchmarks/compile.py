"""All rule files compiled, cold and warm, against pySigma's own reading and its OpenSearch backend.

    python benchmarks/compile.py [RULES] [--passes N] [--peer PYTHON]

RULES is a folder; the default is the public rules in OSDETECT_SHARED, then those of the project. Every file is read by all:

    pySigma   SigmaCollection.from_yaml with its own YAML loading, and its OpensearchLuceneBackend: queries
    cold      osdetect with an empty cache: limits and places, rules for every log source, both queries, the document to
              deploy, and writing the cache; on all processors, with the start of the processes for that
    warm      osdetect again: the files are read and hashed, the rest comes from the cache

Each figure is one fresh process; its time is taken without interpreter start and without importing what it needs in any
case. pySigma runs under PYTHON, or in an environment of its own that is made once in the user's cache folder. The
documents must be the same bytes in every pass, with the cache and without, whatever Python's hash seed.
Exit status 1: a target is missed, or bytes differ.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from records import shared_rules

from osdetect.compiler.ruleset import compile_files
from osdetect.node.places import cache_root
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions
from osdetect.sigma.listing import list_files

PEER = ("pysigma==1.5.1", "pysigma-backend-opensearch==2.0.3")
"""The newest pySigma that its OpenSearch backend takes."""
TARGETS = {"cold": 0.4, "warm": 0.03}

Figures = Mapping[str, Any]


def one_pass(rules: Path, kind: str, cache: Path) -> Figures:
    """Compile in this process: `kind` is cold, warm or plain (without a cache)."""
    if (
        kind != "warm"
    ):  # a warm pass imports pySigma when it meets something that is not cached, and in its time
        import_module("osdetect.sigma.reader")
    fields = EventFields.shipped()
    wall, cpu = time.perf_counter(), processor_time()
    done = compile_files(
        [rules],
        ReadOptions(every_log_source=True),
        fields=fields,
        cache_folder=None if kind == "plain" else cache,
    )
    took = {"wall": time.perf_counter() - wall, "cpu": processor_time() - cpu}
    digest = hashlib.sha256()
    for rule in done.rules:
        digest.update(rule.document + b"\n")
    return {
        **took,
        "files": done.read.files,
        "rules": len(done.rules),
        "refused": len(done.read.refused),
        "cached": done.cached,
        "notes": [str(note) for note in done.notes],
        "digest": digest.hexdigest()[:16],
    }


def processor_time() -> float:
    """Seconds that this process and those that it waited for have computed."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def in_a_process(command: Sequence[str], given: str = "", seed: int = 0) -> Figures:
    """Run the command and read the figures that it prints."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return {**figures, "process": time.perf_counter() - began}


def peer_python(given: str | None) -> str:
    """A Python with pySigma and its OpenSearch backend; made if none was named."""
    if given:
        return given
    place = cache_root() / "benchmarks" / "-".join(PEER).replace("==", "-")
    python = place / "bin" / "python"
    probe = [str(python), "-c", "import sigma.backends.opensearch"]
    if not python.exists() or subprocess.run(probe, check=False, capture_output=True).returncode:
        print(f"making an environment for {' and '.join(PEER)}: {place}", file=sys.stderr)
        venv.create(place, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER], check=True)
    return str(python)


def measure(rules: Path, passes: int, peer: str) -> Mapping[str, Sequence[Figures]]:
    """All three in turns, so that what else the machine does meets each of them."""
    files = "\n".join(str(file.resolve()) for file in list_files([rules])[0])
    theirs = [peer, str(Path(__file__).with_name("compile_peer.py"))]
    taken: dict[str, list[Figures]] = {"pySigma": [], "cold": [], "warm": [], "plain": []}
    for number in range(passes):
        with tempfile.TemporaryDirectory() as cache:
            taken["pySigma"].append(in_a_process(theirs, files, number))
            for kind in ("cold", "warm", "plain") if number == 0 else ("cold", "warm"):
                ours = [sys.executable, __file__, str(rules), "--pass", kind, "--cache", f"{cache}/rules"]
                taken[kind].append(in_a_process(ours, seed=number * 2 + (kind == "warm")))
    return taken


def table(taken: Mapping[str, Sequence[Figures]]) -> bool:
    """Print the figures; whether every target is met."""
    print(f"{'':<9}{'best s':>8}{'median':>8}{'cpu':>8}{'of pySigma':>12}{'target':>8}{'process':>9}")
    met = True
    middle = {name: statistics.median(one["wall"] for one in passes) for name, passes in taken.items()}
    for name, passes in taken.items():
        best = min(one["wall"] for one in passes)
        cpu = statistics.median(one["cpu"] for one in passes)
        process = statistics.median(one["process"] for one in passes)
        ratio, target = middle[name] / middle["pySigma"], TARGETS.get(name)
        met &= target is None or ratio <= target
        print(
            f"{name:<9}{best:>8.3f}{middle[name]:>8.3f}{cpu:>8.3f}{ratio:>12.4f}{target or '':>8}{process:>9.3f}"
        )
    return met


def main() -> int:
    """Measure and print; or do the one pass that `measure` asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = shared_rules() or folder("rules")
    parser.add_argument("rules", type=Path, nargs="?", default=default, help="a folder of rule files")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--peer", metavar="PYTHON", help="a Python with pySigma and its OpenSearch backend")
    parser.add_argument("--pass", dest="kind", choices=("cold", "warm", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.kind:
        print(json.dumps(one_pass(given.rules, given.kind, given.cache)))
        return 0
    taken = measure(given.rules, given.passes, peer_python(given.peer))
    theirs, ours = taken["pySigma"][0], taken["cold"][0]
    print(
        f"{ours['files']:,} files, {os.cpu_count()} cores, {given.passes} passes; {theirs['what']}\n"
        f"pySigma: {theirs['rules']:,} queries, {sum(theirs['refused'].values())} files refused {theirs['refused']}\n"
        f"osdetect: {ours['rules']:,} documents, {ours['refused']} refusals; "
        f"warm {taken['warm'][0]['cached']:,} files from the cache"
    )
    met = table(taken)
    digests = {one["digest"] for name in ("cold", "warm", "plain") for one in taken[name]}
    notes = {note for name in ("cold", "warm") for one in taken[name] for note in one["notes"]}
    print("\n".join([f"documents: {', '.join(sorted(digests))}", *sorted(notes)]))
    return 0 if met and len(digests) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
