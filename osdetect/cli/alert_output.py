"""How alerts are shown. What is in them was written by others: nothing of it reaches a terminal as it is."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from rich.text import Text

from osdetect.alerts import FoundAlert
from osdetect.alerts.changes import State, comments, history, in_words
from osdetect.cli.output import print_json, print_table, say, write_line
from osdetect.cli.scan_output import COLOURS
from osdetect.documents.match import is_lone
from osdetect.source import printable
from osdetect.vocabulary import Level

_HEADER = ("id", "level", "time", "status", "assignee", "account", "principal", "event", "rule")
_ID_SHOWN = 12
_LONG = 4_096
"""Characters of a value that are shown; an alert keeps fewer of each (`osdetect.documents.alert.MAX_VALUE`)."""


def print_alerts(alerts: Iterable[FoundAlert], total: int, limit: int, now: datetime) -> None:
    """A table, and what it leaves out."""
    rows = [_row(alert) for alert in alerts]
    if rows:
        print_table("", _HEADER, rows)
    if len(rows) < total and limit:
        write_line(
            f"{len(rows):,} of {total:,} alerts, the newest: --limit 0 shows all, --output ndjson writes all"
        )
    else:
        write_line(f"{len(rows):,} alerts at {now.isoformat(timespec='seconds')}")


def print_matches(alerts: Iterable[Mapping[str, Any]]) -> None:
    """A table of alerts that nobody stored."""
    print_table("", (_HEADER[1], _HEADER[2], *_HEADER[5:]), [_told(alert) for alert in alerts])


def write_json(alerts: Iterable[FoundAlert], total: int, limit: int, _now: datetime) -> None:
    """One document, written as the alerts come: however many there are, one is in memory."""
    out = sys.stdout.buffer
    out.write(b'{\n  "total": %d,\n  "limit": %d,\n  "alerts": [' % (total, limit))
    between = b"\n    "
    for alert in alerts:
        out.write(between + orjson.dumps(as_json(alert)))
        between = b",\n    "
    out.write(b"\n  ]\n}\n")
    out.flush()


def write_ndjson(alerts: Iterable[FoundAlert], total: int, limit: int, _now: datetime) -> None:
    """An alert a line; a cut is told beside it."""
    shown = 0
    for shown, alert in enumerate(alerts, 1):  # noqa: B007  # the number of the last one is asked for
        sys.stdout.buffer.write(orjson.dumps(as_json(alert)) + b"\n")
    sys.stdout.buffer.flush()
    if limit and shown < total:
        say(f"note: {shown:,} of {total:,} alerts, the newest: --limit 0 writes all")


def as_json(alert: FoundAlert) -> dict[str, Any]:
    """The alert for machines."""
    return {"id": alert.id, "index": alert.index, **alert.source}


def write_one(alert: FoundAlert, link: str, event: Mapping[str, Any] | None, *, asked: bool) -> None:
    """The alert, the link to its event, and the event if it was asked for (null: it is gone)."""
    print_json(
        {
            **as_json(alert),
            **({"event_link": link} if link else {}),
            **({"event_document": event} if asked else {}),
        }
    )


_WITHOUT_EVIDENCE = "no test held that names a field: the rule matches by what the event lacks"
_WITHOUT_EVENT = (
    "the event was gone before the alert was made, and what it said with it: only its match was stored"
)


def print_one(alert: FoundAlert, link: str, event: Mapping[str, Any] | None, *, asked: bool) -> None:
    """The alert for people."""
    source = alert.source
    print_table("", ("", ""), [(name, _cell(value)) for name, value in _facts(alert, link) if value])
    held = [
        tuple(_cell(cell) for cell in (one.get("field"), one.get("test"), _value(one)))
        for one in _listed(_in(source, "osdetect.evidence"))
    ]
    if held:
        print_table("Which tests held", ("field", "test", "value"), held)
    else:
        write_line(_WITHOUT_EVENT if is_lone(source) else _WITHOUT_EVIDENCE)
    if done := history(source):
        print_table("What was done", ("",), [(_cell(in_words(entry)),) for entry in done])
    if said := comments(source):
        rows = [tuple(_cell(one.get(name)) for name in ("at", "by", "text")) for one in said]
        print_table("Comments", ("time", "by", "comment"), rows)
    if asked:
        _print_event(event)


def _print_event(event: Mapping[str, Any] | None) -> None:
    if event is None:
        say("the event is no longer there: its index was deleted, or the event was")
        return
    write_line("The event:")
    for line in orjson.dumps(event, option=orjson.OPT_INDENT_2).decode().splitlines():
        write_line(printable(line, len(line) * 10 + 1))


def _row(alert: FoundAlert) -> tuple[str | Text, ...]:
    source = alert.source
    state = State.of(source)
    level, time, *call = _told(source)
    status = f"{state.status} ({state.closed_as})" if state.closed_as else state.status
    return (alert.id[:_ID_SHOWN], level, time, status, state.assignee, *call)


def _told(source: Mapping[str, Any]) -> tuple[str | Text, ...]:
    """Level and time, and who did what by which rule."""
    return (
        _level(_in(source, "rule.level")),
        _time(source),
        *(_said(_in(source, path)) for path in ("cloud.account.id", "user.name")),
        _call(source),
        _said(_in(source, "rule.name")),
    )


def _facts(alert: FoundAlert, link: str) -> Iterator[tuple[str, str | Text]]:
    source = alert.source
    state = State.of(source)
    yield "alert", alert.id
    yield "index", alert.index
    yield "level", _level(_in(source, "rule.level"))
    yield "rule", _said(_in(source, "rule.name"))
    yield "status", f"{state.status} as {state.closed_as}" if state.closed_as else state.status
    yield "assignee", state.assignee
    yield "time", _time(source)
    yield "event", _call(source)
    yield "outcome", _together(source, "event.outcome", "error.code", "error.message")
    yield "principal", _together(source, "user.name", "user.id")
    yield "account", _together(source, "cloud.account.id", "cloud.region")
    yield "source", _together(source, "source.address", "user_agent.original")
    yield "stands for", _gathered(_in(source, "osdetect.suppression"))
    yield "rule id", _said(_in(source, "rule.id"))
    yield "author", _said(_in(source, "rule.author"))
    yield "licence", _said(_in(source, "rule.license"))
    yield "references", _lines(_in(source, "rule.reference"))
    yield "release", _together(source, "rule.ruleset", "rule.hash")
    yield "tactics", _attack(source, "tactic")
    yield "techniques", _attack(source, "technique")
    yield "event stored in", _together(source, "osdetect.source.index", "osdetect.source.id", between=" / ")
    yield "event id", _said(_in(source, "event.id"))
    yield "link", link


def _gathered(suppression: object) -> str:
    """How many matches the alert stands for, in words."""
    if not isinstance(suppression, Mapping):
        return ""
    fields, values = (_texts(suppression.get(name)) for name in ("fields", "values"))
    group = ", ".join(
        f"{field} {value}".strip()
        for field, value in zip(fields, [*values, *[""] * len(fields)], strict=False)
    )
    span = " to ".join(
        _said(suppression[name]) for name in ("first_seen", "last_seen") if suppression.get(name)
    )
    return f"{_said(suppression.get('count'))} matches of {group or 'the rule'}" + (
        f", {span}" if span else ""
    )


def _attack(source: Mapping[str, Any], kind: str) -> str:
    """ATT&CK ids with their names."""
    ids, names = (_texts(_in(source, f"threat.{kind}.{part}")) for part in ("id", "name"))
    return ", ".join(
        f"{one} {name}".strip() for one, name in zip(ids, [*names, *[""] * len(ids)], strict=False)
    )


def _value(one: Mapping[str, Any]) -> str:
    cut = one.get("characters_cut")
    return _said(one.get("value")) + (f"… and {cut:,} more characters" if isinstance(cut, int) else "")


def _level(level: object) -> Text:
    said = _said(level)
    return Text(printable(said), style=COLOURS[Level(said)] if said in set(Level) else "")


def _time(source: Mapping[str, Any]) -> str:
    return _said(source.get("@timestamp"))[:19].replace("T", " ")


def _call(source: Mapping[str, Any]) -> str:
    provider = _said(_in(source, "event.provider")).removesuffix(".amazonaws.com")
    return f"{provider}:{_said(_in(source, 'event.action'))}"


def _cell(value: object) -> Text:
    return value if isinstance(value, Text) else Text(printable(_said(value), _LONG))


def _together(source: Mapping[str, Any], *paths: str, between: str = ", ") -> str:
    return between.join(said for path in paths if (said := _said(_in(source, path))))


def _lines(value: object) -> str:
    return " ".join(_texts(value))


def _texts(value: object) -> Sequence[str]:
    return [_said(one) for one in (value if isinstance(value, list) else [value]) if one is not None]


def _said(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _in(source: Mapping[str, Any], path: str) -> Any:
    value: Any = source
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _listed(value: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Mapping)]
