"""What came of sending a message, and when to try again."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 900.0
LONGEST_ASKED_S = 6 * 3_600.0
"""What a receiver may ask for at most by Retry-After."""
_LATER = frozenset({408, 425, 429})
"""Refusals that are of the moment (RFC 9110, RFC 8470, RFC 6585); so is each 5xx."""


class Sent(msgspec.Struct, frozen=True):
    """The receiver has it."""

    refused: str = ""
    """Which of several receivers refused it, and why; empty: none."""


class Later(msgspec.Struct, frozen=True):
    """It failed in passing."""

    why: str
    after_s: float = 0.0
    """The pause that the receiver asked for."""


class Never(msgspec.Struct, frozen=True):
    """The receiver will never take it."""

    why: str


Outcome = Sent | Later | Never


def of_status(status: int, said: str, retry_after: str, now: datetime) -> Outcome:
    """What an HTTP answer means.

    Args:
        status: its status.
        said: the beginning of its body, for people.
        retry_after: its Retry-After header.
        now: the time, in UTC.

    >>> of_status(429, "slow down", "30", datetime(2026, 3, 1, tzinfo=UTC))
    Later(why='it answered 429: slow down', after_s=30.0)
    """
    if 200 <= status < 300:
        return Sent()
    why = f"it answered {status}" + (f": {said}" if said else "")
    if status in _LATER or status >= 500:
        return Later(why, asked_pause_s(retry_after, now))
    if 300 <= status < 400:
        return Never(f"{why}; redirections are not followed: name the address that it leads to")
    return Never(why)


def asked_pause_s(retry_after: str, now: datetime) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3): a number or a date; 0 when it says nothing usable."""
    text = retry_after.strip()
    if text.isdecimal() and text.isascii():
        return float(min(int(text[:12]), LONGEST_ASKED_S))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a year, or a zone, that no machine counts up to
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, (when - now).total_seconds()), LONGEST_ASKED_S)


def is_waited_for(moment: datetime, now: datetime) -> bool:
    """Whether the moment is to come; not one so far ahead that no pause leads there: a clock was ahead when it was written.

    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> is_waited_for(noon.replace(hour=13), noon), is_waited_for(noon.replace(day=2), noon)
    (True, False)
    """
    return 0 < (moment - now).total_seconds() <= LONGEST_ASKED_S


def pause_s(failures: int, chance: float) -> float:
    """The pause behind so many failures in a row: it doubles, and is up to half shorter by chance (0 to 1).

    >>> pause_s(1, 1.0), pause_s(3, 0.0), pause_s(50, 1.0)
    (5.0, 10.0, 900.0)
    """
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16)) * (0.5 + chance / 2))
