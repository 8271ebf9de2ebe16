"""Rules compiled in a second: `read_rules` and `compile_rule` against pySigma's own reading and parsing alone.

    python benchmarks/compile.py [RULES] [--passes N]

RULES is a folder; the default is the public rules in OSDETECT_SHARED. Both sides read the same files: those that hold a
rule for AWS CloudTrail which osdetect takes, and which pySigma reads too. osdetect's side is the whole way: YAML with limits and positions, pySigma,
our tree, its checks, the stored and the search query, the document to deploy. pySigma's is `SigmaCollection.from_yaml`
with its default loader and the parsing of each condition, which its converters begin with; no query comes of it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from records import median, shared_rules, timed
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from osdetect.compiler import compile_rule
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import read_rules


def ours(files: Sequence[Path]) -> int:
    """Compile all of them; the number of rules."""
    fields = EventFields.shipped()
    return len([compile_rule(rule, fields) for rule in read_rules(files).rules])


def theirs(files: Sequence[Path]) -> int:
    """Read and parse all of them; the number of rules."""
    parsed = 0
    for file in files:
        for rule in SigmaCollection.from_yaml(file.read_text(encoding="utf-8")):
            if isinstance(rule, SigmaRule):
                _ = [condition.parsed for condition in rule.detection.parsed_condition]
                parsed += 1
    return parsed


def both_take(file: Path) -> bool:
    """Whether pySigma reads the file as well; it fails for some correlations, which osdetect refuses one by one."""
    try:
        theirs([file])
    except SigmaError:
        return False
    return True


def main() -> int:
    """Measure both in turns and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rules", type=Path, nargs="?", default=shared_rules(), help="a folder of rule files")
    parser.add_argument("--passes", type=int, default=3)
    given = parser.parse_args()
    if given.rules is None:
        parser.error("there are no public rules: set OSDETECT_SHARED, or name a folder, for example rules")
    everything = read_rules([given.rules])
    named = [Path(name) for name in dict.fromkeys(rule.where.file for rule in everything.rules)]
    files = [file for file in named if both_take(file)]
    counts = {"osdetect": ours(files), "pySigma": theirs(files)}  # and warm both up
    passes = [(timed(lambda: ours(files)), timed(lambda: theirs(files))) for _ in range(given.passes)]
    print(
        f"{len(files):,} of {everything.files:,} files, {os.cpu_count()} cores, median of {given.passes} passes"
    )
    mine, other = median(first for first, _ in passes), median(second for _, second in passes)
    for (name, rules), took in zip(counts.items(), (mine, other), strict=True):
        print(
            f"{name:<12}{rules / took.wall:>8,.0f} rules/s{took.wall:>8.2f} s{took.client_cpu:>8.2f} s processor"
        )
    print(f"osdetect's whole compile against pySigma's parse: {other.client_cpu / mine.client_cpu:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
