"""Every visible public rule against every visible record, by a scan: what two other engines agree about, we agree with."""

import gzip
import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cloudtrail import Delivery, RawRecord, read_file
from osdetect.compiler.ruleset import compile_files
from osdetect.documents.event import content_hash
from osdetect.scan import Found, ScanOptions, ScanRule, Workers, find_files, scan
from osdetect.schema.event_fields import EventFields
from tests.scan.material import NOW

Matches = dict[str, set[str]]
"""Rule id to the hashes of the contents that it matches."""


@cache
def _records(file: str) -> Mapping[int, RawRecord]:
    opened = read_file(Path(file))
    assert isinstance(opened, Delivery)
    return {record.number: record for record in opened.records() if isinstance(record, RawRecord)}


def _alerts(found: Found) -> list[dict[str, Any]]:
    return [orjson.loads(alert) for alert in found.documents()]


@pytest.fixture(scope="module")
def records(shared: Path) -> dict[str, list[str]]:
    """The hash of each visible record's content, with the keys that the oracle has for it."""
    by_content: dict[str, list[str]] = {}
    with gzip.open(shared / "data/oracle/corpus.ndjson.gz") as lines:
        for line in lines:
            entry = orjson.loads(line)
            by_content.setdefault(content_hash(orjson.dumps(entry["event"])), []).append(entry["key"])
    return by_content


def test_a_scan_agrees_with_the_oracle(
    shared: Path, tmp_path: Path, records: Mapping[str, list[str]]
) -> None:
    compiled = compile_files([shared / "data/rules"], fields=EventFields.shipped())
    rules = [ScanRule.of(rule.id, rule.document) for rule in compiled.rules]
    known = [path for path in sorted((shared / "data/cloudtrail").iterdir()) if not path.name.startswith("_")]
    files = find_files(known, tmp_path, io.BytesIO())
    with Workers(2) as workers:
        options = ScanOptions(documents=True)
        found = scan(files, rules, options, workers=workers, folder=tmp_path, run_id="r", now=NOW)
        alerts = _alerts(found)
    matches: Matches = {}
    for alert in alerts:
        source = alert["osdetect"]["source"]
        content = content_hash(_records(source["file"])[source["record"]].raw)
        matches.setdefault(alert["rule"]["id"], set()).update(records[content])
    expected = json.loads((shared / "data/oracle/expected_matches.json").read_bytes())
    agreed = {rule: set(entry["matches"]) for rule, entry in expected.items() if entry["agreed"]}
    for rule, keys in agreed.items():
        assert matches.get(rule, set()) == keys, expected[rule]["title"]
    assert sum(map(len, agreed.values())) > 2000


def test_the_variants_of_real_files_that_load_reads_are_scanned(shared: Path, tmp_path: Path) -> None:
    rules = [
        ScanRule.of(rule.id, rule.document)
        for rule in compile_files([shared / "data/rules/suzaku"], fields=EventFields.shipped()).rules
    ]
    variants = shared / "data/cloudtrail/_variants"
    found_ids = {}
    for layout in ("array", "concatenated", "ndjson"):
        files = find_files([variants / layout], tmp_path, io.BytesIO())
        with Workers(1) as workers:
            options = ScanOptions(documents=True)
            found = scan(files, rules, options, workers=workers, folder=tmp_path, run_id="r", now=NOW)
            found_ids[layout] = {alert["id"] for alert in _alerts(found)}
            assert found.report.lossless
    assert found_ids["array"] == found_ids["concatenated"] == found_ids["ndjson"] != set()
