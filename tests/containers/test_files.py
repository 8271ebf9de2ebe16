"""The files in docker/, by the programs that know their forms, and by what we ask of them ourselves."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from osdetect.schema.roles import shipped_roles
from tests.containers.material import COMPOSE, CRON, DOCKER, KUBERNETES, SYSTEMD, entrypoints

BIN = Path(sys.executable).parent
OURS = [
    (file, name, service)
    for file, compose in COMPOSE.items()
    for name, service in compose["services"].items()
    if str(service["image"]).startswith("osdetect")
]


def _passes(*words: object) -> None:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    _passes(BIN / "hadolint", DOCKER / "Dockerfile")


def test_the_compose_files_are_what_the_specification_says() -> None:
    _passes(
        BIN / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        *(DOCKER / one for one in COMPOSE),
    )


def test_the_manifests_are_what_kubernetes_says() -> None:
    _passes(BIN / "kubernetes-validate", "--strict", "--quiet", *KUBERNETES)


def test_the_image_is_made_of_files_that_are_there_and_reach_the_build() -> None:
    let_in = (DOCKER.parent / ".dockerignore").read_text(encoding="utf-8")
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    copied = [words.split() for words in re.findall(r"(?m)^COPY (?!--from)(.*)$", text)]
    for *sources, _ in copied:
        for source in sources:
            assert (DOCKER.parent / source).exists(), source
            assert f"!{source}\n" in let_in, source


def test_the_image_runs_as_nobody_in_every_stage_that_is_shipped() -> None:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"(?ms)^FROM \S+ AS (\w[\w-]*)\n(.*?)(?=^FROM |\Z)", text))
    for name in ("setup", "runtime"):
        assert re.findall(r"(?m)^USER (.*)$", stages[name]) == ["10001:10001"]
    assert set(re.findall(r"(?m)^FROM (\S+)", text)) == {"${PYTHON}", "build", "base"}


def test_what_makes_certificates_is_locked_as_in_development() -> None:
    locked = set((DOCKER.parent / "requirements/dev.txt").read_text(encoding="utf-8").splitlines())
    lines = (DOCKER / "requirements.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert {line.removesuffix(" \\") for line in lines} <= {line.removesuffix(" \\") for line in locked}
    assert any("--hash=sha256:" in line for line in lines)


@pytest.mark.parametrize(("file", "name", "service"), OURS, ids=[f"{file}:{name}" for file, name, _ in OURS])
def test_services_of_ours_have_no_rights_and_nothing_to_write_to(
    file: str, name: str, service: dict[str, Any]
) -> None:
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    writable = [one for one in service.get("volumes", ()) if not one.endswith(":ro")]
    if name == "secrets":
        assert service["network_mode"] == "none"
    else:
        assert all(one.startswith("cache:") for one in writable), (file, name)


def test_each_service_sees_its_own_secrets_alone() -> None:
    services = COMPOSE["compose.yaml"]["services"]
    secret = {*(role.word for role in shipped_roles()), "admin", "node", "dashboards"}
    seen: dict[str, set[str]] = {}
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source in secret:
                seen.setdefault(source, set()).add(name)
    makers = {"secrets", "users"}
    assert {one: users - makers for one, users in seen.items()} == {
        "admin": set(),
        "node": {"opensearch"},
        "dashboards": {"dashboards"},
        "deployer": {"deploy", "import"},
        "detector": {"detect"},
        "loader": {"load"},
        "notifier": {"notify"},
        "analyst": {"password"},
        "viewer": set(),
    }


def test_ports_are_open_on_this_machine_alone() -> None:
    for compose in COMPOSE.values():
        for service in compose["services"].values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_every_entrypoint_has_a_role_and_reads_its_password_from_a_file() -> None:
    roles = {role.word for role in shipped_roles()}
    wanted = {
        "deploy": "deployer",
        "load": "loader",
        "detect": "detector",
        "status": "detector",
        "notify": "notifier",
    }
    for one in entrypoints():
        assert "OSDETECT_PASSWORD" not in one.environment
        if not one.place.startswith("compose.dev"):
            assert one.user in roles, one.place
            assert one.user == wanted[one.words[0]], one.place
            assert "OSDETECT_PASSWORD_FILE" in one.environment, one.place


def test_no_file_holds_a_secret() -> None:
    for file in (
        *SYSTEMD,
        *KUBERNETES,
        CRON,
        *(DOCKER / one for one in COMPOSE),
        *(DOCKER / "opensearch").iterdir(),
    ):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"OSDETECT_PASSWORD\b|INITIAL_ADMIN_PASSWORD|\bhash:|admin:admin", text), (
            file.name
        )


def test_the_node_in_the_container_is_set_as_the_secured_node_of_the_tests() -> None:
    settings = yaml.safe_load((DOCKER / "opensearch/opensearch.yml").read_text(encoding="utf-8"))
    from osdetect.node.certificates import ADMIN, NODE  # noqa: PLC0415  # beside what it is compared with
    from osdetect.node.security import _settings  # noqa: PLC0415  # as above

    ours = {key: value for key, value in settings.items() if key.startswith("plugins.security")}
    theirs = _settings(NODE, ADMIN)
    theirs.pop("plugins.security.audit.type")
    assert ours == {
        key: f"osdetect/{value}" if key.endswith("_filepath") else value for key, value in theirs.items()
    }


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("file", SYSTEMD, ids=lambda file: file.name)
def test_units_are_let_near_nothing(file: Path) -> None:
    """systemd's own measure of what a unit is exposed to: 0 to 10, below 2 is good."""
    _passes("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", file)


@pytest.mark.parametrize("name", COMPOSE)
def test_what_goes_on_has_a_health_check_and_dashboards_are_imported_when_they_are_up(name: str) -> None:
    services = COMPOSE[name]["services"]
    for service in services.values():
        if "--every" in service.get("command", ()):
            assert service["healthcheck"]["test"][0] == "CMD"
    after = services["import"]["depends_on"]
    assert {one: said["condition"] for one, said in after.items()} == {
        "deploy": "service_completed_successfully",
        "dashboards": "service_healthy",
    }
    assert services["dashboards"]["healthcheck"]
    assert "import" not in str([one.get("depends_on", "") for one in services.values()])
