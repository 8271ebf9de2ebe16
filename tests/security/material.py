"""A secured node as its users see it."""

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import msgspec

from osdetect.node import RunningNode
from osdetect.node.probe import Answer, Probe
from osdetect.node.security import Secrets


class SecuredNode(msgspec.Struct, frozen=True):
    """The node that the tests of security share; one user for each of our roles, called as the role."""

    node: RunningNode

    @property
    def url(self) -> str:
        return self.node.url

    @property
    def kept(self) -> Secrets:
        assert self.node.credentials is not None
        return Secrets(self.node.credentials.ca_file.parent)

    @property
    def ca_file(self) -> Path:
        return self.kept.ca_file

    @property
    def passwords(self) -> dict[str, str]:
        """User to password."""
        found: dict[str, str] = json.loads(self.kept.password_file.read_bytes())
        return found

    def as_user(self, user: str | None, password: str | None = None) -> Probe:
        """Asks as `user`, with the right password unless another is given."""
        tls = ssl.create_default_context(cafile=str(self.ca_file))
        if user is None:
            return Probe(self.url, tls=tls)
        pair = base64.b64encode(f"{user}:{password or self.passwords[user]}".encode()).decode()
        return Probe(self.url, (("Authorization", f"Basic {pair}"),), tls)

    def admin(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask with the administrator's certificate; the answer's body."""
        answer = self.kept.probe(self.url).ask(path, method=method, body=body, timeout=30)
        assert answer is not None
        assert answer.status in (200, 201), (path, answer)
        return answer.body

    def settings(self, user: str) -> dict[str, str]:
        """What leads the command line here as `user`."""
        return {
            "OSDETECT_URL": self.url,
            "OSDETECT_CA_CERTS": str(self.ca_file),
            "OSDETECT_USERNAME": user,
            "OSDETECT_PASSWORD": self.passwords[user],
        }


class Pipe(msgspec.Struct, frozen=True):
    """A secured node with a rule, an event and an alert on it, each made under its own role."""

    node: SecuredNode
    words: dict[str, str]
    """Stand for what a test's command line needs: folders, files, the short id of an alert."""


def status_of(answer: Answer | None) -> int:
    assert answer is not None
    return answer.status
