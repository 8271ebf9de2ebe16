"""Alert documents on their way through temporary files: written in sorted runs, read back as one.

An entry is: time, place, rule and length as numbers of 64 bits, then the document.
"""

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path

from osdetect.scan.plan import SortedRun

_HEAD = struct.Struct("<QQQQ")
_BLOCK = 1 << 16
_FAN_IN = 200
"""Runs that are merged at once: each needs a block of memory."""

Entry = tuple[int, int, int, bytes]
"""Time, place, rule, document: sorted by that, in which no two have the same place and rule."""


class RunWriter:
    """Writes runs into a file of its own."""

    def __init__(self, folder: Path) -> None:
        made, self._path = tempfile.mkstemp(prefix="alerts-", dir=folder)
        self._file = os.fdopen(made, "wb")
        self._size = 0

    def write(self, entries: Iterable[Entry]) -> SortedRun:
        """Write entries, which are sorted.

        Raises:
            OSError: there is no room.
        """
        offset = self._size
        for time, place, rule, document in entries:
            self._file.write(_HEAD.pack(time, place, rule, len(document)))
            self._file.write(document)
            self._size += _HEAD.size + len(document)
        self._file.flush()
        return SortedRun(self._path, offset, self._size - offset)

    def close(self) -> None:
        """End the file; what was written stays readable."""
        self._file.close()


def merged(runs: Sequence[SortedRun], folder: Path) -> Iterator[Entry]:
    """The entries of all runs in order.

    Raises:
        OSError: a temporary file cannot be written or read.
    """
    level = list(runs)
    while len(level) > _FAN_IN:
        writer = RunWriter(folder)
        level = [
            writer.write(merge(*map(_entries, level[start : start + _FAN_IN])))
            for start in range(0, len(level), _FAN_IN)
        ]
        writer.close()
    return merge(*map(_entries, level))


def _entries(run: SortedRun) -> Iterator[Entry]:
    with open(run.path, "rb", buffering=0) as file:  # noqa: PTH123  # Path.open has the same effect and costs more
        file.seek(run.offset)
        left, block, at = run.length, b"", 0
        while left or at < len(block):
            while (
                len(block) - at < _HEAD.size or len(block) - at < _HEAD.size + _HEAD.unpack_from(block, at)[3]
            ):
                more = file.read(min(_BLOCK, left))
                if not more:
                    raise OSError(f"{run.path} is cut short")
                left -= len(more)
                block, at = block[at:] + more, 0
            time, place, rule, length = _HEAD.unpack_from(block, at)
            start = at + _HEAD.size
            at = start + length
            yield time, place, rule, block[start:at]
