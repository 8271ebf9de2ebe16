"""A worker: a process that reads files and judges them.

    python -c "from osdetect.scan.worker import main; main(FD)"

It imports neither the Sigma reader nor the command line. Ctrl-C is not for it: the scanning process says what to do, over
the pipe, and SIGUSR1 makes it give up the task at the next window. It ends when the pipe does.
"""

import contextlib
import gc
import signal
import time
from collections import defaultdict
from multiprocessing.connection import Connection
from pathlib import Path

import orjson

from osdetect.documents.alert import RunReference
from osdetect.documents.event import content_hash
from osdetect.documents.stored_rule import StoredRule
from osdetect.errors import OsdetectError
from osdetect.expr.engine import Engine
from osdetect.scan.alerts import alert_of, identify
from osdetect.scan.plan import (
    UNDATED,
    Describe,
    Described,
    Done,
    FileEnd,
    Identified,
    Identify,
    Part,
    Read,
    Setup,
    SourceFile,
    Tally,
    Task,
    Trouble,
    place_of,
)
from osdetect.scan.reading import Hit, judge_file, wanted_records
from osdetect.scan.rows import PARTITIONS, empty_rows
from osdetect.scan.spill import Entry, RunWriter

_EVERY = 0.2
"""Seconds after which what was found is told, if a window or file ends."""
_MOST_BYTES = 8 << 20
"""Bytes of documents that are held before they are written."""
_MOST_ROWS = 100_000
_MASK = (1 << 64) - 1


class _Stopped:
    """Whether the present task is to be given up."""

    def __init__(self) -> None:
        self.now = False

    def __call__(self, _signal: int, _frame: object) -> None:
        self.now = True


def main(descriptor: int) -> None:
    """Do tasks until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    stopped = _Stopped()
    signal.signal(signal.SIGUSR1, stopped)
    pipe = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        setup = pipe.recv()
        try:
            worker = Worker(setup, pipe, stopped)
        except OsdetectError as error:
            pipe.send(Trouble(error.what, error.cause, error.cure))
            return
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        while True:
            task = pipe.recv()
            stopped.now = False
            try:
                worker.do(task)
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    raise
                pipe.send(_no_room(setup, error))
                return
            pipe.send(Done())


def _no_room(setup: Setup, error: OSError) -> Trouble:
    return Trouble(
        f"a temporary file in {setup.folder} cannot be written",
        error.strerror or str(error),
        "make room there, or set TMPDIR to a folder that has some",
    )


class Worker:
    """What a worker has at hand: the rules, compiled, and what it found and has not told yet."""

    def __init__(self, setup: Setup, pipe: Connection, stopped: _Stopped) -> None:
        self._setup, self._pipe, self._stopped = setup, pipe, stopped
        self._rules = [StoredRule.from_source(one.id, orjson.loads(one.document)) for one in setup.rules]
        self._number = {rule.id: number for number, rule in enumerate(self._rules)}
        self._salt = [hash(rule.id) & _MASK for rule in self._rules]
        self._engine = Engine.of([(rule.id, rule.tree) for rule in self._rules])
        self._run = RunReference(setup.run_id, setup.now)
        self._bounded = setup.since > 0 or setup.until < UNDATED
        self._writer = RunWriter(Path(setup.folder)) if setup.documents else None
        self._clear()
        self._told = time.monotonic()

    def _clear(self) -> None:
        self._rows = empty_rows()
        self._row_count = self._entry_bytes = self._events = self._stored = self._undated = 0
        self._tallies: dict[int, list[int]] = defaultdict(lambda: [0, UNDATED, -1])
        self._entries: list[Entry] = []
        self._ended: list[FileEnd] = []

    def do(self, task: Task) -> None:
        """One task.

        Raises:
            OSError: a temporary file cannot be written.
        """
        match task:
            case Read(files=files):
                self._read(files)
            case Identify(file=file, records=records):
                self._pipe.send(self._identified(file, frozenset(records)))
            case Describe():
                self._pipe.send(self._described(task))

    def _read(self, files: tuple[SourceFile, ...]) -> None:
        for file in files:
            events = 0
            for item in judge_file(file, self._engine, self._setup.limits):
                if isinstance(item, FileEnd):
                    self._ended.append(item)
                    break
                events += item.events
                self._events += item.events
                self._stored += item.stored_bytes
                for hit in item.hits:
                    self._take(hit, file)
                if self._full() or self._stopped.now:
                    self._tell(file.number, events)
                if self._stopped.now:
                    return
            if self._full():
                self._tell(-1, 0)
            if self._stopped.now:
                break
        self._tell(-1, 0)

    def _full(self) -> bool:
        return (
            self._row_count > _MOST_ROWS
            or self._entry_bytes > _MOST_BYTES
            or time.monotonic() - self._told > _EVERY
        )

    def _take(self, hit: Hit, file: SourceFile) -> None:
        event_id, when = identify(hit.raw, hit.content)
        if self._bounded and not self._inside(when):
            return
        place = place_of(file.number, hit.record)
        key = hash(event_id)
        content = hit.content
        for rule_id in hit.rules:
            number = self._number[rule_id]
            mixed = (key ^ self._salt[number]) & _MASK
            self._rows[mixed % PARTITIONS].extend((mixed, when, place, number))
            tally = self._tallies[number]
            tally[0] += 1
            tally[1] = min(tally[1], when)
            if when != UNDATED:
                tally[2] = max(tally[2], when)
            if self._writer is not None:
                if content is None:
                    content = orjson.loads(hit.raw)
                rule = self._rules[number]
                alert = alert_of(rule, hit.raw, content, (file.name, hit.record), self._run)
                self._entries.append((when, place, number, alert))
                self._entry_bytes += len(alert)
        self._row_count += len(hit.rules)

    def _inside(self, when: int) -> bool:
        """Whether the event is of the time that is asked for; one without a usable time may be."""
        if when == UNDATED:
            self._undated += 1
            return True
        return self._setup.since <= when < self._setup.until

    def _tell(self, open_file: int, open_events: int) -> None:
        run = None
        if self._writer is not None and self._entries:
            self._entries.sort(key=lambda entry: entry[:3])
            run = self._writer.write(self._entries)
        tallies = {rule: Tally(*tally) for rule, tally in self._tallies.items()}
        part = Part(
            ended=tuple(self._ended),
            open_file=open_file,
            open_events=open_events,
            rows=self._rows,
            tallies=tallies,
            events=self._events,
            stored_bytes=self._stored,
            undated=self._undated,
            run=run,
        )
        self._pipe.send(part)
        self._clear()
        self._told = time.monotonic()

    def _identified(self, file: SourceFile, wanted: frozenset[int]) -> Identified:
        try:
            records = wanted_records(file, self._setup.limits, wanted)
            return Identified(
                tuple(
                    (number, identify(raw, content)[0], content_hash(raw)) for number, raw, content in records
                )
            )
        except OsdetectError:  # it is gone: the scanning process finds the records missing and says so
            return Identified(())

    def _described(self, task: Describe) -> Described:
        by_record: dict[int, list[int]] = defaultdict(list)
        for record, rule in task.wanted:
            by_record[record].append(rule)
        found: list[tuple[int, int, str, str, bytes]] = []
        try:
            for number, raw, content in wanted_records(task.file, self._setup.limits, frozenset(by_record)):
                event_id, digest = identify(raw, content)[0], content_hash(raw)
                for rule in by_record[number]:
                    place = (task.file.name, number)
                    alert = alert_of(self._rules[rule], raw, content, place, self._run)
                    found.append((number, rule, event_id, digest, alert))
        except OsdetectError:  # as above
            return Described(())
        return Described(tuple(found))
