"""The site as a whole: the same bytes each time, histories, evidence, and what a cluster knows."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from osdetect import resources
from osdetect.catalog.licences import OWN_PACK, Licences
from osdetect.cli.main import run
from osdetect.cluster import Cluster
from tests.catalog.conftest import SEED
from tests.catalog.layer_format import LAYER
from tests.faults.material import ask, connect, deployed, detected, put_records, record, rule_id, write_rules

KEY = "{eventName: CreateAccessKey}"
USER = "{eventName: CreateUser}"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def _page(folder: Path, number: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(
        (folder / "rules" / f"{rule_id(number)}.json").read_text(encoding="utf-8")
    )
    return data


def _built(rules: Path, folder: Path, *options: str) -> Path:
    assert run(["catalog", "build", str(rules), "-o", str(folder), *options]) == 0
    return folder


def _differing(one: Path, other: Path) -> list[str]:
    left, right = _files(one), _files(other)
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def _built_elsewhere(rules: str, folder: Path, cwd: Path) -> Path:
    """By another process, with another seed, time zone, language and working directory."""
    program = [sys.executable, "-m", "osdetect", "catalog", "build", rules, "-o", str(folder)]
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run(program, cwd=cwd, env=environment, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr  # some are refused
    return folder


def test_the_same_rules_give_the_same_bytes_wherever_they_are(tmp_path: Path) -> None:
    rules = tmp_path / "here" / "rules"
    shutil.copytree(resources.folder("rules") / "aws" / "kms", rules / "kms" / "rules")
    twice = rules / "kms" / "rules" / "kms_key_disabled.yml"
    shutil.copy(twice, rules / "kms" / "rules" / "once_more.yml")
    (rules / "broken.yml").write_text("title: broken\ndetection: {}\n", encoding="utf-8")
    assert run(["catalog", "build", str(rules), "-o", str(tmp_path / "one")]) == 1
    moved = shutil.copytree(rules, tmp_path / "moved" / "away" / "rules")
    for place, named in ((moved.parent, "rules"), (moved / "kms", "..")):
        again = _built_elsewhere(named, tmp_path / f"again-{place.name}", place)
        assert _differing(tmp_path / "one", again) == []
    (first, second) = json.loads((tmp_path / "one" / "about.json").read_text(encoding="utf-8"))["rows"]
    assert first["where"] == "broken.yml:1:1"
    assert second["where"] == "kms/rules/once_more.yml:1:1"
    assert second["cause"] == "the same rule has it: kms/rules/kms_key_disabled.yml:1:1"


@pytest.mark.long
def test_all_visible_rules_give_the_same_bytes_twice(shared: Path, tmp_path: Path) -> None:
    rules = shared / "data" / "rules"
    sites = [
        _built_elsewhere(named, tmp_path / str(number), cwd)
        for number, (named, cwd) in enumerate(((str(rules), tmp_path), ("rules", rules.parent)))
    ]
    assert len(list((sites[0] / "rules").glob("*-*-*-*-*.html"))) > 3_000
    assert _differing(*sites) == []


def test_what_an_earlier_build_left_goes_and_other_files_stay(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules", [KEY, USER])
    site = _built(rules, tmp_path / "site")
    (site / "CNAME").write_text("rules.example.org", encoding="utf-8")
    (site / "techniques~2.html").write_text("of more techniques than there are now", encoding="utf-8")
    (rules / "rule_2.yml").unlink()
    again = _built(rules, site)
    (again / "CNAME").unlink()
    assert _differing(again, _built(rules, tmp_path / "fresh")) == []


def test_the_site_of_somebody_else_is_not_written_over(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = write_rules(tmp_path / "rules", [KEY])
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine", encoding="utf-8")
    assert run(["catalog", "build", str(rules), "-o", str(tmp_path / "site")]) == 8
    assert "another site is in this folder" in capfd.readouterr().err
    assert [one.name for one in (tmp_path / "site").iterdir()] == ["index.html"]


def test_an_interruption_while_the_program_is_still_read_is_told_in_a_word(tmp_path: Path) -> None:
    program = [sys.executable, "-X", "importtime", "-m", "osdetect", "catalog", "build", "-o", str(tmp_path)]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr
        assert any("osdetect.vocabulary" in line for line in started.stderr)  # from here on it is ours
        started.send_signal(signal.SIGINT)
        lines = [line for line in started.stderr if not line.startswith("import time:")]
    assert lines == ["interrupted\n"]
    assert started.returncode in {130, -signal.SIGINT}  # a shell says 130 of both


def test_a_rule_without_a_licence_has_that_of_its_pack(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules" / "pack" / "deep", [KEY]).parents[1]
    (tmp_path / "LICENSE").write_text("above what was named", encoding="utf-8")
    secret = tmp_path / "secret"
    secret.write_text("of another file", encoding="utf-8")
    (rules / "pack" / "deep" / "LICENSE").symlink_to(secret)
    assert _page(_built(rules, tmp_path / "none"), 1)["license"] == ""
    (rules / "pack" / "LICENSE.md").write_text("\n# Some Rule Licence 1.0\n\nWords.\n", encoding="utf-8")
    assert _page(_built(rules, tmp_path / "one"), 1)["license"] == "Some Rule Licence 1.0 (pack/LICENSE.md)"
    assert Licences([rules]).of(rules / "x.yml", OWN_PACK) == "Apache-2.0"


def test_the_tests_beside_a_rule_are_run_for_its_page(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = write_rules(tmp_path / "rules", [KEY, USER, "{eventName: DeleteUser}"])
    beside = "must_match: [{why: the call itself, event: {eventName: %s}}]\nmust_not_match: [{why: another, event: {eventName: GetUser}}]\n"
    (rules / "rule_1.tests.yml").write_text(beside % "CreateAccessKey", encoding="utf-8")
    (rules / "rule_2.tests.yml").write_text(beside % "CreateUserNot", encoding="utf-8")
    (rules / "rule_3.tests.yml").write_text("must_match: 3\n", encoding="utf-8")
    site = _built(rules, tmp_path / "site")
    assert "1 tests beside the rules cannot be used" in capfd.readouterr().err
    found = [_page(site, number)["evidence"] for number in (1, 2, 3)]
    assert [(one["tests"], one["passed"], one["state"]) for one in found] == [
        (2, 2, "tested"),
        (2, 1, "declared"),
        (0, 0, "declared"),
    ]
    untested = _built(rules, tmp_path / "untested", "--no-tests")
    assert _page(untested, 1)["evidence"]["tests"] == 0
    capfd.readouterr()
    assert run(["catalog", "show", rule_id(2), str(rules), "--output", "json"]) == 0
    assert json.loads(capfd.readouterr().out)["evidence"]["passed"] == 1


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    there = {str(one.relative_to(site)) for one in site.rglob("*") if one.is_file()}
    broken = set()
    for name in there:
        if name.endswith(".html"):
            text = (site / name).read_text(encoding="utf-8")
            for link in re.findall(r'(?:href|src)="(?!https?:)([^"#]+)', text):
                target = os.path.normpath(Path(name).parent / link)
                if target not in there:
                    broken.add((name, link))
    assert broken == set()
    assert f"rules/{SEED}.html" in there


def test_no_page_is_larger_than_300_kilobytes(site: Path) -> None:
    large = [one.name for one in site.rglob("*") if one.is_file() and one.stat().st_size > 300_000]
    assert set(large) <= {"rules.js", "index.json"}


def _git(folder: Path, *arguments: str) -> None:
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "A. <Author>"),
            ("EMAIL", "a@example.org"),
            ("DATE", "2026-02-03T04:05:06Z"),
        )
    }
    subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **who}, check=True, capture_output=True
    )


def test_a_page_tells_the_history_of_its_file_and_runs_nothing_that_the_repository_names(
    tmp_path: Path,
) -> None:
    repository = tmp_path / "repository"
    write_rules(repository / "rules", [KEY, USER])
    _git(repository, "init", "-q")
    _git(repository, "add", ".")
    _git(repository, "commit", "-q", "-m", "First rules")
    changed = repository / "rules" / "rule_1.yml"
    changed.write_text(
        changed.read_text(encoding="utf-8").replace("level: high", "level: low"), encoding="utf-8"
    )
    _git(repository, "commit", "-q", "-a", "-m", "=Less | <b>loud</b>")
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\n", encoding="utf-8")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "gpg.program", "core.pager", "diff.external", "core.sshCommand"):
        _git(repository, "config", name, str(trap))
    _git(repository, "config", "log.showSignature", "true")
    site = _built(repository / "rules", tmp_path / "site")
    page = _page(site, 1)
    assert [(one["date"], one["author"], one["subject"]) for one in page["history"]] == [
        ("2026-02-03", "A. Author", "=Less | <b>loud</b>"),
        ("2026-02-03", "A. Author", "First rules"),
    ]
    assert not (tmp_path / "sprung").exists()
    assert _page(_built(repository / "rules", tmp_path / "none", "--no-history"), 1)["history"] == []


def test_a_repository_that_git_refuses_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_rules(tmp_path / "rules", [KEY])
    (tmp_path / ".git").mkdir()
    _built(tmp_path / "rules", tmp_path / "site")
    assert "the history of these rules is not known" in capfd.readouterr().err


EVIDENCE: Mapping[str, Any] = {
    rule_id(1): {"tests": 4, "passed": 4, "mutation_score": 0.95, "fired": 12},
    rule_id(2): {"tests": 3, "passed": 2, "mutation_score": None, "fired": 0},
}


def test_what_tests_said_stands_on_the_page_and_in_coverage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = write_rules(tmp_path / "rules", [KEY, USER, "{eventName: DeleteUser}"])
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps(EVIDENCE), encoding="utf-8")
    site = _built(rules, tmp_path / "site", "--evidence", str(file))
    states = [_page(site, number)["evidence"] for number in (1, 2, 3)]
    assert [one["state"] for one in states] == ["fired", "declared", "declared"]
    page = (site / "rules" / f"{rule_id(1)}.html").read_text(encoding="utf-8")
    assert "yes: 4 of 4 pass, mutation score 0.95" in page
    assert "yes: 12 records" in page
    assert "no: 2 of 3 pass" in (site / "rules" / f"{rule_id(2)}.html").read_text(encoding="utf-8")
    capfd.readouterr()
    scan = tmp_path / "scan.json"
    scan.write_text(
        json.dumps({"scan": {"by_rule": [{"id": rule_id(3), "alerts": 5}]}, "alerts": []}), encoding="utf-8"
    )
    again = _built(
        rules, tmp_path / "again", "--evidence", str(file), "--scan", str(scan), "--scan", str(scan)
    )
    found = [_page(again, number)["evidence"] for number in (1, 3)]
    assert [(one["state"], one["fired"]) for one in found] == [("fired", 12), ("fired", 10)]
    capfd.readouterr()
    assert run(["catalog", "build", str(rules), "-o", str(tmp_path), "--scan", str(file)]) == 4
    assert "osdetect scan" in capfd.readouterr().err
    file.write_text('{"x": {"tests": "many"}}', encoding="utf-8")
    assert run(["catalog", "build", str(rules), "-o", str(tmp_path), "--evidence", str(file)]) == 4
    assert "this file of evidence cannot be used" in capfd.readouterr().err


def test_a_layer_has_the_techniques_that_are_proven_so_far(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = write_rules(tmp_path / "rules", [KEY, KEY, KEY])
    other = rules / "rule_2.yml"
    other.write_text(other.read_text().replace("attack.t1098.001", "attack.t1136.003"), encoding="utf-8")
    evidence = tmp_path / "evidence.json"
    evidence.write_text(json.dumps(EVIDENCE), encoding="utf-8")
    found, told = {}, {}
    for state in ("declared", "tested", "fired"):
        layer = tmp_path / f"{state}.json"
        asked = ["coverage", str(rules), "--evidence", str(evidence), "--layer", str(layer), "--state", state]
        assert run([*asked, "--output", "json"]) == 0
        told = json.loads(capfd.readouterr().out)
        read = json.loads(layer.read_text(encoding="utf-8"))
        assert [error.message for error in Draft202012Validator(LAYER).iter_errors(read)] == []
        assert read["gradient"]["minValue"] < read["gradient"]["maxValue"]
        found[state] = {one["techniqueID"]: one["score"] for one in read["techniques"]}
    assert found == {
        "declared": {"T1098.001": 2, "T1136.003": 1},
        "tested": {"T1098.001": 1},
        "fired": {"T1098.001": 1},
    }
    (persistence,) = [one for one in told["tactics"] if one["name"] == "Persistence"]
    assert (persistence["declared"], persistence["tested"], persistence["fired"]) == (2, 1, 1)
    assert {one["call"]: len(one["rules"]) for one in persistence["calls"]}["CreateAccessKey"] == 3


def test_a_site_that_cannot_be_written_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rules = write_rules(tmp_path / "rules", [KEY])
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert run(["catalog", "build", str(rules), "-o", str(tmp_path / "file")]) == 8
    assert "cannot be written" in capfd.readouterr().err
    assert run(["coverage", str(rules), "--layer", str(tmp_path / "file" / "layer.json")]) == 8


def test_refused_rules_are_listed_and_set_the_exit_code(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules", [KEY])
    (rules / "broken.yml").write_text("title: broken\ndetection: {}\n", encoding="utf-8")
    site = tmp_path / "site"
    assert run(["catalog", "build", str(rules), "-o", str(site)]) == 1
    about = json.loads((site / "about.json").read_text(encoding="utf-8"))
    assert about["refused"] == 1
    assert "broken.yml" in about["rows"][0]["where"]


@pytest.mark.node
def test_hits_in_the_cluster(fresh_cluster: str, tmp_path: Path) -> None:
    write_rules(tmp_path / "rules", [KEY, USER])
    with connect(fresh_cluster) as cluster:
        _alerts(cluster, tmp_path)
        ask(fresh_cluster, "POST", "/osdetect-alerts-t-*/_refresh")
    site = _built(tmp_path / "rules", tmp_path / "site", "--cluster", "--url", fresh_cluster, "-n", "t")
    assert _page(site, 1)["hits"] == {
        "count": 3,
        "first_seen": "2024-05-01T00:00:01.000Z",
        "last_seen": "2024-05-01T00:00:03.000Z",
    }
    assert _page(site, 2)["hits"] == {"count": 0, "first_seen": None, "last_seen": None}
    empty = _built(tmp_path / "rules", tmp_path / "empty", "--cluster", "--url", fresh_cluster, "-n", "other")
    assert _page(empty, 1)["hits"]["count"] == 0
    assert _page(_built(tmp_path / "rules", tmp_path / "unasked"), 1)["hits"] is None


def _alerts(cluster: Cluster, folder: Path) -> None:
    deployed(cluster, folder, KEY, USER)
    events = [
        record(number, eventName="CreateAccessKey", eventTime=f"2024-05-01T00:00:0{number}Z")
        for number in (1, 2, 3)
    ]
    put_records(cluster, "osdetect-cloudtrail-t-2024.05", [*events, record(4)])
    detected(cluster)


def test_show_by_file_title_or_id_and_what_is_not_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = write_rules(tmp_path / "rules", [KEY, KEY])
    shown = []
    for named in (str(rules / "rule_1.yml"), rule_id(1), "made-up rule 1"):
        assert run(["catalog", "show", named, str(rules), "--no-history", "--output", "json"]) == 0
        shown.append(json.loads(capfd.readouterr().out))
    assert shown[0] == shown[1] == shown[2]
    assert [one["title"] for one in shown[0]["same_action"]["rules"]] == ["Made-up rule 2"]
    assert run(["catalog", "show", "made-up", str(rules), "--no-history"]) == 4
    said = capfd.readouterr().err
    assert "no rule is called 'made-up'" in said
    assert "Made-up rule 1; Made-up rule 2" in said
