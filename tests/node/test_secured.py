"""The secured variant: one node, and who may do what on it."""

import base64
import json
import ssl
from pathlib import Path

import pytest

from osdetect.node import NodeOptions, RunningNode, start, status
from osdetect.node.probe import Probe

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


def test_a_secured_node_gives_each_role_its_own_rights_and_nothing_else(data_dir: Path) -> None:
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
        for user in ("deployer", "loader", "detector", "viewer")
        for path in (event, alert, rule)
        if _put(_as(node, user), path) in {200, 201}
    }
    assert allowed == {("loader", event), ("detector", alert), ("deployer", rule)}
    assert _put(_as(node, "viewer"), alert) == 403
    assert _get(_as(node, "viewer"), alert) == 200
    assert _get(_as(node, "viewer"), rule) == 403
    assert _get(_as(node, "detector"), event) == 200
    template = {"index_patterns": ["osdetect-x-*"]}
    for user, expected in (("deployer", 200), ("loader", 403)):
        answer = _as(node, user).ask("/_index_template/osdetect-x", method="PUT", body=template)
        assert answer is not None
        assert answer.status == expected
