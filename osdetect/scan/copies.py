"""The same record more than once in what was scanned: one alert, as `osdetect load` stores one event.

CloudTrail delivers at least once, trails overlap, and people copy files. Alerts with one key are looked at again: which
event their records are, and whether they say the same. The first in the order of files and records stands; those that
say the same as one before are copies. Others share an eventID only (test data, forged records): they stay, under
the id that `osdetect load` gives such a record.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from osdetect.scan.plan import Identified, file_of, place_of, record_of
from osdetect.scan.rows import WIDTH, Rows, repeated, split

Records = Mapping[int, Sequence[int]]
"""Record numbers by file number."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Which alerts are left out, and which go under another id."""

    files: frozenset[int] = frozenset()
    """Files with the same bytes as one before."""
    places: frozenset[int] = frozenset()
    """Records that say the same as one before."""
    renamed: Mapping[int, str] = field(default_factory=dict)
    """The event ids of records that share theirs with another one before."""

    def has(self, place: int) -> bool:
        """Whether what stands there is a copy."""
        return place in self.places or file_of(place) in self.files

    def __bool__(self) -> bool:
        return bool(self.files or self.places or self.renamed)


def suspects(rows: Rows, same_files: frozenset[int]) -> Records:
    """The records whose alerts have a key that others have too, files with the same bytes apart.

    Raises:
        OSError: a temporary file cannot be read.
    """
    found: defaultdict[int, set[int]] = defaultdict(set)
    for part in rows.partitions():
        keys = part[0::WIDTH]
        if len(set(keys)) == len(keys):
            continue
        again = repeated(key for key, _, place, _ in split(part) if file_of(place) not in same_files)
        for key, _, place, _ in split(part):
            if key in again and file_of(place) not in same_files:
                found[file_of(place)].add(record_of(place))
    return {file: sorted(records) for file, records in found.items()}


def settle(same_files: frozenset[int], identified: Iterable[tuple[int, Identified]]) -> Copies:
    """What the suspects turn out to be.

    Args:
        same_files: files with the same bytes as one before.
        identified: the answers, each with its file's number.
    """
    by_event: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for file, answer in identified:
        for record, event_id, digest in answer.records:
            by_event[event_id].append((place_of(file, record), digest))
    copies: set[int] = set()
    renamed: dict[int, str] = {}
    for event_id, records in by_event.items():
        seen: set[str] = set()
        for place, digest in sorted(records):
            if digest in seen:
                copies.add(place)
            elif seen:
                renamed[place] = f"{event_id}~{digest}"
            seen.add(digest)
    return Copies(same_files, frozenset(copies), renamed)


def left_out(rows: Rows, copies: Copies) -> Iterator[int]:
    """The rule of each alert that is left out."""
    if not (copies.files or copies.places):
        return
    for part in rows.partitions():
        for _, _, place, rule in split(part):
            if copies.has(place):
                yield rule
