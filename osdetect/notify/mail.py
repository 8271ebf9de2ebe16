"""A message as e-mail by SMTP, over TLS unless the settings say `none`."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from osdetect.notify.message import Message
from osdetect.notify.outcome import Later, Never, Outcome, Sent
from osdetect.notify.settings import Mail
from osdetect.notify.words import Template
from osdetect.source import printable

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_SAID = 300


class _InTime(smtplib.SMTP):
    """A connection that ends in time: the time-out of a socket is for each read only."""

    alarm: threading.Timer | None = None

    def connect(
        self,
        host: str = "localhost",
        port: int = 0,
        source_address: Any = None,
    ) -> tuple[int, bytes]:
        """Set the alarm first: the greeting is read in here."""
        self.alarm = threading.Timer(self.timeout, _cut, (self,))
        self.alarm.daemon = True
        self.alarm.start()
        return super().connect(host, port, source_address)

    def close(self) -> None:
        """Let go of the alarm as well."""
        if self.alarm is not None:
            self.alarm.cancel()
        super().close()


class _ImplicitInTime(_InTime, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


def mail_sender(
    name: str, channel: Mail, template: Template, clock: Callable[[], datetime]
) -> Callable[[Message], Outcome]:
    """What sends a message to the channel.

    Raises:
        UsageError: its password is not there.
    """
    password = channel.password(name)

    def send(message: Message) -> Outcome:
        written = mail(message, channel, template, clock())
        try:
            with _connected(channel, password) as server:
                refused = server.send_message(written)
        except smtplib.SMTPRecipientsRefused as error:
            final = all(code >= 500 for code, _ in error.recipients.values())
            why = f"it refused all recipients: {_refused(error.recipients)}"
            return Never(why) if final else Later(why)
        except smtplib.SMTPResponseException as error:
            why = f"it answered {error.smtp_code}: {_text(error.smtp_error)}"
            return Never(why) if error.smtp_code >= 500 else Later(why)
        except ssl.SSLCertVerificationError as error:
            return Later(f"its certificate is not trusted: {error.verify_message}")
        except (OSError, smtplib.SMTPException, ValueError) as error:  # ValueError: a host that is no name
            return Later(f"it cannot be used: {type(error).__name__}: {printable(str(error), _SAID)}")
        return Sent(_refused(refused))

    return send


def mail(message: Message, channel: Mail, template: Template, now: datetime) -> EmailMessage:
    """The e-mail; a repetition has the same Message-ID, by which mailboxes and people know it."""
    words = template.words(message)
    made = EmailMessage(policy=SMTP)
    made["Subject"] = words.subject
    made["From"] = channel.sender
    made["To"] = ", ".join(channel.to)
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{message.key}@{channel.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made["X-Osdetect-Key"] = message.key
    made.set_content(words.text)
    return made


def _connected(channel: Mail, password: str) -> smtplib.SMTP:
    port = channel.port or _PORTS[channel.tls]
    context = ssl.create_default_context(cafile=channel.ca_file or None)
    server: smtplib.SMTP
    if channel.tls == "implicit":
        server = _ImplicitInTime(channel.host, port, timeout=channel.timeout_s, context=context)
    else:
        server = _InTime(channel.host, port, timeout=channel.timeout_s)
    try:
        if channel.tls == "starttls":
            server.starttls(context=context)  # refuses a server that does not offer it
        if channel.username:
            server.login(channel.username, password)
    except (OSError, smtplib.SMTPException, ValueError):
        server.close()
        raise
    return server


def _cut(server: smtplib.SMTP) -> None:
    sock = server.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended just now


def _refused(recipients: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{who}: {code} {_text(said)}" for who, (code, said) in recipients.items())


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return printable(" ".join(text.split()), _SAID)
