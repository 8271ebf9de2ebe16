"""`osdetect security`: what it makes, that it makes nothing twice, and what it leaves alone."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from osdetect.schema.roles import shipped_roles
from osdetect.security.plan import rights
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, Ran, environment
from tests.security.material import SecuredNode, status_of

API = "/_plugins/_security/api"
NAMES = tuple(role.name for role in shipped_roles())


@pytest.fixture
def node(secured: SecuredNode) -> Iterator[SecuredNode]:
    """The node with our roles and mappings as they were; what a test changed of them is put back (a write takes a second)."""
    yield secured
    probe = secured.kept.probe(secured.url)
    for role in shipped_roles():
        answer = probe.ask(f"{API}/roles/{role.name}")
        found = answer.body.get(role.name, {}) if answer else {}
        if found.get("description") != role.marked or rights(found) != rights(role.body()):
            secured.admin(f"{API}/roles/{role.name}", "PUT", role.body())
        if secured.admin(f"{API}/rolesmapping/{role.name}")[role.name]["users"] != [role.word]:
            secured.admin(f"{API}/rolesmapping/{role.name}", "PUT", {"users": [role.word]})
        if status_of(probe.ask(f"{API}/internalusers/{role.name}")) == 200:
            secured.admin(f"{API}/internalusers/{role.name}", "DELETE")


def _apply(osdetect: Osdetect, node: SecuredNode, *arguments: object, user: str = "admin") -> Ran:
    return osdetect("security", "apply", *arguments, **node.settings(user))


def _changed(ran: Ran) -> Sequence[dict[str, Any]]:
    assert ran.status in (ExitCode.OK, ExitCode.CHANGES), ran.err
    return [one for one in json.loads(ran.out)["changes"] if one["step"] != "unchanged"]


def test_roles_are_made_once_and_a_change_is_told_and_undone(osdetect: Osdetect, node: SecuredNode) -> None:
    node.admin(f"{API}/roles/osdetect-viewer", "DELETE")
    body = next(role for role in shipped_roles() if role.word == "loader").body()
    body["cluster_permissions"].append("cluster:admin/everything")
    body["index_permissions"][-1]["allowed_actions"].remove("indices:admin/create")
    node.admin(f"{API}/roles/osdetect-loader", "PUT", body)
    told = {one["name"]: one for one in _changed(_apply(osdetect, node, "--dry-run", "-o", "json"))}
    assert {name: one["step"] for name, one in told.items()} == {
        "osdetect-viewer": "create",
        "osdetect-loader": "update",
    }
    assert told["osdetect-loader"]["differences"] == [
        "- cluster:admin/everything",
        "+ osdetect-deadletter-*: indices:admin/create",
    ]
    shown = json.loads(osdetect("security", "show", "-o", "json", **node.settings("admin")).out)["roles"]
    states = {one["name"]: one["state"] for one in shown}
    assert states == dict.fromkeys(NAMES, "current") | {
        "osdetect-viewer": "missing",
        "osdetect-loader": "differs",
    }
    dry = _apply(osdetect, node, "--dry-run")
    assert dry.status == ExitCode.CHANGES
    assert "2 to change, 4 unchanged" in dry.out
    real = _apply(osdetect, node)
    assert (real.status, "update role osdetect-loader" in real.out) == (ExitCode.OK, True)
    assert _changed(_apply(osdetect, node, "-o", "json")) == []
    assert _apply(osdetect, node, "--dry-run").status == ExitCode.OK


@pytest.mark.parametrize("description", ["Somebody else's", "", "Ends like ours 0123]"])
def test_a_role_that_is_not_ours_is_left_alone_and_nothing_is_changed(
    osdetect: Osdetect, node: SecuredNode, description: str
) -> None:
    theirs = {"description": description, "cluster_permissions": ["cluster:monitor/main"]}
    node.admin(f"{API}/roles/osdetect-viewer", "PUT", theirs)
    node.admin(f"{API}/roles/osdetect-analyst", "DELETE")
    ran = _apply(osdetect, node)
    assert ran.status == ExitCode.CLUSTER
    assert "the role osdetect-viewer is there already, and osdetect did not make it" in ran.err
    standing = node.admin(f"{API}/roles/osdetect-viewer")["osdetect-viewer"]
    assert standing["cluster_permissions"] == ["cluster:monitor/main"]
    assert status_of(node.kept.probe(node.url).ask(f"{API}/roles/osdetect-analyst")) == 404
    shown = osdetect("security", "show", "viewer", "-o", "json", **node.settings("admin"))
    assert json.loads(shown.out)["roles"][0]["state"] == "not ours"
    assert _apply(osdetect, node, "analyst").status == ExitCode.OK


def test_users_get_passwords_in_files_that_only_their_owner_reads(
    osdetect: Osdetect, node: SecuredNode, tmp_path: Path
) -> None:
    folder = tmp_path / "passwords"
    two = ("osdetect-loader", "osdetect-viewer")
    ran = _apply(osdetect, node, *two, "--passwords", folder)
    assert ran.status == ExitCode.OK, ran.err
    files = {file.name: file for file in folder.iterdir()}
    assert set(files) == {f"{name}.password" for name in two}
    passwords = {name: files[f"{name}.password"].read_text().strip() for name in two}
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(set(passwords.values())) == len(two)
    assert all(len(word) == 32 and word not in ran.out + ran.err for word in passwords.values())
    settings = node.settings("viewer") | {"OSDETECT_USERNAME": "osdetect-viewer", "OSDETECT_PASSWORD": ""}
    settings["OSDETECT_PASSWORD_FILE"] = str(files["osdetect-viewer.password"])
    assert osdetect("alerts", "list", **settings).status == ExitCode.OK
    assert _changed(_apply(osdetect, node, *two, "--passwords", folder, "-o", "json")) == []
    user = f"{API}/internalusers/osdetect-viewer"
    made = node.admin(user)["osdetect-viewer"]
    told = {
        "attributes": made["attributes"],
        "description": made["description"],
        "password": "somebody-changed-2026!",
    }
    node.admin(user, "PUT", {**told, "backend_roles": ["dashboards_people"]})
    files["osdetect-viewer.password"].unlink()  # lost: a new one
    files["osdetect-loader.password"].write_text("chosen-by-somebody-2026!\n")  # given: taken
    changed = _changed(_apply(osdetect, node, *two, "--passwords", folder, "-o", "json"))
    assert {(one["kind"], one["name"], one["step"]) for one in changed} == {
        ("internalusers", "osdetect-viewer", "update"),
        ("internalusers", "osdetect-loader", "update"),
    }
    assert passwords["osdetect-viewer"] not in files["osdetect-viewer.password"].read_text()
    assert node.admin(user)["osdetect-viewer"]["backend_roles"] == ["dashboards_people"], (
        "what others gave it stays"
    )
    assert status_of(node.as_user("osdetect-loader", "chosen-by-somebody-2026!").ask("/")) == 200


def test_a_user_that_is_not_ours_keeps_its_password(
    osdetect: Osdetect, node: SecuredNode, tmp_path: Path
) -> None:
    node.admin(f"{API}/internalusers/osdetect-viewer", "PUT", {"password": "somebody-elses-2026!"})
    ran = _apply(osdetect, node, "viewer", "--passwords", tmp_path / "p")
    assert ran.status == ExitCode.CLUSTER
    assert "the user osdetect-viewer is there already" in ran.err
    assert (
        status_of(node.as_user("osdetect-viewer", "somebody-elses-2026!").ask("/")) == 403
    )  # known, without a role
    assert not (tmp_path / "p").exists()


def test_killed_after_a_password_was_written_the_next_time_uses_it(
    osdetect: Osdetect, node: SecuredNode, tmp_path: Path
) -> None:
    code = (
        "import os, signal, osdetect.security.apply as a\n"
        "real = a.new_password\n"
        "a.new_password = lambda file: (real(file), os.kill(os.getpid(), signal.SIGKILL))\n"
        "from osdetect.cli import main; main()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, "security", "apply", "viewer", "--passwords", str(tmp_path)],
        env=environment(**node.settings("admin")),
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    file = tmp_path / "osdetect-viewer.password"
    password = file.read_text().strip()
    assert _apply(osdetect, node, "viewer", "--passwords", tmp_path).status == ExitCode.OK
    assert file.read_text().strip() == password
    assert status_of(node.as_user("osdetect-viewer", password).ask("/")) == 200


def test_a_mapping_is_added_to_and_takes_nothing_away(osdetect: Osdetect, node: SecuredNode) -> None:
    kept = {
        "users": ["old"],
        "backend_roles": ["group"],
        "hosts": ["10.0.0.1"],
        "and_backend_roles": ["a", "b"],
    }
    node.admin(f"{API}/rolesmapping/osdetect-viewer", "PUT", kept)
    arn = "arn:aws:iam::111122223333:role/view"
    line = (
        "viewer",
        "--user",
        "viewer=casey",
        "--user",
        "osdetect-viewer=dana",
        "--backend-role",
        f"viewer={arn}",
    )
    assert _apply(osdetect, node, *line).status == ExitCode.OK
    found = node.admin(f"{API}/rolesmapping/osdetect-viewer")["osdetect-viewer"]
    assert found["users"] == ["casey", "dana", "old"]
    assert found["backend_roles"] == [arn, "group"]
    assert (found["hosts"], found["and_backend_roles"]) == (["10.0.0.1"], ["a", "b"])
    assert _changed(_apply(osdetect, node, *line, "-o", "json")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "there is no role 'nobody'"),
        (("--user", "casey"), "is not ROLE=NAME"),
        (("--user", "detector="), "is not ROLE=NAME"),
        (("--backend-role", "nobody=x"), "there is no role 'nobody'"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(
    osdetect: Osdetect, secured: SecuredNode, arguments: Sequence[str], said: str
) -> None:
    ran = _apply(osdetect, secured, *arguments)
    assert ran.status == ExitCode.USAGE
    assert said in ran.err


@pytest.mark.parametrize("role", [role.word for role in shipped_roles()])
def test_none_of_our_roles_may_give_roles(osdetect: Osdetect, secured: SecuredNode, role: str) -> None:
    for command in (("apply",), ("show",)):
        ran = osdetect("security", *command, **secured.settings(role))
        assert ran.status == ExitCode.CLUSTER
        assert "may not ask the security plugin" in ran.err
        assert f"User {role}" in ran.err
        assert "all_access" in ran.err


def test_the_administrators_certificate_is_enough(osdetect: Osdetect, secured: SecuredNode) -> None:
    settings = {
        "OSDETECT_URL": secured.url,
        "OSDETECT_CA_CERTS": str(secured.ca_file),
        "OSDETECT_CLIENT_CERT": str(secured.kept.admin_certificate),
        "OSDETECT_CLIENT_KEY": str(secured.kept.admin_key),
    }
    assert osdetect("security", "apply", "--dry-run", **settings).status == ExitCode.OK


def test_a_cluster_without_the_plugin_says_so(osdetect: Osdetect, node_url: str) -> None:
    ran = osdetect("security", "show", "--url", node_url)
    assert ran.status == ExitCode.CLUSTER
    assert "no security plugin" in ran.err
    assert "fine-grained access control" in ran.err


def test_a_folder_that_cannot_be_written_is_told(
    osdetect: Osdetect, node: SecuredNode, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = _apply(osdetect, node, "viewer", "--passwords", tmp_path / "file" / "below")
    assert ran.status in (ExitCode.NOT_WRITTEN, ExitCode.USAGE)
    assert "osdetect-viewer.password" in ran.err
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
