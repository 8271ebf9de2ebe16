"""Each way not to get in: refused, with the cause and the cure, and without the secret."""

import http.server
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from osdetect.node.certificates import Certificates, make_certificates
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.security.material import SecuredNode

WRONG = "this-is-not-the-password"


class Tried(msgspec.Struct, frozen=True):
    """What is wrong, and what is to be said."""

    changed: Mapping[str, str]
    what: str
    cure: str


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, str]:
    """Certificates and keys of an authority that the node does not know, and a file that is none."""
    other = make_certificates(datetime.now(UTC))
    _written(tmp_path, other)
    (tmp_path / "password").write_text(f"{WRONG}\n")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "none.pem").write_text("no certificate\n")
    return {"folder": str(tmp_path)}


def _written(folder: Path, made: Certificates) -> None:
    for name, content in (
        ("ca.pem", made.authority),
        ("cert.pem", made.node.certificate),
        ("key.pem", made.node.key),
    ):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)


TRIED = {
    "wrong password": Tried(
        {"OSDETECT_PASSWORD": WRONG}, "does not accept this user name and password", "OSDETECT_PASSWORD_FILE"
    ),
    "wrong password in a file": Tried(
        {"OSDETECT_PASSWORD": "", "OSDETECT_PASSWORD_FILE": "{folder}/password"},
        "does not accept this user name and password",
        "OSDETECT_PASSWORD_FILE",
    ),
    "unknown user": Tried({"OSDETECT_USERNAME": "nobody"}, "does not accept", "OSDETECT_USERNAME"),
    "no credentials": Tried(
        {"OSDETECT_USERNAME": "", "OSDETECT_PASSWORD": ""}, "wants to know who this is", "security.md"
    ),
    "a token that it does not know": Tried(
        {"OSDETECT_USERNAME": "", "OSDETECT_PASSWORD": "", "OSDETECT_TOKEN": WRONG},
        "does not accept this bearer token",
        "OSDETECT_TOKEN_FILE",
    ),
    "wrong authority": Tried(
        {"OSDETECT_CA_CERTS": "{folder}/ca.pem"},
        "signed by no authority that is trusted here",
        "OSDETECT_CA_CERTS",
    ),
    "no authority": Tried(
        {"OSDETECT_CA_CERTS": ""}, "signed by no authority that is trusted here", "--ca-certs"
    ),
    "wrong host name": Tried(
        {"OSDETECT_URL": "https://127.1:{port}"},
        "certificate is for another host name",
        "as the certificate does",
    ),
    "client certificate of a stranger": Tried(
        {
            "OSDETECT_USERNAME": "",
            "OSDETECT_PASSWORD": "",
            "OSDETECT_CLIENT_CERT": "{folder}/cert.pem",
            "OSDETECT_CLIENT_KEY": "{folder}/key.pem",
        },
        "does not accept (this|our) client certificate",
        "OSDETECT_CLIENT_CERT",
    ),
    "a file that holds no certificate": Tried(
        {"OSDETECT_CA_CERTS": "{folder}/none.pem"}, "none.pem|no certificate", "OSDETECT_CA_CERTS"
    ),
    "a key that belongs to no certificate": Tried(
        {"OSDETECT_CLIENT_CERT": "{folder}/cert.pem", "OSDETECT_CLIENT_KEY": "{folder}/none.pem"},
        "certificate or key file of ours cannot be used",
        "OSDETECT_CLIENT_KEY",
    ),
    "plain HTTP": Tried({"OSDETECT_URL": "http://127.0.0.1:{port}"}, "cannot be reached|TLS", "URL"),
}


@pytest.mark.parametrize("name", TRIED)
def test_each_wrong_way_in_is_refused_with_cause_and_cure(
    osdetect: Osdetect, secured: SecuredNode, files: Mapping[str, str], name: str
) -> None:
    tried = TRIED[name]
    words = {**files, "port": secured.url.rpartition(":")[2]}
    settings = secured.settings("viewer") | {
        key: value.format(**words) for key, value in tried.changed.items()
    }
    ran = osdetect("alerts", "list", **settings, OSDETECT_RETRY_FOR_S="0")
    assert ran.status in (ExitCode.CLUSTER, ExitCode.USAGE), ran
    assert re.search(tried.what, ran.err), ran.err
    assert tried.cure in ran.err.partition("cure:")[2], ran.err
    assert "cause:" in ran.err
    assert WRONG not in ran.err
    assert secured.passwords["viewer"] not in ran.err


class _Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's own name
        """Say nothing."""


@pytest.fixture
def expired(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A TLS server whose certificate was good for a year, two years ago; its URL and its authority."""
    _written(tmp_path, make_certificates(datetime.now(UTC) - timedelta(days=730)))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client goes away in the handshake
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", tmp_path / "ca.pem"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_expired_certificate_is_refused(osdetect: Osdetect, expired: tuple[str, Path]) -> None:
    url, authority = expired
    settings = {"OSDETECT_URL": url, "OSDETECT_CA_CERTS": str(authority), "OSDETECT_RETRY_FOR_S": "0"}
    ran = osdetect("status", OSDETECT_TOKEN=WRONG, **settings)
    assert ran.status == ExitCode.CLUSTER
    assert "certificate has expired" in ran.err
    assert "clock" in ran.err.partition("cure:")[2]
    assert WRONG not in ran.err


def test_without_verification_it_works_and_each_command_says_so(
    osdetect: Osdetect, secured: SecuredNode
) -> None:
    settings = secured.settings("viewer") | {"OSDETECT_CA_CERTS": ""}
    ran = osdetect("alerts", "list", "--insecure-skip-tls-verify", **settings)
    assert ran.status == ExitCode.OK
    assert "certificate is not verified" in ran.err
