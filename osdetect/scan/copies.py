"""The same record more than once in what was scanned: one alert, as `osdetect load` stores one event.

CloudTrail delivers at least once, trails overlap, and people copy files. Alerts with one key are looked at again: which
event their records are, and whether they say the same. The first in the order of files and records stands; those that
say the same as one before are copies. Others share an eventID only (test data, forged records): they stay, under
the id that `osdetect load` gives such a record.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from osdetect.scan.marks import Marks
from osdetect.scan.plan import IDENTITY_WIDTH, Identified, file_of, place_of, record_of
from osdetect.scan.rows import Rows, split

_TOGETHER = 50_000
"""Records that are compared at once."""


class Copies(msgspec.Struct, frozen=True):
    """Which alerts are left out, and which go under another id."""

    files: frozenset[int] = frozenset()
    """Files with the same bytes as one before."""
    records: Mapping[int, Marks] = msgspec.field(default_factory=dict)
    """By file, records that say the same as one before."""
    sharing: Mapping[int, Marks] = msgspec.field(default_factory=dict)
    """By file, records that say something else than one before, which has the same eventID."""
    names: Mapping[int, str] = msgspec.field(default_factory=dict)
    """By place, the event ids of those."""

    def has(self, place: int) -> bool:
        """Whether what stands there is a copy."""
        file = file_of(place)
        return file in self.files or (file in self.records and record_of(place) in self.records[file])


def suspects(rows: Rows, same_files: frozenset[int]) -> Mapping[int, Marks]:
    """By file, the records whose alerts have a key that others have too; not those of `same_files`.

    Raises:
        OSError: a temporary file cannot be read.
    """
    found: defaultdict[int, Marks] = defaultdict(Marks)
    for rule in rows.rules():
        for again in rows.repeated(rule):
            for part in rows.of(rule):
                for key, _, place in split(part):
                    if key in again and file_of(place) not in same_files:
                        found[file_of(place)].add(record_of(place))
    return found


def settle(same_files: frozenset[int], answers: Iterable[tuple[int, Identified]]) -> Copies:
    """What the suspects turn out to be.

    Args:
        same_files: files with the same bytes as one before.
        answers: what the workers say of the suspects, each with its file's number.
    """
    known = array("Q")
    for file, answer in answers:
        for event, high, low, record in _fours(answer.records):
            known.extend((event, high, low, place_of(file, record)))
    copies: defaultdict[int, Marks] = defaultdict(Marks)
    sharing: defaultdict[int, Marks] = defaultdict(Marks)
    shares = len(known) // IDENTITY_WIDTH // _TOGETHER + 1
    for share in range(shares):
        by_event: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for event, high, low, place in _fours(known):
            if event % shares == share:
                by_event[event].append((place, high, low))
        for records in by_event.values():
            seen: set[tuple[int, int]] = set()
            for place, high, low in sorted(records):
                if (high, low) in seen:
                    copies[file_of(place)].add(record_of(place))
                elif seen:
                    sharing[file_of(place)].add(record_of(place))
                seen.add((high, low))
    return Copies(same_files, copies, sharing)


def _fours(numbers: "array[int]") -> Iterable[tuple[int, int, int, int]]:
    return zip(numbers[0::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True)


def left_out(rows: Rows, copies: Copies) -> Counter[int]:
    """How many alerts of each rule are left out."""
    lost: Counter[int] = Counter()
    if copies.files or copies.records:
        for rule in rows.rules():
            lost[rule] = sum(copies.has(place) for part in rows.of(rule) for _, _, place in split(part))
    return lost
