"""How rules stand to each other, for every public rule for AWS, against the plainest computation of the same."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from osdetect.sigma import ReadOptions, Rule, read_rules
from tests.catalog.naive import equal_tests

Data = dict[str, Any]


@pytest.fixture(scope="module")
def rules(cloud_rules: list[str]) -> Mapping[str, Rule]:
    read = read_rules([Path(one) for one in cloud_rules], ReadOptions(every_log_source=True))
    return {rule.id: rule for rule in read.rules}


@pytest.fixture(scope="module")
def pages(site: Path, rules: Mapping[str, Rule]) -> Mapping[str, Data]:
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in (site / "rules").glob("*-*-*-*-*.json")
    }
    assert set(rules) <= set(found)
    return found


def test_rules_detecting_the_same_action(rules: Mapping[str, Rule], pages: Mapping[str, Data]) -> None:
    aws = {name: rule for name, rule in rules.items() if rule.logsource.product == "aws"}
    calls = {
        name: {value for field, value in equal_tests(rule.tree) if field == "eventName"}
        for name, rule in aws.items()
    }
    assert len(aws) > 500
    pairs = 0
    for name in aws:
        expected = {other for other in aws if other != name and calls[name] & calls[other]}
        same = pages[name]["same_action"]
        assert {one["id"] for one in same["rules"]} == expected, name
        assert same["left_out"] == 0
        pairs += len(expected)
    assert pairs > 500


def test_counts_of_what_is_equal(rules: Mapping[str, Rule], pages: Mapping[str, Data]) -> None:
    wanted = {name: set(equal_tests(rule.tree)) for name, rule in rules.items()}
    compared = 0
    for name, rule in rules.items():
        for one in pages[name]["indicators"]:
            if one["operator"] != "equals" or "more characters" in one["value"]:
                continue
            key = (one["field"], one["value"].lower())
            others = [
                other
                for other in rules.values()
                if other.id != name and other.logsource.product == rule.logsource.product
            ]
            if key in wanted[name]:  # numbers are equal to something as well, and are no texts
                assert one["corpus"] == sum(key in wanted[other.id] for other in others), (name, key)
                compared += 1
    assert compared > 1_000


def test_counts_of_every_operator(pages: Mapping[str, Data]) -> None:
    """Counted over the pages themselves: what another page shows with the same field, operator and value."""

    def key(page: Data, one: Data) -> tuple[str, ...]:
        exact = one["operator"] in {"matches", "does not match"} or "letter case" in one["operator"]
        value = one["value"] if exact else one["value"].lower()
        return page["logsource"]["product"], one["field"], one["operator"], value

    looking = Counter(
        found for page in pages.values() for found in {key(page, one) for one in page["indicators"]}
    )
    operators: Counter[str] = Counter()
    for page in pages.values():
        assert page["indicators_left_out"] == 0
        for one in page["indicators"]:
            if "more characters" not in one["value"]:
                assert one["corpus"] == looking[key(page, one)] - 1, (page["title"], one)
                operators[one["operator"]] += one["corpus"] > 0
    assert len(+operators) > 5


def test_what_is_subsumed_is_so_on_every_record(
    rules: Mapping[str, Rule], pages: Mapping[str, Data], shared: Path
) -> None:
    """Whatever of all records the subsumed rule matches, the other matches as well (as other engines judged them)."""
    oracle = json.loads((shared / "data/oracle/expected_matches.json").read_text(encoding="utf-8"))
    matches = {name: set(one["matches"]) for name, one in oracle.items() if name in rules}
    pairs = [
        (name, one["id"])
        for name, page in pages.items()
        if name in rules
        for one in page["subsumes"]["rules"]
    ]
    assert len(pairs) > 10
    proven = 0
    for wide, narrow in pairs:
        if wide in matches and narrow in matches:
            assert matches[narrow] <= matches[wide], (wide, narrow)
            proven += bool(matches[narrow])
        assert wide in {one["id"] for one in pages[narrow]["subsumed_by"]["rules"]}
    assert proven > 2
