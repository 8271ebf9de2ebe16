"""`osdetect check`: what it prints, and its exit status."""

import json
from pathlib import Path

import pytest

from osdetect.vocabulary import ExitCode
from tests.check.material import WORDS, selection
from tests.cli.conftest import Osdetect


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder with a note, a warning and an error."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yml").write_text(selection("errorCode: null"), encoding="utf-8")
    (folder / "b.yml").write_text(selection("eventName: CreateUsr", 2), encoding="utf-8")
    (folder / "c.yml").write_text(selection("eventname: CreateUser", 3), encoding="utf-8")
    return folder


def test_the_table_shows_place_excerpt_and_caret(osdetect: Osdetect, rules: Path) -> None:
    ran = osdetect("check", rules)
    assert (ran.status, ran.err) == (ExitCode.LOSS, "")
    lines = ran.out.splitlines()
    at = next(i for i, line in enumerate(lines) if "OSD202" in line)
    place = lines[at].split(": ")[0]
    assert place.startswith(str(rules / "b.yml"))
    column = int(place.rsplit(":", 1)[1])
    assert lines[at + 1][lines[at + 2].index("^") :].startswith("eventName: CreateUsr")
    assert lines[at + 2].index("^") == len("    | ") + column - 1
    assert "was CreateUser meant?" in lines[at + 4]
    assert lines[-1] == "3 files, 3 documents, 3 rules: 1 errors, 1 warnings, 1 notes"


@pytest.mark.parametrize(
    ("threshold", "ignored", "status"),
    [
        ("error", (), 1),
        ("error", ("OSD206",), 0),
        ("warning", ("OSD206",), 1),
        ("warning", ("OSD206", "OSD202"), 0),
        ("note", ("OSD206", "OSD202"), 1),
        ("never", (), 0),
    ],
)
def test_the_threshold_decides_the_exit_status(
    osdetect: Osdetect, rules: Path, threshold: str, ignored: tuple[str, ...], status: int
) -> None:
    options = [word for code in ignored for word in ("--ignore", code)]
    assert osdetect("check", rules, "--fail-on", threshold, *options).status == status


def test_json_and_sarif_tell_the_same(
    osdetect: Osdetect, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(rules.parent)
    told = json.loads(osdetect("check", "rules", "--output", "json").out)
    assert (told["errors"], told["warnings"], told["notes"], told["ignored"]) == (1, 1, 1, 0)
    log = json.loads(osdetect("check", "rules", "-o", "sarif").out)
    results = log["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == [finding["code"] for finding in told["findings"]]
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
    assert uris == ["rules/a.yml", "rules/b.yml", "rules/c.yml"]


def test_a_refused_rule_is_an_error(osdetect: Osdetect, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"title: x\n{WORDS}", encoding="utf-8")
    ran = osdetect("check", tmp_path)
    assert ran.status == ExitCode.LOSS
    assert "OSD001" in ran.out


def test_the_rules_of_the_project_are_the_default_and_pass(osdetect: Osdetect) -> None:
    ran = osdetect("check", "--fail-on", "warning", "--output", "json")
    assert ran.status == ExitCode.OK
    assert json.loads(ran.out)["rules"] > 80


def test_no_input_and_an_unknown_code_have_their_own_status(osdetect: Osdetect, tmp_path: Path) -> None:
    missing = osdetect("check", tmp_path / "none")
    assert (missing.status, missing.out) == (ExitCode.NO_INPUT, "")
    assert "does not exist" in missing.err
    assert osdetect("check", tmp_path).status == ExitCode.NO_INPUT
    (tmp_path / "a.yml").write_text(selection("eventName: CreateUser"), encoding="utf-8")
    unknown = osdetect("check", tmp_path, "--ignore", "OSD999")
    assert (unknown.status, unknown.out) == (ExitCode.USAGE, "")
    assert "OSD999" in unknown.err


def test_the_help_shows_an_example(osdetect: Osdetect) -> None:
    out = " ".join(osdetect("check", "--help").out.split())
    assert "Example" in out
    assert "osdetect check" in out
