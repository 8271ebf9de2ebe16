"""Sigma filters: what is read, which rules they are applied to, and what is told when they have no effect."""

from pathlib import Path

import pytest

from osdetect.errors import RuleError
from osdetect.expr import evaluate, render
from osdetect.sigma.correlation import read_correlation, resolve
from osdetect.sigma.filters import Filter, Filtered, apply_filters, is_filter, read_filter
from osdetect.sigma.options import DEFAULT
from osdetect.sigma.reader import log_source_of, read_rule
from osdetect.sigma.rule import Rule
from osdetect.sigma.yaml_text import Document, documents
from osdetect.source import SourceText

UUID = "00000000-0000-4000-8000-{:012d}"
CLOUDTRAIL = "{product: aws, service: cloudtrail}"


def _document(text: str) -> Document:
    (only,) = documents(SourceText("rule.yml", text))
    assert isinstance(only, Document)
    return only


def _rule(number: int, *, name: str = "", tags: str = "[]", logsource: str = CLOUDTRAIL) -> Rule:
    one = _document(
        f"title: Rule {number}\nid: {UUID.format(number)}\ntags: {tags}\nlogsource: {logsource}\n"
        + (f"name: {name}\n" if name else "")
        + f"detection: {{s: {{eventName: Event{number}}}, condition: s}}\n"
    )
    return read_rule(one, log_source_of(one), DEFAULT)[0]


def _filter(
    rules: str = "any",
    *,
    number: int = 50,
    logsource: str = CLOUDTRAIL,
    condition: str = "not s",
    selections: str = "s: {userName: bot}",
) -> Filter:
    return read_filter(
        _document(
            f"title: Filter {number}\nid: {UUID.format(number)}\nlogsource: {logsource}\n"
            f"filter:\n  rules: {rules}\n  {selections}\n  condition: {condition}\n"
        )
    )


RULES = (
    _rule(1, name="first"),
    _rule(2, tags="[attack.T1078, attack.persistence]"),
    _rule(3, logsource="{product: aws, service: guardduty}"),
)


def _touched(filtered: Filtered[Rule]) -> list[int]:
    return [int(rule.id[-2:]) for rule in filtered.rules if rule.filters]


@pytest.mark.parametrize(
    ("rules", "touched"),
    [
        ("any", [1, 2]),
        ("[Any]", [1, 2]),
        ("first", [1]),
        ("[Rule 2]", [2]),
        (f"[{UUID.format(1)}, '{UUID.format(2).upper()}']", [1, 2]),
        ("attack.t1078", [2]),
        ("[attack.T1078, first]", [1, 2]),
    ],
)
def test_rules_are_named_by_id_name_title_or_tag(rules: str, touched: list[int]) -> None:
    filtered = apply_filters(RULES, [_filter(rules)])
    assert _touched(filtered) == touched
    assert filtered.warnings == ()
    assert [len(one.rules) for one in filtered.applied] == [len(touched)]


@pytest.mark.parametrize(
    ("logsource", "touched"),
    [
        ("{product: aws}", [1, 2, 3]),
        ("{service: cloudtrail}", [1, 2]),
        ("{product: AWS, service: CloudTrail}", [1, 2]),
        ("{product: aws, category: network}", []),
        ("{product: windows}", []),
    ],
)
def test_the_log_source_must_cover_the_rules(logsource: str, touched: list[int]) -> None:
    filtered = apply_filters(RULES, [_filter(logsource=logsource)])
    assert _touched(filtered) == touched
    assert bool(filtered.warnings) is not bool(touched)


def test_the_condition_must_hold_as_well() -> None:
    (rule, *others) = apply_filters(RULES, [_filter("first")]).rules
    assert render(rule.tree) == 'eventName is "Event1" and not userName is "bot"'
    assert evaluate(rule.tree, {"eventName": "event1", "userName": "person"})
    assert not evaluate(rule.tree, {"eventName": "event1", "userName": "BOT"})
    assert rule.hash() != RULES[0].hash()
    assert tuple(others) == RULES[1:]


def test_several_filters_and_conditions_all_hold() -> None:
    two = _filter(number=51, selections="s: {userName: a}\n  t: {userName: b}", condition="[not s, not t]")
    (rule, *_) = apply_filters(RULES, [_filter(), two]).rules
    said = 'eventName is "Event1" and not userName is "bot" and not userName is "a" and not userName is "b"'
    assert render(rule.tree) == said
    assert rule.filters == (UUID.format(50), UUID.format(51))


def test_a_filter_of_a_correlation_is_for_the_rules_that_it_stands_on() -> None:
    text = (
        f"title: Many\nid: {UUID.format(9)}\nname: many\ncorrelation:\n"
        "  {type: event_count, rules: [first], timespan: 5m, condition: {gte: 3}}\n"
    )
    correlations = resolve([read_correlation(_document(text))], RULES).correlations
    filtered = apply_filters(RULES, [_filter("[many]")], correlations)
    assert _touched(filtered) == [1]
    assert [one.what for one in apply_filters(RULES, [_filter("[many]")]).warnings] == [
        "this filter has no effect here"
    ]


@pytest.mark.parametrize(
    ("rules", "cause"),
    [
        ("[nobody]", "nothing that was read has the id, name, title or tag 'nobody'"),
        ("[Rule 3]", "its log source does not cover what is called 'Rule 3'"),
    ],
)
def test_a_reference_without_effect_is_told_with_its_place(rules: str, cause: str) -> None:
    (warning,) = apply_filters(RULES, [_filter(rules)]).warnings
    assert warning.cause == cause
    assert warning.where is not None
    assert (warning.where.line, warning.where.column) == (5, 11)


def test_a_filter_that_narrows_is_told() -> None:
    (warning,) = apply_filters(RULES, [_filter(condition="s")]).warnings
    assert warning.what == "this filter narrows: the rules match only where its condition holds"


def test_of_two_filters_with_one_id_the_first_counts() -> None:
    filtered = apply_filters(RULES, [_filter("first"), _filter("any")])
    assert _touched(filtered) == [1]
    assert [one.what for one in filtered.warnings] == [
        f"this filter is left out: the id {UUID.format(50)} is taken"
    ]


HEAD = "title: t\nlogsource: {product: aws}\n"


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        (HEAD + "filter: x\n", "a filter must be a map", 3),
        (HEAD + "filter:\n  s: {a: 1}\n  condition: s\n", "a filter needs rules", 3),
        (HEAD + "filter:\n  rules: []\n  s: {a: 1}\n  condition: s\n", "a filter needs rules", 4),
        (HEAD + "filter:\n  rules: [a, 5]\n  s: {a: 1}\n  condition: s\n", "rules takes texts", 4),
        (HEAD + "filter:\n  rules: any\n  condition: s\n", "a detection needs a selection", 3),
        (
            HEAD + "filter:\n  rules: any\n  s: {a: 1}\n",
            "a detection needs a condition: text, or a list of texts",
            3,
        ),
        (HEAD + "filter:\n  rules: any\n  s: {a|nope: 1}\n  condition: s\n", "'nope' is no modifier", 5),
        (
            HEAD + "filter:\n  rules: any\n  s: {a: 1}\n  condition: rules\n",
            "this condition cannot be used",
            6,
        ),
        ("title: t\nfilter: {rules: any, s: {a: 1}, condition: s}\n", "a rule needs a logsource", 1),
        (
            "title: t\nlogsource: {}\nfilter: {rules: any, s: {a: 1}, condition: s}\n",
            "this is not a Sigma rule",
            2,
        ),
        (
            HEAD + "filter: {rules: any}\ndetection: {}\n",
            "a document is a filter or a detection, not both",
            3,
        ),
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(text: str, what: str, line: int) -> None:
    with pytest.raises(RuleError) as refused:
        read_filter(_document(text))
    assert refused.value.what == what
    assert refused.value.where is not None
    assert refused.value.where.line == line


def test_a_filter_without_an_id_has_one_made_of_its_words() -> None:
    text = HEAD + "filter: {rules: any, s: {a: 1}, condition: not s}\n"
    assert is_filter(_document(text))
    assert read_filter(_document(text)).id == read_filter(_document("# moved\n" + text)).id


def test_the_examples_of_the_specification_are_read(shared: Path) -> None:
    files = sorted((shared / "data/spec/sigma-specification/tests/schema/filter").glob("*.yml"))
    read = [read_filter(_document(file.read_text(encoding="utf-8"))) for file in files]
    assert [len(one.rules) for one in read] == [2, 2]
