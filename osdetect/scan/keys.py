"""A number for each event id, and its time, from a record's bytes: what is asked of every record that matches.

The number is Python's hash of the id. The workers of a scan are given one hash seed, so they agree on it. Two ids
that have one number cost a look at both, nothing else.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from osdetect.documents.event import content_hash
from osdetect.scan.alerts import identify, microseconds
from osdetect.scan.plan import UNDATED

_MASK = (1 << 64) - 1
_DAY, _MINUTE = len("2024-05-01T"), len("2024-05-01T12:00:")
_DAYS = 10_000
"""Days that are remembered."""
_MINUTES = {
    f"{hour:02}:{minute:02}:": (hour * 60 + minute) * 60_000_000 for hour in range(24) for minute in range(60)
}
_SECONDS = {f"{second:02}Z": second * 1_000_000 for second in range(60)}


class _Head(msgspec.Struct, gc=False):
    """What says which event a record is, and when it was."""

    eventID: str  # noqa: N815  # CloudTrail's name
    eventTime: str  # noqa: N815  # CloudTrail's name
    recipientAccountId: str  # noqa: N815  # CloudTrail's name


class Keys:
    """Gives keys and times; remembers days."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Head).decode
        self._days: dict[str, int] = {}

    def of(self, raw: bytes, content: Mapping[str, Any] | None = None) -> tuple[int, int]:
        """The key of a record's event id, 64 bits, and its time in microseconds since 1970.

        Args:
            raw: the record.
            content: the same, parsed, if that was done.
        """
        try:
            head = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self._slowly(raw, content)
        account, event_id = head.recipientAccountId, head.eventID
        # The form that AWS writes; `known_id` decides about others.
        if len(account) == 12 and account.isdecimal() and account.isascii() and _is_uuid(event_id):
            return hash(f"{account}-{event_id}") & _MASK, self._time(head.eventTime)
        return self._slowly(raw, content)

    def _slowly(self, raw: bytes, content: Mapping[str, Any] | None) -> tuple[int, int]:
        event_id, when = identify(raw, orjson.loads(raw) if content is None else content)
        return hash(event_id) & _MASK, when

    def _time(self, text: str) -> int:
        day = self._days.get(text[:_DAY])
        minute, second = _MINUTES.get(text[_DAY:_MINUTE]), _SECONDS.get(text[_MINUTE:])
        if minute is None or second is None:
            return microseconds(text)
        if day is None:
            when = microseconds(text)
            if when != UNDATED and len(self._days) < _DAYS:
                self._days[text[:_DAY]] = when - minute - second
            return when
        return day + minute + second


def content_digest(raw: bytes) -> tuple[int, int]:
    """128 bits in two numbers: equal for the same content, however it is spaced, ordered or escaped.

    Tells records apart as `content_hash` does, and takes a tenth of the time.
    """
    try:
        text = msgspec.json.encode(msgspec.json.decode(raw), order="sorted")
    except (
        msgspec.MsgspecError,
        OverflowError,
        UnicodeError,
        RecursionError,
    ):  # a number over 64 bits, for one
        text = content_hash(raw).encode()
    digest = hashlib.sha256(text).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and text.isascii() and text.replace("-", "").isalnum()
