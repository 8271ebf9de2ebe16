"""The secured variant: one node, and who may do what on it."""

import base64
import json
import ssl
import time
from pathlib import Path

import pytest

from osdetect.node import NodeOptions, RunningNode, start, status
from osdetect.node.probe import Probe
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, Ran, osdetect
from tests.faults.material import record, rule_id, write_rules

__all__ = ["osdetect"]
EVENT = {"eventName": "CreateApiKey"}


def _as(node: RunningNode, user: str | None, password: str | None = None) -> Probe:
    """Asks as `user`, with the right password unless another is given."""
    assert node.credentials is not None
    tls = ssl.create_default_context(cafile=str(node.credentials.ca_file))
    if user is None:
        return Probe(node.url, tls=tls)
    known = json.loads(node.credentials.password_file.read_bytes())
    pair = base64.b64encode(f"{user}:{password or known[user]}".encode()).decode()
    return Probe(node.url, (("Authorization", f"Basic {pair}"),), tls)


def _put(probe: Probe, path: str) -> int:
    answer = probe.ask(path, method="PUT", body=EVENT, timeout=30)
    assert answer is not None
    return answer.status


def _get(probe: Probe, path: str) -> int:
    answer = probe.ask(path)
    assert answer is not None
    return answer.status


def test_a_secured_node_gives_each_role_its_own_rights_and_nothing_else(
    data_dir: Path, osdetect: Osdetect, tmp_path: Path
) -> None:
    pytest.importorskip("cryptography")
    node = start(NodeOptions(name="secured", secured=True, ephemeral=True))
    assert node.url.startswith("https://")
    assert node.credentials is not None
    assert node.credentials.password_file.stat().st_mode & 0o777 == 0o600
    assert node.data_dir.is_relative_to(data_dir)
    found = status("secured")
    assert found is not None
    assert found.health == "green"

    # Without a password, with a wrong one, with the plugin's well-known one, and without trust in the authority.
    assert _get(_as(node, None), "/") == 401
    assert _get(_as(node, "admin", "wrong"), "/") == 401
    assert _get(_as(node, "admin", "admin"), "/") == 401
    assert Probe(node.url, tls=ssl.create_default_context()).ask("/") is None
    assert _get(_as(node, "admin"), "/") == 200

    event, alert, rule = (
        "/osdetect-cloudtrail-x/_doc/1",
        "/osdetect-alerts-x/_doc/1",
        "/osdetect-rules-x/_doc/1",
    )
    allowed = {
        (user, path)
        for user in ("deployer", "loader", "detector", "viewer", "analyst")
        for path in (event, alert, rule)
        if _put(_as(node, user), path) in {200, 201}
    }
    assert allowed == {("loader", event), ("detector", alert), ("analyst", alert), ("deployer", rule)}
    assert _put(_as(node, "viewer"), alert) == 403
    assert _get(_as(node, "viewer"), alert) == 200
    assert _get(_as(node, "viewer"), rule) == 403
    assert _get(_as(node, "detector"), event) == 200
    template = {"index_patterns": ["osdetect-x-*"]}
    for user, expected in (("deployer", 200), ("loader", 403)):
        answer = _as(node, user).ask("/_index_template/osdetect-x", method="PUT", body=template)
        assert answer is not None
        assert answer.status == expected
    _each_command_as_its_own_user(node, osdetect, tmp_path)


def _each_command_as_its_own_user(node: RunningNode, osdetect: Osdetect, folder: Path) -> None:
    rules = write_rules(folder / "rules", ["{eventName: CreateThing}"])
    (folder / "log.json").write_text(json.dumps({"Records": [record(1)]}))
    assert node.credentials is not None
    passwords = json.loads(node.credentials.password_file.read_bytes())

    def ran(user: str, *arguments: object) -> Ran:
        settings = {
            "OSDETECT_URL": node.url,
            "OSDETECT_CA_CERTS": str(node.credentials and node.credentials.ca_file),
        }
        secret = {"OSDETECT_USERNAME": user, "OSDETECT_PASSWORD": passwords[user]}
        return osdetect(*arguments, **settings, **secret)

    def forbidden(user: str, *arguments: object) -> bool:
        told = ran(user, *arguments)
        return told.status == ExitCode.CLUSTER and "no permissions for" in told.err

    for user, *arguments in (
        ("deployer", "deploy", rules),
        ("loader", "load", folder / "log.json"),
        ("detector", "detect", "--once"),
        ("detector", "hunt", rule_id(1)),
        ("detector", "status"),
        ("detector", "tuning"),
    ):
        assert ran(user, *arguments).status == ExitCode.OK, (user, arguments)
    found: list[str] = []
    until = time.monotonic() + 15  # a viewer may not refresh: alerts are seen at the index's own refresh
    while not found and time.monotonic() < until:
        found = ran("viewer", "alerts", "list", "-o", "ndjson").out.splitlines()
    (listed,) = found
    short = json.loads(listed)["id"][:12]
    assert ran("viewer", "alerts", "show", short, "--event").status == ExitCode.OK
    assert forbidden("viewer", "alerts", "ack", short)
    assert ran("analyst", "alerts", "ack", short).status == ExitCode.OK
    assert (
        ran("analyst", "alerts", "close", "--query", "status=acknowledged", "--as", "tp", "--yes").status
        == ExitCode.OK
    )
    assert '"closed_as": "tp"' in ran("viewer", "alerts", "show", short, "-o", "json").out
    assert forbidden("analyst", "detect", "--once")
    assert forbidden("loader", "deploy", rules)
    assert forbidden("detector", "load", folder / "log.json")
