"""The log of a command that goes on: one line for each thing that happens, on standard error.

What it is about comes from clusters, rules and events, so every text is escaped and cut, and a field whose name says that
it is a secret is not written.
"""

import re
import sys
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from typing import Any, Protocol, TextIO

import orjson
import structlog

from osdetect.source import printable

_LONGEST = 2_000
"""Characters of one text in a log line."""
_SECRET = re.compile("password|secret|token|authorization|api_?key|credential", re.IGNORECASE)
_WHO = re.compile(r"//[^/@\s]*@")
"""A user and a password in a URL."""


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    TEXT = "text"


class Log(Protocol):
    """What writes lines: an event in words that never change, and fields beside it."""

    def info(self, event: str, **fields: Any) -> Any:
        """A line."""

    def warning(self, event: str, **fields: Any) -> Any:
        """A line about a loss or a hindrance."""

    def error(self, event: str, **fields: Any) -> Any:
        """A line about an end."""


def open_log(form: LogFormat | None = None, stream: TextIO | None = None, **always: Any) -> Log:
    """A log on `stream` (standard error): `form`, or text on a terminal and JSON elsewhere; `always` is in each line."""
    out = sys.stderr if stream is None else stream
    chosen = form or (LogFormat.TEXT if out.isatty() else LogFormat.JSON)
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _harmless,
            _RENDERERS[chosen],
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        **always,
    )
    return log


def _harmless(_log: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _inert(value, name) for name, value in line.items()}


def _inert(value: Any, name: str = "") -> Any:
    if _SECRET.search(name):
        return "(not written)"
    match value:
        case str():
            return printable(_WHO.sub("//(not written)@", value), _LONGEST)
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {printable(str(key), 200): _inert(inner, str(key)) for key, inner in value.items()}
        case list() | tuple():
            return [_inert(inner) for inner in value]
        case _:
            return printable(_WHO.sub("//(not written)@", str(value)), _LONGEST)


def _json(_log: Any, _name: str, line: Mapping[str, Any]) -> str:
    head = {"at": line["at"], "level": line["level"], "event": line["event"]}
    return orjson.dumps({**head, **line}).decode()


def _text(_log: Any, _name: str, line: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in line.items() if name not in ("at", "level", "event")}
    fields = " ".join(f"{name}={_shown(value)}" for name, value in rest.items() if value not in ("", []))
    return f"{line['at']} {line['level']:<7} {line['event']}  {fields}".rstrip()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value and " " not in value else orjson.dumps(value).decode()


_RENDERERS = {LogFormat.JSON: _json, LogFormat.TEXT: _text}
