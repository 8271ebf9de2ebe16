"""What suppression gathers is the same in every dialect: its fields are CloudTrail's, and are found where the events hold them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.cli.conftest import osdetect as osdetect  # noqa: PLC0414  # a fixture of the neighbour's
from tests.dialects.material import WRITERS
from tests.faults.material import ask, documents, record, rule_id, rule_text

pytestmark = pytest.mark.node
FIELDS = ["userIdentity.arn", "sourceIPAddress"]
"""The second is in one of two places in OCSF."""
GROUPS = {("arn:ann", "198.51.100.7"): 2, ("arn:bo", "198.51.100.7"): 1, ("arn:bo", "x.amazonaws.com"): 1}
"""The groups of `CALLS` and their numbers."""
CALLS = [values for values, count in GROUPS.items() for _ in range(count)]
SUPPRESS = f"{{group_by: [{', '.join(FIELDS)}], window: 1h}}"
LACKING = "sessionCredentialFromConsole"
"""What ecs has no field for."""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    return made


def _rule(rules: Path, suppress: str = "", mode: str = "alert") -> None:
    more = f"osdetect: {{mode: '{mode}', suppress: {suppress}}}\n" if suppress else ""
    (rules / "1.yml").write_text(rule_text(1, "{eventName: CreateThing}") + more)


def _settings(folder: Path, *fields: str) -> Path:
    return _said(folder, f"suppress = {{ group_by = {json.dumps(fields)}, window = '1h' }}")


def _said(folder: Path, said: str) -> Path:
    file = folder / "tuning.toml"
    file.write_text(f'# for rules of others\n[rules."Made-up rule 1"]\n{said}\n')
    return file


def _stored(url: str, name: str) -> str:
    """The calls in an index of the dialect's."""
    index = f"calls-in-{name}"
    ask(url, "DELETE", f"/{index}?ignore_unavailable=true")
    for number, (arn, address) in enumerate(CALLS):
        made = record(
            number,
            eventTime=f"2024-05-08T10:{number:02}:00Z",
            sourceIPAddress=address,
            userIdentity={"type": "IAMUser", "userName": "casey", "arn": arn},
        )
        ask(url, "PUT", f"/{index}/_doc/{number}?refresh=true", WRITERS[name](made))
    return index


def _gathered(
    osdetect: Osdetect, url: str, rules: Path, name: str, *options: object
) -> Mapping[str, Mapping[str, Any]]:
    """What each alert says of its group, by the alert's id."""
    index, namespace = _stored(url, name), name.replace("-", "_")
    try:
        assert osdetect("deploy", rules, "--pipeline", name, *options, "--url", url).status == ExitCode.OK
        asked = ("--target", index, "--namespace", namespace, "--url", url)
        assert osdetect("detect", "--once", *asked).status == ExitCode.OK
    finally:
        ask(url, "DELETE", f"/{index}")
    found = documents(url, f"osdetect-alerts-{namespace}-*")
    return {key: alert["osdetect"]["suppression"] for key, alert in found.items()}


def _told(groups: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, ...], int]:
    return {tuple(one["values"]): one["count"] for one in groups.values()}


def test_callers_are_alerts_of_their_own_and_the_same_ones_in_every_dialect(
    osdetect: Osdetect, fresh_cluster: str, rules: Path
) -> None:
    _rule(rules, SUPPRESS)
    plain = _gathered(osdetect, fresh_cluster, rules, "cloudtrail-raw")
    assert _told(plain) == GROUPS
    for name in sorted(WRITERS.keys() - {"cloudtrail-raw"}):
        found = _gathered(osdetect, fresh_cluster, rules, name)
        assert found == plain, name
        assert all(one["fields"] == FIELDS for one in found.values())


def test_so_they_are_by_a_settings_file(
    osdetect: Osdetect, fresh_cluster: str, rules: Path, tmp_path: Path
) -> None:
    _rule(rules, SUPPRESS)
    plain = _gathered(osdetect, fresh_cluster, rules, "cloudtrail-raw")
    _rule(rules)
    options = ("--tuning", _settings(tmp_path, *FIELDS))
    assert _gathered(osdetect, fresh_cluster, rules, "cloudtrail-ecs", *options) == plain


def test_a_backtest_tells_them_apart_too(osdetect: Osdetect, fresh_cluster: str, rules: Path) -> None:
    index = _stored(fresh_cluster, "cloudtrail-ecs")
    at = ("--pipeline", "cloudtrail-ecs", "--url", fresh_cluster)
    (rules / "2.yml").write_text(rule_text(2, "{eventName: OtherThing}"))
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    _rule(rules, SUPPRESS)
    ran = osdetect("plan", rules, *at, "--backtest", "3660", "--events", index, "--output", "json")
    (told,) = json.loads(ran.out)["backtest"]["rules"]
    assert (told["id"], told["matches"]["new"], told["alerts"]["new"]) == (
        rule_id(1),
        len(CALLS),
        len(GROUPS),
    )
    ask(fresh_cluster, "DELETE", f"/{index}")


def test_a_release_that_does_not_say_where_its_fields_are_is_read_and_planned_to_change(
    osdetect: Osdetect, fresh_cluster: str, rules: Path
) -> None:
    _rule(rules, SUPPRESS)
    at = ("--pipeline", "cloudtrail-ecs", "--url", fresh_cluster)
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    (release,) = ask(fresh_cluster, "GET", "/_alias/osdetect-rules")
    stored = ask(fresh_cluster, "GET", f"/{release}/_doc/{rule_id(1)}")["_source"]
    del stored["detection"]["tuning"]["suppression"]["paths"]
    ask(fresh_cluster, "PUT", f"/{release}/_doc/{rule_id(1)}?refresh=true", stored)
    index = _stored(fresh_cluster, "cloudtrail-ecs")
    assert osdetect("detect", "--once", "--target", index, "--url", fresh_cluster).status == ExitCode.OK
    ask(fresh_cluster, "DELETE", f"/{index}")
    (alert,) = documents(fresh_cluster, "osdetect-alerts-*").values()
    assert alert["osdetect"]["suppression"]["count"] == len(CALLS)
    planned = json.loads(osdetect("plan", rules, *at, "--output", "json").out)
    (difference,) = planned["rules"][0]["differences"]
    assert difference["aspect"] == "suppression"
    assert "userIdentity.arn (aws.cloudtrail.user_identity.arn)" in difference["now"]
    assert "(" not in difference["was"]


def test_a_field_that_the_dialect_lacks_refuses_the_rule(
    osdetect: Osdetect, fresh_cluster: str, rules: Path
) -> None:
    _rule(rules, f"{{group_by: [{LACKING}], window: 1h}}")
    (rules / "2.yml").write_text(rule_text(2, "{eventName: OtherThing}"))
    at = ("--pipeline", "cloudtrail-ecs", "--url", fresh_cluster, "--output", "json")
    ran = osdetect("deploy", rules, *at)
    (refused,) = json.loads(ran.out)["refused"]
    assert ran.status == ExitCode.LOSS
    assert (refused["what"], refused["line"]) == (f"the field {LACKING!r} is not in these events", 13)
    assert "suppress.group_by" in refused["cause"]
    assert "cloudtrail-ecs" in refused["cause"]
    assert "--pipeline" in refused["cure"]
    (release,) = ask(fresh_cluster, "GET", "/_alias/osdetect-rules")
    assert set(documents(fresh_cluster, release)) == {rule_id(2)}


def test_when_no_rule_is_left_nothing_is_deployed(
    osdetect: Osdetect, fresh_cluster: str, rules: Path
) -> None:
    _rule(rules, f"{{group_by: [{LACKING}], window: 1h}}")
    ran = osdetect("deploy", rules, "--pipeline", "cloudtrail-ecs", "--url", fresh_cluster)
    assert ran.status == ExitCode.NO_INPUT
    assert f"the field {LACKING!r} is not in these events" in ran.err
    assert f"{rules / '1.yml'}:13:" in ran.err
    assert ask(fresh_cluster, "GET", "/_alias/osdetect-rules", accept=(404,)).get("error"), "nothing is live"


@pytest.mark.parametrize(
    "said",
    [
        "suppress = false",
        "mode = 'off'",
        "mode = 'shadow'",
        "suppress = { group_by = ['userIdentity.arn'], window = '1h' }",
    ],
)
def test_unless_a_settings_file_says_otherwise(
    osdetect: Osdetect, fresh_cluster: str, rules: Path, tmp_path: Path, said: str
) -> None:
    _rule(rules, f"{{group_by: [{LACKING}], window: 1h}}")
    options = ("--tuning", _said(tmp_path, said), "--url", fresh_cluster)
    ran = osdetect("deploy", rules, "--pipeline", "cloudtrail-ecs", *options)
    assert (ran.status, ran.err) == (ExitCode.OK, "")
    (release,) = ask(fresh_cluster, "GET", "/_alias/osdetect-rules")
    (stored,) = documents(fresh_cluster, release).values()
    tuning = stored["detection"].get("tuning", {})
    expected = {
        "suppress = false": {},
        "mode = 'off'": {"mode": "off"},
        "mode = 'shadow'": {"mode": "shadow"},
    }
    lacks = {"group_by": [LACKING], "window_s": 3600, "paths": {LACKING: []}}
    placed = {"userIdentity.arn": ["aws.cloudtrail.user_identity.arn"]}
    assert tuning == (
        {"suppression": {"group_by": ["userIdentity.arn"], "window_s": 3600, "paths": placed}}
        if said not in expected
        else {**expected[said], **({"suppression": lacks} if expected[said] else {})}
    )


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_or_no_alerts_are_made_of_it_which_a_settings_file_may_change(
    osdetect: Osdetect, fresh_cluster: str, rules: Path, tmp_path: Path, mode: str
) -> None:
    _rule(rules, f"{{group_by: [{LACKING}], window: 1h}}", mode)
    at = ("--pipeline", "cloudtrail-ecs", "--url", fresh_cluster)
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    index = _stored(fresh_cluster, "cloudtrail-ecs")
    ran = osdetect("detect", "--once", "--target", index, "--url", fresh_cluster)
    ask(fresh_cluster, "DELETE", f"/{index}")
    assert (ran.status, documents(fresh_cluster, "osdetect-alerts-*")) == (ExitCode.OK, {})
    (rules / "2.yml").write_text(rule_text(2, "{eventName: OtherThing}"))
    ran = osdetect("deploy", rules, *at, "--tuning", _said(tmp_path, "mode = 'alert'"), "--output", "json")
    (refused,) = json.loads(ran.out)["refused"]
    assert (ran.status, refused["line"]) == (ExitCode.LOSS, 13)


def test_a_hunt_needs_none_of_it(osdetect: Osdetect, fresh_cluster: str, rules: Path) -> None:
    _rule(rules, f"{{group_by: [{LACKING}], window: 1h}}")
    index = _stored(fresh_cluster, "cloudtrail-ecs")
    at = ("--pipeline", "cloudtrail-ecs", "--target", index, "--url", fresh_cluster, "--output", "json")
    ran = osdetect("hunt", rules / "1.yml", *at)
    ask(fresh_cluster, "DELETE", f"/{index}")
    assert ran.status == ExitCode.OK
    assert LACKING not in ran.err


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("check",), ExitCode.LOSS),
        (("compile", "-f", "ndjson"), ExitCode.LOSS),
        (("compile", "-f", "dsl"), ExitCode.OK),
    ],
)
def test_who_is_asked_what_is_deployed_says_so_too(
    osdetect: Osdetect, rules: Path, command: tuple[str, ...], status: ExitCode
) -> None:
    _rule(rules, f"{{group_by: [{LACKING}], window: 1h}}")
    name, *options = command
    ran = osdetect(name, rules, *options, "--pipeline", "cloudtrail-ecs")
    assert ran.status == status
    assert (f"{LACKING!r} is not in these events" in ran.out + ran.err) == (status == ExitCode.LOSS)


def test_so_does_a_settings_file_that_names_one_with_its_line(
    osdetect: Osdetect, fresh_cluster: str, rules: Path, tmp_path: Path
) -> None:
    _rule(rules)
    file = _settings(tmp_path, "userIdentity.arn", LACKING)
    at = ("--tuning", file, "--url", fresh_cluster)
    ran = osdetect("deploy", rules, "--pipeline", "cloudtrail-ecs", *at)
    assert ran.status == ExitCode.USAGE
    assert f"the field {LACKING!r} is not in these events" in ran.err
    assert f"{file}:2:" in ran.err
    assert ask(fresh_cluster, "GET", "/_alias/osdetect-rules", accept=(404,)).get("error"), "nothing is live"
    assert osdetect("deploy", rules, "--pipeline", "cloudtrail-raw", *at).status == ExitCode.OK
