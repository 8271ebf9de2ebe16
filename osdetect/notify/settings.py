"""Channels, as a settings file in TOML says them. Nothing in it is secret, and nothing in it is unknown."""

import ipaddress
import re
import tomllib
from email.headerregistry import Address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from osdetect.documents.event import check_namespace
from osdetect.errors import InputError, UsageError
from osdetect.notify.secret import revealed
from osdetect.schema.attack import tactic_of_id, tactic_of_tag, technique_of_tag
from osdetect.vocabulary import Level

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,31}")
_TACTIC_ID = re.compile(r"attack\.(ta\d{4})", re.IGNORECASE)
SHORTEST_DIGEST_S = 60
_LARGEST_FILE = 1 << 20


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every channel has."""

    level: Level = Level.INFORMATIONAL
    """Alerts of this level and above."""
    rules: tuple[str, ...] = ()
    """Only of these rules, by their ids; empty: of all."""
    tags: tuple[str, ...] = ()
    """Only of rules with one of these ATT&CK tags: attack.persistence, attack.t1098 (with its sub-techniques)."""
    accounts: tuple[str, ...] = ()
    """Only of these AWS accounts."""
    namespace: str = ""
    """Of the alerts; empty: the one that the command is given."""
    digest_s: int = SHORTEST_DIGEST_S
    """Seconds from one message about a rule to the next at least."""
    history: bool = False
    """Whether to tell alerts that are older than the channel."""
    attempts: int = 12
    """So often a message is tried."""
    timeout_s: float = 10.0
    """How long one attempt may take."""
    subject: str = ""
    """A Jinja template for one line; empty: the built-in one."""
    text: str = ""
    """A Jinja template for the text; empty: the built-in one."""

    def problems(self) -> tuple[str, ...]:
        """What cannot be, in words."""
        found = {
            f"digest_s is below {SHORTEST_DIGEST_S}": self.digest_s < SHORTEST_DIGEST_S,
            "attempts is not from 1 to 100": not 1 <= self.attempts <= 100,
            "timeout_s is not from 0.1 to 300": not 0.1 <= self.timeout_s <= 300,
        }
        odd = (
            f"{tag!r} names no tactic or technique of ATT&CK; alerts keep no other tags"
            for tag in self.tags
            if not _is_kept(tag)
        )
        return (*(said for said, wrong in found.items() if wrong), *odd)

    def check_secrets(self, name: str) -> None:
        """Refuse secrets that are not where they are said to be.

        Raises:
            UsageError: one of them is not.
        """


class _Http(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url_env: str = ""
    url_file: str = ""
    allow_http: bool = False
    """Whether plain HTTP may be used to another host."""
    ca_file: str = ""
    """PEM file of the authorities that may sign the receiver's certificate; empty: the system's."""

    def address(self, name: str) -> str:
        """Where to send to.

        Raises:
            UsageError: it is not there, or may not be used.
        """
        return _checked_url(name, revealed(name, "url", self.url_env, self.url_file), self.allow_http)

    def check_secrets(self, name: str) -> None:
        """See `Channel`."""
        self.address(name)
        if self.ca_file and not Path(self.ca_file).is_file():
            raise UsageError(f"the file of channel {name} is not there", cause=f"ca_file: {self.ca_file}")


class Webhook(_Http, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="webhook"):
    """JSON by HTTP POST, signed."""

    url: str = ""
    secret_env: str = ""
    secret_file: str = ""
    """The key of the signature; several, separated by spaces, while a key is changed."""
    authorization_env: str = ""
    authorization_file: str = ""
    """The value of the Authorization header."""

    def address(self, name: str) -> str:
        """Where to send to: this address may stand in the settings.

        Raises:
            UsageError: it is not there, or may not be used.
        """
        if self.url and (self.url_env or self.url_file):
            raise UsageError(f"channel {name} names its url twice", cure="keep one of url, url_env, url_file")
        found = self.url or revealed(name, "url", self.url_env, self.url_file)
        return _checked_url(name, found, self.allow_http)

    def secrets(self, name: str) -> tuple[str, ...]:
        """The keys of the signature."""
        return tuple(revealed(name, "secret", self.secret_env, self.secret_file).split())

    def authorization(self, name: str) -> str:
        """The Authorization header; empty: none."""
        return revealed(name, "authorization", self.authorization_env, self.authorization_file)

    def check_secrets(self, name: str) -> None:
        """See `Channel`."""
        super().check_secrets(name)
        self.secrets(name)
        self.authorization(name)


class Slack(_Http, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="slack"):
    """Slack's incoming webhook. Its address is a secret."""


class Mail(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="email"):
    """E-mail by SMTP."""

    host: str
    port: int = 0
    """0: 587 with starttls, 465 with implicit, 25 with none."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: str = ""
    sender: str
    to: tuple[str, ...]
    username: str = ""
    password_env: str = ""
    password_file: str = ""

    def problems(self) -> tuple[str, ...]:
        """What cannot be, in words."""
        odd = [f"{one!r} is no mail address" for one in (self.sender, *self.to) if not _is_address(one)]
        found = {
            "to names nobody": not self.to,
            "port is not from 0 to 65535": not 0 <= self.port <= 65_535,
            "username holds others than plain ASCII characters": not (
                self.username.isascii() and (self.username + " ").isprintable()
            ),
            "a password over an open connection: tls is none": self.tls == "none" and bool(self.username),
        }
        return (*super().problems(), *odd, *(said for said, wrong in found.items() if wrong))

    def password(self, name: str) -> str:
        """The password; empty: none."""
        return revealed(name, "password", self.password_env, self.password_file)

    def check_secrets(self, name: str) -> None:
        """See `Channel`."""
        if bool(self.password(name)) != bool(self.username):
            raise UsageError(
                f"channel {name} has only one of user name and password", cure="give both or none"
            )
        if self.ca_file and not Path(self.ca_file).is_file():
            raise UsageError(f"the file of channel {name} is not there", cause=f"ca_file: {self.ca_file}")


class File(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="file"):
    """A line of JSON for each message, at the end of a file."""

    path: str
    max_mb: int = 0
    """A message that would make the file larger waits until somebody moves it away; 0: no limit."""

    def problems(self) -> tuple[str, ...]:
        """What cannot be, in words."""
        own = {
            "path is empty": not self.path,
            "path holds a NUL, which no file's name has": "\0" in self.path,
            "max_mb is below 0": self.max_mb < 0,
        }
        return (*super().problems(), *(said for said, wrong in own.items() if wrong))


class Stdout(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stdout"):
    """A line of JSON for each message, on standard output."""


AnyChannel = Webhook | Slack | Mail | File | Stdout
"""A channel of any kind."""


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    channels: dict[str, AnyChannel]


def read_channels(file: Path, namespace: str) -> dict[str, AnyChannel]:
    """The channels of a settings file, by name; each has a namespace: its own or the one given.

    Raises:
        InputError: the file is not there, or names no channel.
        UsageError: it is no TOML, or something in it cannot be used.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise InputError(
            f"the settings of the channels cannot be read: {file}", cause=error.strerror or ""
        ) from None
    if len(raw) > _LARGEST_FILE:
        raise UsageError(f"the settings of the channels are larger than {_LARGEST_FILE:,} bytes: {file}")
    try:
        found = msgspec.convert(tomllib.loads(raw.decode()), _Settings)
    except (ValueError, RecursionError) as error:  # TOML, UTF-8 and msgspec's own are all ValueErrors
        raise UsageError(
            f"the settings of the channels cannot be used: {file}",
            cause=str(error),
            cure="see docs/notifications.md",
        ) from None
    if not found.channels:
        raise InputError(f"no channel is in {file}", cure="add one: see docs/notifications.md")
    return {name: _checked(name, channel, namespace) for name, channel in found.channels.items()}


def _checked(name: str, channel: AnyChannel, namespace: str) -> AnyChannel:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a channel's name",
            cure="small letters, digits and _, at most 32, no _ in front",
        )
    if problems := channel.problems():
        raise UsageError(f"channel {name} cannot be used", cause="; ".join(problems))
    check_namespace(channel.namespace or namespace)
    return msgspec.structs.replace(channel, namespace=channel.namespace or namespace)


def is_loopback(host: str) -> bool:
    """Whether the host is this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost.example.org")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _checked_url(name: str, url: str, allow_http: bool) -> str:
    """The URL itself is not told: it may be the secret."""
    try:
        parts: Any = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            f"channel {name} has no usable address", cure="give url, url_env or url_file: https://HOST/PATH"
        )
    if "@" in parts.netloc:
        raise UsageError(
            f"the address of channel {name} carries credentials",
            cure="put them where authorization_env names them",
        )
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname):
        raise UsageError(
            f"channel {name} would send over plain HTTP",
            cause="anyone on the way could read the alerts and the address",
            cure="use https, or say allow_http = true",
        )
    return url


def _is_kept(tag: str) -> bool:
    """Whether there may be alerts whose tactics and techniques (`osdetect.notify.wanted`) have what the tag names."""
    found = _TACTIC_ID.fullmatch(tag)
    if found:
        return tactic_of_id(found[1].upper()) is not None
    return technique_of_tag(tag) is not None or tactic_of_tag(tag.replace("_", "-")) is not None


def _is_address(text: str) -> bool:
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError, AttributeError):  # the parser meets broken ones in each of these ways
        return False
    return bool(address.username and address.domain) and text.isascii() and text.isprintable()
