"""The catalog of all rules: how long the site takes, how large it is, and that it is the same bytes twice.

    python benchmarks/catalog.py [RULES] [--rules N]

RULES is a folder; the default is the public rules in OSDETECT_SHARED, then those of the project. To measure N rules (default
4,000) some are taken twice, under new ids, so that every list has more to show. The site is built by two processes with
different hash seeds, one after the other, and its first page is opened in Chromium, where there is one. Exit status 1: a
target is missed, or bytes differ.
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

from playwright.sync_api import sync_playwright
from records import shared_rules

from osdetect.resources import folder
from osdetect.sigma.listing import list_files
from tests.catalog.browser import chromium

TARGET_S = 60
VIEW_S = 1
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


def first_view(site: Path) -> tuple[float, float]:
    """Seconds until a browser has drawn the first page, and until its list and filters are there; the best of three."""
    program = chromium()
    if not program:
        return float("nan"), float("nan")
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for _ in range(3):
            page = browser.new_page()
            page.goto((site / "index.html").as_uri(), wait_until="commit")
            page.locator("#results li").first.wait_for()
            ready = page.evaluate("performance.now()")
            page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
            drawn = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            found.append((drawn / 1e3, ready / 1e3))
            page.close()
        browser.close()
    return min(drawn for drawn, _ in found), min(ready for _, ready in found)


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
        drawn, ready = first_view(site)
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
        f"view:      first drawn after {drawn:.2f} s, list and filters there after {ready:.2f} s (target {VIEW_S})\n"
        f"bytes:     {', '.join(sorted(digests))}"
    )
    slow = wall >= TARGET_S or ready >= VIEW_S
    return 0 if not slow and len(digests) == 1 and not large else 1


if __name__ == "__main__":
    sys.exit(main())
