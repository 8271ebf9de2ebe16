"""Times on the command line."""

import re
from contextlib import suppress
from datetime import UTC, datetime

from osdetect.errors import UsageError

_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


def moment(text: str, option: str) -> int:
    """A time on the command line in microseconds since 1970; UTC where it does not say.

    Raises:
        UsageError: it is none.

    >>> moment("2023-07-10", "--since") == moment("2023-07-10T02:00:00+02:00", "--since")
    True
    """
    with suppress(ValueError, OverflowError):
        if _DATE.fullmatch(text):
            said = datetime.fromisoformat(text)
            told = int((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1_000_000)
            if told >= 0:
                return told
    raise UsageError(
        f"{text!r} is no time for {option}",
        cure=f"write {option} 2024-05-01 or {option} 2024-05-01T12:00:00Z",
    )


def instant(text: str, option: str) -> datetime | None:
    """The same as a time in UTC; None where nothing is said.

    Raises:
        UsageError: it is none.
    """
    return datetime.fromtimestamp(moment(text, option) / 1_000_000, UTC) if text else None
