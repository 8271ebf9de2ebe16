"""What a cluster in containers needs before its first start: `python -m osdetect.node.container secrets | users`.

`secrets FOLDER` makes certificates and passwords, each into the folder of the service that needs it and no other; it needs no
network. `users FOLDER URL` gives the cluster our roles and one user for each, with the administrator's certificate. Both leave
what is there and still good as it is, so they run at each start.
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import create_default_context

from osdetect.errors import NodeError, OsdetectError, UsageError
from osdetect.node.probe import Probe
from osdetect.node.security_api import put
from osdetect.schema.roles import shipped_roles

NODE_HOST = "opensearch"
DASHBOARDS_HOST = "dashboards"
DASHBOARDS_USER = "dashboards"
"""The account of Dashboards itself; people log in with their own."""
IN_DASHBOARDS = ("analyst", "viewer", "deployer")
"""The users that Dashboards lets in; what they see there is what their own role lets them read."""
RENEW_BEFORE = timedelta(days=30)
_PATIENCE_S = 180.0
_PAUSE_S = 1.0
_CURE = "look at the log of the service opensearch; its certificates and these must be of one making"
_MODE = 0o640
"""The group is that of the containers that read the files; nobody else has a right."""


def make_secrets(folder: Path, now: datetime) -> tuple[str, ...]:
    """Make what is missing; the names of the folders that something was written to.

    Certificates are made anew, all of them, when one is missing or ends within 30 days: the authority's key is not kept.
    """
    written = list(_certificates(folder, now)) if _must_renew(folder / "node" / "node.pem", now) else []
    for user in (DASHBOARDS_USER, *(role.word for role in shipped_roles())):
        if not (folder / user / "password").exists():
            _write(folder / user / "password", secrets.token_urlsafe(24).encode())
            written.append(user)
    settings = _dashboards_settings((folder / DASHBOARDS_USER / "password").read_text(encoding="utf-8"))
    file = folder / DASHBOARDS_USER / "opensearch_dashboards.yml"
    if not file.exists() or file.read_bytes() != settings:
        _write(file, settings)
    return tuple(sorted(set(written)))


def _must_renew(certificate: Path, now: datetime) -> bool:
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415  # in the image, not in every installation

    if not certificate.exists():
        return True
    return load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc - now < RENEW_BEFORE


def _certificates(folder: Path, now: datetime) -> Iterator[str]:
    from osdetect.node.certificates import make_certificates  # noqa: PLC0415  # as above

    made = make_certificates(now, host=NODE_HOST, servers=(DASHBOARDS_HOST,))
    (dashboards,) = made.servers
    pairs = {
        "admin": ("admin", made.admin),
        DASHBOARDS_USER: ("dashboards", dashboards),
        "node": ("node", made.node),
    }
    for place in ("admin", DASHBOARDS_USER, *(role.word for role in shipped_roles()), "node"):
        _write(folder / place / "ca.pem", made.authority)
        if place in pairs:
            name, pair = pairs[place]
            _write(folder / place / f"{name}-key.pem", pair.key)
            _write(
                folder / place / f"{name}.pem", pair.certificate
            )  # the node's last: by it the whole is known
        yield place


def _dashboards_settings(password: str) -> bytes:
    """The settings of Dashboards; JSON values are YAML values."""
    config = "/usr/share/opensearch-dashboards/config"
    settings: dict[str, object] = {
        "server.host": "0.0.0.0",  # noqa: S104  # in its container; compose.yaml says who outside reaches it
        "server.ssl.enabled": True,
        "server.ssl.certificate": f"{config}/dashboards.pem",
        "server.ssl.key": f"{config}/dashboards-key.pem",
        "opensearch.hosts": [f"https://{NODE_HOST}:9200"],
        "opensearch.ssl.certificateAuthorities": [f"{config}/ca.pem"],
        "opensearch.ssl.verificationMode": "full",
        "opensearch.username": DASHBOARDS_USER,
        "opensearch.password": password,
        "opensearch.requestHeadersAllowlist": ["authorization", "securitytenant"],
        "opensearch_security.multitenancy.enabled": False,
        "opensearch_security.cookie.secure": True,
    }
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()).encode()


def make_users(folder: Path, url: str) -> tuple[str, ...]:
    """Give the cluster our roles, a user for each with the password in its folder, and that of Dashboards.

    Raises:
        NodeError: the cluster did not take one, or did not answer in three minutes.
    """
    admin = folder / "admin"
    tls = create_default_context(cafile=str(admin / "ca.pem"))
    tls.load_cert_chain(admin / "admin.pem", admin / "admin-key.pem")
    probe = Probe(url, tls=tls)
    deadline = time.monotonic() + _PATIENCE_S
    for path, body in _requests(folder):
        put(probe, path, body, deadline=deadline, pause_s=_PAUSE_S, who="the cluster", cure=_CURE)
    return (DASHBOARDS_USER, *(role.word for role in shipped_roles()))


def _requests(folder: Path) -> Iterator[tuple[str, object]]:
    def user(name: str) -> tuple[str, object]:
        return f"/internalusers/{name}", {
            "password": (folder / name / "password").read_text(encoding="utf-8")
        }

    yield user(DASHBOARDS_USER)
    yield "/rolesmapping/kibana_server", {"users": [DASHBOARDS_USER]}
    yield "/rolesmapping/kibana_user", {"users": list(IN_DASHBOARDS)}
    for role in shipped_roles():
        yield f"/roles/{role.name}", role.body()
        yield user(role.word)
        yield f"/rolesmapping/{role.name}", {"users": [role.word]}


def _write(path: Path, content: bytes) -> None:
    """A file that is there as a whole or not at all."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as stream:
        stream.write(content)
        os.fchmod(stream.fileno(), _MODE)
    beside.replace(path)


def main(arguments: list[str]) -> int:
    """Do what the command line says; no secret is ever shown."""
    try:
        match arguments:
            case ["secrets", folder]:
                written = make_secrets(Path(folder), datetime.now(UTC))
                sys.stdout.write(f"made secrets for: {', '.join(written) or 'nobody, all are there'}\n")
            case ["users", folder, url]:
                sys.stdout.write(f"users are ready: {', '.join(make_users(Path(folder), url))}\n")
            case _:
                raise UsageError("say secrets FOLDER, or users FOLDER URL")
    except OsdetectError as error:
        sys.stderr.write(f"error: {error}\n  cure: {error.cure}\n")
        return int(error.exit_code)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename} cannot be read or written: {error.strerror}\n")
        return int(NodeError.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
