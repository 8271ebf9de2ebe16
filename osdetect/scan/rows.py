"""The alerts of a scan, 24 bytes each: what order, counting and finding copies need, without their documents.

A row is three numbers: key (of rule and event id), time (microseconds since 1970), place (file and record). Rows are kept
apart by rule, and go to a temporary file when there are many.
"""

import os
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from osdetect.expr.engine.native import has_twins

WIDTH = 3
_IN_MEMORY = 1_000_000
"""Rows (24 MB) above which they go to the file."""
_TOGETHER = 100_000
"""Keys that are compared at once: a set of them takes some 10 MB."""

RowsByRule = Mapping[int, "array[int]"]
"""By the number of the rule its rows, one behind the other: `WIDTH` numbers each."""


class Rows:
    """All rows.

    Raises:
        OSError: from any method, when the temporary file cannot be written or read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rows"
        self._held: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
        self._in_memory = 0
        self._stored: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)

    def add(self, rows: RowsByRule) -> None:
        """Take rows in."""
        for rule, more in rows.items():
            self._held[rule].extend(more)
            self._in_memory += len(more) // WIDTH
        if self._in_memory > _IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            for rule, held in tuple(self._held.items()):
                left = memoryview(held).cast("B")
                offset = file.tell()
                while left:
                    left = left[file.write(left) or 0 :]
                self._stored[rule].append((offset, len(held) * held.itemsize))
                # What could not be written is still held.
                del self._held[rule]
        self._in_memory = 0

    def rules(self) -> Sequence[int]:
        """The rules that have rows."""
        return sorted({*self._held, *self._stored})

    def of(self, rule: int) -> Iterator["array[int]"]:
        """A rule's rows, in a few arrays."""
        stored = self._stored.get(rule)
        if stored:
            with self._path.open("rb") as file:
                for offset, length in stored:
                    file.seek(offset)
                    rows = array("Q")
                    rows.frombytes(os.pread(file.fileno(), length, offset))
                    yield rows
        if rule in self._held:
            yield self._held[rule]

    def repeated(self, rule: int) -> Iterator[frozenset[int]]:
        """The keys that are there more than once; a share of them at a time, so that memory is bounded."""
        count = sum(len(rows) // WIDTH for rows in self.of(rule))
        shares = count // _TOGETHER + 1
        for share in range(shares):
            mine = array("Q")
            for rows in self.of(rule):
                keys = rows[0::WIDTH]
                mine.extend(
                    keys if shares == 1 else array("Q", [key for key in keys if key % shares == share])
                )
            if has_twins(mine):
                yield _twice(mine)


def split(rows: "array[int]") -> Iterator[tuple[int, int, int]]:
    """Key, time and place of each row."""
    return zip(rows[0::WIDTH], rows[1::WIDTH], rows[2::WIDTH], strict=True)


def _twice(keys: Sequence[int]) -> frozenset[int]:
    seen: set[int] = set()
    again: set[int] = set()
    for key in keys:
        (again if key in seen else seen).add(key)
    return frozenset(again)
