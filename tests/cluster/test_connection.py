"""Settings, and the checks when a cluster is met for the first time."""

import base64
import socket
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable, OsdetectError, UsageError
from osdetect.vocabulary import ExitCode
from tests.faults.material import connect
from tests.faults.proxy import FaultProxy, Reply

SECRET = "correct horse battery"
HTML = b"<html><body>hello</body></html>"


def _said(error: OsdetectError) -> str:
    return " ".join((str(error), error.cause, error.cure, repr(error)))


def _server(body: Any, content_type: str = "application/json", status: int = 200) -> FaultProxy:
    return FaultProxy("", lambda _asked: Reply(status, body, content_type))


def test_a_real_node_is_recognised(node_url: str) -> None:
    with connect(node_url) as cluster:
        assert cluster.version >= (2, 19)
        assert cluster.url == node_url
        cluster.require_percolator()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:9200",
        "ftp://127.0.0.1",
        "http://",
        "http://h:99999",
        "http://h:0",
        "http://[::1",
        "http://a b",
        "http://a..b",
    ],
)
def test_what_is_no_url_of_a_cluster_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not the URL of a cluster") as refused:
        Connection.from_settings(url=url)
    assert "--url" in refused.value.cure


@pytest.mark.parametrize("credentials", ["casey:{0}", "casey", ":{0}"])
def test_credentials_in_the_url_are_refused_and_not_repeated(credentials: str) -> None:
    secret = SECRET.replace(" ", "-")
    url = f"http://{credentials.format(secret)}@127.0.0.1:9200"
    with pytest.raises(UsageError, match="carries credentials") as refused:
        Connection.from_settings(url=url)
    assert "OSDETECT_PASSWORD_FILE" in refused.value.cure
    assert secret not in _said(refused.value)


def test_a_url_that_cannot_be_read_is_not_repeated_with_its_password() -> None:
    with pytest.raises(UsageError) as refused:
        Connection.from_settings(url="http://casey:hidden-word@127.0.0.1:notaport")
    assert "hidden-word" not in _said(refused.value)


def _password(made: Connection) -> str:
    assert made.credentials is not None
    (header,) = made.credentials("GET", made.url, None).values()
    return base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")[2]


def test_a_password_is_in_no_representation_of_a_connection() -> None:
    made = Connection.from_settings(url="https://h", username="casey", password=SECRET)
    assert _password(made) == SECRET
    assert SECRET not in f"{made!r} {made} {made.model_dump()} {made.model_dump_json()} {made.credentials!r}"


def test_the_first_line_of_the_password_file_is_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_bytes(f"{SECRET}\r\nsecond line\n".encode())
    monkeypatch.setenv("OSDETECT_PASSWORD", "other")
    monkeypatch.setenv("OSDETECT_PASSWORD_FILE", str(file))
    assert _password(Connection.from_settings(url="https://h", username="casey")) == SECRET


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_password_file_that_cannot_be_read_is_a_usage_error(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("OSDETECT_PASSWORD_FILE", str(file))
    with pytest.raises(UsageError, match="password file") as refused:
        Connection.from_settings(url="https://h", username="casey")
    assert str(file) in refused.value.what
    assert refused.value.cure == "check OSDETECT_PASSWORD_FILE"


@pytest.mark.parametrize(("name", "value"), [("ca_certs", "/nowhere.pem"), ("client_cert", "/nowhere.pem")])
def test_a_certificate_file_that_is_not_there_is_a_usage_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"OSDETECT_{name.upper()}", value)
    with pytest.raises(UsageError, match="nowhere") as refused:
        Cluster.connect(Connection.from_settings(url="https://127.0.0.1:1"))
    assert f"OSDETECT_{name.upper()}" in refused.value.cure


def test_settings_come_from_the_environment_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSDETECT_URL", "https://one.example.org")
    monkeypatch.setenv("OSDETECT_TIMEOUT_S", "7")
    assert Connection.from_settings().url == "https://one.example.org"
    assert Connection.from_settings(url=None).timeout_s == 7
    assert Connection.from_settings(url="https://two.example.org").url == "https://two.example.org"


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT_S", "soon"), ("TIMEOUT_S", "0")])
def test_a_setting_of_the_wrong_kind_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"OSDETECT_{name}", value)
    with pytest.raises(UsageError, match="connection setting") as refused:
        Connection.from_settings(url="http://h")
    assert name.lower() in refused.value.cause.lower()
    assert "docs/settings.md" in refused.value.cure


def test_a_closed_port_is_unavailable_and_says_so_soon() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ClusterUnavailable, match="cannot be reached") as refused:
            connect(f"http://127.0.0.1:{port}", retry_for_s=0.3)
    assert refused.value.exit_code == ExitCode.CLUSTER
    assert "osdetect node status" in refused.value.cure


def test_a_host_that_does_not_exist_is_unavailable() -> None:
    with pytest.raises(ClusterUnavailable, match=r"no-such-host\.invalid"):
        connect("http://no-such-host.invalid:9200", retry_for_s=0)


def test_plain_http_to_a_tls_port_and_tls_to_a_plain_port_are_told(node_url: str) -> None:
    with pytest.raises(ClusterError, match="https") as refused:
        connect(node_url.replace("http:", "https:"), retry_for_s=0)
    assert refused.value.exit_code == ExitCode.CLUSTER


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (HTML, "text/html"),
        (HTML, "application/json"),
        (b'{"version": ', "application/json"),
        (b'{"name": "\xff\xfe"}', "application/json"),
        (b"\x00\x01\x02", "application/octet-stream"),
    ],
)
def test_a_server_that_speaks_no_json_is_refused(body: bytes, content_type: str) -> None:
    with _server(body, content_type) as server, pytest.raises(ClusterRefused, match="speak JSON"):
        connect(server.url)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        {},
        {"version": "3.8.0"},
        {"version": {"number": "8.15.0"}},
        {"version": {"number": "8.15.0", "distribution": "other"}},
    ],
)
def test_what_is_not_opensearch_is_refused(body: Any) -> None:
    with _server(body) as server, pytest.raises(ClusterRefused, match="not OpenSearch") as refused:
        connect(server.url)
    assert "--url" in refused.value.cure


@pytest.mark.parametrize("number", ["1.3.20", "2.18.0", "0", "unknown", ""])
def test_a_version_that_is_too_old_or_unknown_is_refused(number: str) -> None:
    body = {"version": {"number": number, "distribution": "opensearch"}}
    with _server(body) as server, pytest.raises(ClusterRefused, match="too old") as refused:
        connect(server.url)
    assert "2.19" in refused.value.cure


@pytest.mark.parametrize(
    ("number", "parsed"), [("2.19.0", (2, 19, 0)), ("3.0.0-beta1", (3, 0, 0)), ("10.1.2", (10, 1, 2))]
)
def test_newer_versions_are_taken(number: str, parsed: tuple[int, ...]) -> None:
    with _server({"version": {"number": number, "distribution": "opensearch"}}) as server:
        assert connect(server.url).version == parsed


def test_a_wrong_password_is_refused_at_once_without_showing_it() -> None:
    with (
        _server({"error": "Unauthorized"}, status=401) as server,
        pytest.raises(ClusterRefused, match="does not accept this user name and password") as refused,
    ):
        connect(server.url, username="casey", password=SECRET)
    assert len(server.asked) == 1
    assert "OSDETECT_PASSWORD_FILE" in refused.value.cure
    assert SECRET not in _said(refused.value)
