"""What the scanning process and its workers say to each other. Plain data: it goes through pipes."""

from array import array
from datetime import datetime

import msgspec
import orjson

from osdetect.cloudtrail import Limits
from osdetect.scan.marks import Marks
from osdetect.scan.rows import RowsByRule

PLACE_BITS = 32
IDENTITY_WIDTH = 4
"""Numbers that `Identified` has for each record."""
UNDATED = 1 << 63
"""Stands for the time of an event without a usable one: such come last."""


class ScanRule(msgspec.Struct, frozen=True, gc=False):
    """A rule to judge by."""

    id: str
    title: str
    level: str
    document: bytes
    """Its percolator document as JSON, as `osdetect deploy` stores it: words and tree are taken from it."""

    @staticmethod
    def of(rule_id: str, document: bytes) -> "ScanRule":
        """The rule of a percolator document."""
        words = orjson.loads(document)["rule"]
        return ScanRule(rule_id, str(words["name"]), str(words["level"]), document)


class Setup(msgspec.Struct, frozen=True, gc=False):
    """What a worker has to know before its first task."""

    rules: tuple[ScanRule, ...]
    limits: Limits
    run_id: str
    now: datetime
    since: int
    """Microseconds since 1970 in UTC; events before are left out."""
    until: int
    """Events at this time or later are left out."""
    documents: bool
    """Whether each alert's document is made, and left in `folder`."""
    folder: str


class SourceFile(msgspec.Struct, frozen=True, gc=False):
    """A file to read."""

    number: int
    """Its place in the order of the files, from 0."""
    path: str
    name: str
    """What it is called in results: the path, or what was given instead of one."""
    size: int


class Read(msgspec.Struct, frozen=True, gc=False):
    """A task: read these files and judge what is in them. The answers are `Part`s."""

    files: tuple[SourceFile, ...]


class Identify(msgspec.Struct, frozen=True, gc=False):
    """A task: say which events these records of a file are. The answer is `Identified`."""

    file: SourceFile
    records: Marks


class Name(msgspec.Struct, frozen=True, gc=False):
    """A task: give the ids of these records' events as if their own were taken. The answer is `Named`."""

    file: SourceFile
    records: Marks


class Describe(msgspec.Struct, frozen=True, gc=False):
    """A task: make the alerts of these pairs of record and rule of a file. The answer is `Described`."""

    file: SourceFile
    wanted: tuple[tuple[int, int], ...]


Task = Read | Identify | Name | Describe


class BadNote(msgspec.Struct, frozen=True, gc=False):
    """A record that could not be read."""

    record: int
    reason: str


class FileEnd(msgspec.Struct, frozen=True, gc=False):
    """What became of a file, told when it is read as far as it goes."""

    number: int
    events: int
    digest: bytes
    """SHA-256 of its bytes."""
    kind: str = "read"
    """`read`, `digest` (a CloudTrail digest file) or `refused`."""
    reason: str = ""
    """Why it is refused, or read in part only."""
    cause: str = ""
    cure: str = ""
    bad: int = 0
    """Records that could not be read."""
    notes: tuple[BadNote, ...] = ()
    """The first of them."""


class Tally(msgspec.Struct, frozen=True, gc=False):
    """The alerts of one rule."""

    count: int
    first: int
    """Microseconds since 1970 of the first event; `UNDATED` if none has a time."""
    last: int
    """The same of the last; -1 if none has a time."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.count + other.count, min(self.first, other.first), max(self.last, other.last))


class SortedRun(msgspec.Struct, frozen=True, gc=False):
    """Alert documents, in order, in a part of a temporary file."""

    path: str
    offset: int
    length: int


class Part(msgspec.Struct, frozen=True, gc=False):
    """What was found since the last part of the same task."""

    ended: tuple[FileEnd, ...]
    open_file: int
    """The number of the file that is not read to its end, or -1."""
    open_events: int
    """Events of that file that were judged, in all parts so far."""
    rows: RowsByRule
    """The alerts."""
    events: int
    stored_bytes: int
    undated: int
    """Alerts of events without a usable time, while `since` or `until` were set: they are kept."""
    run: SortedRun | None


class Identified(msgspec.Struct, frozen=True, gc=False):
    """For each record four numbers: hash of its event's id, digest of its content (two), its number."""

    records: "array[int]"


class Named(msgspec.Struct, frozen=True, gc=False):
    """For each record the id that `osdetect load` gives its event when the plain one is another record's."""

    records: tuple[tuple[int, str], ...]


class Described(msgspec.Struct, frozen=True, gc=False):
    """The alerts: record, rule, document as JSON."""

    alerts: tuple[tuple[int, int, bytes], ...]


class Done(msgspec.Struct, frozen=True, gc=False):
    """The task is done, or was given up because the scan was stopped."""


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """The worker cannot go on at all: there is no room for temporary files."""

    what: str
    cause: str
    cure: str


def place_of(file: int, record: int) -> int:
    """A record's place in the order of all records, as one number."""
    return (file << PLACE_BITS) | record


def file_of(place: int) -> int:
    """The file's number in a place."""
    return place >> PLACE_BITS


def record_of(place: int) -> int:
    """The record's number in a place."""
    return place & ((1 << PLACE_BITS) - 1)
