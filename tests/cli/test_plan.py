"""`osdetect plan`: what it says of each kind of change, and that it says nothing after the deploy."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.faults.material import ask, connect, put_records, record, rule_id, rule_text, write_rules

TUNED = "osdetect: {mode: shadow, suppress: {group_by: [userIdentity.userName], window: 1h}}\n"
OLD = "{eventSource: things.amazonaws.com, eventName: [CreateThing, DeleteThing]}"


def _plan(osdetect: Osdetect, rules: Path, url: str, *more: str) -> dict[str, Any]:
    ran = osdetect("plan", rules, "--url", url, "--output", "json", *more)
    told: dict[str, Any] = json.loads(ran.out)
    assert ran.err == ""
    assert ran.status == (ExitCode.CHANGES if told["changes"] else ExitCode.OK)
    return told


def _rules(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    for name, text in texts.items():
        (folder / f"{name}.yml").write_text(text)
    return folder


def test_a_plan_names_each_change_by_its_meaning_and_nothing_after_the_deploy(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = _rules(
        tmp_path / "rules", one=rule_text(1, OLD), two=rule_text(2, "{eventName: A}"), three=rule_text(3, OLD)
    )
    first = _plan(osdetect, rules, fresh_cluster)
    assert first["live"] is None
    assert first["counts"]["added"] == 3
    assert "osdetect-rules" in first["to_install"]
    assert osdetect("deploy", rules, "--url", fresh_cluster).status == ExitCode.OK
    after = _plan(osdetect, rules, fresh_cluster)
    assert not after["changes"]
    assert (after["rules"], after["counts"]["unchanged"]) == ([], 3)

    # A selection renamed, values and keys in another order, written twice: only the third file changes at all, and not in meaning.
    turned = "{eventName: [DeleteThing, CreateThing, DeleteThing], eventSource: things.amazonaws.com}"
    renamed = rule_text(1, OLD).replace("selection", "whatever")
    new = "{eventSource: things.amazonaws.com, eventName: [CreateThing, MoveThing]}"
    _rules(rules, one=renamed, three=rule_text(3, turned), four=rule_text(4, "{eventName: B}"))
    told = _plan(osdetect, rules, fresh_cluster)
    assert told["counts"] == {"added": 1, "changed": 1, "removed": 1, "changed_in_meaning": 0, "unchanged": 1}
    by_id = {one["id"]: one for one in told["rules"]}
    assert {key: one["change"] for key, one in by_id.items()} == {
        rule_id(2): "removed",
        rule_id(3): "changed",
        rule_id(4): "added",
    }
    (same,) = by_id[rule_id(3)]["differences"]
    assert (same["aspect"], same["meaning"]) == ("condition", False)

    _rules(
        rules,
        one=rule_text(1, new, level="low").replace("title: Made-up rule 1", "title: Renamed") + TUNED,
        two=rule_text(2, "{eventName: A}"),
        three=rule_text(3, OLD),
    )
    (changed,) = _plan(osdetect, rules, fresh_cluster)["rules"]
    assert changed["title"] == "Renamed"
    found = {(one["aspect"], one["was"], one["now"], one.get("effect", "")) for one in changed["differences"]}
    assert found == {
        ("condition", 'eventName is "DeleteThing"', "", "fewer"),
        ("condition", "", 'eventName is "MoveThing"', "more"),
        ("level", "high", "low", ""),
        ("mode", "alert", "shadow", ""),
        ("suppression", "", "one alert in 3600 s for each userIdentity.userName", ""),
        ("title", "Made-up rule 1", "Renamed", ""),
    }
    shown = osdetect("plan", rules, "--url", fresh_cluster)
    assert shown.status == ExitCode.CHANGES
    for word in ("~ changed", 'eventName is "MoveThing"', "condition, any of", "no change of meaning"):
        assert word in shown.out
    assert "0 added, 1 changed (1 in meaning), 0 removed, 2 unchanged" in shown.out
    assert osdetect("deploy", rules, "--url", fresh_cluster).status == ExitCode.OK
    assert not _plan(osdetect, rules, fresh_cluster)["changes"]


def test_what_was_edited_in_the_cluster_is_planned_and_mended(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: A}", "{eventName: B}"])
    (rules / "unknown.yml").write_text(rule_text(9, "{eventName|no_such_modifier: x}"))
    assert osdetect("deploy", rules, "--url", fresh_cluster).status == ExitCode.LOSS
    assert osdetect("plan", rules, "--url", fresh_cluster).status == ExitCode.LOSS, "a rule is refused"
    (rules / "unknown.yml").unlink()
    (index,) = ask(fresh_cluster, "GET", "/_alias/osdetect-rules")
    edited = ask(fresh_cluster, "GET", f"/{index}/_doc/{rule_id(1)}")["_source"]
    edited["rule"]["level"] = "low"
    ask(fresh_cluster, "PUT", f"/{index}/_doc/{rule_id(1)}?refresh=true", edited)
    told = _plan(osdetect, rules, fresh_cluster)
    (changed,) = told["rules"]
    assert changed["differences"][0] == {"aspect": "level", "was": "low", "now": "high", "meaning": True}
    assert "edited in the cluster" in told["others"][0]
    ran = osdetect("deploy", rules, "--url", fresh_cluster)
    assert "mended 1 rules" in ran.out
    assert not _plan(osdetect, rules, fresh_cluster)["changes"]


def test_a_backtest_counts_matches_alerts_and_which_are_new_and_lost(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    grouped = "osdetect: {suppress: {group_by: [userIdentity.userName], window: 1d}}\n"
    kept = rule_text(5, "{eventName: Kept}")
    rules = _rules(
        tmp_path / "rules",
        one=rule_text(1, OLD),
        two=rule_text(2, "{eventName: Gone}"),
        four=rule_text(4, "{eventName: CreateThing}"),
        five=kept,
    )
    at = ("--url", fresh_cluster)
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    names = ["CreateThing"] * 4 + ["DeleteThing"] * 3 + ["MoveThing"] * 2 + ["Gone"] * 5 + ["Kept"]
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT10:00:00Z")
    with connect(fresh_cluster) as cluster:
        put_records(
            cluster,
            "osdetect-cloudtrail-default-2026.11",
            [record(number, eventName=name, eventTime=yesterday) for number, name in enumerate(names)],
        )
        put_records(
            cluster,
            "osdetect-cloudtrail-default-2019.01",
            [record(900, eventName="MoveThing", eventTime="2019-01-01T00:00:00Z")],
        )
    new = "{eventSource: things.amazonaws.com, eventName: [CreateThing, MoveThing]}"
    _rules(
        rules,
        one=rule_text(1, new),
        three=rule_text(3, "{eventName: MoveThing}") + "osdetect: {mode: shadow}\n",
        four=rule_text(4, "{eventName: CreateThing}") + grouped,
        five=kept.replace("A Test Author", "Another Author"),
    )
    ask(fresh_cluster, "POST", "/osdetect-*/_refresh")
    before = ask(fresh_cluster, "GET", "/_cat/indices/osdetect-*?format=json&h=index,docs.count")
    told = _plan(osdetect, rules, fresh_cluster, "--backtest", "30")["backtest"]
    assert ask(fresh_cluster, "GET", "/_cat/indices/osdetect-*?format=json&h=index,docs.count") == before
    found = {one["id"]: (*one["matches"].values(), *one["alerts"].values()) for one in told["rules"]}
    assert found == {
        rule_id(1): (7, 6, 7, 6, 2, 3),
        rule_id(2): (5, 0, 5, 0, 0, 5),
        rule_id(3): (0, 2, 0, 0, 0, 0),
        rule_id(4): (4, 4, 4, 1, 1, 4),
    }, "and nothing of the rule of which only the author changed"
    assert (told["alerts_gained"], told["alerts_lost"], told["cut"], told["not_judged"]) == (3, 12, False, 0)
    assert told["events_read"] == 14, "found by search: neither what is old nor what no rule asks for is read"
    shown = osdetect("plan", rules, *at, "--backtest", "30")
    assert shown.status == ExitCode.CHANGES
    assert "backtest: 3 alerts more and 12 fewer in 30 days" in shown.out
    longer = _plan(osdetect, rules, fresh_cluster, "--backtest", "3660")["backtest"]
    assert longer["alerts_gained"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--events", "x-*"), "--backtest"),
        (("--sha256", "00"), "--bundle"),
        (("--bundle", "x.tar", "--rules-shards", "2"), "give --bundle alone"),
        (("--bundle", "nowhere.tar"), "the bundle nowhere.tar is refused"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    osdetect: Osdetect, arguments: tuple[str, ...], said: str
) -> None:
    ran = osdetect("plan", "--url", "http://127.0.0.1:9", *arguments)
    assert ran.status in (ExitCode.USAGE, ExitCode.NO_INPUT)
    assert said in ran.err
