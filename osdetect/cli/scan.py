"""`osdetect scan`: CloudTrail files judged on the spot, without a node."""

import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from osdetect import scan as scanning
from osdetect.cli import scan_output as shown
from osdetect.cli.options import Verbose
from osdetect.cli.output import err, print_error, say
from osdetect.cli.rules import rules_cache
from osdetect.cli.times import moment
from osdetect.compiler.ruleset import CompiledRules, compile_files
from osdetect.errors import InputError, OsdetectError, OutputError, UsageError
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.vocabulary import ExitCode, Level

Paths = Annotated[
    list[Path],
    typer.Argument(help="CloudTrail files, folders of them, or - for standard input.", metavar="PATH"),
]
Rules = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules", "-r", help="Sigma rule files and folders; default: osdetect's own.", metavar="DIR"
    ),
]
MinLevel = Annotated[
    Level | None, typer.Option("--level", help="Judge by rules of this level and above only.")
]
Since = Annotated[
    str, typer.Option("--since", help="Leave out events before this time (eventTime, UTC).", metavar="TIME")
]
Until = Annotated[
    str, typer.Option("--until", help="Leave out events at this time and after.", metavar="TIME")
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=0, max=256, help="Worker processes; 0: one for each core.")
]
FailOn = Annotated[
    Level | None, typer.Option("--fail-on", help="Exit with 7 if there is an alert of this level or above.")
]
Timeline = Annotated[
    Path | None,
    typer.Option("--timeline", help="Write all alerts into this file as CSV, by time.", metavar="FILE"),
]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Alerts that the table shows; 0: all.")]


_DRAWN_EVERY = 0.1
"""Seconds between two drawings of the bar."""


class ScanFormat(StrEnum):
    """How a scan writes its alerts."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class Stopped(OsdetectError):
    """The scan was stopped before its end."""

    exit_code = ExitCode.INTERRUPTED


def scan(
    paths: Paths,
    rules: Rules = None,
    level: MinLevel = None,
    since: Since = "",
    until: Until = "",
    output: Annotated[
        ScanFormat, typer.Option("--output", "-o", help="How to write the alerts.")
    ] = ScanFormat.TABLE,
    jobs: Jobs = 0,
    fail_on: FailOn = None,
    timeline: Timeline = None,
    limit: Limit = 100,
    verbose: Verbose = False,
) -> int:
    """Judge CloudTrail files by Sigma rules, here and now: no node, nothing stored, nothing leaves this machine.

    The alerts are those that `load` and `detect` would store. Ctrl-C ends it with what was found so far.

    Examples: `osdetect scan AWSLogs/` · `osdetect scan export/ --rules my-rules/ --fail-on high` ·
    `zcat *.json.gz | osdetect scan - --output ndjson`
    """
    asked = scanning.ScanOptions(
        since=moment(since, "--since") if since else 0,
        until=moment(until, "--until") if until else scanning.UNDATED,
        documents=output is not ScanFormat.TABLE or timeline is not None,
    )
    with _work_folder() as work:
        files = scanning.find_files(paths, work, sys.stdin.buffer)
        if timeline is not None:
            _keep_apart(timeline, files)
        with scanning.Workers(_workers(jobs, files)) as workers:
            compiled = compile_files(
                rules or [folder("rules")], fields=EventFields.shipped(), cache_folder=rules_cache()
            )
            judged_by = _chosen(compiled, level)
            with _asked_to_stop() as stop, _bar() as tell:
                found = scanning.scan(
                    files,
                    judged_by,
                    asked,
                    workers=workers,
                    folder=work,
                    run_id=uuid.uuid4().hex,
                    now=datetime.now(UTC),
                    on_progress=tell,
                    stop=stop,
                )
            for note in (*compiled.notes, *(compiled.read.warnings if verbose else ())):
                print_error(note, word="note")
            if compiled.read.correlations:
                say(f"note: {len(compiled.read.correlations)} correlation rules are not judged by scan")
            if scanning.READER_MISSING:
                say(f"note: records are read without compiled code, more slowly: {scanning.READER_MISSING}")
            _write(found, compiled, output, timeline, limit, verbose=verbose)
    return _status(found, compiled, fail_on)


def _workers(jobs: int, files: scanning.ScanFiles) -> int:
    """As many as asked for, but none that would have nothing to do."""
    wanted = jobs or len(os.sched_getaffinity(0))
    return min(wanted, sum(1 for _ in zip(range(wanted), scanning.tasks(files.files, wanted), strict=False)))


def _chosen(compiled: CompiledRules, level: Level | None) -> list[scanning.ScanRule]:
    rules = [scanning.ScanRule.of(rule.id, rule.document) for rule in compiled.rules]
    chosen = [rule for rule in rules if level is None or Level(rule.level).rank >= level.rank]
    if not chosen:
        first = compiled.read.refused[0] if compiled.read.refused else None
        raise InputError(
            "none of the rules can be used",
            cause=str(first)
            if first
            else f"{len(rules)} are for AWS CloudTrail, none of the level asked for",
            cure="give rules with logsource: {product: aws, service: cloudtrail}, or a lower --level",
            where=first.where if first else None,
        )
    return chosen


def _keep_apart(timeline: Path, files: scanning.ScanFiles) -> None:
    """The timeline must not be written over what is read."""
    if timeline.exists() and any(timeline.samefile(file.path) for file in files.files):
        raise UsageError(f"{timeline} is one of the files to scan", cure="give --timeline another file")


@contextmanager
def _work_folder() -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix="osdetect-scan-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(
            "no temporary folder can be made",
            cause=error.strerror or str(error),
            cure="make room in it, or set TMPDIR to a folder that has some",
        ) from None
    with made as name:
        yield Path(name)


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, or SIGTERM came. The second time is not waited for."""
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _bar() -> Iterator[Callable[[int, int, int], None]]:
    columns = (
        TextColumn("Scanning"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeElapsedColumn(),
    )
    # Drawn when something is told, which is often, and not by a thread: the process is copied.
    with Progress(
        *columns, console=err, transient=True, disable=not err.is_terminal, auto_refresh=False
    ) as bars:
        task = bars.add_task("", total=None, events=0)
        drawn = 0.0

        def tell(done: int, total: int, events: int) -> None:
            nonlocal drawn
            now = time.monotonic()
            bars.update(task, completed=done, total=total, events=events, refresh=now - drawn > _DRAWN_EVERY)
            drawn = now if now - drawn > _DRAWN_EVERY else drawn

        yield tell


def _write(
    found: scanning.Found,
    compiled: CompiledRules,
    output: ScanFormat,
    timeline: Path | None,
    limit: int,
    *,
    verbose: bool,
) -> None:
    failures: list[OsdetectError] = []
    if timeline is not None:
        try:
            shown.write_timeline(found, timeline)
        except OutputError as failure:
            failures.append(failure)  # told in the end: the alerts are to be shown all the same
    losses: tuple[OsdetectError, ...] = (*compiled.read.refused, *found.report.losses)
    writer: dict[ScanFormat, Callable[[], Any]] = {
        ScanFormat.TABLE: lambda: shown.print_found(
            found, len(compiled.read.refused), compiled.read.other_sources, limit
        ),
        ScanFormat.JSON: lambda: shown.write_json(found, losses),
        ScanFormat.NDJSON: lambda: shown.write_ndjson(found),
        ScanFormat.CSV: lambda: shown.write_csv(found, sys.stdout),
    }
    shown.print_losses(found.report, losses, all_of_them=verbose)
    try:
        with shown.to_standard_output():
            writer[output]()
    except (OutputError, shown.NotShown) as failure:
        failures.append(failure)
    if output in (ScanFormat.NDJSON, ScanFormat.CSV):
        for line in shown.summary(found.report):
            say(line)
    for further in failures[1:]:
        print_error(further)
    if failures:
        raise failures[0]


def _stopped(report: scanning.ScanReport) -> Stopped:
    return Stopped(
        f"the scan was stopped: {len(report.unread):,} of {report.files:,} files were not read, or not to their end",
        cause=", ".join(report.unread[:5]) + (", ..." if len(report.unread) > 5 else ""),
        cure="what was found until then is shown; run the command again for the rest",
    )


def _status(found: scanning.Found, compiled: CompiledRules, fail_on: Level | None) -> int:
    report = found.report
    if found.failure is not None:
        failure = found.failure
        print_error(_stopped(report))
        raise OutputError(
            failure.what,
            cause=failure.cause,
            cure=f"{failure.cure}; what was found until then is shown",
        )
    if report.stopped:
        raise _stopped(report)
    if fail_on is not None and any(level.rank >= fail_on.rank for level in report.by_level()):
        return ExitCode.ALERTS
    return ExitCode.OK if report.lossless and not compiled.read.refused else ExitCode.LOSS
