"""`osdetect test` as a program: what passes, what fails, what is written, and the exit codes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree as ET

import pytest

from osdetect.catalog.evidence import read_evidence
from osdetect.cluster import Cluster, Connection
from osdetect.ruletest import Status, cases_of, run
from osdetect.ruletest.judging import Judges
from osdetect.ruletest.percolated import PREFIX, percolator
from osdetect.ruletest.running import judged
from osdetect.sigma import Rule, read_rules
from tests.ruletest.material import RULE, TESTS, osdetect, program, rule_with_tests

_CORRELATION = (
    RULE
    + """
name: key
---
title: Two keys in an hour
id: 8d0f3c52-6a0e-4a4b-9a55-0c1f6f1f7a99
correlation:
  type: event_count
  rules: [key]
  group-by: [userIdentity.userName]
  timespan: 1h
  condition: {{gte: 2}}
"""
)
_SEQUENCES = TESTS.replace(
    "must_not_match:",
    """\
  - why: two keys in half an hour
    events:
      - {}
      - change: {eventTime: "2026-03-02T10:45:00Z"}
must_not_match:
  - why: the second comes too late
    events:
      - {}
      - change: {eventTime: "2026-03-02T11:45:00Z"}
  - why: two people make one each
    events:
      - {}
      - change: {userIdentity.userName: eve}""",
)


def test_tests_that_pass_are_counted_and_written(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    done = osdetect("test", "--fast", tmp_path, "--evidence", tmp_path / "e.json", "--mutation")
    assert done.code == 0, done.out + done.err
    assert "3 tests of 1 rules by evaluator and engine: 3 passed" in done.out
    (one,) = read_evidence(tmp_path / "e.json").values()
    assert (one.tests, one.passed) == (3, 3)
    assert one.mutation_score is not None
    assert 0.5 < one.mutation_score < 1


def test_a_test_that_fails_says_which_predicate_decided(tmp_path: Path) -> None:
    wrong = TESTS.replace(
        "must_not_match:",
        "  - {why: refused, change: {eventName: DeleteUser}}\nmust_not_match:\n  - why: it should not",
    )
    rule_with_tests(tmp_path, wrong)
    junit = tmp_path / "junit.xml"
    done = osdetect("test", "--fast", tmp_path, "-o", "json", "--junit", junit)
    assert done.code == 1
    told = {one["why"]: one for one in done.json()["results"] if one["status"] == "failed"}
    assert set(told) == {"refused", "it should not"}
    assert 'eventName is "CreateAccessKey" must hold' in told["refused"]["reason"]
    assert told["it should not"]["reason"].startswith("it matches: eventSource is")
    assert told["refused"]["line"] == 10
    root = ET.fromstring(junit.read_text())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "2", "0")
    assert len(root.findall(".//failure")) == 2
    table = osdetect("test", "--fast", tmp_path)
    assert "must match: refused" in table.out
    assert "2 failed" in table.out


def test_hostile_words_break_no_xml(tmp_path: Path) -> None:
    hostile = TESTS.replace("it is another call", '"]]> <b> & \\" \\u202e \\x1b[31m"')
    rule_with_tests(tmp_path, hostile.replace("eventName: CreateUser", "eventTime: '2026'"))
    osdetect("test", "--fast", tmp_path, "--junit", tmp_path / "junit.xml")
    (failure,) = ET.fromstring((tmp_path / "junit.xml").read_text()).findall(".//testcase[failure]")
    assert "]]> <b> &" in str(failure.get("name"))
    assert "\u202e" not in str(failure.get("name"))


def test_rules_without_tests_are_shown_and_may_be_forbidden(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    rule_with_tests(tmp_path, "", name="untested", number=2)
    done = osdetect("test", "--fast", tmp_path)
    assert done.code == 0
    assert "no tests: Key made for another" in done.out
    assert "1 rules without tests" in done.out
    assert osdetect("test", "--fast", tmp_path, "--require-tests").code == 1
    none = osdetect("test", "--fast", tmp_path / "untested.yml")
    assert none.code == 4
    assert "--generate" in none.err


def test_a_tests_file_that_cannot_be_read_is_a_loss_and_stops_no_other(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    rule_with_tests(tmp_path, "must_match: [{whi: x}]", name="bad", number=2)
    done = osdetect("test", "--fast", tmp_path)
    assert done.code == 1
    assert "3 passed" in done.out
    assert "bad.tests.yml:1:15" in done.err
    assert "write why" in done.err


def test_a_file_of_tests_may_be_named_itself(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    assert osdetect("test", "--fast", tmp_path / "key.tests.yml").code == 0
    assert "3 passed" in osdetect("test", "--fast", tmp_path / "key.yml", tmp_path / "key.tests.yml").out
    assert osdetect("check", "--fail-on", "warning", tmp_path).code == 0


def test_the_lowest_score_is_over_all_rules(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    assert osdetect("test", "--fast", tmp_path, "--min-score", "0.3").code == 0
    done = osdetect("test", "--fast", tmp_path, "--min-score", "1")
    assert done.code == 1
    assert "noticed by must_not_match" in done.out


def test_without_a_cluster_the_command_says_what_to_do(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    done = osdetect("test", tmp_path, "--url", "http://127.0.0.1:1")
    assert done.code == 5


def test_a_result_that_cannot_be_written_has_its_code(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    assert osdetect("test", "--fast", tmp_path, "--junit", tmp_path / "no" / "junit.xml").code == 8


def test_correlations_are_tested_by_events(tmp_path: Path) -> None:
    rule_with_tests(tmp_path, _SEQUENCES, _CORRELATION)
    rules = read_rules([tmp_path])
    assert rules.refused == ()
    results = run(cases_of([tmp_path], rules), rules, None)
    assert [(one.case.why, one.status) for one in results.bad] == []
    assert sum(one.case.correlation for one in results.results) == 3


def test_records_that_rules_match_are_counted_as_evidence(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    identity, call = {"userIdentity": {"userName": "ann"}}, {"eventSource": "iam.amazonaws.com"}
    names = ("CreateAccessKey", "CreateAccessKey", "GetUser")
    records = [{**identity, **call, "eventName": name, "eventID": str(n)} for n, name in enumerate(names)]
    (tmp_path / "log.json").write_text(json.dumps({"Records": records}))
    file = tmp_path / "e.json"
    done = osdetect("test", "--fast", tmp_path, "--data", tmp_path / "log.json", "--evidence", file)
    assert done.code == 0, done.err
    assert "1 of 1 rules match some of 3 records" in done.out
    assert [one.fired for one in read_evidence(file).values()] == [2]
    (tmp_path / "log.json").write_text("{")
    assert osdetect("test", "--fast", tmp_path, "--data", tmp_path / "log.json").code == 1


@pytest.mark.node
def test_the_real_percolator_is_asked_and_nothing_is_left_behind(fresh_cluster: str, tmp_path: Path) -> None:
    rule_with_tests(tmp_path, _SEQUENCES, _CORRELATION)
    done = program("test", tmp_path, "--url", fresh_cluster, "-o", "json")
    assert done.code == 0, done.out + done.err
    told = done.json()
    assert (told["percolated"], told["passed"]) == (True, 6)
    assert all(set(one["verdicts"]) == {"evaluator", "engine", "percolator"} for one in told["results"])
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        assert cluster.request("GET", f"/{PREFIX}*/_alias") == {}


@pytest.mark.node
def test_a_percolator_that_says_something_else_is_told_as_a_defect(
    fresh_cluster: str, tmp_path: Path
) -> None:
    """The stored query is another than the compiler made."""
    rule_with_tests(tmp_path)
    rules = read_rules([tmp_path])
    cases, judges = cases_of([tmp_path], rules).cases, Judges.of(rules)
    with (
        Cluster.connect(Connection(url=fresh_cluster)) as cluster,
        percolator(cluster, rules.rules) as stored,
    ):
        place = f"/{stored.index}/_update/{rules.rules[0].id}?refresh=true"
        cluster.request("POST", place, body={"doc": {"query": {"bool": {"must_not": {"match_all": {}}}}}})
        found = [stored.matches(case.records) for case in cases]
    results = judged(cases, judges, found, {})
    assert {one.status for one in results if one.case.expected} == {Status.DISAGREED}
    assert "a defect of osdetect" in next(one.reason for one in results if one.case.expected)


@pytest.mark.node
def test_a_run_that_ends_early_takes_its_index_along(fresh_cluster: str, tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    rules = read_rules([tmp_path]).rules
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        left = f"{PREFIX}1700000000-killed"
        cluster.create_index(left, {})
        with pytest.raises(KeyboardInterrupt):
            _interrupted(cluster, rules)
        assert cluster.request("GET", f"/{PREFIX}*/_alias") == {}


def _interrupted(cluster: Cluster, rules: Sequence[Rule]) -> NoReturn:
    with percolator(cluster, rules) as stored:
        assert list(cluster.request("GET", f"/{PREFIX}*/_alias")) == [stored.index]
        raise KeyboardInterrupt
