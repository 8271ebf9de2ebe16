"""Correlation rules: what is read, what is refused and where, and the rules that references lead to."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from osdetect.errors import RuleError
from osdetect.expr import render
from osdetect.expr.windows import Bound, Column
from osdetect.sigma.correlation import (
    Correlation,
    Resolution,
    is_correlation,
    read_correlation,
    resolve,
    search_bound,
    silenced,
)
from osdetect.sigma.options import DEFAULT
from osdetect.sigma.reader import log_source_of, read_rule
from osdetect.sigma.rule import Rule
from osdetect.sigma.yaml_text import Document, documents
from osdetect.source import SourceText
from osdetect.vocabulary import Level

UUID = "00000000-0000-4000-8000-{:012d}"
COUNT: dict[str, Any] = {
    "type": "event_count",
    "rules": ["a"],
    "group-by": ["sourceIPAddress"],
    "timespan": "5m",
    "condition": {"gte": 3},
}


def document(text: str, file: str = "rule.yml") -> Document:
    (only,) = documents(SourceText(file, text))
    assert isinstance(only, Document)
    return only


def correlation(number: int = 99, *, file: str = "rule.yml", name: str = "", **changes: Any) -> Correlation:
    section = {
        key.replace("_", "-"): value for key, value in {**COUNT, **changes}.items() if value is not None
    }
    section.setdefault("group-by", ["sourceIPAddress"])
    words = {"title": f"Correlation {number}", "id": UUID.format(number), **({"name": name} if name else {})}
    text = yaml.safe_dump({**words, "correlation": section}, sort_keys=False)
    return read_correlation(document(text, file))


def rule(name: str, number: int, *, file: str = "rule.yml", title: str = "") -> Rule:
    text = (
        f"title: {title or f'Rule {name}'}\nid: {UUID.format(number)}\n"
        + (f"name: {name}\n" if name else "")
        + "logsource: {product: aws, service: cloudtrail}\n"
        + f"detection: {{s: {{eventName: Event{number}}}, condition: s}}\n"
    )
    one = document(text, file)
    return read_rule(one, log_source_of(one), DEFAULT)[0]


def refusals(resolution: Resolution) -> list[str]:
    return [error.what for error in resolution.refused]


def ids(numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(UUID.format(number) for number in numbers)


def test_a_whole_correlation_is_read() -> None:
    one = read_correlation(
        document(
            "title: Many failed logins\nid: 0e95725d-7320-415d-80f7-004da920fc11\nname: many\nstatus: test\n"
            "description: d\nauthor: me\ndate: 2024-01-02\nlevel: high\ntags: [attack.t1110]\n"
            "references: [https://example.org]\nfalsepositives: Unlikely\n"
            "correlation:\n  type: value_count\n  rules: [a, b]\n  group-by: who\n  timespan: 90m\n"
            "  aliases: {who: {a: userName, b: userIdentity.userName}}\n"
            "  condition: {field: [eventName, awsRegion], gt: 100, lte: 200}\n"
        )
    )
    assert (one.title, one.name, one.level, one.date) == (
        "Many failed logins",
        "many",
        Level.HIGH,
        "2024-01-02",
    )
    assert (one.tags, one.status, one.timespan, one.generate) == (("attack.t1110",), "test", 5_400, False)
    assert one.bounds == (Bound("lte", 200), Bound("gt", 100))
    assert one.fields == ("eventName", "awsRegion")
    (resolved,) = resolve([one], [rule("a", 1), rule("b", 2)]).correlations
    columns = (Column("who", tuple(zip(ids([1, 2]), ("userName", "userIdentity.userName"), strict=True))),)
    assert resolved.window.group_by == columns
    assert resolved.rules == resolved.bases == ids([1, 2])


@pytest.mark.parametrize(
    ("changes", "measure", "bounds"),
    [
        ({}, "events", [Bound("gte", 3)]),
        ({"condition": {"eq": "3"}}, "events", [Bound("eq", 3)]),
        ({"condition": {"neq": 3}}, "events", [Bound("neq", 3)]),
        ({"type": "temporal", "condition": None}, "rules", [Bound("gte", 1)]),
        ({"type": "temporal_ordered", "rules": ["a", "b"], "condition": None}, "order", [Bound("gte", 2)]),
        ({"type": "value_sum", "condition": {"field": "n", "gt": 0.5}}, "sum", [Bound("gt", 0.5)]),
        ({"type": "value_avg", "condition": {"field": "n", "lt": 0}}, "average", [Bound("lt", 0)]),
        ({"type": "value_percentile", "condition": {"field": "n", "lte": 1}}, "share", [Bound("lte", 1)]),
        (
            {"type": "value_percentile", "condition": {"field": "n", "gt": 900, "percentile": 95}},
            "percentile",
            [Bound("gt", 900)],
        ),
        ({"type": "value_median", "condition": {"field": "n", "gt": 900}}, "percentile", [Bound("gt", 900)]),
        ({"type": "temporal", "rules": ["a", "b"], "condition": "a and not b"}, "rules", []),
        ({"type": "temporal", "rules": None, "condition": "(a or b) and a"}, "rules", []),
    ],
)
def test_each_type_has_its_measure(changes: dict[str, Any], measure: str, bounds: list[Bound]) -> None:
    one = correlation(**changes)
    assert (one.measure, list(one.bounds)) == (measure, bounds)


@pytest.mark.parametrize(
    ("timespan", "seconds"), [("1s", 1), ("90m", 5_400), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_a_timespan_is_in_seconds(timespan: str, seconds: int) -> None:
    assert correlation(timespan=timespan).timespan == seconds


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"type": None}, "a correlation needs a type"),
        ({"type": 5}, "'5' is no type of correlation"),
        ({"type": "near"}, "'near' is no type of correlation"),
        ({"rules": None}, "a correlation needs rules"),
        ({"rules": []}, "a correlation needs rules"),
        ({"rules": [{"a": 1}]}, "rules takes texts"),
        ({"rules": ["a", "a"]}, "'a' stands here twice"),
        ({"group_by": [["a"]]}, "group-by takes texts"),
        ({"timespan": None}, "a correlation needs a timespan"),
        ({"timespan": 5}, "'5' is no timespan"),
        ({"timespan": "0m"}, "'0m' is no timespan"),
        ({"timespan": "5 m"}, "'5 m' is no timespan"),
        ({"timespan": "1M"}, "the timespan 1M has no fixed length"),
        ({"timespan": "9999999999d"}, "this timespan is too long"),
        ({"timespan": "9" * 9_000 + "d"}, "this timespan is too long"),
        ({"condition": None}, "this correlation needs a condition: a map"),
        ({"condition": {}}, "this condition compares with nothing"),
        ({"condition": {"gte": True}}, "this must be a number"),
        ({"condition": {"gte": "many"}}, "'many' is no number"),
        ({"condition": {"gte": float("inf")}}, "this number is too large to be compared exactly"),
        ({"condition": {"gte": 3, "max": 5}}, "'max' is no part of a correlation's condition"),
        ({"condition": {"gte": 3, "field": "eventName"}}, "a correlation of this type takes no field"),
        ({"condition": {"gt": 5, "lt": 5}}, "this condition can never be met"),
        ({"condition": {"gt": 5, "lt": 6}}, "this condition can never be met"),
        ({"condition": {"lt": 1}}, "this condition can never be met"),
        ({"condition": {"eq": 5, "neq": 5}}, "this condition can never be met"),
        ({"type": "temporal", "condition": {"gte": 2}}, "this condition can never be met"),
        ({"type": "value_count"}, "a correlation of this type needs a field"),
        (
            {"type": "value_sum", "condition": {"gt": 1, "field": ["a", "b"]}},
            "a correlation of this type takes at most 1",
        ),
        ({"condition": {"gt": 1, "percentile": 5}}, "percentile belongs to the type value_percentile"),
        (
            {"type": "value_percentile", "condition": {"gt": 1, "field": "a", "percentile": 101}},
            "a percentile is between 0 and 100",
        ),
        ({"condition": "a and b"}, "a boolean condition goes with the type temporal alone"),
        ({"type": "temporal", "condition": "a and ("}, "this condition cannot be read"),
        ({"type": "temporal", "condition": "(" * 5_000}, "this condition is too long"),
        ({"type": "temporal", "condition": "a and b"}, "rules and condition name different rules"),
        ({"aliases": {"x": "y"}}, "an alias must be a map of rules to fields"),
        ({"aliases": {"x": {"a": 5}}}, "an alias needs the name of a field for each rule"),
        ({"generate": "yes"}, "generate must be true or false"),
        ({"ordered": True}, "'ordered' is no part of a correlation"),
    ],
)
def test_what_is_no_correlation_is_refused_with_its_place(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(RuleError) as refused:
        correlation(**changes)
    assert refused.value.what == what
    where = refused.value.where
    assert where is not None
    assert where.line >= 3
    assert where.column >= 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("correlation: x\ntitle: t\n", "a correlation must be a map"),
        (
            "title: t\ncorrelation: {type: temporal}\ndetection: {}\n",
            "a document is a correlation or a detection, not both",
        ),
        ("correlation: {type: temporal, rules: a, timespan: 1m}\n", "a rule needs a title"),
        (
            "title: t\nlevel: huge\ncorrelation: {type: temporal, rules: a, timespan: 1m}\n",
            "this is not a Sigma rule",
        ),
        (
            "title: t\ngenerate: true\ncorrelation: {type: temporal, rules: a, timespan: 1m, generate: false}\n",
            "generate stands here twice, and differs",
        ),
    ],
)
def test_a_document_that_is_none_is_refused(text: str, what: str) -> None:
    with pytest.raises(RuleError) as refused:
        read_correlation(document(text))
    assert refused.value.what == what


def test_a_note_in_a_detection_rule_is_no_correlation() -> None:
    assert not is_correlation(document("title: t\ncorrelation: compare with 4624\ndetection: {}\n"))
    assert is_correlation(document("title: t\ncorrelation: {}\ndetection: {}\n"))
    assert not is_correlation(document("title: t\n"))


def test_without_group_by_all_is_one_group() -> None:
    text = "title: t\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: {gt: 1}}\n"
    assert read_correlation(document(text)).group_by == ()


def test_references_are_ids_names_or_titles() -> None:
    rules = [rule("a", 1), rule("b", 2), rule("", 3, title="Third rule")]
    one = correlation(rules=[UUID.format(1).upper(), "b", "Third rule"])
    (resolved,) = resolve([one], rules).correlations
    assert resolved.rules == ids([1, 2, 3])


def test_the_rule_in_the_same_file_is_meant() -> None:
    rules = [rule("a", 1, file="one.yml"), rule("a", 2, file="two.yml")]
    found = resolve([correlation(file="two.yml")], rules)
    assert found.correlations[0].rules == ids([2])
    lost = resolve([correlation(file="three.yml")], rules)
    assert refusals(lost) == ["several rules are called 'a'"]
    assert "one.yml:1:1, two.yml:1:1" in lost.refused[0].cause


def test_the_name_of_a_double_leads_to_the_rule_that_stayed() -> None:
    kept = rule("", 1, file="one.yml", title="Failed login")
    double = replace(kept, title="Failed console login", where=replace(kept.where, file="two.yml"))
    one = correlation(rules=["Failed console login"], file="two.yml")
    assert resolve([one], [kept], doubles=[double]).correlations[0].rules == ids([1])
    assert refusals(resolve([one], [kept])) == ["no rule is called 'Failed console login'"]


def test_a_chain_is_resolved_from_its_inside() -> None:
    chain = [
        correlation(12, rules=["middle", "c"], type="temporal", condition=None),
        correlation(11, rules=["inner", "b"], name="middle"),
        correlation(10, rules=["a"], name="inner", generate=True),
    ]
    rules = [rule("a", 1), rule("b", 2), rule("c", 3)]
    resolution = resolve(chain, rules)
    assert [one.correlation.id for one in resolution.correlations] == list(ids([10, 11, 12]))
    outer = resolution.correlations[-1]
    assert outer.rules == ids([11, 3])
    assert outer.bases == ids([1, 2, 3])
    assert silenced(resolution.correlations) == set(ids([10, 2, 11, 3]))
    bound = search_bound(outer, {one.id: one.tree for one in rules})
    assert render(bound) == 'eventName is "Event1" or eventName is "Event2" or eventName is "Event3"'


def test_what_names_nothing_or_itself_is_refused_and_so_is_what_stands_on_it() -> None:
    circle = [
        correlation(10, name="x", rules=["y"]),
        correlation(11, name="y", rules=["x"]),
        correlation(12, name="self", rules=["self"]),
        correlation(13, rules=["x"]),
        correlation(14, rules=["nobody"]),
        correlation(15, rules=["a", UUID.format(1)]),
        correlation(16, aliases={"who": {"b": "userName"}}),
        correlation(17),
        correlation(17),
        correlation(1),
    ]
    resolution = resolve(circle, [rule("a", 1), rule("b", 2)])
    assert sorted(refusals(resolution)) == sorted(
        [
            *["this correlation names itself, directly or through others"] * 3,
            "the correlation 'x' is refused",
            "no rule is called 'nobody'",
            "two references name the same rule",
            "an alias names each rule of the correlation at most once, and no other",
            f"the id {UUID.format(17)} is taken",
            f"the id {UUID.format(1)} is taken",
        ]
    )
    assert [one.correlation.id for one in resolution.correlations] == list(ids([17]))
    assert all(error.where and error.where.line for error in resolution.refused)


def test_correlations_of_another_log_source_are_told_apart() -> None:
    both = [correlation(10, rules=["logon"], name="inner"), correlation(11, rules=["inner", "a"])]
    resolution = resolve(both, [rule("a", 1)], elsewhere=frozenset({"logon"}))
    assert [one.id for one in resolution.elsewhere] == list(ids([10, 11]))
    assert (resolution.correlations, resolution.refused) == ((), ())


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    chain = [correlation(n, name=f"n{n}", rules=[f"n{n - 1}"] if n else ["a"]) for n in range(1_200)]
    assert len(resolve(chain[::-1], [rule("a", 5_000)]).correlations) == 1_200


def test_the_content_says_everything_and_not_where_it_stands() -> None:
    assert correlation(file="x.yml").content() == correlation(file="y.yml").content()
    assert correlation(timespan="6m").content() != correlation().content()


SPECIFICATION = "data/spec/sigma-specification"


def test_the_examples_of_the_specification_are_read(shared: Path) -> None:
    files = sorted((shared / SPECIFICATION / "tests/schema/correlation").glob("*.yml"))
    read = [read_correlation(document(file.read_text(encoding="utf-8"), file.name)) for file in files]
    assert len({one.type for one in read}) == 7
    assert [one.measure for one in read if one.type == "value_percentile"] == ["share"]
