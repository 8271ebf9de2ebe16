"""How tests are written: what is read, and that each mistake is told with its place and stops no other test."""

import re
from pathlib import Path

import pytest

from osdetect.errors import RuleError
from osdetect.ruletest import cases_of, recorded_cases, run
from osdetect.sigma import ReadOptions, read_rules
from osdetect.sigma.record_changes import NoSuchPlace, changed, without
from osdetect.sigma.regression import read_regressions
from osdetect.sigma.written_tests import TestsFile, parsed_tests
from osdetect.source import SourceText
from tests.ruletest.material import RULE, TESTS, rule_with_tests

_BASE = "base: {eventName: GetUser, a: {b: [1, {c: x}]}, n: null}\n"


def _read(text: str) -> TestsFile:
    return parsed_tests(Path("x.tests.yml"), SourceText("x.tests.yml", text))


def _refused(text: str) -> RuleError:
    (refusal,) = _read(text).refused
    assert refusal.where
    assert refusal.where.file == "x.tests.yml"
    return refusal


def test_a_test_is_the_base_with_what_it_changes_and_removes() -> None:
    read = _read(
        _BASE
        + "must_match:\n  - why: one\n    change: {eventName: PutUser, a.b.0.c: y, n.deep.er: 1}\n    remove: [a.b.0]\n"
        "must_not_match:\n  - why: two\n    event: {at: 2024-05-01T10:00:00+02:00, day: 2024-05-01}\n    rule: ABC\n"
    )
    assert read.refused == ()
    one, two = read.tests
    # What is taken away goes first: the second place of the list is the first then.
    assert (one.expected, two.expected, two.rule) == (True, False, "abc")
    assert one.records == ({"eventName": "PutUser", "a": {"b": [{"c": "y"}]}, "n": {"deep": {"er": 1}}},)
    assert one.where.line == 3
    assert two.records == ({"at": "2024-05-01T08:00:00Z", "day": "2024-05-01"},)


def test_a_change_does_not_touch_the_base() -> None:
    read = _read(_BASE + "must_match:\n  - {why: a, change: {a.b.1.c: y}}\n  - why: b\n")
    assert [test.records[0]["a"] for test in read.tests] == [{"b": [1, {"c": "y"}]}, {"b": [1, {"c": "x"}]}]


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("[]", "tests are a map", 1),
        (_BASE, "there is no test in this file", 0),
        ("bas: {}\n", "the key 'bas' is not known here", 1),
        ("base: 3\n", "base is a whole record, a map", 1),
        ("must_match: {}\n", "must_match is a list of tests", 1),
        (_BASE + "must_match:\n  - text\n", "a test is a map", 3),
        (_BASE + "must_match:\n  - change: {eventName: x}\n", "a test says why", 3),
        (_BASE + "must_match:\n  - why: a\n    remov: [a]\n", "the key 'remov' is not known here", 4),
        (_BASE + "must_match:\n  - why: a\n    remove: [absent]\n", "this path does not lead to a place in base", 4),
        (_BASE + "must_match:\n  - why: a\n    change: {eventName.x: 1}\n", "this path does not lead to a place in base", 4),
        (_BASE + "must_match:\n  - why: a\n    change: {a.b.7: 1}\n", "this path does not lead to a place in base", 4),
        (_BASE + "must_match:\n  - why: a\n    event: {a: 1}\n    remove: [a]\n", "a test has event or remove, not both", 5),
        ("must_match:\n  - why: a\n", "there is no base to start from", 2),
        (_BASE + "must_match:\n  - why: a\n    change: {a: .nan}\n", "this value cannot stand in a record", 4),
        (_BASE + "must_match:\n  - why: a\n    events: []\n", "events is a list of records", 4),
        (_BASE + "must_match:\n  - why: a\n    event: {a: 1}\n    events: [{}]\n", "a test has events or event, not both", 4),
        (_BASE + "must_match: [{why: a}]\n---\nmust_match: []\n", "a file of tests holds one document", 4),
        ("base: {a: 1}\nbase: {a: 2}\n", "the key 'base' stands here twice", 2),
        ("base: [\n", "this is not YAML", 2),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_a_cure(text: str, what: str, line: int) -> None:
    refusal = _refused(text)
    assert (refusal.what, refusal.where.line if refusal.where else None) == (what, line)
    assert refusal.cure or refusal.cause


def test_a_mistake_stops_no_other_test() -> None:
    read = _read(_BASE + "must_match:\n  - why: a\n  - 7\n  - why: b\nmust_not_match:\n  - why: c\n")
    assert [test.why for test in read.tests] == ["a", "b", "c"]
    assert len(read.refused) == 1


def test_paths_lead_through_keys_that_hold_dots() -> None:
    record = {"a.b": {"c.d": 1}, "a": {"x": 2}}
    assert changed(record, {"a.b.c.d": 2}) == {"a.b": {"c.d": 2}, "a": {"x": 2}}
    assert without(record, ("a.b.c.d", "a.x")) == {"a.b": {}, "a": {}}
    with pytest.raises(NoSuchPlace):
        without(record, ("a.y",))


def test_tests_without_their_rule_are_told(tmp_path: Path) -> None:
    rule_with_tests(tmp_path)
    (tmp_path / "lonely.tests.yml").write_text(TESTS)
    (tmp_path / "bad.yml").write_text("title: no rule\n")
    (tmp_path / "bad.tests.yml").write_text(TESTS)
    wrong = TESTS.replace(
        "must_not_match:\n", "  - {why: x, rule: absent}\n  - {why: y, events: [{}]}\nmust_not_match:\n"
    )
    rule_with_tests(tmp_path, wrong, RULE, name="other", number=2)
    rules = read_rules([tmp_path], ReadOptions(every_log_source=True))
    cases = cases_of([tmp_path], rules)
    assert len(cases.cases) == 6
    assert sorted(refusal.what for refusal in cases.refused) == [
        "a rule is tested by one record",
        "no rule beside this test has the id absent",
        "these tests cannot be run",
        "these tests stand beside no rule",
    ]
    assert cases.files == 4


def test_labelled_events_are_read_from_a_list_of_tests() -> None:
    read = _read(
        "AnalysisType: rule\nRuleID: Some.Rule\nTests:\n"
        "  - {Name: it is made, ExpectedResult: true, Log: {eventName: CreateUser}}\n"
        "  - {Name: it is read, ExpectedResult: false, Log: {eventName: GetUser}}\n"
        "  - {Name: half, ExpectedResult: maybe, Log: {eventName: GetUser}}\n"
    )
    assert [(one.why, one.expected, one.records[0]["eventName"], one.layout) for one in read.tests] == [
        ("it is made", True, "CreateUser", "panther"),
        ("it is read", False, "GetUser", "panther"),
    ]
    (refusal,) = read.refused
    assert refusal.where
    assert refusal.where.line == 6


def test_every_recorded_event_of_sigmahq_is_matched_by_its_rule(shared: Path) -> None:
    place = shared / "data/regression/sigmahq"
    ids = re.compile("|".join({one.rule for one in read_regressions(place)[0]}))
    files = [
        file
        for file in sorted((shared / "data/rules/sigmahq").rglob("*.yml"))
        if ids.search(file.read_text(encoding="utf-8"))
    ]
    rules = read_rules(files, ReadOptions(every_log_source=True))
    cases = recorded_cases([place], rules)
    assert cases.refused == ()
    assert len(cases.cases) == 129
    assert [(one.case.title, one.reason) for one in run(cases, rules, None).bad] == []


def test_recorded_events_that_are_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "info.yml").write_text(
        "rule_metadata: [{id: a}]\nregression_tests_info: [{path: x/b.evtx}]\n"
    )
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "info.yml").write_text("rule_metadata: [{id: a}]\n")
    (tmp_path / "c" / "b.json").write_text(
        '{"Event": {"System": {"Provider": {"#attributes": {"Name": "P"}}}}} [{"x": 1}]'
    )
    found, refused = read_regressions(tmp_path)
    assert [one.what for one in refused] == ["there are no events beside this"]
    assert found[0].events == ({"Provider_Name": "P"}, {"x": 1})
