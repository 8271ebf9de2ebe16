"""A message as e-mail by SMTP, over TLS unless the settings say `none`."""

import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from osdetect.notify.in_time import InTime
from osdetect.notify.message import Message
from osdetect.notify.outcome import Later, Never, Outcome, Sent
from osdetect.notify.settings import Mail
from osdetect.notify.words import Template
from osdetect.source import printable

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_SAID = 300
_Refused = dict[str, tuple[int, bytes]]


class _Server(smtplib.SMTP):
    """A connection that is cut when the time is over; with a context it has TLS from the first byte."""

    def __init__(self, host: str, port: int, in_time: InTime, context: ssl.SSLContext | None) -> None:
        self._in_time, self._context = in_time, context
        super().__init__(host, port, timeout=in_time.seconds)

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        """As in smtplib, whose own class for TLS overrides the same."""
        plain = self._in_time.dial(host, port)
        return self._context.wrap_socket(plain, server_hostname=host) if self._context else plain


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
            with InTime(channel.timeout_s) as in_time:
                refused = _sent(written, channel, password, in_time)
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
    made["Subject"] = _undecodable(words.subject)
    made["From"] = channel.sender
    made["To"] = ", ".join(channel.to)
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{message.key}@{channel.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made["X-Osdetect-Key"] = message.key
    made.set_content(words.text)
    return made


def _undecodable(text: str) -> str:
    """The text without the beginning of an encoded word (RFC 2047): `email` would decode it, and line breaks come out of it."""
    return text.replace("=?", "= ?")


def _sent(written: EmailMessage, channel: Mail, password: str, in_time: InTime) -> _Refused:
    """Send it; which recipients were refused.

    What the server says to the mail decides. What it says to our leaving is of no matter: a mail that it took is sent.
    """
    server = _connected(channel, password, in_time)
    try:
        return server.send_message(written)
    finally:
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
        server.close()


def _connected(channel: Mail, password: str, in_time: InTime) -> smtplib.SMTP:
    port = channel.port or _PORTS[channel.tls]
    context = ssl.create_default_context(cafile=channel.ca_file or None)
    server = _Server(channel.host, port, in_time, context if channel.tls == "implicit" else None)
    try:
        if channel.tls == "starttls":
            server.starttls(context=context)  # refuses a server that does not offer it
        if channel.username:
            server.login(channel.username, password)
    except (OSError, smtplib.SMTPException, ValueError):
        server.close()
        raise
    return server


def _refused(recipients: _Refused) -> str:
    return "; ".join(f"{who}: {code} {_text(said)}" for who, (code, said) in recipients.items())


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return printable(" ".join(text.split()), _SAID)
