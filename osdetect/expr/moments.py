"""Dates and times as values have them: ISO 8601 text, as CloudTrail writes it and as rules do."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?: ?[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_LONGEST = 40


class Moment(msgspec.Struct, frozen=True):
    """A date or time that a value is."""

    written: datetime
    """As written, in its own offset; UTC where it has none."""
    has_time: bool
    """False for a date alone: it has no hour and no minute; as an instant it is the day's first."""

    @property
    def instant(self) -> datetime:
        """The same in UTC; beyond the years 1 to 9999 as written."""
        try:
            return self.written.astimezone(UTC)
        except OverflowError:
            return self.written.replace(tzinfo=UTC)


def moment_of(value: Any) -> Moment | None:
    """The moment that a value's text is; None if it is none. Fractions of a second count to the microsecond.

    >>> moment_of("2024-05-01T23:30:00Z").written.hour, moment_of("2024-05-01").has_time, moment_of("May 1")
    (23, False, None)
    """
    return _parsed(value) if isinstance(value, str) and len(value) <= _LONGEST else None


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> Moment | None:
    if not _ISO.fullmatch(text):
        return None
    has_time = len(text) > len("2024-05-01")
    plain = re.sub(r"[.,]([0-9]{1,6})[0-9]*", r".\1", text.upper().replace(" Z", "Z"))
    try:
        written = datetime.fromisoformat(plain)
    except ValueError:  # the thirtieth of February
        return None
    return Moment(written if written.tzinfo else written.replace(tzinfo=UTC), has_time)
