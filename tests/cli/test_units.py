"""The unit examples in docker/: they parse, and each command line in them is one that the program takes."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from osdetect.cli.detect import read_schedule
from osdetect.cli.main import app
from osdetect.settings.known import SETTINGS

DOCKER = Path(__file__).resolve().parents[2] / "docker"
SYSTEMD = sorted((DOCKER / "systemd").iterdir())
KUBERNETES = sorted((DOCKER / "kubernetes").iterdir())
_PROGRAM = "/opt/osdetect/bin/osdetect "


def _documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def _with_pods(file: Path) -> list[dict[str, Any]]:
    return [one for one in _documents(file) if one["kind"] in {"CronJob", "Deployment", "Job"}]


def _pod(document: dict[str, Any]) -> dict[str, Any]:
    spec = document["spec"].get("jobTemplate", document)["spec"]
    pod: dict[str, Any] = spec["template"]["spec"]
    return pod


def _command_lines() -> Iterator[tuple[str, list[str]]]:
    for file in (*SYSTEMD, DOCKER / "cron" / "osdetect"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if _PROGRAM in line and not line.startswith("#"):
                yield file.name, shlex.split(line.partition(_PROGRAM)[2].replace("%i", "9470"))
    for file in KUBERNETES:
        for document in _with_pods(file):
            for container in _pod(document)["containers"]:
                yield file.name, [str(word) for word in container["args"]]


LINES = list(_command_lines())


def test_all_examples_are_looked_at() -> None:
    assert {name for name, _ in LINES} == {
        "osdetect-detect.service",
        "osdetect-detect@.service",
        "osdetect-detect-once.service",
        "osdetect-notify.service",
        "osdetect",
        "detector.yaml",
        "osdetect-deploy.service",
        "osdetect-load.service",
        "cronjob.yaml",
        "deploy.yaml",
        "load.yaml",
        "notify.yaml",
    }


@pytest.mark.parametrize(("name", "words"), LINES, ids=[f"{name}-{n}" for n, (name, _) in enumerate(LINES)])
def test_each_command_line_is_one_that_the_program_takes(name: str, words: list[str]) -> None:
    commands: Any = typer.main.get_command(app)
    command, rest = commands.commands[words[0]], list(words[1:])
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    given = command.make_context(words[0], rest).params
    if words[0] in ("detect", "notify"):
        when = {option: given[option] for option in ("once", "every", "cron", "jitter", "listen")}
        assert (read_schedule(**when) is None) == ("--once" in words), name


@pytest.mark.parametrize("file", KUBERNETES, ids=lambda file: file.name)
def test_pods_run_without_rights_and_read_the_secret_from_a_file(file: Path) -> None:
    settings = {setting.variable for setting in SETTINGS}
    for document in _with_pods(file):
        pod = _pod(document)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            safe = container["securityContext"]
            assert (safe["allowPrivilegeEscalation"], safe["readOnlyRootFilesystem"]) == (False, True)
            named = {one["name"]: one["value"] for one in container["env"]}
            assert set(named) <= settings
            assert "OSDETECT_PASSWORD" not in named
            mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert str(Path(named["OSDETECT_PASSWORD_FILE"]).parent) in mounted


def test_the_probes_ask_pages_that_there_are_at_the_port_that_is_listened_on() -> None:
    (deployment,) = _with_pods(DOCKER / "kubernetes" / "detector.yaml")
    (container,) = _pod(deployment)["containers"]
    (port,) = container["ports"]
    assert f"0.0.0.0:{port['containerPort']}" in container["args"]
    served = (DOCKER.parent / "osdetect" / "status" / "health.py").read_text(encoding="utf-8")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert f'"{asked["path"]}": ' in served


def test_no_example_holds_a_secret() -> None:
    for file in (*SYSTEMD, *KUBERNETES, DOCKER / "cron" / "osdetect"):
        assert not re.search(r"OSDETECT_PASSWORD\b", file.read_text(encoding="utf-8")), file.name


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    for file in SYSTEMD:  # as they are, but for the program's place: it must exist to be verified
        text = file.read_text(encoding="utf-8").replace(_PROGRAM, "/bin/true ")
        (tmp_path / file.name).write_text(text)
    names = [tmp_path / file.name.replace("@.", "@9464.") for file in SYSTEMD]
    shutil.copy(tmp_path / "osdetect-detect@.service", tmp_path / "osdetect-detect@9464.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, names)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "osdetect" in line]
    assert about_ours == []
