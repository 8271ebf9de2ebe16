"""The server's own words: its log, and what its failures mean."""

import os
import re
from pathlib import Path

import msgspec

from osdetect.errors import NodeError, Where
from osdetect.node.options import HEAP_VARIABLE
from osdetect.node.places import DATA_VARIABLE, Storage

_READ_LIMIT = 1_000_000
"""Bytes read from the end of a log."""
_SHOWN = 12
"""Lines of the log that an error shows."""


class _Cure(msgspec.Struct, frozen=True):
    pattern: re.Pattern[str]
    cause: str
    cure: str


_CURES = (
    _Cure(
        re.compile(
            r"insufficient memory for the Java Runtime|Could not reserve enough space|OutOfMemoryError"
            r"|Cannot allocate memory|incompatible minimum and maximum heap"
        ),
        "Java did not get the memory that it asked for",
        f"free some memory, or set {HEAP_VARIABLE} to another size (MB)",
    ),
    _Cure(
        re.compile(r"BindHttpException|BindTransportException|Address already in use"),
        "another program took the port meanwhile",
        "start it again, or choose another --port",
    ),
    _Cure(
        re.compile(r"No space left on device|flood.stage disk watermark"),
        "the disk is full",
        f"free some space, or set {DATA_VARIABLE} to a folder on another disk",
    ),
    _Cure(
        re.compile(r"failed to obtain node locks|LockObtainFailedException"),
        "another OpenSearch uses the same data folder",
        "stop it, or start this node with another --name",
    ),
    _Cure(
        re.compile(r"cannot (up|down)grade a node from version"),
        "the data folder was written by an OpenSearch that this one cannot follow",
        "start the node with another --name, or delete the data folder named in the log",
    ),
    _Cure(
        re.compile(r"UnsupportedClassVersionError|Unrecognized option|Unrecognized VM option"),
        "this Java is too old",
        "use Java 21 or newer, or unset OSDETECT_JAVA_HOME to use the one of osdetect[embedded]",
    ),
    _Cure(
        re.compile(r"AccessDeniedException|Permission denied"),
        "the account that runs the server may not read or write one of its files",
        f"see the file's name in the log; set {DATA_VARIABLE} to a folder of its own",
    ),
)


class Journal(msgspec.Struct, frozen=True):
    """What the server says from one start on."""

    storage: Storage
    offset: int
    """Size of the log before the start."""

    @classmethod
    def from_now(cls, storage: Storage) -> "Journal":
        """The journal of a start that is about to happen."""
        log = storage.log_file
        return cls(storage, log.lstat().st_size if log.exists() else 0)

    def text(self) -> str:
        """What was printed and logged since."""
        log = _content(self.storage.log_file)
        # A log that is shorter than before was rolled over: all of it is new.
        fresh = log[self.offset :] if len(log) >= self.offset else log
        return (_content(self.storage.console_file) + fresh).decode(errors="replace")

    def failure(self, what: str) -> NodeError:
        """The error for a start that failed, with the lines that say why."""
        text = self.text()
        found = next((cure for cure in _CURES if cure.pattern.search(text)), None)
        lines = _telling(text.splitlines())
        shown = "\n".join(("", *lines)) if lines else " nothing"
        return NodeError(
            what,
            cause=f"{found.cause if found else 'see its last words'}; the server said:{shown}",
            cure=found.cure if found else "osdetect node logs, and start it again",
            where=Where(str(self.storage.log_file)),
        )


def tail(path: Path, lines: int) -> tuple[str, ...]:
    """The last lines of a log."""
    text = _content(path)[-_READ_LIMIT:].decode(errors="replace")
    return tuple(text.splitlines()[-lines:]) if lines > 0 else ()


def _telling(lines: list[str]) -> list[str]:
    """The lines that tell of a failure, the last ones; all lines if none does."""
    telling = [line for line in lines if re.search(r"ERROR|FATAL|WARN|xception|rror:|failed", line)]
    frames = re.compile(r"^\s+(at |\.\.\. \d+ more)")
    kept = [line.strip()[:300] for line in telling or lines if not frames.match(line)]
    return kept[-_SHOWN:]


def _content(path: Path) -> bytes:
    """All of a log; nothing if there is none. Its folder may belong to another account: no link is followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()
