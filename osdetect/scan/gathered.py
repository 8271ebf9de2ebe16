"""What the workers have told so far, and what became of each file."""

from array import array
from collections.abc import Iterable
from pathlib import Path

from osdetect.errors import RecordError, Where
from osdetect.scan.plan import UNDATED, FileEnd, Part, Read, SortedRun, SourceFile, Tally
from osdetect.scan.rows import WIDTH, Rows

SHOWN = 100
"""Unreadable records that are named; all are counted."""
NO_TALLY = Tally(0, UNDATED, -1)
_ALONE = "scan it alone; if memory is short, use fewer --jobs"


class Gathered:
    """Adds up the parts.

    Raises:
        OSError: from `part`, when the temporary file of rows cannot be written.
    """

    def __init__(self, folder: Path, files: Iterable[SourceFile]) -> None:
        self.rows = Rows(folder)
        self.tallies: dict[int, Tally] = {}
        self.runs: list[SortedRun] = []
        self.unread = {file.number: file.name for file in files}
        """Files that are not read to their end."""
        self.refused: list[RecordError] = []
        self.partial: list[RecordError] = []
        self.bad_notes: list[RecordError] = []
        self.bad = self.events = self.stored_bytes = self.undated = self.digests = self.read = 0
        self.revived = 0
        self.same: set[int] = set()
        """Files with the same bytes as one before them."""
        self._open: dict[int, int] = {}
        """Files of which a part was told, with the number of events in it."""
        self._first: dict[bytes, int] = {}
        """By the digest of their bytes, the first file that has them."""

    def part(self, part: Part) -> None:
        """Take in what a worker found."""
        for rule, rows in part.rows.items():
            self.tallies[rule] = self.tallies.get(rule, NO_TALLY) + _tally(rows)
        self.events += part.events
        self.stored_bytes += part.stored_bytes
        self.undated += part.undated
        if part.run is not None:
            self.runs.append(part.run)
        for end in part.ended:
            self._end(end)
        if part.open_file >= 0:
            self._open[part.open_file] = part.open_events
        self.rows.add(part.rows)

    def _end(self, end: FileEnd) -> None:
        name = self.unread.pop(end.number)
        self._open.pop(end.number, None)
        if end.kind == "refused":
            self.refused.append(_error(end, name))
            return
        if end.kind == "digest":
            self.digests += 1
            return
        first = self._first.setdefault(end.digest, end.number)
        if first != end.number:
            later = max(first, end.number)
            self._first[end.digest] = min(first, end.number)
            self.same.add(later)
            self.events -= end.events
            return
        self.read += 1
        self.bad += end.bad
        if end.reason:
            self.partial.append(_error(end, name))
        for note in end.notes[: SHOWN - len(self.bad_notes)]:
            where = Where(name)
            what = f"record {note.record} cannot be read"
            self.bad_notes.append(RecordError(what, cause=note.reason, where=where))

    def not_compared(self, file: SourceFile, how: str) -> None:
        """A worker died over the question which records of the file are there more than once."""
        error = RecordError(
            "alerts of this file may be there more than once: the worker process that compared its records died",
            cause=how,
            cure=_ALONE,
            where=Where(file.name),
        )
        self.partial.append(error)
        self.revived += 1

    def died(self, task: Read, how: str) -> tuple[Read, ...]:
        """A worker died over a task: what is to be done again, each file by itself.

        A file that is alone in its task, or of which a part was told, is not read again: it may be what killed the worker,
        and its alerts would count twice.
        """
        left = [file for file in task.files if file.number in self.unread]
        lost = [file for file in left if file.number in self._open or len(task.files) == 1]
        for file in lost:
            del self.unread[file.number]
            events = self._open.pop(file.number, 0)
            read = f"read in part ({events:,} events)" if events else "not read"
            error = RecordError(
                f"the file was {read}: the worker process that read it died",
                cause=how,
                cure=_ALONE,
                where=Where(file.name),
            )
            (self.partial if events else self.refused).append(error)
            self.read += bool(events)
        self.revived += 1
        return tuple(Read((file,)) for file in left if file not in lost)


def _tally(rows: "array[int]") -> Tally:
    times = rows[1::WIDTH]
    last = max(times)
    if last == UNDATED:
        last = max((time for time in times if time != UNDATED), default=-1)
    return Tally(len(times), min(times), last)


def _error(end: FileEnd, name: str) -> RecordError:
    what = end.reason if end.kind == "refused" else f"read in part ({end.events:,} events): {end.reason}"
    return RecordError(what, cause=end.cause, cure=end.cure, where=Where(name))
