"""Who we are at a cluster, out of the settings: which credentials are named, and which of them may be sent there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from osdetect.cluster.credentials import Basic, Bearer, Credentials, signed
from osdetect.errors import UsageError
from osdetect.settings.layers import Found, Layers
from osdetect.settings.secret import Secret, readable_by_all, secret
from osdetect.settings.trust import left_out
from osdetect.source import printable

ASKED = ("username", "password", "aws_service", "aws_region", "aws_profile", "client_cert", "client_key")
"""The settings that say who we are, besides those that name a secret's file or the keyring."""
_FILES = ("client_cert", "client_key")
_KEY_PASSWORD = "client_key_password"  # noqa: S105  # the setting's name
_WITH_SECRET = ("password_file", "token_file", "client_key", f"{_KEY_PASSWORD}_file")


class Identity(msgspec.Struct, frozen=True):
    """Who we are at one cluster."""

    credentials: Credentials | None
    files: Mapping[str, Found]
    """The client's certificate and its key, if they are sent."""
    key_password: Callable[[], str] | None
    """Of the client's key, if it is sent and has one."""
    notes: tuple[str, ...]
    """What the user should know."""


class _Named(msgspec.Struct, frozen=True):
    """One kind of credentials that somebody named."""

    kind: str
    source: Found
    secret: Secret | None = None


def identity(held: Layers, found: Mapping[str, Found]) -> Identity:
    """Who we are at the cluster that `found` names.

    Raises:
        UsageError: a secret is missing or cannot be read, two kinds are named, or one would go astray (`settings.trust`).
    """
    named = _named(held, found)
    url = found["url"]
    foreign = left_out(held, url, tuple(one.source for one in named))
    kept = [one for one in named if one.source not in foreign]
    notes = [
        *(
            f"{one.place} belongs to another cluster: {one.setting.name} is not sent to {url.value}"
            for one in foreign
        ),
        *(
            f"every account of this machine can read {one.source.value}, which holds a secret: chmod 600 it"
            for one in kept
            if one.source.setting.name in _WITH_SECRET and readable_by_all(Path(one.source.value))
        ),
    ]
    files = {one.kind: one.source for one in kept if one.kind in _FILES}
    opens = next((one.secret.read for one in kept if one.kind == _KEY_PASSWORD and one.secret), None)
    who = [one for one in kept if one.kind not in (*_FILES, _KEY_PASSWORD)]
    return Identity(_credentials(found, who), files, opens, tuple(notes))


def _named(held: Layers, found: Mapping[str, Found]) -> Sequence[_Named]:
    username = found["username"].value
    password = secret(held, "password", username, found["password"]) if username else None
    if username and password is None:
        raise UsageError(
            f"there is no password for the user {username}",
            cure="set OSDETECT_PASSWORD_FILE, OSDETECT_PASSWORD or OSDETECT_KEYRING",
        )
    if ":" in username or not username.isprintable():
        raise UsageError(
            f"{printable(username)!r} cannot be sent as a user name",
            cause="a colon ends the name (RFC 7617), and no header holds what cannot be printed",
            cure="check OSDETECT_USERNAME",
        )
    token = secret(held, "token", "" if username else "token")
    opens = secret(held, _KEY_PASSWORD, "") if found["client_cert"] else None
    of_secrets = [
        _Named(kind, one.source, one)
        for kind, one in (("username", password), ("token", token), (_KEY_PASSWORD, opens))
        if one
    ]
    of_settings = [_Named(name, found[name]) for name in ("aws_service", *_FILES) if found[name]]
    return [*of_secrets, *of_settings]


def _credentials(found: Mapping[str, Found], named: Sequence[_Named]) -> Credentials | None:
    """The one kind that is sent: the one that is said most strongly."""
    first = min((one.source.origin.rank for one in named), default=0)
    strongest = [one for one in named if one.source.origin.rank == first]
    if not strongest:
        return None
    if len(strongest) > 1:
        raise UsageError(
            f"there are two kinds of credentials: {' and '.join(one.kind for one in strongest)}",
            cure="keep one of OSDETECT_USERNAME, OSDETECT_TOKEN_FILE (or OSDETECT_TOKEN) and OSDETECT_AWS_SERVICE",
        )
    (chosen,) = strongest
    if chosen.secret is None:
        return signed(found["aws_service"].value, found["aws_region"].value, found["aws_profile"].value)
    chosen.secret.read()  # fails now, not at each request
    if chosen.kind == "token":
        return Bearer(chosen.secret.read)
    return Basic(found["username"].value, chosen.secret.read)
