"""The secured variant: TLS, users and roles by the server's security plugin.

OpenSearch documentation, "Security configuration" and "Security REST API". The plugin's demonstration users are
not installed; users are made over the REST API with the administrator's certificate, with random passwords.
"""

import json
import os
import secrets
import shutil
import ssl
import time
from datetime import datetime
from pathlib import Path

import msgspec

from osdetect.errors import NodeError
from osdetect.node.account import Account
from osdetect.node.options import Credentials
from osdetect.node.places import Storage
from osdetect.node.probe import Probe
from osdetect.node.progress import OnProgress, Progress, Stage
from osdetect.node.security_api import put
from osdetect.schema.roles import shipped_roles

ADMIN_USER = "admin"
_PLUGIN_CONFIG = Path("plugins/opensearch-security/config")
_INITIALISED_S = 90.0
"""The plugin writes its own index after the server answers; seconds until it takes users."""
_PAUSE_S = 0.25
_INITIAL = {
    # No demonstration users, and no role for everyone: what the REST API makes is all there is.
    "internal_users.yml": '_meta:\n  type: "internalusers"\n  config_version: 2\n',
    "roles_mapping.yml": (
        '_meta:\n  type: "rolesmapping"\n  config_version: 2\nall_access:\n  backend_roles:\n  - "admin"\n'
    ),
}


class Secrets(msgspec.Struct, frozen=True):
    """Where the secrets of one secured node are; the folder is readable by the account that starts it only."""

    directory: Path

    @property
    def ca_file(self) -> Path:
        """The authority's certificate."""
        return self.directory / "ca.pem"

    @property
    def admin_certificate(self) -> Path:
        """May do everything, without a password."""
        return self.directory / "admin.pem"

    @property
    def admin_key(self) -> Path:
        """The key of that certificate."""
        return self.directory / "admin-key.pem"

    @property
    def password_file(self) -> Path:
        """JSON object, user to password."""
        return self.directory / "passwords.json"

    @property
    def credentials(self) -> Credentials:
        """What a client is told."""
        return Credentials(self.ca_file, ADMIN_USER, self.password_file)

    def probe(self, url: str) -> Probe:
        """Asks as the administrator."""
        tls = ssl.create_default_context(cafile=str(self.ca_file))
        tls.load_cert_chain(self.admin_certificate, self.admin_key)
        return Probe(url, tls=tls)


def secrets_of(storage: Path) -> Secrets:
    """The secrets that belong to the node with that storage folder."""
    return Secrets(storage / "credentials")


def prepare(storage: Storage, home: Path, account: Account | None, now: datetime) -> dict[str, object]:
    """Write certificates, passwords and the plugin's initial files; returns the settings that name them.

    Raises:
        NodeError: the package that makes certificates is not installed.
    """
    try:
        from osdetect.node.certificates import ADMIN, NODE, make_certificates  # noqa: PLC0415 - for this variant only
    except ImportError as absent:
        raise NodeError(
            "the secured node needs certificates, and the package that makes them is not installed",
            cure="pip install cryptography",
        ) from absent
    made = make_certificates(now)
    kept = secrets_of(storage.directory)
    kept.directory.mkdir(mode=0o700, exist_ok=True)
    _write(kept.ca_file, made.authority)
    _write(kept.admin_certificate, made.admin.certificate)
    _write(kept.admin_key, made.admin.key)
    known = json.loads(kept.password_file.read_bytes()) if kept.password_file.exists() else {}
    new = {
        user: secrets.token_urlsafe(24)
        for user in (ADMIN_USER, *(role.word for role in shipped_roles()))
        if user not in known
    }
    if new:
        _write(kept.password_file, json.dumps({**known, **new}, indent=1).encode())
    for name, content in (
        ("ca.pem", made.authority),
        ("node.pem", made.node.certificate),
        ("node-key.pem", made.node.key),
    ):
        _write(storage.config / name, content, account)
    _copy_plugin_files(home / _PLUGIN_CONFIG, storage.config / "opensearch-security", account)
    return _settings(NODE, ADMIN)


def make_users(kept: Secrets, url: str, on_progress: OnProgress) -> None:
    """Create the users and roles over the REST API; what is there already is replaced by the same.

    Raises:
        NodeError: the plugin refused one of them, or did not get ready.
    """
    probe = kept.probe(url)
    passwords = json.loads(kept.password_file.read_bytes())
    requests = tuple(_requests(passwords))
    deadline = time.monotonic() + _INITIALISED_S
    for count, (path, body) in enumerate(requests, start=1):
        put(
            probe,
            path,
            body,
            deadline=deadline,
            pause_s=_PAUSE_S,
            who="the security plugin",
            cure="osdetect node logs, and start it again",
        )
        on_progress(Progress(Stage.SECURE, count, len(requests)))


def _requests(passwords: dict[str, str]) -> list[tuple[str, object]]:
    roles = shipped_roles()
    return [
        (f"/internalusers/{ADMIN_USER}", {"password": passwords[ADMIN_USER], "backend_roles": ["admin"]}),
        *((f"/roles/{role.name}", role.body()) for role in roles),
        *((f"/internalusers/{role.word}", {"password": passwords[role.word]}) for role in roles),
        *((f"/rolesmapping/{role.name}", {"users": [role.word]}) for role in roles),
    ]


def _settings(node: str, admin: str) -> dict[str, object]:
    prefix = "plugins.security"
    pem = {
        "pemcert_filepath": "node.pem",
        "pemkey_filepath": "node-key.pem",
        "pemtrustedcas_filepath": "ca.pem",
    }
    return {
        **{
            f"{prefix}.ssl.{layer}.{key}": value
            for layer in ("transport", "http")
            for key, value in pem.items()
        },
        f"{prefix}.ssl.transport.enforce_hostname_verification": False,
        f"{prefix}.ssl.http.enabled": True,
        f"{prefix}.authcz.admin_dn": [f"CN={admin}"],
        f"{prefix}.nodes_dn": [f"CN={node}"],
        f"{prefix}.allow_default_init_securityindex": True,
        f"{prefix}.audit.type": "noop",
        f"{prefix}.restapi.roles_enabled": ["all_access"],
    }


def _copy_plugin_files(source: Path, target: Path, account: Account | None) -> None:
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(mode=0o755)
    target.chmod(0o755)
    for path in sorted(source.glob("*.yml")):
        ours = _INITIAL.get(path.name)
        _write(target / path.name, ours.encode() if ours else path.read_bytes(), account)


def _write(path: Path, content: bytes, account: Account | None = None) -> None:
    """A new file that only its owner reads: us, or the node's account."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        if account:
            os.fchown(stream.fileno(), account.uid, account.gid)
