"""The catalog of all rules: how long the site takes, how large it is, and that it is the same bytes twice.

    python benchmarks/catalog.py [RULES] [--rules N]

RULES is a folder; the default is the public rules in OSDETECT_SHARED, then those of the project. To measure N rules (default
4,000) some are taken twice, under new ids, so that every list has more to show. The site is built by two processes with
different hash seeds, one after the other. Exit status 1: a target is missed, or bytes differ.
"""

import argparse
import hashlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path

from records import shared_rules

from osdetect.resources import folder
from osdetect.sigma.listing import list_files

TARGET_S = 60
MAX_PAGE = 300_000
SEARCH_INDEX = ("assets/rules.js", "index.json")
_ID = re.compile(r"(?m)^id: *(\S+)")


def material(rules: Path, wanted: int, place: Path) -> int:
    """Copy rule files below `place` until there are so many; those that come twice get other ids."""
    files = [file for file in list_files([rules])[0] if _ID.search(file.read_text(errors="replace"))]
    for number in range(wanted):
        file, turn = files[number % len(files)], number // len(files)
        text = file.read_text(encoding="utf-8", errors="replace")
        if turn:
            text = _ID.sub(partial(_other_id, turn), text)
        target = place / f"pack-{turn}" / file.relative_to(rules)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return wanted


def _other_id(turn: int, found: re.Match[str]) -> str:
    return f"id: {uuid.uuid5(uuid.NAMESPACE_OID, f'{found[1]} {turn}')}"


def built(rules: Path, site: Path, seed: int) -> tuple[float, float]:
    """Seconds on the clock and of computing that one build takes, with the start of the process."""
    command = [
        sys.executable,
        "-m",
        "osdetect",
        "catalog",
        "build",
        str(rules),
        "-o",
        str(site),
        "--no-history",
    ]
    began, computed = time.perf_counter(), _children()
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": str(seed)}, capture_output=True, check=False
    )
    if done.returncode not in {0, 1}:  # 1: some public rules are refused
        sys.exit(done.stderr.decode())
    return time.perf_counter() - began, _children() - computed


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def digest(site: Path) -> str:
    """A digest of every name and byte."""
    found = hashlib.sha256()
    for file in sorted(one for one in site.rglob("*") if one.is_file()):
        found.update(str(file.relative_to(site)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rules", type=Path, nargs="?", default=shared_rules() or folder("rules"))
    parser.add_argument("--rules", dest="wanted", type=int, default=4_000, metavar="N")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        files = material(given.rules, given.wanted, root / "rules")
        times = [built(root / "rules", root / f"site-{seed}", seed) for seed in (1, 2)]
        digests = {digest(root / f"site-{seed}") for seed in (1, 2)}
        site = root / "site-1"
        sizes = {str(one.relative_to(site)): one.stat().st_size for one in site.rglob("*") if one.is_file()}
        rules = len(list((site / "rules").glob("*-*-*-*-*.html")))
    large = [name for name, size in sizes.items() if size > MAX_PAGE and name not in SEARCH_INDEX]
    wall = min(one for one, _ in times)
    print(
        f"{files:,} files, {rules:,} rules, {os.cpu_count()} cores\n"
        f"wall s:    {', '.join(f'{one:.1f}' for one, _ in times)} (target {TARGET_S})\n"
        f"cpu s:     {', '.join(f'{one:.1f}' for _, one in times)}\n"
        f"rules/s:   {rules / wall:.0f}\n"
        f"files:     {len(sizes):,}, {sum(sizes.values()) / 1e6:.1f} MB\n"
        f"index:     {sizes['assets/rules.js'] / 1e6:.2f} MB\n"
        f"largest:   {max(size for name, size in sizes.items() if name not in SEARCH_INDEX):,} bytes\n"
        f"bytes:     {', '.join(sorted(digests))}"
    )
    return 0 if wall < TARGET_S and len(digests) == 1 and not large else 1


if __name__ == "__main__":
    sys.exit(main())
