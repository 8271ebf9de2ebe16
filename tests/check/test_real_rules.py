"""The project's rules, the public rules, and the specification's own schemas."""

from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from osdetect.check import Report, Severity
from osdetect.check.findings import Subject
from osdetect.resources import folder
from osdetect.sigma.check_documents import rule_documents
from tests.check.material import check_paths

_SCHEMAS = {
    "rule": "sigma-detection-rule-schema.json",
    "correlation": "sigma-correlation-rules-schema.json",
    "filter": "sigma-filters-schema.json",
}


@pytest.fixture(scope="module")
def public(shared: Path) -> tuple[Path, Report]:
    rules = shared / "data" / "rules"
    return rules, check_paths([rules])


def test_our_own_rules_have_neither_errors_nor_warnings() -> None:
    report = check_paths([folder("rules")])
    assert report.rules > 80
    assert [finding for finding in report.findings if finding.severity is not Severity.NOTE] == []


def _plain(value: Any) -> Any:
    """The data as a JSON reader would have it: YAML's dates as texts."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat()[:10] if isinstance(value, date) else value


def test_we_speak_of_the_form_of_a_file_exactly_where_the_schemas_do(
    public: tuple[Path, Report], shared: Path
) -> None:
    rules, report = public
    schemas = shared / "data" / "spec" / "sigma-specification" / "json-schema"
    validators = {
        kind: jsonschema.Draft202012Validator(orjson.loads((schemas / name).read_bytes()))
        for kind, name in _SCHEMAS.items()
    }
    theirs: dict[str, list[str]] = defaultdict(list)
    for document in rule_documents([rules]):
        kind = Subject.of(document, None).kind
        for error in validators[kind].iter_errors(_plain(document.data)):
            theirs[document.source.name].append(error.message)
    ours = {finding.where.file for finding in report.findings if finding.code.id.startswith(("OSD0", "OSD1"))}
    of_form = {finding.where.file for finding in report.findings if finding.code.id.startswith("OSD1")}
    assert len(theirs) > 200
    assert set(theirs) - ours == set()
    assert of_form - set(theirs) == set()


def test_few_public_cloudtrail_rules_are_blamed_for_what_they_say(public: tuple[Path, Report]) -> None:
    rules, report = public
    cloudtrail = {
        str(document.source.name)
        for document in rule_documents([rules])
        if Subject.of(document, None).is_cloudtrail
    }
    blamed = {
        finding.where.file
        for finding in report.findings
        if finding.code.id.startswith("OSD2") and finding.severity is not Severity.NOTE
    }
    assert len(cloudtrail) > 500
    assert blamed <= cloudtrail
    assert 5 <= len(blamed) <= 15  # each was read by a person and is a mistake of the rule


def test_every_finding_stands_in_its_file(public: tuple[Path, Report]) -> None:
    _, report = public
    lines: dict[str, int] = {}
    for finding in report.findings:
        where = finding.where
        if where.file not in lines:
            lines[where.file] = len(Path(where.file).read_bytes().splitlines())
        assert 0 <= where.line <= lines[where.file] + 1
        assert where.line >= 1 or finding.code.id == "OSD001"
    keys = [(one.where.file, one.where.line, one.where.column, one.code.id) for one in report.findings]
    assert keys == sorted(keys)
