"""Each exit code, provoked; every failure has a message with a cure, and no traceback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, environment
from tests.faults.material import record, rule_text, write_rules
from tests.faults.proxy import FaultProxy, Reply, always, refusal

DEAD = "http://127.0.0.1:9"
ROOT = Path(__file__).resolve().parents[2]


def _log(folder: Path, *records: object, name: str = "one.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps({"Records": records}))
    return folder


def test_0_all_was_done_and_the_second_time_says_that_nothing_is_to_do(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: CreateThing}"])
    logs = _log(tmp_path / "logs", record(1))
    at = ("--url", fresh_cluster)
    first = osdetect("deploy", rules, *at)
    assert (first.status, first.err) == (ExitCode.OK, "")
    assert "live: 1 rules in osdetect-rules-" in first.out
    again = osdetect("deploy", rules, *at)
    assert again.status == ExitCode.OK
    assert "nothing to do" in again.out
    loaded = osdetect("load", logs, *at)
    assert (loaded.status, loaded.err) == (ExitCode.OK, "")
    assert "1 records in 1 file: 1 events stored" in loaded.out
    assert "nothing new" in osdetect("load", logs, *at).out
    detected = osdetect("detect", "--once", *at)
    assert (detected.status, detected.err) == (ExitCode.OK, "")
    assert "1 new alerts" in detected.out
    assert "0 new alerts" in osdetect("detect", "--once", *at).out


def test_1_broken_rules_are_listed_and_the_good_ones_are_deployed(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: A}", "{eventName: B}"])
    (rules / "broken.yml").write_text("title: x\nlogsource: {product: aws, service: cloudtrail}\n  - : [")
    (rules / "unknown.yml").write_text(rule_text(9, "{eventName|no_such_modifier: x}"))
    ran = osdetect("deploy", rules, "--url", fresh_cluster)
    assert ran.status == ExitCode.LOSS
    assert "live: 2 rules" in ran.out
    assert ran.err.count("refused:") == 2
    assert "broken.yml:" in ran.err
    assert "unknown.yml:" in ran.err
    as_json = osdetect("deploy", rules, "--url", fresh_cluster, "--output", "json")
    assert as_json.status == ExitCode.LOSS
    report = json.loads(as_json.out)
    assert {Path(one["file"]).name for one in report["refused"]} == {"broken.yml", "unknown.yml"}
    assert all(one["what"] and one["line"] for one in report["refused"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("detect", "--url", DEAD), "--every 30s"),
        (("detect", "--once", "--every", "30s", "--url", DEAD), "--every 30s"),
        (("detect", "--every", "soon", "--url", DEAD), "not a period"),
        (("detect", "--every", "0s", "--url", DEAD), "not a period"),
        (("detect", "--every", "-5s", "--url", DEAD), "not a period"),
        (("detect", "--every", "5", "--url", DEAD), "30s, 5m, 1h"),
        (("detect", "--once", "--namespace", "No Good", "--url", DEAD), "--namespace"),
        (("detect", "--once", "--url", "localhost:9200"), "--url"),
        (("detect", "--once", "--url", "http://casey:hidden-word@localhost"), "OSDETECT_PASSWORD_FILE"),
        (("detect", "--once", "--ca-certs", "/nowhere.pem", "--url", "https://127.0.0.1:9"), "--ca-certs"),
        (("load", "."), "osdetect node up"),
        (("no-such-command",), "--help"),
        (("detect", "--no-such-option"), "--help"),
        (("load",), "PATH"),
        (("quickstart", "--output", "xml"), "'json'"),
        (("node", "up", "--heap-mb", "1"), "256"),
    ],
)
def test_2_the_command_line_or_a_setting_cannot_be_used(
    osdetect: Osdetect, nowhere: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    ran = osdetect(*arguments, **nowhere)
    assert ran.status == ExitCode.USAGE
    assert said in ran.err
    assert "hidden-word" not in ran.err
    assert ran.err.startswith("error: ")
    assert "cure:" in ran.err
    assert ran.out == ""


def test_2_without_a_command_the_help_is_shown_and_no_empty_error(osdetect: Osdetect) -> None:
    ran = osdetect()
    assert ran.status == ExitCode.USAGE
    assert "quickstart" in ran.out + ran.err
    assert "error" not in ran.err.lower()


def test_4_there_is_nothing_to_read(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path, nowhere: dict[str, str]
) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        (("load", tmp_path / "empty"), "no CloudTrail files found"),
        (("load", tmp_path / "absent"), "does not exist"),
        (("deploy", tmp_path / "empty"), "no"),
        (("deploy", tmp_path / "absent"), "absent"),
    ):
        ran = osdetect(*arguments, "--url", fresh_cluster)
        assert ran.status == ExitCode.NO_INPUT, (arguments, ran)
        assert said in ran.err
        assert "cure:" in ran.err
    ran = osdetect("quickstart", tmp_path / "absent", **nowhere)
    assert (ran.status, "does not exist" in ran.err) == (ExitCode.NO_INPUT, True)
    ran = osdetect("quickstart", "--rules", tmp_path / "empty", **nowhere)
    assert ran.status == ExitCode.NO_INPUT
    assert not (tmp_path / "no-data").exists(), "no node was started for it"


def test_5_the_cluster_is_dead_refuses_or_lacks_something(
    osdetect: Osdetect, proxy: FaultProxy, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: A}"])
    logs = _log(tmp_path / "logs", record(1))
    for arguments in (("deploy", rules), ("load", logs), ("detect", "--once")):
        ran = osdetect(*arguments, "--url", DEAD, OSDETECT_RETRY_FOR_S="0")
        assert (ran.status, "cannot be reached" in ran.err) == (ExitCode.CLUSTER, True)
    ran = osdetect("detect", "--once", "--url", proxy.url)
    assert (ran.status, "no rules are deployed" in ran.err) == (ExitCode.CLUSTER, True)
    ran = osdetect("load", logs, "--url", proxy.url)
    assert (ran.status, "osdetect deploy" in ran.err) == (ExitCode.CLUSTER, True)

    proxy.choose = always("", Reply(401, b"Unauthorized", "text/plain"))
    secrets = {"OSDETECT_USERNAME": "casey", "OSDETECT_PASSWORD": "hidden-word"}
    ran = osdetect("detect", "--once", "--url", proxy.url, **secrets)
    assert (ran.status, "does not accept this user name" in ran.err) == (ExitCode.CLUSTER, True)
    assert "hidden-word" not in ran.err

    reason = "No handler for type [percolator] declared on field [query]"
    proxy.choose = always("/_simulate", refusal(400, "mapper_parsing_exception", reason))
    ran = osdetect("deploy", rules, "--url", proxy.url)
    assert (ran.status, "no percolator" in ran.err) == (ExitCode.CLUSTER, True)
    assert reason in " ".join(ran.err.split())

    proxy.choose = always("", Reply(200, b"<html></html>", "text/html"))
    ran = osdetect("deploy", rules, "--url", proxy.url)
    assert (ran.status, "does not speak JSON" in ran.err) == (ExitCode.CLUSTER, True)


def test_6_the_embedded_node_is_not_there_or_cannot_be_made(
    osdetect: Osdetect, nowhere: dict[str, str]
) -> None:
    ran = osdetect("node", "status", **nowhere)
    assert (ran.status, "does not run" in ran.out) == (ExitCode.NODE, True)
    ran = osdetect("node", "status", "--output", "json", **nowhere)
    assert (ran.status, json.loads(ran.out)) == (ExitCode.NODE, {"running": False})
    ran = osdetect("node", "logs", **nowhere)
    assert (ran.status, "cure:" in ran.err) == (ExitCode.NODE, True)
    ran = osdetect("node", "up", "--name", "../x", **nowhere)
    assert (ran.status, "--name" in ran.err) == (ExitCode.NODE, True)


def test_70_an_installation_without_its_own_files_says_so(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "osdetect", tmp_path / "osdetect", ignore=shutil.ignore_patterns("__pycache__"))
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "osdetect", "deploy", "--url", DEAD],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.fspath(tmp_path), PYTHONDONTWRITEBYTECODE="1"),
        cwd=tmp_path,
        check=False,
    )
    assert ran.returncode == ExitCode.INTERNAL
    assert "has no rules/ folder" in ran.stderr
    assert "pip install --force-reinstall osdetect" in ran.stderr
    assert "Traceback" not in ran.stderr
