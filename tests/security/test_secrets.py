"""No secret is where others see it: in what commands print, in tracebacks, in logs, in the process list.

The commands are processes of their own; while they run, the command lines of all processes are looked at again and again.
"""

import base64
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import environment
from tests.security.material import Pipe, SecuredNode

TOKEN = "a-bearer-token-that-nobody-knows"
OPENS = "opens-the-key-that-nobody-has"
DEFECT = (
    "import osdetect.cluster.door as door\n"
    "def broken(*_, **__): raise RuntimeError('broken for a test')\n"
    "door.from_status = broken\n"
    "door.read_json = broken\n"
    "from osdetect.cli import main; main()"
)
"""A defect that lies where requests are sent and answers read, with the credentials in reach."""


BROKEN_DASHBOARDS = (
    "import osdetect.dashboards.door as door\n"
    "class Broken(door.http.client.HTTPConnection):\n"
    "    def request(self, *_, **__): raise RuntimeError('broken for a test')\n"
    "door.http.client.HTTPConnection = Broken\n"
    "from osdetect.cli import main; main()"
)
"""The same, where Dashboards is asked."""


class Watch(msgspec.Struct):
    """Remembers the command line of every process that was seen, until it is stopped."""

    seen: set[bytes] = msgspec.field(default_factory=set)
    done: threading.Event = msgspec.field(default_factory=threading.Event)

    def look(self) -> None:
        while not self.done.wait(0.02):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(file.read_bytes())
                except OSError:  # it ended meanwhile
                    continue


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    thread = threading.Thread(target=made.look, daemon=True)
    thread.start()
    yield made
    made.done.set()
    thread.join()


def _secrets(node: SecuredNode) -> tuple[str, ...]:
    """Every secret, as it is and as it is sent."""
    known = node.passwords
    sent = (base64.b64encode(f"{user}:{word}".encode()).decode() for user, word in known.items())
    keys = [line for line in node.kept.admin_key.read_text().splitlines() if "-" not in line]
    return (*known.values(), *sent, *keys, TOKEN, OPENS)


def _run(settings: Mapping[str, str], *line: str, code: str = "") -> tuple[int, str]:
    program = ["-c", code] if code else ["-m", "osdetect"]
    ran = subprocess.run(
        [sys.executable, *program, *line],
        env=environment(**{**settings, "OSDETECT_DEBUG": "1", "OSDETECT_RETRY_FOR_S": "0"}),
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_no_secret_is_printed_logged_or_in_the_process_list(pipe: Pipe, watch: Watch, tmp_path: Path) -> None:
    node = pipe.node
    secret_file = tmp_path / "password"
    secret_file.write_text(node.passwords["detector"])
    secret_file.chmod(0o600)
    by_file = {
        **node.settings("detector"),
        "OSDETECT_PASSWORD": "",
        "OSDETECT_PASSWORD_FILE": str(secret_file),
    }
    by_token = {
        **node.settings("viewer"),
        "OSDETECT_USERNAME": "",
        "OSDETECT_PASSWORD": "",
        "OSDETECT_TOKEN": TOKEN,
    }
    by_key = {
        "OSDETECT_URL": node.url,
        "OSDETECT_CA_CERTS": str(node.ca_file),
        "OSDETECT_CLIENT_CERT": str(node.kept.admin_certificate),
        "OSDETECT_CLIENT_KEY": str(node.kept.admin_key),
    }
    encrypted = tmp_path / "encrypted.pem"
    opened = load_pem_private_key(node.kept.admin_key.read_bytes(), None)
    encrypted.write_bytes(
        opened.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(OPENS.encode()))
    )
    encrypted.chmod(0o600)
    by_encrypted = {**by_key, "OSDETECT_CLIENT_KEY": str(encrypted), "OSDETECT_CLIENT_KEY_PASSWORD": OPENS}
    shown_at = ("--dashboards", "http://127.0.0.1:9")
    elsewhere = {**node.settings("viewer"), "OSDETECT_URL": "https://127.0.0.1:9"}
    passwords = tmp_path / "passwords"
    told: list[str] = []
    for settings, line, code, statuses in (
        (by_file, ("detect", "--once", "--log-format", "json"), "", {ExitCode.OK}),
        (by_file, ("status", "--output", "json"), "", {ExitCode.OK}),
        (
            node.settings("viewer"),
            ("alerts", "ack", pipe.words["short"]),
            "",
            {ExitCode.CLUSTER, ExitCode.LOSS},
        ),
        (node.settings("viewer"), ("config", "show"), "", {ExitCode.OK}),
        (by_token, ("alerts", "list"), "", {ExitCode.CLUSTER}),
        (elsewhere, ("alerts", "list"), "", {ExitCode.CLUSTER}),
        (by_file, ("status",), DEFECT, {1}),
        (by_encrypted, ("releases",), DEFECT, {1}),
        (by_encrypted, ("deploy", pipe.words["live"], *shown_at), "", {ExitCode.CLUSTER}),
        (node.settings("deployer"), ("deploy", pipe.words["live"], *shown_at), BROKEN_DASHBOARDS, {1}),
        (by_token, ("alerts", "list"), DEFECT, {1}),
        (by_key, ("security", "apply", "viewer", "--passwords", str(passwords)), "", {ExitCode.OK}),
    ):
        status, said = _run(settings, *line, code=code)
        assert status in statuses, (line, said)
        assert not code or "Traceback" in said
        told.append(said)
    made = (passwords / "osdetect-viewer.password").read_text().strip()
    node.admin("/_plugins/_security/api/internalusers/osdetect-viewer", "DELETE")
    node.admin("/_plugins/_security/api/rolesmapping/osdetect-viewer", "PUT", {"users": ["viewer"]})
    log = node.node.log_file.read_text(encoding="utf-8", errors="replace")
    assert "osdetect" in log
    assert any(b"alerts\0list" in line for line in watch.seen), "the commands were seen"
    for secret in (*_secrets(node), made):
        assert all(secret not in said for said in told)
        assert secret not in log
        assert not any(secret.encode() in line for line in watch.seen)


def test_no_option_takes_a_secret() -> None:
    documented = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text()
    options = set(re.findall(r"--[a-z-]*(?:password|token|secret|key)[a-z-]*", documented))
    assert options == {"--passwords"}  # a folder
