"""What pySigma gets wrong about correlations and filters, and what is done here: a row of the document, a test each.

Each test shows the defect in pySigma first: it fails when pySigma mends it, and then the row goes.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sigma.exceptions as theirs
import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.filters import SigmaFilter

from osdetect.errors import RuleError
from osdetect.expr import render
from osdetect.expr.windows import Bound
from osdetect.sigma.correlation import Correlation, is_correlation, read_correlation, resolve, silenced
from osdetect.sigma.filters import apply_filters, read_filter
from osdetect.sigma.options import DEFAULT
from osdetect.sigma.reader import log_source_of, read_rule
from osdetect.sigma.rule import Rule
from osdetect.sigma.yaml_text import Document, documents
from osdetect.source import SourceText

DOCUMENT = Path(__file__).parents[2] / "docs" / "pysigma-defects.md"
SECTION = "## Correlations and filters"
UUID = "00000000-0000-4000-8000-{:012d}"
Data = dict[str, Any]


def _document(data: Data, file: str = "rule.yml") -> Document:
    (only,) = documents(SourceText(file, yaml.safe_dump(data, sort_keys=False)))
    assert isinstance(only, Document)
    return only


def _correlation(number: int = 99, more: Data | None = None, **changes: Any) -> Data:
    section = {
        "type": "event_count",
        "rules": ["a"],
        "group-by": ["sourceIPAddress"],
        "timespan": "5m",
        "condition": {"gte": 3},
        **changes,
    }
    return {"title": f"C{number}", "id": UUID.format(number), **(more or {}), "correlation": section}


def _rule(name: str = "a", number: int = 1, **more: Any) -> Data:
    return {
        "title": f"Rule {name}",
        "id": UUID.format(number),
        "name": name,
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {"s": {"eventName": f"Event{number}"}, "condition": "s"},
        **more,
    }


def _filter(**section: Any) -> Data:
    content = {
        "rules": "any",
        "s": {"userName": "x"},
        "t": {"userName": "y"},
        "condition": "not s",
        **section,
    }
    return {"title": "F", "id": UUID.format(50), "logsource": {"product": "aws"}, "filter": content}


def _their_rules(*data: Data) -> SigmaCollection:
    return SigmaCollection.from_dicts(list(data))


def _ours(*data: Data) -> tuple[list[Correlation], list[Rule]]:
    read = [_document(one) for one in data]
    rules = [read_rule(one, log_source_of(one), DEFAULT)[0] for one in read if not is_correlation(one)]
    return [read_correlation(one) for one in read if is_correlation(one)], rules


def _titles() -> None:
    data = (_correlation(rules=["Rule a"]), _rule())
    with pytest.raises(theirs.SigmaRuleNotFoundError):
        _their_rules(*data)
    correlations, rules = _ours(*data)
    assert resolve(correlations, rules).correlations[0].rules == (UUID.format(1),)


def _ranges() -> None:
    data = _correlation(condition={"gt": 100, "lte": 200})
    with pytest.raises(theirs.SigmaCorrelationConditionError):
        SigmaCorrelationRule.from_dict(data)
    assert set(read_correlation(_document(data)).bounds) == {Bound("gt", 100), Bound("lte", 200)}


def _notes() -> None:
    data = _rule(correlation="correlate with event 4624")
    with pytest.raises(theirs.SigmaError):
        _their_rules(data)
    assert not is_correlation(_document(data))
    assert _ours(data)[1][0].title == "Rule a"


def _top_level_generate() -> None:
    data = _correlation(more={"generate": True})
    assert SigmaCorrelationRule.from_dict(data).generate is False
    assert read_correlation(_document(data)).generate is True


def _generate_of_several() -> None:
    data = (_correlation(90, generate=True), _correlation(91), _rule())
    assert UUID.format(1) not in {str(one.id) for one in _their_rules(*data).get_output_rules()}
    correlations, rules = _ours(*data)
    assert silenced(resolve(correlations, rules).correlations) == frozenset()


def _names_given_twice() -> None:
    data = (_correlation(), _rule("a", 1), _rule("a", 2))
    (theirs_one,) = (one for one in _their_rules(*data).rules if isinstance(one, SigmaCorrelationRule))
    assert str(theirs_one.referenced_rules[0].rule.id) == UUID.format(2)
    correlations, rules = _ours(*data)
    (refused,) = resolve(correlations, rules).refused
    assert refused.what == "several rules are called 'a'"


def _circles() -> None:
    data = (_correlation(90, {"name": "x"}, rules=["y"]), _correlation(91, {"name": "y"}, rules=["x"]))
    first = _their_rules(*data).rules[0]
    assert isinstance(first, SigmaCorrelationRule)
    with pytest.raises(RecursionError):
        first.flatten_rules()
    assert len(resolve(*_ours(*data)).refused) == 2


def _crashes() -> None:
    for changes in (
        {"type": 5},
        {"type": "value_count", "condition": {"gte": 1, "field": "a", "percentile": []}},
    ):
        with pytest.raises((AttributeError, TypeError)):
            SigmaCorrelationRule.from_dict(_correlation(**changes))
        with pytest.raises(RuleError):
            read_correlation(_document(_correlation(**changes)))


def _nothing_to_correlate() -> None:
    data = _correlation(rules=[])
    assert SigmaCorrelationRule.from_dict(data).rules == []
    with pytest.raises(RuleError, match="needs rules"):
        read_correlation(_document(data))


def _unknown_parts() -> None:
    data = _correlation(type="temporal", ordered=True, condition=None)
    assert SigmaCorrelationRule.from_dict(data).type.name == "TEMPORAL"
    with pytest.raises(RuleError, match="'ordered' is no part"):
        read_correlation(_document(data))


def _false_positives() -> None:
    data = _correlation(more={"falsepositives": "Unlikely"})
    with pytest.raises(theirs.SigmaFalsePositivesError):
        SigmaCorrelationRule.from_dict(data)
    assert read_correlation(_document(data)).falsepositives == ("Unlikely",)


def _shares() -> None:
    data = _correlation(type="value_percentile", condition={"field": "eventName", "lte": 1})
    condition: Any = SigmaCorrelationRule.from_dict(data).condition
    assert condition.percentile is None  # and its backends refuse to convert without one
    assert read_correlation(_document(data)).measure == "share"


def _filters_by_title() -> None:
    data = _filter(rules=["Rule a"])
    (unfiltered,) = _their_rules(_rule(), data).rules
    assert getattr(unfiltered, "detection").condition == ["s"]  # noqa: B009  # not every kind of rule has it
    assert apply_filters(_ours(_rule())[1], [read_filter(_document(data))]).rules[0].filters == (
        UUID.format(50),
    )


def _filters_of_correlations() -> None:
    data = (_correlation(), _rule())
    named = _filter(rules=[UUID.format(99)])
    their_rule = next(one for one in _their_rules(*data, named).rules if str(one.id) == UUID.format(1))
    assert getattr(their_rule, "detection").condition == ["s"]  # noqa: B009  # as above
    correlations, rules = _ours(*data)
    found = apply_filters(rules, [read_filter(_document(named))], resolve(correlations, rules).correlations)
    assert found.rules[0].filters == (UUID.format(50),)


def _filters_with_several_conditions() -> None:
    data = _filter(condition=["not s", "not t"])
    with pytest.raises(theirs.SigmaFilterConditionError):
        SigmaFilter.from_dict(data)
    assert render(read_filter(_document(data)).tree) == 'not userName is "x" and not userName is "y"'


def _filters_of_nothing() -> None:
    data = _filter(rules=[])
    assert SigmaFilter.from_dict(data).filter.rules == "any"
    with pytest.raises(RuleError, match="a filter needs rules"):
        read_filter(_document(data))


DEFECTS: Mapping[str, Callable[[], None]] = {
    "titles": _titles,
    "ranges": _ranges,
    "notes": _notes,
    "generate beside the section": _top_level_generate,
    "generate of several": _generate_of_several,
    "names given twice": _names_given_twice,
    "circles": _circles,
    "crashes": _crashes,
    "nothing to correlate": _nothing_to_correlate,
    "unknown parts": _unknown_parts,
    "one false positive": _false_positives,
    "shares": _shares,
    "filters by title": _filters_by_title,
    "filters of correlations": _filters_of_correlations,
    "filters with several conditions": _filters_with_several_conditions,
    "filters of nothing": _filters_of_nothing,
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_there_and_is_corrected(name: str) -> None:
    DEFECTS[name]()


def test_the_document_has_a_row_for_each_defect() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition(SECTION)[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]]
        for row in re.findall(r"^\|.*\|$", section, re.MULTILINE)
    ]
    assert [row[0] for row in rows[2:]] == list(DEFECTS)
    for name, they, we, upstream in rows[2:]:
        assert len(they.split()) > 3, name
        assert len(we.split()) > 3, name
        assert upstream == "none found" or re.search(r"#\d+", upstream), name
