"""A number for each event id, and its time, from a record's bytes: what is asked of every record that matches.

The number is `fingerprint` of the id, the same in the workers of a scan, which are forked from one process. Two ids that have one
number cost a look at both, nothing else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from osdetect.documents.event import account_of, content_hash
from osdetect.expr.engine.native import fingerprint
from osdetect.scan.alerts import identify, microseconds
from osdetect.scan.plan import UNDATED

TOLD = ("recipientAccountId", "eventID", "eventTime")
"""What of a record says which event it is, and when it was."""
NO_KEY = (None, UNDATED)
"""Stands for what `Keys.of_told` does not tell."""
_OF_IDS = b"-" + "".join(filter(str.isalnum, map(chr, range(128)))).encode()
_HOUR = len("2024-05-01T12:")
_HOURS = 10_000
"""Hours that are remembered,"""
_ACCOUNTS = 10_000
"""and accounts."""
_SECONDS = {
    f"{minute:02}:{second:02}Z": (minute * 60 + second) * 1_000_000
    for minute in range(60)
    for second in range(60)
}


class Keys:
    """Gives keys and times; remembers hours and accounts."""

    def __init__(self) -> None:
        self._hours: dict[str, int] = {}
        self._accounts: dict[str, str] = {}
        """Usable accounts, with what the ids of their events begin with."""

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
        return fingerprint(event_id), when

    def of_told(self, account: object, event_id: object, event_time: object) -> tuple[int, int] | None:
        """The same by the values of `TOLD`; None where they do not have the form that AWS writes."""
        if not (isinstance(account, str) and isinstance(event_id, str) and isinstance(event_time, str)):
            return None
        begin = self._accounts.get(account)
        if begin is None:
            if account_of({"recipientAccountId": account}) != account:  # then the caller's may count
                return None
            if len(self._accounts) == _ACCOUNTS:
                self._accounts.clear()
            begin = self._accounts[account] = f"{account}-"
        if not (len(event_id) == 36 and event_id.isascii() and event_id.replace("-", "").isalnum()):
            return None
        return fingerprint(begin + event_id), self._time(event_time)

    def of_columns(
        self, accounts: Sequence[object], ids: Sequence[object], times: Sequence[object]
    ) -> tuple[Sequence[int | None], Sequence[int]] | None:
        """Keys and times of many at once, by the values of `TOLD`; no key for an account not seen before, or none.

        None where `of_told` has to look at each: not all ids and times have the form that AWS writes, or an hour is new.
        """
        try:
            together = "".join(ids)  # type: ignore[arg-type]  # that they are texts is found out here
            begins = list(map(self._accounts.get, accounts))  # type: ignore[arg-type]  # and here
            hours, seconds = self._hours, _SECONDS
            whens = [hours[time[:_HOUR]] + seconds[time[_HOUR:]] for time in times]  # type: ignore[index]  # and here
        except (TypeError, KeyError):
            return None
        odd = not together.isascii() or together.encode().translate(None, _OF_IDS)
        if odd or set(map(len, ids)) != {36}:  # type: ignore[arg-type]  # as above
            return None
        keys = [
            None if begin is None else fingerprint(begin + name)  # type: ignore[operator]
            for begin, name in zip(begins, ids, strict=True)
        ]
        return keys, whens

    def _time(self, text: str) -> int:
        second = _SECONDS.get(text[_HOUR:])
        if second is None:
            return microseconds(text)
        hour = self._hours.get(text[:_HOUR])
        if hour is not None:
            return hour + second
        when = microseconds(text)
        if when != UNDATED:
            if len(self._hours) == _HOURS:
                self._hours.clear()
            self._hours[text[:_HOUR]] = when - second
        return when


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
