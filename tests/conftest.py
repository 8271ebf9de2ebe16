"""What every test may use: a real node, a clean cluster on it, and the real data that is kept outside the project."""

import json
import os
import shutil
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osdetect.node import NodeOptions, start, status, stop
from osdetect.node.places import data_root
from tests.in_memory import keep_data_in_memory
from tests.security.material import SecuredNode

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script, which makes all children deaf to Ctrl-C: the tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SHARED_VARIABLE = "OSDETECT_SHARED"
_NODE_PREFIX = "tests-"
OURS = (
    ("/_cat/indices/osdetect-*?format=json&h=index&expand_wildcards=all", "/{}"),
    ("/_index_template/osdetect*", "/_index_template/{}"),
    ("/_component_template/osdetect*", "/_component_template/{}"),
    ("/_ingest/pipeline/osdetect*", "/_ingest/pipeline/{}"),
)
"""What lists things of osdetect's in a cluster, and what deletes one of them."""


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The settings file of whoever runs the tests is none of theirs, nor is the disk if there is memory."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    keep_data_in_memory()


@pytest.fixture(scope="session")
def node_url() -> Iterator[str]:
    """The URL of an empty node that this test run has for itself; it is deleted afterwards.

    With OSDETECT_TEST_URL it is the node there, kept running between test runs: whatever osdetect has on it is deleted.
    """
    if given := os.environ.get("OSDETECT_TEST_URL"):
        yield given
        return
    _end_abandoned_nodes()
    name = f"{_NODE_PREFIX}{os.getpid()}"
    node = start(NodeOptions(name=name, ephemeral=True, heap_mb=1024))
    yield node.url
    stop(name)


@pytest.fixture(scope="session")
def secured() -> Iterator[SecuredNode]:
    """A node with TLS, users and roles, started once for all tests of security (a start takes half a minute).

    With OSDETECT_TEST_SECURED it is the running node of that name.
    """
    pytest.importorskip("cryptography")
    if given := os.environ.get("OSDETECT_TEST_SECURED"):
        found = status(given)
        assert found is not None, f"the node {given} does not run"
        yield SecuredNode(found.node)
        return
    _end_abandoned_nodes()
    name = f"{_NODE_PREFIX}{os.getpid()}-secured"
    yield SecuredNode(start(NodeOptions(name=name, ephemeral=True, secured=True)))
    stop(name)


@pytest.fixture
def fresh_cluster(node_url: str) -> str:
    """The URL of the session's node, with nothing of osdetect's on it."""
    for listing, delete in OURS:
        for name in _names(_request(node_url, "GET", listing)):
            _request(node_url, "DELETE", delete.format(name))  # an index takes its aliases with it
    return node_url


@pytest.fixture(scope="session")
def empty_secured(secured: SecuredNode) -> SecuredNode:
    """The secured node, with nothing of osdetect's on it when the first test takes it."""
    for listing, delete in OURS:
        answer = secured.kept.probe(secured.url).ask(listing)
        assert answer is not None
        for name in () if answer.status == 404 else _names(answer.body):
            secured.admin(delete.format(name), "DELETE")
    return secured


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can enter (pytest's tmp_path is closed to the node's account)."""
    made = Path(tempfile.mkdtemp(prefix="osdetect-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real rules and records: OSDETECT_SHARED, or `shared` beside the repository."""
    repository = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get(_SHARED_VARIABLE) or repository.parent / "shared")
    if folder.is_dir():
        return folder
    reason = f"there is no real data in {folder}: set {_SHARED_VARIABLE} to its folder"
    if os.environ.get("CI") == "true" and os.environ.get("OSDETECT_REQUIRE_SHARED") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _names(listing: Any) -> list[str]:
    """The names in what the four listing APIs answer; an absent thing is an empty object or a 404."""
    if isinstance(listing, list):
        return [entry["index"] for entry in listing]
    for key in ("index_templates", "component_templates"):
        if key in listing:
            return [entry["name"] for entry in listing[key]]
    return list(listing)


def _request(url: str, method: str, path: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{url}{path}", method=method)
    try:
        with opener.open(request, timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as refused:
        with refused:
            if refused.code == 404 and method == "GET":
                return {}
            raise AssertionError(f"{method} {path}: {refused.code} {refused.read()!r}") from refused


def _end_abandoned_nodes() -> None:
    """Stop the nodes of test sessions that were killed before they could."""
    for folder in (data_root() / "nodes").glob(f"{_NODE_PREFIX}*/"):
        pid = folder.name.removeprefix(_NODE_PREFIX).removesuffix("-secured")
        if pid.isdigit() and not _exists(int(pid)):
            stop(folder.name)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
