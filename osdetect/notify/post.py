"""One HTTP POST, made by the rules: no redirection is followed, and it ends in time whatever the receiver does."""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from osdetect.notify.outcome import Later, Outcome, of_status
from osdetect.source import printable

_READ = 2_048
"""Bytes of an answer that are looked at."""
_SAID = 300


class Receiver(msgspec.Struct, frozen=True):
    """Where to send to, and how long to try."""

    url: str
    timeout_s: float
    ca_file: str = ""
    hidden: Sequence[str] = ()
    """Secrets that an answer may repeat and no message of ours may show."""


def post(
    receiver: Receiver, headers: Mapping[str, str], body: bytes, clock: Callable[[], datetime]
) -> Outcome:
    """Send it and say what came of it."""
    try:
        connection = _connection(receiver)
    except OSError as error:
        return Later(f"the authorities of its certificate cannot be read: {error.strerror or error}")
    # The time-out of a socket is for each read: whoever sends a byte now and then would hold us for ever.
    alarm = threading.Timer(receiver.timeout_s, _cut, (connection,))
    alarm.daemon = True
    alarm.start()
    try:
        connection.request("POST", _target(receiver.url), body=body, headers=dict(headers))
        answer = connection.getresponse()
        said, retry_after = answer.read(_READ), answer.headers.get("Retry-After", "")
        shown = _shown(said.decode("utf-8", "replace"), receiver)
        return of_status(answer.status, shown, retry_after, clock())
    except ssl.SSLCertVerificationError as error:
        return Later(f"its certificate is not trusted: {error.verify_message}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Later(_shown(f"it cannot be reached: {type(error).__name__}: {error}", receiver))
    finally:
        alarm.cancel()
        connection.close()


def _connection(receiver: Receiver) -> http.client.HTTPConnection:
    parts = urlsplit(receiver.url)
    assert parts.hostname
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=receiver.timeout_s)
    context = ssl.create_default_context(cafile=receiver.ca_file or None)
    return http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=receiver.timeout_s, context=context
    )


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended just now


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _shown(text: str, receiver: Receiver) -> str:
    for secret in (receiver.url, _target(receiver.url), *receiver.hidden):
        if len(secret) > 3:
            text = text.replace(secret, "(not shown)")
    return printable(" ".join(text.split()), _SAID)
