"""Alert documents on their way through temporary files: written in sorted runs, read back as one.

An entry is: time, place, rule and length as numbers of 64 bits, then the document. Reading needs no room on the disk, so that
what was written before a disk was full can be shown.
"""

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from pathlib import Path

from osdetect.scan.plan import SortedRun

_HEAD = struct.Struct("<QQQQ")
_MEMORY = 16 << 20
"""Bytes for the blocks of all runs together,"""
_BLOCKS = (1 << 12, 1 << 16)
"""of which none is smaller or larger than these."""

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


def merged(runs: Sequence[SortedRun]) -> Iterator[Entry]:
    """The entries of all runs in order.

    Raises:
        OSError: a temporary file cannot be read.
    """
    block = min(max(_MEMORY // max(len(runs), 1), _BLOCKS[0]), _BLOCKS[1])
    with ExitStack() as opened:
        files: dict[str, int] = {}  # each is opened once: a worker's runs are in one
        for path in dict.fromkeys(run.path for run in runs):
            files[path] = opened.enter_context(Path(path).open("rb", buffering=0)).fileno()
        yield from merge(*(_entries(run, files[run.path], block) for run in runs))


def _entries(run: SortedRun, file: int, size: int) -> Iterator[Entry]:
    offset, left, block, at = run.offset, run.length, b"", 0
    while left or at < len(block):
        while len(block) - at < _HEAD.size or len(block) - at < _HEAD.size + _HEAD.unpack_from(block, at)[3]:
            more = os.pread(file, min(size, left), offset)
            if not more:
                raise OSError(f"{run.path} is cut short")
            left -= len(more)
            offset += len(more)
            block, at = block[at:] + more, 0
        time, place, rule, length = _HEAD.unpack_from(block, at)
        start = at + _HEAD.size
        at = start + length
        yield time, place, rule, block[start:at]
