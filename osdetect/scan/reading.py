"""One file, read and judged window by window."""

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from osdetect.cloudtrail import BadRecord, Limits, RawRecord
from osdetect.cloudtrail.inflate import Pieces
from osdetect.cloudtrail.layout import DIGEST, recognise
from osdetect.cloudtrail.reader import Cut, refusal
from osdetect.cloudtrail.record import parse
from osdetect.cloudtrail.windows import Window, windows
from osdetect.errors import RecordError
from osdetect.expr import engine
from osdetect.scan.plan import BadNote, FileEnd, SourceFile, place_of

SHOWN = 20
"""Records of a file that are named when they cannot be read; all are counted."""


Hit = tuple[int, bytes, dict[str, Any] | None, tuple[str, ...]]
"""A record that some rule matches: its number, its bytes, its content if that was parsed, and the rules."""


class Swift(msgspec.Struct, frozen=True, gc=False):
    """Records that were judged without being looked at one by one."""

    text: bytes
    before: int
    """Records of the file before them."""
    judged: engine.Judged

    def hits(self) -> Iterator[Hit]:
        """The hits one by one."""
        judged = self.judged
        for number, rules, (start, stop) in zip(judged.numbers, judged.rules, judged.spans(), strict=True):
            yield self.before + number, self.text[start:stop], None, rules


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A window's worth of records, judged."""

    events: int
    hits: Swift | list[Hit]
    stored_bytes: int
    """Of the file, since the last."""


class _Reading(msgspec.Struct):
    """What is known of the file so far."""

    records: int = 0
    events: int = 0
    bad: int = 0
    notes: tuple[BadNote, ...] = ()
    cut: str = ""
    is_digest: bool = False

    def lose(self, bad: BadRecord) -> None:
        """Count a record that cannot be read."""
        self.bad += 1
        if len(self.notes) < SHOWN:
            where = "" if "at byte" in bad.reason else f", at byte {bad.offset} of the text"
            note = BadNote(self.records + bad.number, bad.reason + where)
            self.notes = (*self.notes, note)


def judge_file(file: SourceFile, rules: engine.Engine, limits: Limits) -> Iterator[Judged | FileEnd]:
    """Read the file and judge its records; the last item says what became of it."""
    state = _Reading()
    try:
        pieces = Pieces.open(file.path, limits.expansion)
    except RecordError as error:
        yield _refused(file, state, b"", error)
        return
    with pieces:
        try:
            yield from _judged_windows(file, pieces, rules, limits, state)
            yield _end(file, pieces, state)
        except RecordError as error:
            yield _refused(file, state, pieces.digest, error)
        except Exception as error:  # noqa: BLE001  # a defect met in one file must not cost the others
            yield _refused(file, state, pieces.digest, _defect(error))


def _judged_windows(
    file: SourceFile, pieces: Pieces, rules: engine.Engine, limits: Limits, state: _Reading
) -> Iterator[Judged]:
    told = 0
    for window in windows(pieces.texts(), limits.record_bytes):
        if isinstance(window, Cut):
            state.cut = f"{window.reason}, at byte {window.offset} of its text"
            return
        judge = rules.match_lines if window.lines else rules.match_records
        whole = judge(window.text, place_of(file.number, state.records + 1))
        hits: Swift | list[Hit]
        if whole is not None:
            hits = Swift(window.text, state.records, whole)
            state.records += whole.records
            events = whole.records
        else:
            events, hits = _carefully(pieces, window, rules, limits, state)
        state.events += events
        yield Judged(events, hits, pieces.stored_bytes - told)
        told = pieces.stored_bytes


def _carefully(
    pieces: Pieces, window: Window, rules: engine.Engine, limits: Limits, state: _Reading
) -> tuple[int, list[Hit]]:
    """Record by record: what is wrong with one costs that one."""
    events = 0
    hits: list[Hit] = []
    number = 0
    for record in _records(pieces, window, limits, state):
        number = record.number
        if isinstance(record, BadRecord):
            state.lose(record)
            continue
        try:
            held = rules.match(record.content)
        except RecursionError:
            reason = "nested too deeply to be judged"
            state.lose(BadRecord(record.number, record.offset, record.raw, reason))
            continue
        events += 1
        if held:
            hits.append((state.records + number, record.raw, dict(record.content), held))
    state.records += number
    return events, hits


def _records(
    pieces: Pieces, window: Window, limits: Limits, state: _Reading
) -> Iterator[RawRecord | BadRecord]:
    spans = window.spans()
    if spans is None:
        if window.inner:
            yield BadRecord(1, window.offset, window.text, "no CloudTrail records")
            return
        seems = recognise(window.text)
        if seems == DIGEST:
            state.is_digest = True
            return
        raise refusal(
            Path(pieces.path),
            seems,
            broken=pieces.broken,
            has_text=bool(window.text),
            empty=not pieces.stored_bytes,
        )
    for number, (start, end) in enumerate(spans.records, 1):
        yield parse(number, window.offset + start, window.text[start:end], limits.record_bytes)
    if spans.cut:
        at = window.offset + (spans.rest if spans.rest >= 0 else len(window.text))
        state.cut = f"{spans.cut}, at byte {at} of its text"


def _end(file: SourceFile, pieces: Pieces, state: _Reading) -> FileEnd:
    reasons = [reason for reason in (pieces.broken, state.cut) if reason]
    return FileEnd(
        number=file.number,
        events=state.events,
        digest=pieces.digest,
        kind="digest" if state.is_digest else "read",
        reason="; ".join(reasons),
        cure="fetch the file again, then scan it: what comes behind that place was not judged"
        if reasons
        else "",
        bad=state.bad,
        notes=state.notes,
    )


def _refused(file: SourceFile, state: _Reading, digest: bytes, error: RecordError) -> FileEnd:
    """The file was not read, or not read to its end."""
    return FileEnd(
        number=file.number,
        events=state.events,
        digest=digest,
        kind="read" if state.records else "refused",
        reason=error.what,
        cause=error.cause,
        cure=error.cure,
        bad=state.bad,
        notes=state.notes,
    )


def _defect(error: Exception) -> RecordError:
    if isinstance(error, MemoryError):
        return RecordError("there is not enough memory to read this file", cure="use fewer --jobs")
    return RecordError(
        "osdetect has a defect that this file brings out",
        cause=f"{type(error).__name__}: {error}"[:300],
        cure="report it; the other files are not touched by it",
    )


def wanted_records(
    file: SourceFile, limits: Limits, wanted: Container[int], last: int
) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """Some of the file's records again, up to the number `last`: number, bytes and content.

    Raises:
        RecordError: the file cannot be read any more.
    """
    before = 0
    with Pieces.open(file.path, limits.expansion) as pieces:
        for window in windows(pieces.texts(), limits.record_bytes):
            spans = None if isinstance(window, Cut) else window.spans()
            if isinstance(window, Cut) or spans is None:
                return
            for number, (start, end) in enumerate(spans.records, before + 1):
                if number in wanted:
                    record = parse(number, start, window.text[start:end], limits.record_bytes)
                    if isinstance(record, RawRecord):
                        yield number, record.raw, orjson.loads(record.raw)
            before += len(spans.records)
            if before >= last:
                return
