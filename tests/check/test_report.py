"""Switching codes off, SARIF, and hostile documents."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osdetect.check import CODES, Finding, Severity, check
from osdetect.check.sarif import sarif
from osdetect.errors import UsageError
from osdetect.sigma import Rule, RuleSet
from osdetect.sigma.yaml_text import Document, documents
from osdetect.source import SourceText
from tests.check.material import check_paths, codes, found, selection

ROOT = Path(__file__).resolve().parents[2]
NULL = selection("errorCode: null")


def test_a_code_can_be_switched_off_for_all_rules(tmp_path: Path) -> None:
    assert codes(found(tmp_path, NULL)) == ["OSD306"]
    report = check_paths([tmp_path], ["osd306"])
    assert report.findings == ()
    assert report.ignored == 1


def test_a_rule_can_switch_a_code_off_for_itself_alone(tmp_path: Path) -> None:
    found(tmp_path, f"{NULL}osdetect: {{ignore: [OSD306]}}\n", selection("errorMessage: null", 2))
    report = check_paths([tmp_path])
    assert codes(report.findings) == ["OSD306"]
    assert report.findings[0].where.file.endswith("1.yml")
    assert report.ignored == 1


def test_a_rule_cannot_hide_that_it_is_refused(tmp_path: Path) -> None:
    text = selection("eventName|nonsense: a")
    assert codes(found(tmp_path, f"{text}osdetect: {{ignore: [OSD001]}}\n")) == ["OSD001"]


def test_an_unknown_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="OSD999"):
        found(tmp_path, NULL, ignore=["OSD999"])


def _sarif(folder: Path) -> dict[str, Any]:
    return sarif(check_paths([folder / "rules"]), root=folder, version="1.2.3")


def test_sarif_has_what_the_standard_requires(tmp_path: Path) -> None:
    (tmp_path / "rules" / "with blank").mkdir(parents=True)
    found(tmp_path / "rules" / "with blank", NULL, selection("eventname: x", 2), "no: [yaml")
    log = _sarif(tmp_path)
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["semanticVersion"]) == ("osdetect", "1.2.3")
    assert [result["ruleId"] for result in run["results"]] == ["OSD306", "OSD206", "OSD001"]
    for result in run["results"]:
        described = driver["rules"][result["ruleIndex"]]
        assert described["id"] == result["ruleId"]
        assert (
            result["level"] == described["defaultConfiguration"]["level"] == CODES[result["ruleId"]].severity
        )
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"].endswith(".")
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].startswith("rules/with%20blank/")
        assert place["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1
    fingerprints = [result["partialFingerprints"]["osdetect/v1"] for result in run["results"]]
    assert len(set(fingerprints)) == 3


def test_sarif_is_the_same_each_time_and_keeps_its_fingerprints_when_lines_move(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    found(tmp_path / "rules", NULL)
    first = _sarif(tmp_path)
    assert orjson.dumps(first) == orjson.dumps(_sarif(tmp_path))
    found(tmp_path / "rules", f"# one\n# two\n{NULL}")
    moved = _sarif(tmp_path)
    results = [log["runs"][0]["results"][0] for log in (first, moved)]
    assert results[0]["partialFingerprints"] == results[1]["partialFingerprints"]
    assert results[0]["locations"] != results[1]["locations"]


def test_sarif_names_a_file_outside_the_folder_by_its_whole_path(tmp_path: Path) -> None:
    found(tmp_path, NULL)
    log = sarif(check_paths([tmp_path]), root=PurePosixPath("/somewhere/else"), version="1")
    artifact = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": f"file://{tmp_path}/0.yml"}


_NOTHING: RuleSet[Rule] = RuleSet(
    rules=(), correlations=(), refused=(), other_sources=0, files=1, warnings=()
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
_WORDS = (
    "title id level tags date related logsource product service detection filter condition selection eventName "
    "eventSource|contains userIdentity.type osdetect ignore correlation rules awsRegion|re sourceIPAddress|cidr "
    "references falsepositives"
)
_KEYS = st.sampled_from(_WORDS.split())
_VALUES = st.recursive(
    _SCALARS | st.sampled_from(("aws", "cloudtrail", "not selection", "1 of *", "[*", "attack.t1", "*a?\\")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)


def _look(data: Any) -> tuple[Finding, ...]:
    text = json.dumps(data)
    read = [one for one in documents(SourceText("a.yml", text)) if isinstance(one, Document)]
    return check(_NOTHING, read).findings


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=8))
def test_no_document_is_too_strange_to_be_checked(data: dict[str, Any]) -> None:
    detection = {"logsource": {"product": "aws"}, "detection": data}
    for finding in (*_look(data), *_look(detection)):
        assert finding.where.line >= 1
        assert finding.severity in Severity


def test_each_code_is_documented_with_its_severity_and_nothing_else() -> None:
    lines = (ROOT / "docs" / "check.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")] for line in lines]
    told = {row[0]: row[1] for row in rows if row[0].startswith("OSD") and len(row) == 5 and all(row)}
    assert told == {code.id: code.severity.value for code in CODES.values()}
