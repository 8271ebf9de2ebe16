"""`osdetect compile` and `osdetect explain`, as a user meets them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect

RULE = """
title: Key For Another User
id: 5b9f6f4e-0a6e-4ac4-9f7a-64f6b3b0b2d1
level: high
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateAccessKey}
  denied: {errorCode|exists: true}
  condition: selection and not denied
"""
OTHER = """
title: A Tool On Windows
id: 5b9f6f4e-0a6e-4ac4-9f7a-64f6b3b0b2d2
logsource: {product: windows, category: process_creation}
detection:
  selection: {User|expand: "%admins%", CommandLine|contains: tool}
  condition: selection
"""
RECORD = {
    "eventVersion": "1.08",
    "eventTime": "2024-05-01T10:00:00Z",
    "eventID": "1c4a2a1c-0000-4000-8000-000000000001",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateAccessKey",
    "awsRegion": "us-east-1",
    "recipientAccountId": "111122223333",
    "userIdentity": {"type": "IAMUser", "userName": "eve"},
}


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    file = tmp_path / "rule.yml"
    file.write_text(RULE)
    return file


def _event(folder: Path, *records: Mapping[str, object]) -> Path:
    file = folder / "event.json"
    file.write_text(json.dumps({"Records": list(records)}))
    return file


def test_each_form_is_json_of_the_same_rule(osdetect: Osdetect, rule: Path) -> None:
    (dsl,) = json.loads(osdetect("compile", rule).out)
    (percolator,) = json.loads(osdetect("compile", rule, "-f", "percolator").out)
    (tree,) = json.loads(osdetect("compile", rule, "-f", "tree").out)
    action, source = map(json.loads, osdetect("compile", rule, "-f", "ndjson").out.splitlines())
    assert dsl["query"] == percolator["_source"]["search"]
    assert source == percolator["_source"]
    assert action["index"]["_id"] == percolator["_id"] == dsl["id"] == tree["id"]
    assert tree["tree"] == source["detection"]["tree"]
    assert tree["text"] == 'eventName is "CreateAccessKey" and not errorCode exists'


def test_what_cannot_be_compiled_does_not_stop_the_others(osdetect: Osdetect, rule: Path) -> None:
    (rule.parent / "other.yml").write_text(OTHER)
    ran = osdetect("compile", rule.parent)
    assert ran.status == ExitCode.LOSS
    assert [one["title"] for one in json.loads(ran.out)] == ["Key For Another User"]
    assert "other.yml:6:15" in ran.err
    assert "the placeholder %admins% has no values" in ran.err


def test_placeholders_and_other_log_sources_are_compiled(osdetect: Osdetect, tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text(OTHER)
    (tmp_path / "values").write_text("admins: [root, 'adm_*']\n")
    ran = osdetect("compile", tmp_path / "other.yml", "-f", "tree", "--placeholders", tmp_path / "values")
    assert ran.status == ExitCode.OK
    (one,) = json.loads(ran.out)
    assert one["text"] == '(User is "root" or User like "adm_*") and CommandLine like "*tool*"'


def test_a_placeholder_file_that_is_none_is_told_with_its_place(osdetect: Osdetect, rule: Path) -> None:
    (rule.parent / "values").write_text("a: [x]\nb: [{c: d}]\n")
    ran = osdetect("compile", rule, "--placeholders", rule.parent / "values")
    assert ran.status == ExitCode.LOSS
    assert "values:2:5" in ran.err
    assert osdetect("compile", rule, "--placeholders", rule.parent / "none").status == ExitCode.NO_INPUT


def test_the_same_rules_come_out_as_the_same_bytes(osdetect: Osdetect) -> None:
    assert osdetect("compile", "-f", "ndjson").out == osdetect("compile", "-f", "ndjson").out


def test_a_rule_is_explained_without_an_event(osdetect: Osdetect, rule: Path) -> None:
    ran = osdetect("explain", rule)
    assert ran.status == ExitCode.OK
    assert 'means: eventName is "CreateAccessKey" and not errorCode exists' in ran.out
    assert 'class: indexed: every match has: eventName is "CreateAccessKey"' in ran.out
    assert "stored query: {" in ran.out
    assert "search query: {" in ran.out


def test_a_match_is_explained_test_by_test(osdetect: Osdetect, rule: Path) -> None:
    ran = osdetect("explain", rule, _event(rule.parent, RECORD))
    assert "match: yes" in ran.out
    assert 'yes eventName is "CreateAccessKey"   (it is CreateAccessKey)' in ran.out
    assert "yes not errorCode exists   (the event has no such field)" in ran.out
    assert "nearest" not in ran.out


def test_a_miss_is_explained_by_the_fewest_changes(osdetect: Osdetect, rule: Path) -> None:
    denied = {**RECORD, "errorCode": "AccessDenied"}
    far = {**RECORD, "eventName": "GetUser", "errorCode": "Throttled"}
    ran = osdetect("explain", rule, _event(rule.parent, far, denied))
    assert "0 of 2 records match" in ran.out
    assert "record 2 came nearest:" in ran.out
    assert "must not hold: errorCode exists   (it is AccessDenied)" in ran.out
    told = json.loads(osdetect("explain", rule, rule.parent / "event.json", "-o", "json").out)
    ((event,),) = [one["events"] for one in told]
    assert (event["record"], event["match"]) == (2, False)
    assert [(change["text"], change["must_hold"]) for change in event["nearest"]] == [
        ("errorCode exists", False)
    ]


def test_an_own_rule_is_explained_by_its_id(osdetect: Osdetect) -> None:
    ran = osdetect("explain", "9d9ca21f-00ec-4155-a543-c272ae7bee44")
    assert ran.status == ExitCode.OK
    assert ran.out.startswith("Access Key Created For Another User")
    unknown = osdetect("explain", "9d9ca21f-00ec-4155-a543-c272ae7bee45")
    assert unknown.status == ExitCode.NO_INPUT
    assert "name the file that holds the rule" in unknown.err


@pytest.mark.parametrize("text", ["", "nothing", '{"Records": []}', "[1, 2]"])
def test_a_file_without_records_is_told(osdetect: Osdetect, rule: Path, text: str) -> None:
    event = rule.parent / "event.json"
    event.write_text(text)
    ran = osdetect("explain", rule, event)
    assert ran.status in {ExitCode.NO_INPUT, ExitCode.LOSS}
    assert "event.json" in ran.err


def test_hostile_text_is_shown_as_text(osdetect: Osdetect, rule: Path) -> None:
    rule.write_text(RULE.replace("Key For Another User", '"[red]\\e[31mKey\\u202e[/]"'))
    event = _event(rule.parent, {**RECORD, "errorCode": "\x1b[2J[link=x]\u202e"})
    ran = osdetect("explain", rule, event)
    assert "[red]\\x1b[31mKey\\u202e[/]" in ran.out
    assert "(it is \\x1b[2J[link=x]\\u202e)" in ran.out
