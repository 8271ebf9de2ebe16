"""osdetect as pySigma's backend: in this process with the pySigma at hand, and as `sigma convert` from a wheel."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline

from osdetect.compiler import compile_rule
from osdetect.convert import OsdetectBackend
from osdetect.expr import to_json
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions, read_rules
from osdetect.sigma.listing import list_files

RULE = """
title: A key for somebody else
id: 5b9f6f4e-0a6e-4ac4-9f7a-64f6b3b0b2d1
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName|utf16le|base64offset|contains: CreateAccessKey
    userAgent: 'C:\\\\tools\\*'
  condition: selection
"""


_BACKEND: Any = OsdetectBackend
"""mypy holds it for abstract: its pieces are left out on purpose."""


def _converted(collection: SigmaCollection, form: str | None = None, **options: Any) -> Any:
    return _BACKEND(**options).convert(collection, form)


def _expected(paths: list[Path]) -> Mapping[str, Any]:
    fields = EventFields.shipped()
    rules = read_rules(paths, ReadOptions(every_log_source=True)).rules
    return {rule.id: compile_rule(rule, fields) for rule in rules}


def _own_rules(where: Path) -> SigmaCollection:
    """Our rules as pySigma reads them. It takes every YAML file of a folder for rules, tests of rules too."""
    return SigmaCollection.load_ruleset(list(list_files([where])[0]))


def test_each_own_rule_comes_out_as_osdetect_compiles_it() -> None:
    expected = _expected([folder("rules")])
    collection = _own_rules(folder("rules"))
    assert len(collection.rules) == len(expected) > 80
    for rule in collection.rules:
        (query,) = _converted(SigmaCollection([rule]))
        assert json.loads(query) == {"query": expected[str(rule.id)].source["search"]}


def test_percolator_documents_come_as_a_bulk_request() -> None:
    expected = _expected([folder("rules") / "aws" / "iam"])
    text = _converted(_own_rules(folder("rules") / "aws" / "iam"), "ndjson")
    lines = [json.loads(line) for line in text.splitlines()]
    assert {action["index"]["_id"] for action in lines[::2]} == set(expected)
    for action, source in zip(lines[::2], lines[1::2], strict=True):
        assert source == json.loads(json.dumps(expected[action["index"]["_id"]].source))


def test_a_rule_is_read_from_its_file_where_pysigma_reads_it_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "rule.yml"
    file.write_text(RULE.replace("utf16le", "wide"))
    (expected,) = _expected([file]).values()
    (tree,) = _converted(SigmaCollection.load_ruleset([file]), "tree")
    assert json.loads(tree) == to_json(expected.stored.tree)
    assert json.loads(tree)["all"][0]["any"][0]["cased"] is True


def test_a_filter_of_pysigma_stays_in_force(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(RULE.replace("|utf16le|base64offset|contains", ""))
    (tmp_path / "filter.yml").write_text(
        "title: Not the backup\nlogsource: {product: aws}\n"
        "filter: {rules: any, selection: {userIdentity.userName: backup}, condition: not selection}\n"
    )
    (tree,) = _converted(SigmaCollection.load_ruleset([tmp_path]), "tree")
    assert json.loads(tree)["all"][-1] == {"not": {"field": "userIdentity.userName", "equals": "backup"}}


def test_a_pipeline_of_pysigma_is_applied() -> None:
    pipeline = ProcessingPipeline.from_dict(
        {"transformations": [{"type": "field_name_prefix", "prefix": "aws."}]}
    )
    rule = SigmaCollection.from_yaml(RULE.replace("|utf16le|base64offset|contains", ""))
    (tree,) = _converted(rule, "tree", processing_pipeline=pipeline)
    assert {part["field"] for part in json.loads(tree)["all"]} == {"aws.eventName", "aws.userAgent"}


def test_what_a_rule_is_gathered_by_goes_through_it_too() -> None:
    pipeline = ProcessingPipeline.from_dict(
        {"transformations": [{"type": "field_name_prefix", "prefix": "aws."}]}
    )
    gathered = "osdetect: {suppress: {group_by: [userIdentity.arn], window: 1h}}\n"
    rule = SigmaCollection.from_yaml(RULE.replace("|utf16le|base64offset|contains", "") + gathered)
    (document,) = _converted(rule, "percolator", processing_pipeline=pipeline)
    said = json.loads(document)["detection"]["tuning"]["suppression"]
    assert (said["group_by"], said["paths"]) == (
        ["userIdentity.arn"],
        {"userIdentity.arn": ["aws.userIdentity.arn"]},
    )


def test_a_field_that_the_events_lack_refuses_only_what_is_deployed() -> None:
    failure = {
        "type": "detection_item_failure",
        "message": "dropped",
        "field_name_conditions": [{"type": "include_fields", "fields": ["userIdentity.arn"]}],
    }
    pipeline = ProcessingPipeline.from_dict({"transformations": [failure]})
    gathered = "osdetect: {suppress: {group_by: [userIdentity.arn], window: 1h}}\n"
    text = RULE.replace("|utf16le|base64offset|contains", "") + gathered
    for form in ("default", "tree"):
        assert _converted(SigmaCollection.from_yaml(text), form, processing_pipeline=pipeline)
    for form in ("percolator", "ndjson"):
        with pytest.raises(SigmaError, match=r"'userIdentity\.arn' is not in these events"):
            _converted(SigmaCollection.from_yaml(text), form, processing_pipeline=pipeline)
    shadowed = text.replace("{suppress", "{mode: shadow, suppress")
    assert _converted(SigmaCollection.from_yaml(shadowed), "ndjson", processing_pipeline=pipeline)


def test_what_is_refused_is_told_or_collected() -> None:
    rule = SigmaCollection.from_yaml(
        RULE.replace("|utf16le|base64offset|contains", "").replace("CreateAccessKey", "36893488147419103232")
    )
    with pytest.raises(SigmaError, match="this number is too large"):
        _converted(rule)
    backend = _BACKEND(collect_errors=True)
    assert backend.convert(rule) == []
    ((refused, error),) = backend.errors
    assert refused.title == "A key for somebody else"
    assert "write it in quotes" in str(error)


def test_a_correlation_is_refused_in_words() -> None:
    text = (
        "title: Many\ncorrelation: {type: event_count, rules: [5b9f6f4e-0a6e-4ac4-9f7a-64f6b3b0b2d1], "
        "group-by: [a], timespan: 5m, condition: {gte: 3}}\n---\n"
    )
    both = SigmaCollection.from_yaml(text + RULE.replace("|utf16le|base64offset|contains", ""))
    with pytest.raises(SigmaError, match="a correlation has no query of its own"):
        _converted(both)
