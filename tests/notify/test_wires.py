"""What goes over the wire to each kind of receiver, and what does not."""

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from osdetect.notify.message import Message, example, trial
from osdetect.notify.outcome import Later, Never, Outcome, Sent, asked_pause_s, of_status
from osdetect.notify.senders import sender
from osdetect.notify.settings import File, Mail, Slack, Stdout, Webhook
from osdetect.notify.slack import payload
from osdetect.notify.words import Words
from tests.notify.certificate import certificate
from tests.notify.mailbox import Controller, Mailbox, free_port
from tests.notify.receiver import Answer, Receiver

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "x\r\nBcc: everybody@example.org\r\n\r\n<!channel> <https://evil.example|click> {{ 7*7 }} \x1b[31m\u202e & é"


def clock() -> datetime:
    return NOW


@pytest.fixture
def message() -> Message:
    rule = {"id": HOSTILE, "name": HOSTILE, "level": "high", "author": "Robin Author", "license": "DRL-1.1"}
    alert = {
        "@timestamp": "2026-03-01T11:59:00.000Z",
        "rule": rule,
        "event": {"action": HOSTILE, "provider": "things.amazonaws.com", "outcome": "success"},
        "user": {"name": HOSTILE},
        "osdetect": {"evidence": [{"field": "userAgent", "test": "contains x", "value": HOSTILE * 50}] * 30},
    }
    shown = example("a1", "osdetect-alerts-t-2026.03", alert, "")
    return replace(trial("soc", "t", NOW), rule=rule, alerts=(shown,) * 5, count=4_000)


def test_a_webhook_is_signed_as_standard_webhooks_says(
    message: Message, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = os.urandom(24)
    monkeypatch.setenv("OLD", "an old key of plain text")
    secret = tmp_path / "secret"
    secret.write_text(f"whsec_{base64.b64encode(key).decode()} {os.environ['OLD']}\n")
    monkeypatch.setenv("TOKEN", "Bearer 1234567890")
    channel = Webhook(url=receiver.url, secret_file=str(secret), authorization_env="TOKEN")
    assert sender("soc", channel, clock)(message) == Sent()
    (got,) = receiver.got
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.raw
    wanted = [
        "v1," + base64.b64encode(hmac.new(one, signed, hashlib.sha256).digest()).decode()
        for one in (key, b"an", b"old")
    ]
    assert got.headers["webhook-signature"].split()[:3] == wanted
    assert got.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert got.headers["webhook-id"] == got.key == message.key == got.body["key"]
    assert got.headers["authorization"] == "Bearer 1234567890"
    assert got.body["rule"]["author"] == "Robin Author"
    assert "Author: Robin Author (license: DRL-1.1)" in got.body["text"]
    assert got.body["count"] == 4_000
    assert len(got.raw) < 200_000


def test_a_webhook_without_a_secret_is_not_signed(message: Message, receiver: Receiver) -> None:
    assert sender("soc", Webhook(url=receiver.url), clock)(message) == Sent()
    assert "webhook-signature" not in receiver.got[0].headers


def test_an_answer_that_repeats_secrets_shows_none(
    message: Message, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "Bearer 1234567890")
    monkeypatch.setenv("HOOK", receiver.url + "/T0/B0/very-secret?a=b")
    receiver.answers = [Answer(400, (), b"no: Bearer 1234567890 at /hook/T0/B0/very-secret?a=b \x1b[31m")]
    channel = Webhook(url_env="HOOK", authorization_env="TOKEN")
    outcome = sender("soc", channel, clock)(message)
    assert outcome == Never("it answered 400: no: (not shown) at (not shown) \\x1b[31m")


@pytest.mark.parametrize(
    ("authorization", "answer", "wanted"),
    [
        ("Bearer T0KEN-1234", "invalid token T0KEN-1234", "invalid token (not shown)"),
        ("Basic abcd:abcdef", "no: abcdef, abcd", "no: (not shown), (not shown)"),
        ('Key id="kim-1", key="s3cret"', "s3cret is none of kim-1", "(not shown) is none of (not shown)"),
    ],
)
def test_an_answer_that_repeats_parts_of_the_authorization_shows_none(
    message: Message,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    authorization: str,
    answer: str,
    wanted: str,
) -> None:
    monkeypatch.setenv("TOKEN", authorization)
    receiver.answers = [Answer(401, (), answer.encode())]
    outcome = sender("soc", Webhook(url=receiver.url, authorization_env="TOKEN"), clock)(message)
    assert outcome == Never(f"it answered 401: {wanted}")


@pytest.mark.parametrize("rest", [b"5\r\nok", b"5\r\n", b""], ids=["cut", "stalled", "nothing"])
def test_what_was_taken_is_sent_however_the_answer_goes_on(message: Message, rest: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        over = threading.Event()

        def answer() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(65_536)
                taken.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest)
                over.wait(5 if rest.endswith(b"\n") else 0.2)

        threading.Thread(target=answer, daemon=True).start()
        assert sender("soc", Webhook(url=url, timeout_s=1.0), clock)(message) == Sent()
        over.set()


def test_a_receiver_that_drips_does_not_hold_us(message: Message) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def drip() -> None:
            taken, _ = listening.accept()
            with taken:
                try:
                    while True:
                        taken.sendall(b"H")
                        time.sleep(0.1)
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        started = time.monotonic()
        outcome = sender("soc", Webhook(url=f"http://127.0.0.1:{port}/", timeout_s=0.5), clock)(message)
        assert isinstance(outcome, Later)
        assert time.monotonic() - started < 5


def test_a_certificate_that_nobody_signed_is_refused(
    message: Message, context: ssl.SSLContext, tmp_path: Path
) -> None:
    with Receiver(context=context) as receiver:
        refused = sender("soc", Webhook(url=receiver.url), clock)(message)
        assert receiver.got == []
        pem = str(tmp_path / "certificate.pem")
        assert sender("soc", Webhook(url=receiver.url, ca_file=pem), clock)(message) == Sent()
    assert isinstance(refused, Later)
    assert "certificate is not trusted" in refused.why
    assert len(receiver.got) == 1


def test_slack_gets_plain_text_and_no_mention(
    message: Message, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", receiver.url)
    assert sender("soc", Slack(url_env="HOOK"), clock)(message) == Sent()
    body = receiver.got[0].body
    assert set(body) == {"text", "blocks", "unfurl_links", "unfurl_media"}
    texts = [body["text"], *(block["text"]["text"] for block in body["blocks"])]
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert not any("<" in text or ">" in text for text in texts)
    assert "&lt;!channel&gt;" in body["text"]
    assert "&lt;https://evil.example|click&gt;" in texts[2]
    assert "{{ 7*7 }}" in texts[2], "what is filled in is no template"
    assert len(texts[1]) <= 150
    assert all(0 < len(text) <= 3_000 for text in texts)
    assert len(body["blocks"]) <= 12
    assert "Author: Robin Author" in texts[-1]


def test_slack_leaves_out_the_middle_of_what_is_too_long() -> None:
    made = payload(Words("s", "\n".join(["&" * 900] * 40 + ["Author: A"])))
    texts = [block["text"]["text"] for block in made["blocks"]]
    assert len(texts) == 11
    assert texts[-2] == "(32 parts of this message are left out)", "of 41"
    assert texts[-1].endswith("Author: A")


@pytest.fixture
def starttls(mailbox: Mailbox, context: ssl.SSLContext) -> Iterator[int]:
    controller = Controller(mailbox, context)
    controller.start()
    yield controller.port
    controller.stop()


def _mail(port: int, tmp_path: Path, **settings: Any) -> Mail:
    made = {
        "ca_file": str(tmp_path / "certificate.pem"),
        "to": ("kim@example.org", "lee@example.org"),
        **settings,
    }
    return Mail(host="127.0.0.1", port=port, sender="osdetect@example.org", timeout_s=5.0, **made)


def test_mail_goes_over_starttls_and_its_headers_are_ours(
    message: Message, mailbox: Mailbox, starttls: int, tmp_path: Path
) -> None:
    send = sender("soc", _mail(starttls, tmp_path), clock)
    assert send(message) == Sent()
    assert send(message) == Sent()
    first, again = mailbox.mails
    assert mailbox.encrypted == [True, True]
    assert first["Bcc"] is None
    assert "Bcc: everybody@example.org" in first["Subject"], "it stays in its header"
    assert first["To"] == "kim@example.org, lee@example.org"
    assert first["Message-ID"] == again["Message-ID"] == f"<{message.key}@example.org>"
    assert first["X-Osdetect-Key"] == message.key
    text = first.get_content()
    assert "Author: Robin Author" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_mail_goes_over_implicit_tls(
    message: Message, mailbox: Mailbox, context: ssl.SSLContext, tmp_path: Path
) -> None:
    controller = Controller(mailbox, None, ssl_context=context)
    controller.start()
    try:
        outcome = sender("soc", _mail(controller.port, tmp_path, tls="implicit"), clock)(message)
    finally:
        controller.stop()
    assert outcome == Sent()
    assert mailbox.encrypted == [True]


def test_a_mail_server_without_tls_gets_nothing_unless_the_settings_say_so(
    message: Message, mailbox: Mailbox, tmp_path: Path
) -> None:
    certificate(tmp_path)
    controller = Controller(mailbox, None)
    controller.start()
    try:
        tls = sender("soc", _mail(controller.port, tmp_path), clock)(message)
        assert mailbox.mails == []
        plain = sender("soc", _mail(controller.port, tmp_path, tls="none"), clock)(message)
    finally:
        controller.stop()
    assert isinstance(tls, Later)
    assert "STARTTLS" in tls.why
    assert plain == Sent()
    assert mailbox.encrypted == [False]


@pytest.mark.parametrize(
    ("refused", "wanted"),
    [
        ({"kim@example.org": "550 no such user"}, Sent("kim@example.org: 550 no such user")),
        (
            {"kim@example.org": "550 no", "lee@example.org": "551 no"},
            Never("it refused all recipients: kim@example.org: 550 no; lee@example.org: 551 no"),
        ),
        (
            {"kim@example.org": "450 busy", "lee@example.org": "551 no"},
            Later("it refused all recipients: kim@example.org: 450 busy; lee@example.org: 551 no"),
        ),
    ],
)
def test_refused_recipients(
    message: Message,
    mailbox: Mailbox,
    starttls: int,
    tmp_path: Path,
    refused: dict[str, str],
    wanted: Outcome,
) -> None:
    mailbox.refuse = refused
    assert sender("soc", _mail(starttls, tmp_path), clock)(message) == wanted


@pytest.mark.parametrize("host", ["a..b", "no-such-host.invalid", "127.0.0.1"])
def test_a_mail_server_that_is_not_there_is_tried_again(message: Message, tmp_path: Path, host: str) -> None:
    channel = msgspec.structs.replace(_mail(free_port(), tmp_path, ca_file=""), host=host)
    assert isinstance(sender("soc", channel, clock)(message), Later)


def test_a_file_gets_whole_lines(message: Message, tmp_path: Path) -> None:
    path = tmp_path / "alerts.ndjson"
    send = sender("soc", File(path=str(path)), clock)
    assert send(message) == Sent()
    path.write_bytes(path.read_bytes() + b'{"type": "osdetect.al')  # a writer that was killed
    assert send(message) == Sent()
    first, torn, second, end = path.read_bytes().split(b"\n")
    assert json.loads(first) == json.loads(second)
    assert torn.startswith(b'{"type')
    assert end == b""
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_writers_of_a_file_keep_their_lines_apart(message: Message, tmp_path: Path) -> None:
    path = tmp_path / "alerts.ndjson"
    send = sender("soc", File(path=str(path)), clock)
    threads = [threading.Thread(target=lambda: [send(message) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_bytes().splitlines()
    assert len(lines) == 80
    assert {json.loads(line)["key"] for line in lines} == {message.key}


def test_a_file_that_is_full_or_none_keeps_messages_waiting(message: Message, tmp_path: Path) -> None:
    path = tmp_path / "alerts.ndjson"
    path.write_bytes(b"x" * (1 << 20))
    assert isinstance(sender("soc", File(path=str(path), max_mb=1), clock)(message), Later)
    assert path.stat().st_size == 1 << 20
    link = tmp_path / "link"
    link.symlink_to(path)
    assert isinstance(sender("soc", File(path=str(link)), clock)(message), Later)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for place in (tmp_path, tmp_path / "no" / "folder", Path("/dev/full"), fifo):
        assert isinstance(sender("soc", File(path=str(place)), clock)(message), Later), place


def test_a_template_that_fails_on_a_message_is_the_end_of_that_message_only(message: Message) -> None:
    channel = Stdout(
        text="{{ message.rule.level + '!' if message.rule.level else '' }}{{ 1 // (message.count - 4000) }}"
    )
    assert isinstance(sender("soc", channel, clock)(message), Never)


def test_what_answers_mean() -> None:
    assert [
        type(of_status(status, "", "", NOW))
        for status in (200, 204, 301, 400, 401, 404, 408, 425, 429, 500, 503)
    ] == [
        *(Sent, Sent),
        *(Never,) * 4,
        *(Later,) * 5,
    ]
    assert asked_pause_s("Sun, 01 Mar 2026 12:01:30 GMT", NOW) == 90
    assert asked_pause_s("Sun, 01 Mar 2026 11:00:00 GMT", NOW) == 0
    assert [asked_pause_s(text, NOW) for text in ("", "soon", "-5", "9" * 30)] == [0, 0, 0, 6 * 3_600]
    assert asked_pause_s("Mon, 01 Mar 99999999999999 12:00:00 GMT", NOW) == 0, "no calendar has it"
