"""`releases`, `rollback`, `drift` and `deploy --max-delete`: what a user of a real cluster sees of the life of releases."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from osdetect.cli.rules import compile_rules
from osdetect.deploy import deploy
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.faults.material import ask, deployed, documents, rule_id, write_rules
from tests.faults.material import connect as connected


def _releases(osdetect: Osdetect, url: str) -> list[dict[str, Any]]:
    ran = osdetect("releases", "--url", url, "--output", "json")
    assert (ran.status, ran.err) == (ExitCode.OK, "")
    told: list[dict[str, Any]] = json.loads(ran.out)["releases"]
    assert sum(one["live"] for one in told) == min(1, len(told))
    return told


def _live(url: str) -> str:
    (index,) = ask(url, "GET", "/_alias/osdetect-rules")
    return str(index).removeprefix("osdetect-rules-")


def test_releases_say_what_they_are_and_rollback_follows_what_was_live_before(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    at = ("--url", fresh_cluster)
    assert _releases(osdetect, fresh_cluster) == []
    assert "nothing is deployed" in osdetect("releases", *at).out
    assert osdetect("rollback", *at).status == ExitCode.CLUSTER
    for number, name in enumerate("ABC"):
        rules = write_rules(tmp_path / name, [f"{{eventName: {name}}}"] * (number + 1))
        assert osdetect("deploy", rules, *at).status == ExitCode.OK
    third, second, first = _releases(osdetect, fresh_cluster)
    assert [one["rules"] for one in (first, second, third)] == [1, 2, 3]
    assert third["live"]
    assert (third["follows"], second["follows"], first["follows"]) == (second["index"], first["index"], "")
    assert "@" in third["by"]

    said = osdetect("rollback", "--dry-run", *at)
    assert said.status == ExitCode.CHANGES
    assert "0 added, 2 changed (2 in meaning), 1 removed, 0 unchanged" in said.out
    assert _live(fresh_cluster) == third["release"]
    told = json.loads(osdetect("rollback", *at, "--output", "json").out)
    assert (told["from"]["release"], told["to"]["release"]) == (third["release"], second["release"])
    assert told["counts"]["removed"] == 1
    assert {one["differences"][0]["was"] for one in told["rules"][:2]} == {'eventName is "C"'}
    assert _live(fresh_cluster) == second["release"]
    assert osdetect("rollback", *at).status == ExitCode.OK
    assert _live(fresh_cluster) == first["release"], "the same again goes one further"
    assert set(documents(fresh_cluster, "osdetect-rules")) == {rule_id(1)}
    beyond = osdetect("rollback", *at)
    assert beyond.status == ExitCode.NO_INPUT
    assert "no release before" in beyond.err
    assert osdetect("rollback", "--to", third["release"][:6], *at).status == ExitCode.OK
    assert _live(fresh_cluster) == third["release"]
    again = osdetect("rollback", "--to", third["index"], *at)
    assert (again.status, "it is live already" in again.out) == (ExitCode.OK, True)
    assert osdetect("rollback", "2", *at).status == ExitCode.OK
    assert _live(fresh_cluster) == first["release"]
    assert (
        third["release"]
        in next(one for one in _releases(osdetect, fresh_cluster) if one["live"])["rolled_back"]
    )
    assert osdetect("rollback", "2", "--to", "x", *at).status == ExitCode.USAGE
    assert osdetect("rollback", "--to", "nothing", *at).status == ExitCode.NO_INPUT
    assert osdetect("plan", tmp_path / "C", *at).status == ExitCode.CHANGES, "git still says otherwise"


def test_a_release_that_cannot_be_run_or_was_edited_is_not_rolled_back_to(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    with connected(fresh_cluster) as cluster:
        old = deployed(cluster, tmp_path, "{eventName: A}", "{eventName: B}")
        new = deployed(cluster, tmp_path, "{eventName: C}")
    ask(fresh_cluster, "DELETE", f"/{old.index}/_doc/{rule_id(2)}?refresh=true")
    ran = osdetect("rollback", "--url", fresh_cluster)
    assert ran.status == ExitCode.CLUSTER
    assert "not as it was deployed" in ran.err
    assert rule_id(2) in ran.err
    meta = ask(fresh_cluster, "GET", f"/{old.index}/_mapping")[old.index]["mappings"]["_meta"]
    for change, said in (
        ({"format": 2}, "have the format 2"),
        ({"complete": False}, "did not come to its end"),
    ):
        ask(fresh_cluster, "PUT", f"/{old.index}/_mapping", {"_meta": {**meta, **change}})
        ran = osdetect("rollback", "--url", fresh_cluster)
        assert ran.status == ExitCode.CLUSTER
        assert said in ran.err
    assert _live(fresh_cluster) == new.index.removeprefix("osdetect-rules-")


def test_a_rollback_names_exceptions_that_have_expired_since(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    folder = write_rules(tmp_path, ["{eventName: A}"])
    (folder / "filter.yml").write_text(
        "title: The nightly backup\n"
        f"id: {rule_id(99)}\n"
        "logsource: {product: aws, service: cloudtrail}\n"
        "osdetect: {exception: {owner: cloud-team, reason: it was right, expires: 2020-01-31}}\n"
        f"filter: {{rules: [{rule_id(1)}], selection: {{eventSource: s3.amazonaws.com}}, condition: not selection}}\n"
    )
    with connected(fresh_cluster) as cluster:
        deploy(cluster, compile_rules([folder]).compiled, on_progress=lambda *_: None)
        new = deployed(cluster, tmp_path, "{eventName: B}")
    for options, status in (["--dry-run"], ExitCode.CHANGES), ([], ExitCode.OK):
        ran = osdetect("rollback", *options, "--url", fresh_cluster, "--output", "json")
        assert ran.status == status
        assert "'The nightly backup' of cloud-team expired on 2020-01-31" in ran.err
        (told,) = json.loads(ran.out)["expired_exceptions"]
        assert (told["title"], told["expires"]) == ("The nightly backup", "2020-01-31")
    back = osdetect("rollback", "--to", new.index, "--url", fresh_cluster)
    assert (back.status, back.err) == (ExitCode.OK, "")


def test_drift_names_what_was_edited_and_a_deploy_mends_it(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", [f"{{eventName: {name}}}" for name in "ABCD"])
    at = ("--url", fresh_cluster)

    def drift() -> set[tuple[str, str, str]]:
        ran = osdetect("drift", *at, "--output", "json")
        found = json.loads(ran.out)["drift"]
        assert ran.status == (ExitCode.CHANGES if found else ExitCode.OK)
        return {(one["kind"], one["name"], one["what"]) for one in found}

    assert ("alias", "osdetect-rules", "nothing is deployed") in drift()
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    assert drift() == set()
    assert "no drift" in osdetect("drift", *at).out
    (index,) = ask(fresh_cluster, "GET", "/_alias/osdetect-rules")
    source = ask(fresh_cluster, "GET", f"/{index}/_doc/{rule_id(1)}")["_source"]
    source["rule"]["level"] = "low"
    ask(fresh_cluster, "PUT", f"/{index}/_doc/{rule_id(1)}", source)
    ask(fresh_cluster, "DELETE", f"/{index}/_doc/{rule_id(2)}")
    ask(fresh_cluster, "PUT", f"/{index}/_doc/planted?refresh=true", {"rule": {"id": "x", "name": "Planted"}})
    ask(fresh_cluster, "DELETE", "/_index_template/osdetect-runs")
    path = "/_index_template/osdetect-alerts"
    (template,) = ask(fresh_cluster, "GET", path)["index_templates"]
    template["index_template"]["template"]["mappings"]["properties"]["rule"]["properties"]["id"]["type"] = (
        "text"
    )
    template["index_template"]["priority"] = 7
    ask(fresh_cluster, "PUT", path, template["index_template"])
    path = "/_ingest/pipeline/osdetect-cloudtrail"
    pipeline = ask(fresh_cluster, "GET", path)["osdetect-cloudtrail"]
    ask(fresh_cluster, "PUT", path, {**pipeline, "processors": []})
    assert drift() == {
        ("rule", rule_id(1), "it was edited"),
        ("rule", rule_id(2), "it was deleted"),
        ("rule", "planted", "no deploy added it"),
        ("template", "osdetect-runs", "it is missing"),
        (
            "template",
            "osdetect-alerts",
            "edited at priority, template.mappings.properties.rule.properties.id.type",
        ),
        ("pipeline", "osdetect-cloudtrail", "edited at processors"),
    }
    shown = osdetect("drift", *at)
    for word in ("Made-up rule 1", "Planted", "not as it was deployed: 6"):
        assert word in shown.out
    ran = json.loads(osdetect("deploy", rules, *at, "--output", "json").out)
    assert sorted(ran["repaired"]) == sorted([rule_id(1), rule_id(2), "planted"])
    assert sorted(ran["installed"]) == ["osdetect-alerts", "osdetect-cloudtrail", "osdetect-runs"]
    assert drift() == set()
    assert set(documents(fresh_cluster, "osdetect-rules")) == {rule_id(number) for number in (1, 2, 3, 4)}
    # The digests edited together with a rule: the release is still named by its rules.
    meta = ask(fresh_cluster, "GET", f"/{index}/_mapping")[index]["mappings"]["_meta"]
    ask(fresh_cluster, "PUT", f"/{index}/_doc/{rule_id(1)}?refresh=true", source)
    ask(fresh_cluster, "PUT", f"/{index}/_mapping", {"_meta": {**meta, "digests": {}}})
    ((kind, name, what),) = drift()
    assert (kind, name) == ("release", index)
    assert "not those that it is named by" in what
    ask(fresh_cluster, "PUT", "/osdetect-rules-other", {})
    action = {"add": {"index": "osdetect-rules-other", "alias": "osdetect-rules"}}
    ask(fresh_cluster, "POST", "/_aliases", {"actions": [action]})
    assert any(kind == "alias" and "a detector refuses that" in what for kind, _, what in drift())
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    assert drift() == set()


def test_rules_that_left_go_only_as_far_as_is_allowed(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    many = write_rules(tmp_path / "many", [f"{{eventName: Name{number}}}" for number in range(20)])
    few = write_rules(tmp_path / "few", [f"{{eventName: Name{number}}}" for number in range(9)])
    at = ("--url", fresh_cluster)
    assert osdetect("deploy", many, *at).status == ExitCode.OK
    live = _live(fresh_cluster)
    refused = osdetect("deploy", few, *at)
    assert refused.status == ExitCode.GUARDED
    for word in ("would take away 11 of 20", "10 are allowed", "--max-delete 11", "Made-up rule"):
        assert word in refused.err
    assert _live(fresh_cluster) == live
    assert len(_releases(osdetect, fresh_cluster)) == 1, "nothing was made"
    assert osdetect("deploy", few, "--max-delete", "50%", *at).status == ExitCode.GUARDED
    told = json.loads(osdetect("deploy", few, "--max-delete", "11", *at, "--output", "json").out)
    assert {one["id"] for one in told["removed"]} == {rule_id(number) for number in range(10, 21)}
    assert set(documents(fresh_cluster, "osdetect-rules")) == {rule_id(number) for number in range(1, 10)}
    for wrong in ("x", "-1", "101%", "1.5"):
        assert osdetect("deploy", few, "--max-delete", wrong, *at).status == ExitCode.USAGE


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_release_remembers_the_commit_of_its_rules(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "repository" / "rules", ["{eventName: A}"])

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        done = subprocess.run(
            ["git", "-C", str(rules.parent), *who, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    told = json.loads(osdetect("deploy", rules, "--url", fresh_cluster, "--output", "json").out)
    assert told["commit"] == commit
    assert _releases(osdetect, fresh_cluster)[0]["commit"] == commit
    assert commit[:12] in osdetect("releases", "--url", fresh_cluster).out
    git("worktree", "add", "-q", str(tmp_path / "tree"))
    git("pack-refs", "--all")
    bundled = osdetect("bundle", tmp_path / "tree" / "rules", "-o", tmp_path / "b.tar", "--output", "json")
    assert json.loads(bundled.out)["commit"] == commit
