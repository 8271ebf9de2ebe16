"""What a start tells its caller while it works. The caller draws it; nothing here prints."""

from collections.abc import Callable
from enum import StrEnum

import msgspec


class Stage(StrEnum):
    """The steps of a start, in order."""

    FETCH = "fetch"
    """Artifacts into the cache; `done` and `total` are bytes."""
    ASSEMBLE = "assemble"
    """The home of the server; `done` and `total` are files."""
    START = "start"
    """Until the server answers; `done` and `total` are seconds waited and allowed."""
    SECURE = "secure"
    """Users and roles of the secured variant; `done` and `total` are requests."""
    NOTE = "note"
    """Something worth a line: a damaged file was fetched anew, a port was taken. `text` says it."""


class Progress(msgspec.Struct, frozen=True):
    """How far one stage is."""

    stage: Stage
    done: int
    total: int
    text: str = ""


OnProgress = Callable[[Progress], None]
"""Called often, also from other threads than the caller's, but never by two at once."""


def ignore(_progress: Progress) -> None:
    """For callers who do not want to know."""
