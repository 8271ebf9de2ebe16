"""The public correlation rules: each is read, and what they find is what another engine found.

`expected_correlations.json` has, for each of five correlations, the numbers that one other engine found in the records of each
source. docs/correlations.md explains each number that is another here.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.errors import RuleError
from osdetect.expr import AnyOf, Equals, Expr, Leaf, evaluate
from osdetect.expr.correlate import Correlated, correlate
from osdetect.expr.moments import moment_of
from osdetect.expr.windows import Bound, Column, Match, Window
from osdetect.sigma.correlation import (
    Correlation,
    Resolution,
    is_correlation,
    read_correlation,
    resolve,
    search_bound,
)
from osdetect.sigma.options import DEFAULT
from osdetect.sigma.reader import log_source_of, read_rule
from osdetect.sigma.rule import Rule
from osdetect.sigma.yaml_text import documents
from osdetect.source import SourceText

DOCUMENT = Path(__file__).parents[2] / "docs" / "correlations.md"
DENIED = "4a6b8c0d-2e3f-5a7b-9c1d-3e4f5a6b7c8d"
"""A correlation that is not among the public files here; its numbers say what it is (docs/correlations.md)."""
Trees = Mapping[str, Expr[str]]
Read = tuple[list[Correlation], list[Rule], Counter[str]]


@pytest.fixture(scope="module")
def read(shared: Path) -> Read:
    """Every document of the files that have a key `correlation`."""
    correlations: list[Correlation] = []
    rules: list[Rule] = []
    refused: list[RuleError] = []
    counts: Counter[str] = Counter()
    for file in sorted((shared / "data/rules").rglob("*.y*ml")):
        source = SourceText(str(file), file.read_bytes().decode(errors="replace"))
        if not re.search(r"^correlation:", source.text, re.MULTILINE):
            continue
        counts["files"] += 1
        for one in documents(source):
            try:
                if isinstance(one, RuleError):
                    raise one
                if is_correlation(one):
                    correlations.append(read_correlation(one))
                else:
                    rules.append(read_rule(one, log_source_of(one), DEFAULT)[0])
                    counts["notes in rules"] += "correlation" in one.data
            except RuleError as refusal:
                refused.append(refusal)
    assert all(refusal.where and refusal.where.line for refusal in refused)
    counts.update(refusal.what for refusal in refused)
    counts["correlations"] = len(correlations)
    return correlations, rules, counts


@pytest.fixture(scope="module")
def resolution(read: Read) -> Resolution:
    """All of them, with the rules of their own files."""
    return resolve(read[0], read[1])


@pytest.fixture(scope="module")
def records(shared: Path) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
    """Event key and event of every record, by the source that it is from."""
    found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    with gzip.open(shared / "data/oracle/corpus.ndjson.gz") as lines:
        for one in map(orjson.loads, lines):
            found.setdefault(one["source"], []).append((_key(one["key"], one["event"]), one["event"]))
    return found


@pytest.fixture(scope="module")
def expected(shared: Path) -> dict[str, dict[str, Any]]:
    """What the other engine found, by the correlation's id."""
    entries = json.loads((shared / "data/oracle/expected_correlations.json").read_bytes())
    return {entry["id"]: entry for entry in entries}


def _key(place: str, event: Mapping[str, Any]) -> str:
    """Account and eventID, which name an event; the record's own place where it lacks them."""
    identity = event.get("userIdentity")
    account = event.get("recipientAccountId") or (identity or {}).get("accountId")
    return f"{account}/{event['eventID']}" if event.get("eventID") else place


def _matches(events: list[tuple[str, Mapping[str, Any]]], trees: Trees) -> Iterator[Match]:
    for key, event in events:
        moment = moment_of(event.get("eventTime"))
        time = None if moment is None else int(moment.instant.timestamp() * 1000)
        for rule, tree in trees.items():
            if evaluate(tree, event):
                yield Match(rule, time, event, key)


def _windows(resolution: Resolution, read: Read) -> dict[str, tuple[Window, Trees]]:
    trees = {rule.id: rule.tree for rule in read[1]}
    found: dict[str, tuple[Window, Trees]] = {
        one.correlation.id: (one.window, {rule: trees[rule] for rule in one.bases})
        for one in resolution.correlations
    }
    codes = ("AccessDenied", "Client.UnauthorizedOperation")
    denied = AnyOf(tuple(Leaf("errorCode", Equals(code)) for code in codes))
    columns = (Column("sourceIPAddress"), Column("userIdentity.accessKeyId"))
    found[DENIED] = (
        Window(DENIED, ("denied",), 600, "events", (Bound("gte", 10),), columns),
        {"denied": denied},
    )
    return found


def _firing(results: Mapping[str, Correlated], *, order: bool) -> list[tuple[Any, ...]]:
    """(source, group, largest measure); of an order the other engine tells only that it held."""
    peaks: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for source, result in results.items():
        for firing in result.firings:
            group = (source, tuple(sorted(firing.group)))
            peaks[group] = max(peaks.get(group, 0), 1 if order else firing.peak)
    return sorted((*group, peak) for group, peak in peaks.items())


def test_every_public_correlation_is_read_or_refused_for_a_reason(read: Read, resolution: Resolution) -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition("## Public rules")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)
    assert {what.strip("`").replace("\\|", "|"): int(count) for count, what in rows} == dict(read[2])
    assert (len(resolution.correlations), resolution.refused) == (len(read[0]), ())


def test_correlations_find_what_another_engine_found(
    read: Read,
    resolution: Resolution,
    records: Mapping[str, list[tuple[str, Mapping[str, Any]]]],
    expected: Mapping[str, Mapping[str, Any]],
) -> None:
    windows = _windows(resolution, read)
    differing: dict[tuple[str, str], tuple[int, int]] = {}
    for identity, entry in expected.items():
        window, trees = windows[identity]
        results = {source: correlate(window, _matches(events, trees)) for source, events in records.items()}
        firing = [
            (one["source"], tuple(sorted(one["key"].items())), one["max_in_window"])
            for one in entry["firing_groups"]
        ]
        assert _firing(results, order=window.measure == "order") == sorted(firing), identity
        assert window.span == entry["timespan_s"]
        ours = {
            "base_events": sum(one.events for one in results.values()),
            "groups": sum(one.groups for one in results.values()),
            "base_events_lacking_a_group_field": sum(one.ungrouped for one in results.values()),
        }
        differing |= {
            (identity, name): (entry[name], number) for name, number in ours.items() if entry[name] != number
        }
    assert differing == _explained()


def _explained() -> dict[tuple[str, str], tuple[int, int]]:
    """The differences that the document explains: (theirs, ours)."""
    row = re.compile(r"^\| `([0-9a-f-]{36})` \| `(\w+)` \| (\d+) \| (\d+) \| ([^|]+) \|$", re.MULTILINE)
    rows = row.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert all(len(why.split()) > 8 for *_, why in rows)
    return {(identity, name): (int(theirs), int(ours)) for identity, name, theirs, ours, _ in rows}


def test_the_search_bound_finds_every_event_that_takes_part(
    read: Read, resolution: Resolution, records: Mapping[str, list[tuple[str, Mapping[str, Any]]]]
) -> None:
    trees = {rule.id: rule.tree for rule in read[1]}
    found = 0
    for one in resolution.correlations:
        bound = search_bound(one, trees)
        bases = {rule: trees[rule] for rule in one.bases}
        for events in records.values():
            matching = {match.key for match in _matches(events, bases)}
            assert matching == {match.key for match in _matches(events, {"bound": bound})}
            found += len(matching)
    assert found > 200
