"""A message for Slack's incoming webhooks, in blocks.

Nothing of an alert is markup: every block is plain text, and Slack's three special characters are escaped in each text,
so that no value becomes a link, a mention or a call of everybody (Slack docs, "Formatting message text").
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import orjson

from osdetect.notify.message import Message
from osdetect.notify.outcome import Outcome
from osdetect.notify.post import Receiver, post
from osdetect.notify.settings import Slack
from osdetect.notify.words import Template, Words

_HEADER, _SECTION, _SECTIONS = 150, 3_000, 10
"""Characters of a header and of a section (Slack docs, "Blocks"), and how many sections we make."""
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def slack_sender(
    name: str, channel: Slack, template: Template, clock: Callable[[], datetime]
) -> Callable[[Message], Outcome]:
    """What sends a message to the channel.

    Raises:
        UsageError: its address is not there.
    """
    receiver = Receiver(channel.address(name), channel.timeout_s, channel.ca_file)

    def send(message: Message) -> Outcome:
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": message.key}
        return post(receiver, headers, orjson.dumps(payload(template.words(message))), clock)

    return send


def payload(words: Words) -> dict[str, Any]:
    """What Slack is sent."""
    sections = [_block("section", text) for text in _parts(words.text)]
    if len(sections) > _SECTIONS:  # the last names the author of the rule
        left = len(sections) - (_SECTIONS - 1)  # one tells of it
        told = _block("section", f"({left} parts of this message are left out)")
        sections = [*sections[: _SECTIONS - 2], told, sections[-1]]
    return {
        "text": fitted(words.subject, _SECTION),
        "blocks": [_block("header", fitted(words.subject, _HEADER)), *sections],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def fitted(text: str, limit: int) -> str:
    """The text escaped, and cut to what Slack takes, never within an escape.

    >>> fitted("a <!channel> & b", 99), fitted("<<<<", 9)
    ('a &lt;!channel&gt; &amp; b', '&lt;&lt;…')
    """
    escaped = [_SPECIAL.get(character, character) for character in text]
    if sum(map(len, escaped)) <= limit:
        return "".join(escaped)
    room, kept = limit - 1, []
    for one in escaped:
        room -= len(one)
        if room < 0:
            break
        kept.append(one)
    return "".join(kept) + "…"


def _parts(text: str) -> Iterator[str]:
    """The text in parts that fit, broken between lines."""
    part = ""
    for line in text.split("\n"):
        shown = fitted(line, _SECTION)
        if part and len(part) + 1 + len(shown) > _SECTION:
            yield part
            part = shown
        else:
            part = f"{part}\n{shown}" if part else shown
    if part.strip():
        yield part


def _block(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, "text": {"type": "plain_text", "text": text, "emoji": False}}
