"""Mails as they are on the wire, whatever is in the alert and however the server takes its leave."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes

import pytest
from msgspec.structs import replace

from osdetect.notify.mail import mail
from osdetect.notify.message import trial
from osdetect.notify.outcome import Sent
from osdetect.notify.senders import sender
from osdetect.notify.settings import Mail
from osdetect.notify.words import tried_template
from tests.notify.mailbox import Controller, Mailbox

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADERS = [
    *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Osdetect-Key"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
]


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[int]:
    controller = Controller(mailbox, None)
    controller.start()
    yield controller.port
    controller.stop()


def _channel(port: int) -> Mail:
    made = {"host": "127.0.0.1", "port": port, "tls": "none", "timeout_s": 5.0}
    return Mail(sender="osdetect@example.org", to=("kim@example.org",), **made)  # type: ignore[arg-type]  # of many types


@pytest.mark.parametrize(
    "text",
    [
        "=?utf-8?q?hi=0D=0AReply-To:_evil@x.org=0D=0A=0D=0ABody?=",
        "=?utf-8?b?aGkNClJlcGx5LVRvOiBldmlsQHgub3JnDQoNCkJvZHk=?=",
        "é ==?utf-8?q?=0D=0ABcc:_evil@x.org?==?utf-8?q?=0D=0ABcc:_evil@x.org?=",
        "=?utf-8?q?=ED=A0=80?=",
        "=?unknown-8bit?q?=FF=FE?= =?utf-8?b?!?= =?",
    ],
)
def test_no_value_makes_a_header(text: str, mailbox: Mailbox, server: int) -> None:
    channel = _channel(server)
    message = trial("soc", "t", NOW)
    message = replace(message, rule={**message.rule, "name": text})
    written = mail(message, channel, tried_template("soc", "", ""), NOW).as_bytes()
    assert list(message_from_bytes(written).keys()) == HEADERS
    assert sender("soc", channel, lambda: NOW)(message) == Sent()
    (raw,) = mailbox.raw
    assert [one for one in message_from_bytes(raw) if one != "X-Peer"] == HEADERS
    shown = "".join(mailbox.mails[0]["Subject"].split())
    assert shown == "".join(f"[informational] {text}".split()), "it is told as it stands"


@pytest.mark.parametrize("farewell", ["421 shutting down", "502 not implemented", "bye"])
def test_a_mail_that_was_taken_is_sent_whatever_the_server_says_at_the_end(
    farewell: str, mailbox: Mailbox, server: int
) -> None:
    mailbox.farewell = farewell
    message = trial("soc", "t", NOW)
    send = sender("soc", _channel(server), lambda: NOW)
    assert send(message) == Sent()
    assert len(mailbox.mails) == 1
