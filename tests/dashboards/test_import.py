"""The import as a user runs it, against a server that is as strict as OpenSearch Dashboards."""

import copy
import json
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cluster import Connection
from osdetect.dashboards import Dashboards, install
from osdetect.dashboards.install import difference
from osdetect.dashboards.saved_objects import build, ndjson
from osdetect.errors import ClusterRefused, ClusterUnavailable
from osdetect.node.certificates import make_certificates
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.dashboards.server import DashboardsServer
from tests.faults.material import write_rules

OBJECTS = len(build())


@pytest.fixture
def server() -> Iterator[DashboardsServer]:
    with DashboardsServer() as made:
        yield made


def at(server: DashboardsServer, **settings: Any) -> Dashboards:
    return Dashboards(Connection.from_settings(url=server.url, retry_for_s=3.0, **settings), tenant="global")


def test_everything_is_imported_and_read_back(server: DashboardsServer) -> None:
    done = install(at(server))
    assert (done.objects, done.default_index, done.chosen) == (OBJECTS, "osdetect-alerts-*", False)
    assert len(server.stored) == OBJECTS
    assert server.settings == {"defaultIndex": {"userValue": "osdetect-alerts-*"}}
    assert [(method, target) for method, target, _ in server.asked] == [
        ("POST", "/api/saved_objects/_import?overwrite=true"),
        ("POST", "/api/saved_objects/_bulk_get"),
        ("GET", "/api/opensearch-dashboards/settings"),
        ("POST", "/api/opensearch-dashboards/settings/defaultIndex"),
    ]
    for _, _, headers in server.asked:
        assert headers["osd-xsrf"]
        assert headers["securitytenant"] == "global"
        assert "content-encoding" not in headers
    again = install(at(server))
    assert (again.objects, again.chosen) == (OBJECTS, False)


def test_the_default_index_that_somebody_chose_is_left_alone(server: DashboardsServer) -> None:
    server.settings = {"defaultIndex": {"userValue": "my-logs"}}
    done = install(at(server))
    assert (done.default_index, done.chosen) == ("my-logs", True)
    assert server.settings == {"defaultIndex": {"userValue": "my-logs"}}


def _lose(name: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    return lambda one: None if one["id"] == name else one


def _alter(name: str, attribute: str, value: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    def altered(one: dict[str, Any]) -> dict[str, Any]:
        if one["id"] == name:
            one["attributes"][attribute] = value
        return one

    return altered


def _unlink(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "references": one["references"][:-1]} if one["id"] == "osdetect-triage" else one


@pytest.mark.parametrize(
    ("keeps", "said"),
    [
        (_lose("osdetect-queue"), "search osdetect-queue: it cannot be read back: Saved object not found"),
        (_alter("osdetect-queue", "title", "x"), "search osdetect-queue: it differs in title"),
        (
            _alter("osdetect-regions", "visState", '{"title":"Regions","type":"pie"}'),
            "visualization osdetect-regions: it differs in visState",
        ),
        (
            _alter("osdetect-regions", "visState", "{"),
            "visualization osdetect-regions: it differs in visState",
        ),
        (_unlink, "dashboard osdetect-triage: it differs in its references"),
    ],
    ids=["lost", "another title", "another picture", "no JSON any more", "a panel lost"],
)
def test_what_was_listed_as_a_success_and_is_not_there_is_an_error(
    server: DashboardsServer, keeps: Callable[[dict[str, Any]], dict[str, Any] | None], said: str
) -> None:
    server.before_store = keeps
    with pytest.raises(ClusterRefused, match="not as they were sent: 1") as refused:
        install(at(server))
    assert said in refused.value.cause
    assert not server.settings


def test_what_migrations_add_is_no_difference(server: DashboardsServer) -> None:
    def migrated(one: dict[str, Any]) -> dict[str, Any]:
        if one["type"] == "visualization":
            state = orjson.loads(one["attributes"]["visState"])
            one["attributes"]["visState"] = json.dumps({"added": True, **state}, indent=1)
        return one

    server.before_store = migrated
    assert install(at(server)).objects == OBJECTS


def test_a_server_that_just_starts_is_waited_for(server: DashboardsServer) -> None:
    server.busy = 2
    assert install(at(server)).objects == OBJECTS
    server.busy = 1_000
    with pytest.raises(ClusterUnavailable, match="busy or not ready"):
        install(at(server, timeout_s=2.0))


def test_who_waits_is_told_once_and_who_named_a_dead_address_at_once(server: DashboardsServer) -> None:
    told: list[str] = []
    server.busy = 3
    connection = Connection.from_settings(url=server.url, retry_for_s=20)
    assert install(Dashboards(connection, on_wait=told.append)).objects == OBJECTS
    (said,) = told
    assert "busy or not ready (503); waiting for it, 20 s at most" in said
    nowhere = Connection.from_settings(url="http://127.0.0.1:9", retry_for_s=60)
    since = time.monotonic()
    with pytest.raises(ClusterUnavailable, match="does not answer"):
        install(Dashboards(nowhere, on_wait=told.append))
    assert time.monotonic() - since < 5


def test_tls_to_a_plain_port_is_told_at_once(server: DashboardsServer) -> None:
    url = server.url.replace("http:", "https:")
    with pytest.raises(ClusterRefused, match="does not speak TLS"):
        install(Dashboards(Connection.from_settings(url=url, retry_for_s=60)))


def test_a_base_path_is_kept() -> None:
    with DashboardsServer(base="/analytics") as server:
        assert install(at(server)).objects == OBJECTS


def test_the_certificate_is_verified_as_the_cluster_s_is(tmp_path: Path) -> None:
    made = make_certificates(datetime.now(UTC))
    other = make_certificates(datetime.now(UTC))
    files = {
        "node.crt": made.node.certificate,
        "node.key": made.node.key,
        "ca.pem": made.authority,
        "wrong.pem": other.authority,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "node.crt", tmp_path / "node.key")
    with DashboardsServer(tls=context) as server:
        assert install(at(server, ca_certs=tmp_path / "ca.pem")).objects == OBJECTS
        with pytest.raises(
            ClusterRefused, match="the Dashboards server's certificate is signed by no authority"
        ):
            install(at(server, ca_certs=tmp_path / "wrong.pem"))
        assert install(at(server, verify_tls=False)).objects == OBJECTS


def _import_of(objects: list[dict[str, Any]], server: DashboardsServer) -> Any:
    return at(server).upload("/api/saved_objects/_import?overwrite=true", "x.ndjson", ndjson(tuple(objects)))


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (
            lambda one: one["references"].append({"name": "r", "type": "search", "id": "gone"}),
            "missing_references",
        ),
        (lambda one: one["attributes"].update(timeRange="x"), "unknown"),
    ],
    ids=["a missing reference", "an attribute that is not mapped"],
)
def test_the_server_is_as_strict_as_the_original(
    server: DashboardsServer, damage: Callable[[dict[str, Any]], None], kind: str
) -> None:
    """One bad object: nothing is stored, and the others are listed as successes all the same."""
    objects = [copy.deepcopy(one) for one in build()]
    damage(next(one for one in objects if one["id"] == "osdetect-queue"))
    reply = _import_of(objects, server)
    assert reply["success"] is False
    assert reply["successCount"] == OBJECTS - 1
    assert [one["error"]["type"] for one in reply["errors"]] == [kind]
    assert server.stored == {}


def test_each_object_that_was_refused_is_named_with_its_reason(server: DashboardsServer) -> None:
    server_import = server._import

    def refusing(*arguments: Any, **more: Any) -> tuple[int, Any]:
        status, reply = server_import(*arguments, **more)
        error = {"type": "missing_references", "references": [{"type": "index-pattern", "id": "x\x1b[2J"}]}
        return status, {
            **reply,
            "success": False,
            "errors": [{"type": "search", "id": "osdetect-queue", "error": error}],
        }

    server._import = refusing  # type: ignore[method-assign]
    with pytest.raises(ClusterRefused, match="did not take every object: 1") as refused:
        install(at(server))
    assert refused.value.cause.startswith("search osdetect-queue: missing_references: index-pattern x")
    assert "\x1b" not in refused.value.cause


@pytest.mark.parametrize(
    "answer", [5, [], {"success": False, "errors": [None, {"error": "x"}, {"error": {"references": [1]}}]}]
)
def test_an_answer_of_any_other_form_is_told_and_no_defect(server: DashboardsServer, answer: Any) -> None:
    server._import = lambda *_, **__: (200, answer)  # type: ignore[method-assign]
    with pytest.raises(ClusterRefused, match="did not take every object"):
        install(at(server))
    del server._import
    server.settings = {"defaultIndex": None}
    assert install(at(server)).chosen is False


@pytest.mark.parametrize(
    ("sent", "found", "where"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2, "c": 3}]}, ""),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "a[1].b"),
        ({"a": [1]}, {"a": [1, 2]}, "a"),
        ({"a": 1}, {"a": True}, "a"),
        ({"a": "[1]"}, {"a": "[ 1 ]"}, ""),
        ({"a": "[1]"}, {"a": "[2]"}, "a[0]"),
        ({"a": 1}, None, "all of it"),
    ],
)
def test_a_difference_is_named(sent: Any, found: Any, where: str) -> None:
    assert difference(sent, found) == where


@pytest.mark.node
def test_deploy_imports_and_says_so(fresh_cluster: str, osdetect: Osdetect, tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: CreateUser}"])
    with DashboardsServer(user="deployer", password="made up pass") as server:
        to = ("deploy", rules, "--url", fresh_cluster, "--dashboards", server.url)
        ran = osdetect(*to, "--output", "json")
        assert ran.status == ExitCode.CLUSTER
        said = json.loads(ran.out)
        assert said["rules"] == 1  # the rules are live all the same
        assert "refused POST /api/saved_objects/_import (401)" in said["dashboards"]["error"]["what"]
        assert "OSDETECT_USERNAME" in said["dashboards"]["error"]["cure"]
        who = {"OSDETECT_USERNAME": "deployer", "OSDETECT_PASSWORD": "made up pass"}
        ran = osdetect(*to, **who, OSDETECT_DASHBOARDS_TENANT="soc")
        assert ran.status == ExitCode.OK
        assert f"dashboards: {OBJECTS} saved objects imported and read back at {server.url}" in ran.out
        assert "made up pass" not in ran.out + ran.err
        assert server.asked[-1][2]["securitytenant"] == "soc"
        ran = osdetect(*to, "--output", "json", **who)
        assert json.loads(ran.out)["dashboards"] == {
            "url": server.url,
            "objects": OBJECTS,
            "default_index": "osdetect-alerts-*",
            "default_index_chosen": False,
        }


@pytest.mark.node
@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        (
            "http://127.0.0.1:9",
            ExitCode.CLUSTER,
            "OpenSearch Dashboards does not answer at http://127.0.0.1:9",
        ),
        ("ftp://127.0.0.1", ExitCode.USAGE, "is not the URL"),
        ("http://me:secret@127.0.0.1", ExitCode.USAGE, "carries credentials"),
    ],
    ids=["nobody there", "no web address", "credentials in it"],
)
def test_a_wrong_address_is_told(
    fresh_cluster: str,
    osdetect: Osdetect,
    tmp_path: Path,
    url: str,
    status: ExitCode,
    said: str,
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: CreateUser}"])
    ran = osdetect("deploy", rules, "--url", fresh_cluster, "--dashboards", url)
    assert ran.status == status
    assert said in ran.err
    assert "secret" not in ran.err


@pytest.mark.node
def test_a_cluster_taken_for_dashboards_is_told(
    fresh_cluster: str, osdetect: Osdetect, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: CreateUser}"])
    ran = osdetect("deploy", rules, "--url", fresh_cluster, "--dashboards", fresh_cluster)
    assert ran.status == ExitCode.CLUSTER
    assert "is this the address of OpenSearch Dashboards" in ran.err
