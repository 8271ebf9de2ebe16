"""ATT&CK and the calls of incidents, against the data that the project's tables are made from."""

import json
from pathlib import Path

import pytest

from osdetect.catalog.attack_rows import coverage, tactics_of, techniques_of
from osdetect.catalog.coverage import watches
from osdetect.catalog.incidents import KnownCall, known_calls
from osdetect.expr import All, AnyOf, Equals, Expr, Gap, Leaf, Not, Wildcard
from osdetect.schema.attack import cloud_techniques, matrix, tactic, technique
from tests.catalog.reference_tables import MAPPINGS, TABLES, written


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_what_their_data_says(name: str, shared: Path) -> None:
    assert (MAPPINGS / name).read_text(encoding="utf-8") == written(TABLES[name](shared / "data"))


def test_a_retired_technique_is_shown_with_its_successor() -> None:
    (row,) = coverage(["attack.defense-evasion", "attack.t1562.008"])
    assert (row.tactic, row.note) == ("Defense Evasion", "retired, now Defense Impairment")
    (cell,) = row.techniques
    successor = technique("T1685.002")
    assert successor
    assert cell.label.endswith(f" (retired, now T1685.002 {successor.name})")
    assert cell.label.startswith("T1562.008 Impair Defenses: ")
    # a technique of today that the rule has under a tactic of yesterday
    (row,) = coverage(["attack.defense-evasion", "attack.t1685.002"])
    assert (row.tactic, row.note) == ("Defense Impairment", "tagged as Defense Evasion")
    assert [one.id for one in techniques_of(["attack.t1562.008"])] == ["T1685.002"]
    assert [one.tag for one in tactics_of(["attack.defense-evasion", "attack.t1562.008"])] == [
        "defense-impairment"
    ]


@pytest.mark.parametrize(
    ("tags", "rows"),
    [
        ((), {}),
        (("attack.persistence",), {}),
        (("attack.persistence", "attack.t1098.001"), {"Persistence": ["T1098.001"]}),
        # T1098 serves two tactics; it stands under those that the rule names
        (("attack.privilege-escalation", "attack.t1098"), {"Privilege Escalation": ["T1098"]}),
        (
            ("attack.privilege-escalation", "attack.persistence", "attack.t1098", "attack.t1136.003"),
            {"Privilege Escalation": ["T1098"], "Persistence": ["T1098", "T1136.003"]},
        ),
        # none of its own is named: it stands under its own all the same, with a remark
        (("attack.impact", "attack.t1136.003"), {"Persistence": ["T1136.003"]}),
        (("attack.t9999", "attack.g0016", "cve.2024.1"), {}),
        (("ATTACK.Persistence", "attack.T1098.001", "attack.t1098.001"), {"Persistence": ["T1098.001"]}),
    ],
)
def test_a_technique_stands_under_its_own_tactics(tags: tuple[str, ...], rows: dict[str, list[str]]) -> None:
    assert {row.tactic: [cell.id for cell in row.techniques] for row in coverage(tags)} == rows


def test_the_matrix_has_every_technique_of_today_under_its_tactics(shared: Path) -> None:
    given = json.loads((shared / "data/attack.json").read_text(encoding="utf-8"))
    listed = {(stands.tag, one.id) for stands, techniques in matrix() for one in techniques}
    assert listed == {(tag, name) for name, one in given["techniques"].items() for tag in one["tactics"]}
    assert [stands.tag for stands, _ in matrix()] == [one["shortname"] for one in given["tactics"]]
    assert {
        name for name, one in given["techniques"].items() if "IaaS" in one["platforms"]
    } == cloud_techniques()


def test_every_known_call_has_tactics_and_techniques_of_today() -> None:
    assert len(known_calls()) > 250
    for call in known_calls():
        assert call.tactics, call
        assert not [one for one in call.techniques if one.successor], call
        assert not [one for one in call.tactics if one.now], call
    assert tactic("defense-evasion") not in {stands for call in known_calls() for stands in call.tactics}


_NAME = Leaf("eventName", Equals("createuser"))
_IAM = Leaf("eventSource", Equals("iam.amazonaws.com"))
_ERROR = Leaf("errorCode", Equals("AccessDenied"))


@pytest.mark.parametrize(
    ("tree", "watched"),
    [
        (_NAME, True),
        (All((_NAME, _IAM)), True),
        (All((_NAME, Leaf("eventSource", Equals("s3.amazonaws.com")))), False),
        (All((_NAME, _ERROR)), True),
        (All((_NAME, Not(_ERROR))), True),
        (Leaf("eventName", Wildcard(("Create", Gap.ANY))), True),
        (Leaf("eventName", Wildcard(("Delete", Gap.ANY))), False),
        (_IAM, False),
        (_ERROR, False),
        (AnyOf((_NAME, _ERROR)), False),
        (Not(_NAME), False),
        (All((_IAM, Not(Leaf("eventName", Equals("GetUser"))))), False),
    ],
)
def test_which_rules_watch_a_call(tree: Expr[str], watched: bool) -> None:
    assert watches(tree, KnownCall("iam.amazonaws.com", "CreateUser", (), (), 1)) is watched
