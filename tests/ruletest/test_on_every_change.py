"""What docs/rule-tests.md says for GitHub and pre-commit is valid, and does what it says: its commands are run as they stand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from osdetect import resources

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "rule-tests.md"
_BIN = Path(sys.executable).parent


def _block(beginning: str) -> str:
    """The YAML of the page that begins so."""
    blocks: list[str] = re.findall(r"(?ms)^```yaml\n(.*?)^```$", _DOCS.read_text(encoding="utf-8"))
    (found,) = [one for one in blocks if one.startswith(beginning)]
    return found


def _run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell, as GitHub and pre-commit run it."""
    path = f"{_BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with rules and their tests, as a user has it."""
    shutil.copytree(resources.folder("rules") / "aws" / "kms", tmp_path / "rules" / "kms")
    return tmp_path


def test_the_workflow_is_one_by_the_schema_of_github(tmp_path: Path) -> None:
    workflow = tmp_path / "rules.yml"
    checker = [str(_BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(workflow)]
    workflow.write_text(_block("name: rules"), encoding="utf-8")
    done = subprocess.run(checker, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    workflow.write_text(_block("name: rules").replace("runs-on:", "runs-at:"), encoding="utf-8")
    assert subprocess.run(checker, capture_output=True, check=False).returncode == 1


def _steps() -> tuple[str, ...]:
    workflow: Mapping[str, Any] = yaml.safe_load(_block("name: rules"))
    steps = workflow["jobs"]["test"]["steps"]
    return tuple(step["run"] for step in steps if "run" in step)


@pytest.mark.node
def test_the_steps_of_the_workflow_pass_good_rules_and_stop_bad_ones(
    fresh_cluster: str, repository: Path
) -> None:
    installs, *steps = _steps()
    assert installs == 'pip install "./osdetect[embedded]"'
    assert steps[1] == "osdetect node up"  # the cluster of these tests stands for it
    commands = [step for step in steps if step != "osdetect node up"]
    assert len(commands) == 2
    for command in commands:
        done = _run(command, repository, OSDETECT_URL=fresh_cluster)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    suites = ET.parse(repository / "rules.xml").getroot()
    assert (suites.get("failures"), suites.get("errors"), suites.get("skipped", "0")) == ("0", "0", "0")
    assert int(suites.get("tests", "0")) > 10
    rule = repository / "rules" / "kms" / "kms_key_disabled.yml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("DisableKey", "EnableKey"), encoding="utf-8")
    assert _run(commands[1], repository, OSDETECT_URL=fresh_cluster).returncode == 1


def test_the_hook_is_run_with_the_files_that_changed(repository: Path) -> None:
    (hook,) = yaml.safe_load(_block("repos:"))["repos"][0]["hooks"]
    changed = [
        "rules/kms/kms_key_disabled.yml",
        "rules/kms/kms_key_deletion_scheduled.tests.yml",
        "README.md",
    ]
    taken = [name for name in changed if re.search(hook["files"], name)]
    assert taken == changed[:2]
    command = shlex.join([*shlex.split(hook["entry"]), *taken])
    done = _run(command, repository)
    assert done.returncode == 0, done.stderr
    assert "of 2 rules" in done.stdout
    rule = repository / "rules" / "kms" / "kms_key_deletion_scheduled.yml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("ScheduleKey", "CancelKey"), encoding="utf-8")
    assert _run(command, repository).returncode == 1
