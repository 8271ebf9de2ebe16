"""TLS as the settings want it: real servers and real files; an encrypted key never asks at the terminal."""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from osdetect.cluster import Cluster, Connection
from osdetect.cluster.tls import tls_context
from osdetect.errors import ClusterRefused, ClusterUnavailable, UsageError
from osdetect.node.certificates import make_certificates
from tests.dashboards.server import DashboardsServer

PASSWORD = "opens the key of the tests"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    made = make_certificates(datetime.now(UTC))
    key = load_pem_private_key(made.admin.key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
    )
    for name, content in {
        "ca.pem": made.authority,
        "node.pem": made.node.certificate,
        "node.key": made.node.key,
        "client.pem": made.admin.certificate,
        "client.key": key,
        "password": f"{PASSWORD}\n".encode(),
        "wrong": b"another\n",
    }.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return folder


@pytest.fixture
def asks_for_certificates(files: Path) -> Iterator[DashboardsServer]:
    """A server that lets nobody in without a certificate that our authority signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "node.pem", files / "node.key")
    context.load_verify_locations(files / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with DashboardsServer(tls=context) as made:
        yield made


@pytest.fixture(autouse=True)
def settings(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSDETECT_CA_CERTS", str(files / "ca.pem"))
    monkeypatch.setenv("OSDETECT_CLIENT_CERT", str(files / "client.pem"))
    monkeypatch.setenv("OSDETECT_CLIENT_KEY", str(files / "client.key"))


@pytest.mark.parametrize("variable", ["OSDETECT_CLIENT_KEY_PASSWORD_FILE", "OSDETECT_CLIENT_KEY_PASSWORD"])
@pytest.mark.parametrize("verify", [True, False])
def test_an_encrypted_key_is_opened_and_the_certificate_shown(
    asks_for_certificates: DashboardsServer,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    verify: bool,
) -> None:
    """Also where the server's own certificate is not looked at."""
    monkeypatch.setenv(variable, str(files / "password") if variable.endswith("FILE") else PASSWORD)
    connection = Connection.from_settings(url=asks_for_certificates.url, retry_for_s=0, verify_tls=verify)
    assert PASSWORD not in repr(connection) + str(connection.model_dump())
    with pytest.raises(ClusterRefused, match="does not have this"):  # it let us in, and is no OpenSearch
        Cluster.connect(connection)


@pytest.mark.parametrize(("file", "said"), [("", "is encrypted"), ("wrong", "cannot be used")])
def test_a_key_that_cannot_be_opened_is_told_and_nobody_is_asked_at_the_terminal(
    files: Path, monkeypatch: pytest.MonkeyPatch, file: str, said: str
) -> None:
    if file:
        monkeypatch.setenv("OSDETECT_CLIENT_KEY_PASSWORD_FILE", str(files / file))
    with pytest.raises(UsageError, match="certificate or key file of ours cannot be used") as refused:
        tls_context(Connection.from_settings(url="https://127.0.0.1:1"))
    assert said in f"{refused.value.what} {refused.value.cause}"
    assert "OSDETECT_CLIENT_KEY_PASSWORD_FILE" in refused.value.cure


def test_the_systems_authorities_are_trusted_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OSDETECT_CA_CERTS", "OSDETECT_CLIENT_CERT", "OSDETECT_CLIENT_KEY"):
        monkeypatch.delenv(name)
    made = tls_context(Connection.from_settings(url="https://127.0.0.1:1"))
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.check_hostname
    assert made.get_ca_certs() == ssl.create_default_context().get_ca_certs()


@pytest.fixture
def hangs_up() -> Iterator[tuple[str, list[int]]]:
    """A server that goes away in the handshake; its URL, and a list that grows with each try."""
    tries: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    taken, _ = listening.accept()
                except OSError:  # the test is over
                    return
                tries.append(1)
                taken.recv(100_000)
                taken.shutdown(socket.SHUT_RDWR)
                taken.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}", tries
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_a_handshake_that_breaks_is_tried_again_as_any_connection(
    hangs_up: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does a node that is started anew, or what balances the load before it."""
    for name in ("OSDETECT_CLIENT_CERT", "OSDETECT_CLIENT_KEY"):
        monkeypatch.delenv(name)
    url, tries = hangs_up
    known = Cluster.connect
    with pytest.raises(ClusterUnavailable, match="cannot be reached"):
        known(Connection.from_settings(url=url, retry_for_s=0))
    from osdetect.cluster.door import _client  # noqa: PLC0415  # a cluster that was connected before

    connection = Connection.from_settings(url=url, retry_for_s=1.5)
    tries.clear()
    with pytest.raises(ClusterUnavailable):
        Cluster(_client(connection), connection, (3, 4, 0)).request("GET", "/_cluster/health")
    assert len(tries) > 1


def test_a_password_out_of_a_pipe_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As of a shell's `<(pass show detector)`: the second reading of it finds nothing."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    monkeypatch.setenv("OSDETECT_USERNAME", "casey")
    monkeypatch.setenv("OSDETECT_PASSWORD_FILE", str(pipe))
    writer = threading.Thread(target=pipe.write_text, args=("out-of-a-pipe\n",), daemon=True)
    writer.start()
    connection = Connection.from_settings(url="https://127.0.0.1:1")
    writer.join(10)
    assert connection.credentials is not None
    first, second = (connection.credentials("GET", "/", None) for _ in range(2))
    assert first == second
