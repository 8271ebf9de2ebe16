"""A worker: a process that reads files and judges them.

It is a copy of the scanning process, made when the rules are ready (`workers`). Ctrl-C is not for it: the scanning process says
what to do, over the pipe, and SIGUSR1 makes it give up the task at the next window. It ends when the pipe does.
"""

import contextlib
import gc
import time
from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson

from osdetect.documents.event import other_id
from osdetect.documents.stored_rule import StoredRule
from osdetect.documents.told import RunReference
from osdetect.errors import OsdetectError
from osdetect.expr.engine import Engine
from osdetect.scan.alerts import alert_of, identify
from osdetect.scan.keys import NO_KEY, TOLD, Keys, content_digest
from osdetect.scan.plan import (
    UNDATED,
    Describe,
    Described,
    Done,
    FileEnd,
    Identified,
    Identify,
    Name,
    Named,
    Part,
    Read,
    Setup,
    SourceFile,
    Task,
    Trouble,
    place_of,
)
from osdetect.scan.reading import Hit, Swift, judge_file, wanted_records
from osdetect.scan.spill import Entry, RunWriter

_EVERY = 0.5
"""Seconds after which what was found is told, if a window or file ends."""
_MOST_BYTES = 8 << 20
"""Bytes of documents that are held before they are written."""
_MOST_ROWS = 100_000


class Stopped:
    """Whether the present task is to be given up: a signal handler."""

    def __init__(self) -> None:
        self.now = False

    def __call__(self, _signal: int, _frame: object) -> None:
        """As `signal.signal` wants a handler."""
        self.now = True


def serve(bench: "Bench", pipe: Connection, stopped: Stopped) -> None:
    """Do tasks until the other end of the pipe is closed."""
    # What is there by now is left alone: looking for garbage in it would copy every page that is shared with other processes.
    gc.freeze()
    # Records are trees without cycles, and there are many: looking for garbage among them is time lost.
    gc.set_threshold(1_000_000, 20, 50)
    worker = Worker(bench, pipe, stopped)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            task = pipe.recv()
            stopped.now = False
            try:
                worker.do(task)
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    raise
                pipe.send(_no_room(bench.setup, error))
                return
            pipe.send(Done())


def _no_room(setup: Setup, error: OSError) -> Trouble:
    return Trouble(
        f"a temporary file in {setup.folder} cannot be written",
        error.strerror or str(error),
        "make room there, or set TMPDIR to a folder that has some",
    )


class Bench:
    """The rules, compiled: made once, for all workers."""

    def __init__(self, setup: Setup) -> None:
        """Make the rules ready.

        Raises:
            OsdetectError: a rule cannot be used.
        """
        self.setup = setup
        self.rules = [StoredRule.from_source(one.id, orjson.loads(one.document)) for one in setup.rules]
        self.number = {rule.id: number for number, rule in enumerate(self.rules)}
        self.keys = Keys()
        # Where each alert's document is wanted, every hit is looked at.
        gather = None if setup.documents else (setup.since, setup.until)
        self.engine = Engine.of([(rule.id, rule.tree) for rule in self.rules], TOLD, gather)
        self.run = RunReference(setup.run_id, setup.now)


class Worker:
    """What a worker has at hand: the rules, and what it found and has not told yet."""

    def __init__(self, bench: Bench, pipe: Connection, stopped: Stopped) -> None:
        self._setup, self._pipe, self._stopped = bench.setup, pipe, stopped
        self._rules, self._number, self._keys = bench.rules, bench.number, bench.keys
        self._engine, self._run = bench.engine, bench.run
        self._bounded = self._setup.since > 0 or self._setup.until < UNDATED
        self._writer: RunWriter | None = None
        self._clear()
        self._told = time.monotonic()

    def _clear(self) -> None:
        self._rows: defaultdict[tuple[str, ...], array[int]] = defaultdict(lambda: array("Q"))
        """By the rules that hold for them, the rows of the records."""
        self._row_count = self._gathered = self._entry_bytes = self._events = self._stored = self._undated = 0
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
            case Identify():
                self._pipe.send(self._identified(task))
            case Name():
                self._pipe.send(self._named(task))
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
                if isinstance(item.hits, Swift) and not self._setup.documents:
                    self._take_swiftly(item.hits, file)
                else:
                    for hit in item.hits.hits() if isinstance(item.hits, Swift) else item.hits:
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
            self._row_count + self._gathered > _MOST_ROWS
            or self._entry_bytes > _MOST_BYTES
            or time.monotonic() - self._told > _EVERY
        )

    def _take(self, hit: Hit, file: SourceFile) -> None:
        record, raw, content, rules = hit
        content = orjson.loads(raw) if content is None else content
        key, when = self._keys.of(raw, content)
        if self._bounded and not self._inside(when):
            return
        place = place_of(file.number, record)
        self._rows[rules].extend((key, when, place))
        self._row_count += len(rules)
        if self._setup.documents:
            for number in [self._number[rule] for rule in rules]:
                alert = alert_of(self._rules[number], raw, content, (file.name, record), self._run)
                self._entries.append((when, place, number, alert))
                self._entry_bytes += len(alert)

    def _take_swiftly(self, hits: Swift, file: SourceFile) -> None:
        """Take hits whose documents nobody wants, by what the engine tells of them."""
        judged = hits.judged
        self._gathered = judged.gathered
        if not judged.numbers:
            return
        before = place_of(file.number, hits.before)
        known = self._keys.of_columns(*judged.told)
        odd: set[int] = set()
        told: Iterable[tuple[int | None, int]]
        if known is not None:
            told = zip(*known, strict=True)
        else:
            told = [self._keys.of_told(*one) or NO_KEY for one in zip(*judged.told, strict=True)]
        rows, bounded = self._rows, self._bounded
        for number, rules, (key, when) in zip(judged.numbers, judged.rules, told, strict=True):
            if key is None:
                odd.add(hits.before + number)
            elif not bounded or self._inside(when):
                rows[rules].extend((key, when, before + number))
                self._row_count += len(rules)
        if odd:
            for hit in hits.hits():
                if hit[0] in odd:
                    self._take(hit, file)

    def _rows_by_rule(self) -> dict[int, "array[int]"]:
        by_rule: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
        for rules, rows in (*self._rows.items(), *self._engine.gathered()):
            for rule in rules:
                by_rule[self._number[rule]].extend(rows)
        return dict(by_rule)

    def _inside(self, when: int) -> bool:
        """Whether the event is of the time that is asked for; one without a usable time may be."""
        if when == UNDATED:
            self._undated += 1
            return True
        return self._setup.since <= when < self._setup.until

    def _tell(self, open_file: int, open_events: int) -> None:
        run = None
        if self._entries:
            self._writer = self._writer or RunWriter(Path(self._setup.folder))
            self._entries.sort(key=lambda entry: entry[:3])
            run = self._writer.write(self._entries)
        part = Part(
            ended=tuple(self._ended),
            open_file=open_file,
            open_events=open_events,
            rows=self._rows_by_rule(),
            events=self._events,
            stored_bytes=self._stored,
            undated=self._undated,
            run=run,
        )
        self._pipe.send(part)
        self._clear()
        self._told = time.monotonic()

    def _again(
        self, file: SourceFile, wanted: Container[int], last: int
    ) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
        """Records of a file that was read before; none where it is gone, which the scanning process sees."""
        with contextlib.suppress(OsdetectError):
            yield from wanted_records(file, self._setup.limits, wanted, last)

    def _identified(self, task: Identify) -> Identified:
        known = array("Q")
        for number, raw, content in self._again(task.file, task.records, task.records.last):
            key, _ = self._keys.of(raw, content)
            known.extend((key, *content_digest(raw), number))
        return Identified(known)

    def _named(self, task: Name) -> Named:
        records = self._again(task.file, task.records, task.records.last)
        return Named(
            tuple((number, other_id(identify(raw, content)[0], raw)) for number, raw, content in records)
        )

    def _described(self, task: Describe) -> Described:
        by_record: dict[int, list[int]] = defaultdict(list)
        for record, rule in task.wanted:
            by_record[record].append(rule)
        return Described(
            tuple(
                (number, rule, alert_of(self._rules[rule], raw, content, (task.file.name, number), self._run))
                for number, raw, content in self._again(task.file, by_record, max(by_record))
                for rule in by_record[number]
            )
        )
