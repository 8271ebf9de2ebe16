"""How `osdetect scan` writes what it found. Documents go through one at a time, however many there are."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import orjson
from rich.text import Text

from osdetect.cli.output import csv_rows, error_json, print_refusals, print_table, say, write_line
from osdetect.errors import OsdetectError, OutputError
from osdetect.scan import Found, ScanReport
from osdetect.scan.alerts import written_time
from osdetect.vocabulary import ExitCode, Level

COLOURS = {
    Level.CRITICAL: "bold red",
    Level.HIGH: "red",
    Level.MEDIUM: "yellow",
    Level.LOW: "blue",
    Level.INFORMATIONAL: "dim",
}
RULES_SHOWN = 30
_HEADER = ("level", "time", "principal", "source IP", "event", "rule")
_TIMELINE = (
    "time",
    "level",
    "rule",
    "account",
    "region",
    "principal",
    "source",
    "user agent",
    "service",
    "event",
    "outcome",
    "error",
    "event id",
    "matched",
    "file",
    "record",
    "rule id",
    "alert id",
)


class NotShown(OsdetectError):
    """Alerts that are counted are missing in what is shown."""

    exit_code = ExitCode.LOSS


def print_losses(report: ScanReport, losses: Sequence[OsdetectError], *, all_of_them: bool) -> None:
    """What was refused or lost, on standard error."""
    print_refusals(losses, all_of_them=all_of_them)
    unnamed = report.bad_records - len(report.bad_notes)
    if unnamed > 0:
        say(f"... and {unnamed:,} more records that cannot be read")
    if report.revived:
        say(
            f"note: {report.revived} worker processes died; what they had not told was read again where that was safe"
        )


def summary(report: ScanReport) -> Iterator[str]:
    """The counts for people, line by line."""
    yield (
        f"{report.events:,} events in {report.read:,} files judged by {report.rules:,} rules: "
        f"{report.alerts:,} alerts"
    )
    others = {
        "read in part": len(report.partial),
        "refused": len(report.refused),
        "copies of others": report.copies,
        "digest files": report.digests,
        "not named like JSON": report.ignored,
        "not read": len(report.unread),
    }
    said = [f"{number:,} {what}" for what, number in others.items() if number]
    if said:
        yield "files: " + ", ".join(said)
    if report.bad_records:
        yield f"{report.bad_records:,} records cannot be read"
    if report.copied_alerts:
        yield f"{report.copied_alerts:,} alerts left out: their records are there more than once"
    if report.undated:
        yield f"{report.undated:,} alerts have no usable time; they are kept whatever --since and --until say"
    if report.alerts:
        levels = ", ".join(f"{count:,} {level}" for level, count in report.by_level().items())
        span = f", {written_time(report.first)} to {written_time(report.last)}" if report.last >= 0 else ""
        yield f"alerts: {levels}{span}"


def print_found(found: Found, refused: int, other_sources: int, limit: int) -> None:
    """Counts, rules and the first alerts, for people.

    Raises:
        NotShown: some alerts are not, because their records could not be read again.
    """
    report = found.report
    for line in summary(report):
        write_line(line)
    if refused or other_sources:
        write_line(f"rules: {refused:,} refused, {other_sources:,} for other log sources")
    rules = report.by_rule if not limit else report.by_rule[:RULES_SHOWN]
    if rules:
        rows = [(_level(r.level.value), f"{r.count:,}", r.first, r.last, r.title) for r in rules]
        print_table("", ("level", "alerts", "first", "last", "rule"), rows)
    if len(rules) < len(report.by_rule):
        write_line(f"... and {len(report.by_rule) - len(rules):,} more rules: --limit 0 shows all")
    shown = found.top(limit)
    if shown:
        print_table("", _HEADER, [(_level(row[0]), *row[1:]) for row in map(_row, shown)])
    wanted = len(shown) if report.stopped else min(limit or report.alerts, report.alerts)
    if more := report.alerts - wanted:
        write_line(f"... and {more:,} more: --limit 0 shows all, --output json, ndjson or csv writes all")
    if len(shown) < wanted:
        raise NotShown(
            f"{wanted - len(shown):,} alerts cannot be shown, though they are counted",
            cause="their files were changed or deleted since they were judged, or the process that read them again died",
            cure="run the command again",
        )


def _level(level: str) -> Text:
    return Text(level, style=COLOURS[Level(level)])


def _row(alert: Mapping[str, Any]) -> tuple[str, ...]:
    event = alert["event"]
    return (
        str(alert["rule"]["level"]),
        str(alert["@timestamp"])[:19].replace("T", " "),
        str(alert.get("user", {}).get("name", "")),
        str(alert.get("source", {}).get("address", "")),
        f"{event.get('provider', '').removesuffix('.amazonaws.com')}:{event.get('action', '')}",
        str(alert["rule"]["name"]),
    )


def write_json(found: Found, losses: Iterable[OsdetectError]) -> None:
    """One document: the counts, what was lost, and every alert."""
    out = sys.stdout.buffer
    said = {"scan": found.report.to_json(), "losses": [error_json(loss) for loss in losses]}
    out.write(orjson.dumps(said, option=orjson.OPT_INDENT_2)[:-2] + b',\n  "alerts": [')
    between = b"\n    "
    for alert in found.documents():
        out.write(between + alert)
        between = b",\n    "
    out.write(b"\n  ]\n}\n")


def write_ndjson(found: Found) -> None:
    """An alert a line."""
    for alert in found.documents():
        sys.stdout.buffer.write(alert + b"\n")


def write_csv(found: Found, out: TextIO) -> None:
    """All alerts by time, safe to open in a spreadsheet."""
    csv_rows(out, _TIMELINE, (_timeline_row(orjson.loads(alert)) for alert in found.documents()))


def write_timeline(found: Found, file: Path) -> None:
    """The same into a file.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with file.open("w", encoding="utf-8", errors="replace", newline="") as out:
            write_csv(found, out)
    except OSError as error:
        raise OutputError(
            f"the timeline cannot be written: {file}",
            cause=error.strerror or str(error),
            cure="what the file holds is cut short: make room, or give --timeline another place",
        ) from None


def _timeline_row(alert: Mapping[str, Any]) -> tuple[str, ...]:
    event, own = alert["event"], alert["osdetect"]
    return (
        str(alert["@timestamp"]),
        str(alert["rule"]["level"]),
        str(alert["rule"]["name"]),
        str(alert.get("cloud", {}).get("account", {}).get("id", "")),
        str(alert.get("cloud", {}).get("region", "")),
        str(alert.get("user", {}).get("name", "")),
        str(alert.get("source", {}).get("address", "")),
        str(alert.get("user_agent", {}).get("original", "")),
        str(event.get("provider", "")),
        str(event.get("action", "")),
        str(event.get("outcome", "")),
        str(alert.get("error", {}).get("code", "")),
        str(event.get("id", "")),
        "; ".join(f"{one['field']}: {one['value']}" for one in own.get("evidence", ())),
        str(own["source"]["file"]),
        str(own["source"]["record"]),
        str(alert["rule"]["id"]),
        str(alert["id"]),
    )


@contextmanager
def to_standard_output() -> Iterator[None]:
    """A reader that went away is no failure, and the status of the scan stands; a full disk is told.

    Raises:
        OutputError: standard output cannot be written.
    """
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the latter is what rich makes of a broken pipe
        _to_nowhere()
    except OSError as error:
        _to_nowhere()
        raise OutputError(
            "the alerts cannot be written to standard output, or not all of them",
            cause=error.strerror or str(error),
            cure="make room where it leads to, and run the command again",
        ) from None


def _to_nowhere() -> None:
    """What is still held back cannot be written either, and must not fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
