"""The alerts of a scan, 32 bytes each: what order, counting and finding copies need, without their documents.

A row is four numbers: key (of rule and event id), time (microseconds since 1970), place (file and record), rule. Rows are
kept apart by key, so that copies of an alert stand together, and go to a temporary file when there are many.
"""

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

WIDTH = 4
PARTITIONS = 64
_IN_MEMORY = 1_000_000
"""Rows (32 MB) above which they go to the file."""


def empty_rows() -> tuple["array[int]", ...]:
    """Room for rows, by partition."""
    return tuple(array("Q") for _ in range(PARTITIONS))


class Rows:
    """All rows.

    Raises:
        OSError: from any method, when the temporary file cannot be written or read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rows"
        self._held = list(empty_rows())
        self._in_memory = 0
        self._file: int | None = None
        self._size = 0
        self._stored: list[list[tuple[int, int]]] = [[] for _ in range(PARTITIONS)]

    def add(self, rows: Sequence["array[int]"]) -> None:
        """Take rows in, by partition."""
        for held, more in zip(self._held, rows, strict=True):
            if more:
                held.extend(more)
                self._in_memory += len(more) // WIDTH
        if self._in_memory > _IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        for number, held in enumerate(self._held):
            data = memoryview(held).cast("B")
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
            self._stored[number].append((self._size, len(data)))
            self._size += len(data)
        self._held = list(empty_rows())
        self._in_memory = 0

    def partitions(self) -> Iterator["array[int]"]:
        """Each partition's rows, one behind the other: `WIDTH` numbers a row."""
        for number, held in enumerate(self._held):
            rows = array("Q")
            for offset, length in self._stored[number]:
                assert self._file is not None  # something is stored
                rows.frombytes(os.pread(self._file, length, offset))
            rows.extend(held)
            yield rows

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def split(rows: "array[int]") -> Iterator[tuple[int, int, int, int]]:
    """Key, time, place and rule of each row."""
    return zip(rows[0::WIDTH], rows[1::WIDTH], rows[2::WIDTH], rows[3::WIDTH], strict=True)


def repeated(keys: Iterable[int]) -> frozenset[int]:
    """The keys that are there more than once."""
    seen: set[int] = set()
    again: set[int] = set()
    for key in keys:
        (again if key in seen else seen).add(key)
    return frozenset(again)
