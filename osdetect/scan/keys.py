"""A number for each event id, and its time, from a record's bytes: what is asked of every record that matches.

The number is Python's hash of the id. The workers of a scan are given one hash seed, so they agree on it. Two ids
that have one number cost a look at both, nothing else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from osdetect.documents.event import content_hash
from osdetect.scan.alerts import identify, microseconds
from osdetect.scan.plan import UNDATED

TOLD = ("recipientAccountId", "eventID", "eventTime")
"""What of a record says which event it is, and when it was."""
_MASK = (1 << 64) - 1
_DAY, _MINUTE = len("2024-05-01T"), len("2024-05-01T12:00:")
_DAYS = 10_000
"""Days that are remembered,"""
_ACCOUNTS = 10_000
"""and accounts."""
_MINUTES = {
    f"{hour:02}:{minute:02}:": (hour * 60 + minute) * 60_000_000 for hour in range(24) for minute in range(60)
}
_SECONDS = {f"{second:02}Z": second * 1_000_000 for second in range(60)}


class Keys:
    """Gives keys and times; remembers days and accounts."""

    def __init__(self) -> None:
        self._days: dict[str, int] = {}
        self._accounts: dict[str, str] = {}
        """Accounts of AWS's form, with what their keys begin with."""

    def of(self, raw: bytes, content: Mapping[str, Any]) -> tuple[int, int]:
        """The key of a record's event id, 64 bits, and its time in microseconds since 1970.

        Args:
            raw: the record.
            content: the same, parsed.
        """
        known = self.of_told(*map(content.get, TOLD))
        if known is not None:
            return known
        event_id, when = identify(raw, content)
        return hash(event_id) & _MASK, when

    def of_told(self, account: object, event_id: object, event_time: object) -> tuple[int, int] | None:
        """The same by the values of `TOLD`; None where they do not have the form that AWS writes."""
        if not (isinstance(account, str) and isinstance(event_id, str) and isinstance(event_time, str)):
            return None
        begin = self._accounts.get(account)
        if begin is None:
            # `known_id` decides about accounts of other forms.
            if not (len(account) == 12 and account.isdecimal() and account.isascii()):
                return None
            if len(self._accounts) == _ACCOUNTS:
                self._accounts.clear()
            begin = self._accounts[account] = f"{account}-"
        if not (len(event_id) == 36 and event_id.isascii() and event_id.replace("-", "").isalnum()):
            return None
        return hash(begin + event_id) & _MASK, self._time(event_time)

    def of_columns(
        self, accounts: Sequence[object], ids: Sequence[object], times: Sequence[object]
    ) -> tuple[Sequence[int], Sequence[int]] | None:
        """Keys and times of many at once, by the values of `TOLD`; None where `of_told` has to look at each.

        That is where not all have the form that AWS writes, or something is seen for the first time.
        """
        try:
            together = "".join(ids)  # type: ignore[arg-type]  # that they are texts is found out here
            begins = list(map(self._accounts.__getitem__, accounts))  # type: ignore[arg-type]  # and here
            days, minutes, seconds = self._days, _MINUTES, _SECONDS
            whens = [
                days[time[:_DAY]] + minutes[time[_DAY:_MINUTE]] + seconds[time[_MINUTE:]]  # type: ignore[index]  # and here
                for time in times
            ]
        except (TypeError, KeyError):
            return None
        if not (together.isascii() and together.replace("-", "").isalnum() and set(map(len, ids)) == {36}):  # type: ignore[arg-type]
            return None
        return [hash(begin + name) & _MASK for begin, name in zip(begins, ids, strict=True)], whens  # type: ignore[operator]

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
