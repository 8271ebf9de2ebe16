"""One HTTP POST, made by the rules: no redirection is followed, and it ends in time whatever the receiver does."""

import http.client
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from osdetect.notify.in_time import InTime
from osdetect.notify.outcome import Later, Outcome, of_status
from osdetect.source import printable

_READ = 2_048
"""Bytes of an answer that are looked at."""
_SAID = 300
_SECRET = 4
"""Characters of the shortest text that is hidden: a shorter one stands in half of all words."""


class Receiver(msgspec.Struct, frozen=True):
    """Where to send to, and how long to try."""

    url: str
    timeout_s: float
    ca_file: str = ""
    hidden: Sequence[str] = ()
    """Secrets that an answer may repeat and no message of ours may show."""


class _Connection(http.client.HTTPConnection):
    in_time: InTime

    def connect(self) -> None:
        """Connect, to be cut when the time is over."""
        self.sock = self.in_time.dial(self.host, self.port)


class _Secured(http.client.HTTPSConnection, _Connection):
    """The same with TLS: it puts its own around what `_Connection` made."""


def post(
    receiver: Receiver, headers: Mapping[str, str], body: bytes, clock: Callable[[], datetime]
) -> Outcome:
    """Send it and say what came of it."""
    try:
        connection = _connection(receiver)
    except OSError as error:
        return Later(f"the authorities of its certificate cannot be read: {error.strerror or error}")
    try:
        with InTime(receiver.timeout_s) as connection.in_time:
            connection.request("POST", _target(receiver.url), body=body, headers=dict(headers))
            answer = connection.getresponse()
            shown = _shown(_said(answer), receiver)
            return of_status(answer.status, shown, answer.headers.get("Retry-After", ""), clock())
    except ssl.SSLCertVerificationError as error:
        return Later(f"its certificate is not trusted: {error.verify_message}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Later(_shown(f"it cannot be reached: {type(error).__name__}: {error}", receiver))
    finally:
        connection.close()


def _said(answer: http.client.HTTPResponse) -> str:
    """What the receiver says beside its status: that counts, also when the rest breaks off or does not come."""
    try:
        return answer.read(_READ).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"(its answer broke off: {type(error).__name__})"


def _connection(receiver: Receiver) -> _Connection:
    parts = urlsplit(receiver.url)
    assert parts.hostname
    # The port is always given: without one, http.client takes the end of an IPv6 address for it.
    if parts.scheme == "http":
        return _Connection(parts.hostname, parts.port or http.client.HTTP_PORT)
    context = ssl.create_default_context(cafile=receiver.ca_file or None)
    return _Secured(parts.hostname, parts.port or http.client.HTTPS_PORT, context=context)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _shown(text: str, receiver: Receiver) -> str:
    # The longest first: a part of a secret must not take away what the whole is found by.
    secrets = {receiver.url, _target(receiver.url), *receiver.hidden}
    for secret in sorted(secrets, key=lambda one: (-len(one), one)):
        if len(secret) >= _SECRET:
            text = text.replace(secret, "(not shown)")
    return printable(" ".join(text.split()), _SAID)
