"""The scan itself: tasks out to the workers, what they find put together."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from heapq import nsmallest
from pathlib import Path
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from osdetect.cloudtrail import Limits
from osdetect.scan.alerts import renamed
from osdetect.scan.copies import Copies, left_out, settle, suspects
from osdetect.scan.files import ScanFiles, tasks
from osdetect.scan.gathered import Gathered
from osdetect.scan.plan import (
    UNDATED,
    Describe,
    Described,
    Done,
    Identified,
    Identify,
    Name,
    Named,
    Part,
    Read,
    ScanRule,
    Setup,
    Tally,
    Task,
    file_of,
    place_of,
    record_of,
)
from osdetect.scan.report import RuleAlerts, ScanReport
from osdetect.scan.rows import split
from osdetect.scan.spill import merged
from osdetect.scan.workers import Died, NoRoom, ScanFailed, Workers
from osdetect.vocabulary import Level

Progress = Callable[[int, int, int], None]
"""Told bytes done, bytes in all, and events so far."""
_PATIENCE = 0.5
"""Seconds that may be spent on looking into copies and rows after the scan was stopped."""


class ScanOptions(msgspec.Struct, frozen=True):
    """What is asked for."""

    since: int = 0
    """Microseconds since 1970: events before are left out."""
    until: int = UNDATED
    """Events at this time or later are left out."""
    documents: bool = False
    """Whether all alerts will be asked for (`Found.documents`), not only the first and the counts."""
    limits: Limits = msgspec.field(default_factory=Limits)


class Found:
    """What a scan found. Use it while the workers and the folder are there."""

    def __init__(
        self, gathered: Gathered, work: "_Work", copies: Copies, failure: ScanFailed | None, *, stopped: bool
    ) -> None:
        self.failure = failure
        """Why the scan could not go on; what it found until then is here."""
        self._gathered, self._work, self._copies = gathered, work, copies
        tallies = _without_copies(gathered, copies)
        self._counts = {rule: tally.count for rule, tally in tallies.items()}
        self.report = _report(gathered, work, tallies, copies, stopped=stopped)

    def documents(self) -> Iterator[bytes]:
        """Every alert as a line of JSON without its end, by time, file and record.

        Raises:
            ScanFailed: a temporary file cannot be read.
        """
        try:
            for _, place, _, alert in merged(self._gathered.runs):
                if not self._copies.has(place):
                    other = self._copies.names.get(place)
                    yield renamed(alert, other) if other else alert
        except OSError as error:
            raise _temporary(self._work.folder, error) from None

    def top(self, limit: int) -> list[dict[str, Any]]:
        """The first alerts: highest level first, then by time, file and record. `limit` 0: all of them.

        The files are read again for them. Alerts whose file has changed or gone since are left out.
        """
        chosen = self._chosen(limit or sum(self._counts.values()))
        wanted: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for _, _, place, rule in chosen:
            wanted[file_of(place)].append((record_of(place), rule))
        files = self._work.files.files
        asked: list[Task] = [Describe(files[file], tuple(pairs)) for file, pairs in wanted.items()]
        alerts: dict[tuple[int, int], bytes] = {}
        for task, answer in self._work.ask(asked, hurry=self.report.stopped):
            if isinstance(answer, Described) and isinstance(task, Describe):
                for record, rule, alert in answer.alerts:
                    place = place_of(task.file.number, record)
                    other = self._copies.names.get(place)
                    alerts[place, rule] = renamed(alert, other) if other else alert
        ordered = (alerts.get((place, rule)) for _, _, place, rule in chosen)
        return [orjson.loads(alert) for alert in ordered if alert is not None]

    def _chosen(self, limit: int) -> list[tuple[int, int, int, int]]:
        """Minus the level, time, place and rule of the first alerts."""
        ranks = [-Level(rule.level).rank for rule in self._work.rules]
        wanted: set[int] = set()
        room = limit
        for rank in sorted(set(ranks)):
            if room > 0:
                of_level = {rule for rule in self._counts if ranks[rule] == rank}
                wanted |= of_level
                room -= sum(self._counts[rule] for rule in of_level)

        def rows() -> Iterator[tuple[int, int, int, int]]:
            for rule in wanted:
                for part in self._gathered.rows.of(rule):
                    for _, when, place in split(part):
                        if not self._copies.has(place):
                            yield ranks[rule], when, place, rule

        return nsmallest(limit, rows())


class _Work(msgspec.Struct, frozen=True):
    """Who does it, and with what."""

    files: ScanFiles
    rules: tuple[ScanRule, ...]
    workers: Workers
    folder: Path

    def ask(self, asked: Iterable[Task], *, hurry: bool) -> Iterator[tuple[Task, Any]]:
        """Answers to questions about files that were read."""
        deadline = time.monotonic() + _PATIENCE
        self.workers.add(asked)
        return self.workers.answers(lambda: hurry and time.monotonic() > deadline)


def scan(
    files: ScanFiles,
    rules: Sequence[ScanRule],
    options: ScanOptions,
    *,
    workers: Workers,
    folder: Path,
    run_id: str,
    now: datetime,
    on_progress: Progress = lambda _done, _total, _events: None,
    stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Judge every record of the files.

    Args:
        files: from `find_files`.
        rules: what to judge by.
        options: what is asked for.
        workers: the processes that do it.
        folder: for temporary files.
        run_id: the scan's name; it goes into alerts.
        now: goes into alerts as the time at which they were made.
        on_progress: told bytes done, bytes in all, and events.
        stop: asked ten times a second; once it says yes, what was found so far is the result.

    Raises:
        ScanFailed: the rules cannot be used, worker processes do not live, or temporary files cannot be read.
    """
    work = _Work(files, tuple(rules), workers, folder)
    workers.set_up(
        Setup(
            rules=work.rules,
            limits=options.limits,
            run_id=run_id,
            now=now,
            since=options.since,
            until=options.until,
            documents=options.documents,
            folder=str(folder),
        )
    )
    try:
        gathered = Gathered(folder, files.files)
        failure = _gather(gathered, work, on_progress, stop)
        stopped = bool(gathered.unread)
        copies = _copies(gathered, work, hurry=stopped and failure is None)
        return Found(gathered, work, copies, failure, stopped=stopped)
    except OSError as error:
        raise _temporary(folder, error) from None


def _gather(
    gathered: Gathered, work: _Work, on_progress: Progress, stop: Callable[[], bool]
) -> ScanFailed | None:
    """Have the files read; why not all of them were, if there is no room for temporary files."""
    workers, size = work.workers, work.files.size
    workers.add(tasks(work.files.files, workers.number))
    try:
        for task, answer in workers.answers(stop):
            _take(gathered, workers, task, answer)
            on_progress(gathered.stored_bytes, size, gathered.events)
    except NoRoom as failure:
        return failure
    except OSError as error:
        workers.give_up()
        return _temporary(work.folder, error)
    return None


def _take(gathered: Gathered, workers: Workers, task: Task, answer: object) -> None:
    match answer:
        case Part():
            gathered.part(answer)
        case Died(how=how) if isinstance(task, Read):
            workers.add(gathered.died(task, how))
        case Done():
            pass
        case _:
            raise ScanFailed(f"a worker answered {type(answer).__name__} to {type(task).__name__}")


def _copies(gathered: Gathered, work: _Work, *, hurry: bool) -> Copies:
    same = frozenset(gathered.same)
    found = suspects(gathered.rows, same)
    files = work.files.files

    def answers(asked: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        for task, answer in work.ask(asked, hurry=hurry):
            if isinstance(answer, Died) and isinstance(task, Identify | Name):
                gathered.not_compared(task.file, answer.how)
            yield task, answer

    identified = (
        (task.file.number, answer)
        for task, answer in answers([Identify(files[file], records) for file, records in found.items()])
        if isinstance(answer, Identified) and isinstance(task, Identify)
    )
    copies = settle(same, identified)
    names = {
        place_of(task.file.number, record): event_id
        for task, answer in answers([Name(files[file], records) for file, records in copies.sharing.items()])
        if isinstance(answer, Named) and isinstance(task, Name)
        for record, event_id in answer.records
    }
    return replace(copies, names=names)


def _without_copies(gathered: Gathered, copies: Copies) -> dict[int, Tally]:
    lost = left_out(gathered.rows, copies)
    less = {
        rule: Tally(tally.count - lost[rule], tally.first, tally.last)
        for rule, tally in gathered.tallies.items()
    }
    return {rule: tally for rule, tally in less.items() if tally.count}


def _report(
    gathered: Gathered, work: _Work, tallies: dict[int, Tally], copies: Copies, *, stopped: bool
) -> ScanReport:
    rules = work.rules
    by_rule = [RuleAlerts.of(rules[number], tally) for number, tally in tallies.items()]
    alerts = sum(tally.count for tally in tallies.values())
    before = sum(tally.count for tally in gathered.tallies.values())
    return ScanReport(
        files=len(work.files.files) + len(work.files.refused),
        read=gathered.read,
        partial=tuple(sorted(gathered.partial, key=str)),
        refused=(*work.files.refused, *sorted(gathered.refused, key=str)),
        bad_records=gathered.bad,
        bad_notes=tuple(gathered.bad_notes),
        copies=len(copies.files),
        digests=gathered.digests,
        ignored=work.files.ignored,
        unread=tuple(gathered.unread.values()),
        events=gathered.events,
        rules=len(rules),
        alerts=alerts,
        copied_alerts=before - alerts,
        undated=gathered.undated,
        by_rule=tuple(sorted(by_rule, key=lambda one: (-one.level.rank, -one.count, one.title, one.id))),
        first=min((tally.first for tally in tallies.values()), default=UNDATED),
        last=max((tally.last for tally in tallies.values()), default=-1),
        stored_bytes=gathered.stored_bytes,
        stopped=stopped,
        revived=gathered.revived,
    )


def _temporary(folder: Path, error: OSError) -> ScanFailed:
    return ScanFailed(
        f"a temporary file in {folder} cannot be written or read",
        cause=error.strerror or str(error),
        cure="make room there, or set TMPDIR to a folder that has some",
    )
