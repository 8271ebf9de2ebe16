"""Archives from https servers: real ones, with a certificate of their own."""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from osdetect.errors import InputError
from osdetect.packs.download import downloaded
from osdetect.packs.limits import Gate
from tests.notify.certificate import certificate
from tests.packs.conftest import Packs
from tests.packs.material import held, rule, zipped


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives an archive, or what a server that is not to be trusted might give."""

    archive: bytes = b""

    def do_GET(self) -> None:
        if self.path.startswith("/down"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/rules.zip")
            self.end_headers()
        elif self.path.startswith("/cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.archive)))
            self.end_headers()
            self.wfile.write(self.archive[:100])
        elif self.path.startswith("/slow"):
            self._slowly()
        elif self.path.startswith("/big"):
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            self.wfile.write(b"PK")
        elif self.path.startswith("/odd"):
            self.send_response(200)
            self.send_header("Content-Length", "many")
            self.end_headers()
            self.wfile.write(b"PK no zip")
        elif self.path.startswith("/far"):
            self.send_response(302)
            self.send_header("Location", f"https://{'a' * 70}.example/rules.zip")
            self.end_headers()
        elif self.path.startswith("/good"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.archive)
        else:
            self.send_error(404)

    def _slowly(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(200):
                self.wfile.write(b"P")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:  # the client had enough, as it should
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's word
        """Nothing is said."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    file = certificate(tmp_path)
    Answers.archive = zipped(
        tmp_path / "rules.zip", {f"rules-1/{name}.yml": rule(name) for name in ("One", "Two")}
    ).read_bytes()
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield f"https://127.0.0.1:{listening.server_address[1]}"
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_an_archive_is_fetched_and_updated(packs: Packs, root: Path, server: str) -> None:
    done = packs("add", f"{server}/good/rules.zip")
    assert done.status == 0, done.err
    assert set(held(root)) == {"rules/One.yml", "rules/Two.yml"}
    assert "nothing new" in packs("update").out


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("down/rules.zip", "not https"),
        ("cut/rules.zip", "of"),
        ("big/rules.zip", "too large"),
        ("none/rules.zip", "404"),
        ("odd/rules.zip", "cannot be read"),
        ("far/rules.zip", "no host"),
        ("good/rules.zip?X-Amz-Signature=abc", "carries a secret"),
    ],
)
def test_what_a_server_should_not_do_is_refused(packs: Packs, server: str, path: str, said: str) -> None:
    done = packs("add", f"{server}/{path}")
    assert done.status == (2 if "Signature" in path else 4)
    assert said in done.err


def test_a_server_that_trickles_is_left(server: str) -> None:
    began = time.monotonic()
    with (
        pytest.raises(InputError) as refused,
        downloaded(f"{server}/slow/rules.zip", Gate(server), timeout_s=0.5),
    ):
        pytest.fail("it was fetched")
    assert "too long" in str(refused.value)
    assert time.monotonic() - began < 5


def test_a_certificate_that_is_not_trusted_is_refused(
    packs: Packs, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    done = packs("add", f"{server}/good/rules.zip")
    assert done.status == 4
    assert "not trusted" in done.err
