"""Which files a scan reads, in which order, and in which tasks."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from osdetect.cloudtrail import FoundFile, LeftOut, iter_files
from osdetect.errors import InputError, RecordError, Where
from osdetect.scan.plan import Read, SourceFile

STANDARD_INPUT = "-"
_MOST_BYTES = 4 << 20
"""Bytes of files in a task, stored: some 100 ms of work, beside which telling of it is little."""
_FEWEST_BYTES = 1 << 18
_SHARES = 4
"""A task is no more than such a part of a worker's share of what is left: in the end they are small, so that none waits long."""
_TASK_FILES = 500
_LARGE = 8 << 20
"""Files from this size on are begun first, so that none is left for one worker alone in the end."""
_COPY = 1 << 20


class ScanFiles(msgspec.Struct, frozen=True):
    """What is behind the paths."""

    files: tuple[SourceFile, ...]
    refused: tuple[RecordError, ...]
    ignored: int
    """Files in folders whose name says that they are something else."""

    @property
    def size(self) -> int:
        """Bytes of all files, stored."""
        return sum(file.size for file in self.files)


def find_files(paths: Sequence[Path], folder: Path, standard_input: BinaryIO) -> ScanFiles:
    """The files to read.

    Args:
        paths: files, folders to walk, and `-` for standard input.
        folder: where standard input is kept while it is scanned; it must be read as a file can be, more than once.
        standard_input: read if it is among the paths.

    Raises:
        InputError: there is nothing to read, or no room for standard input.
    """
    files: list[SourceFile] = []
    refused: list[RecordError] = []
    ignored = 0
    for path in paths:
        if str(path) == STANDARD_INPUT:
            kept = _kept(standard_input, folder)
            files.append(SourceFile(len(files), str(kept), "standard input", kept.stat().st_size))
            continue
        for item in iter_files([path]):
            if isinstance(item, FoundFile):
                path_text = str(item.path)
                files.append(SourceFile(len(files), path_text, path_text, item.size))
            elif item.ignored:
                ignored += 1
            else:
                refused.append(_left_out(item))
    if not files:
        also = [f"{ignored} files are not named like JSON"] if ignored else []
        raise InputError(
            f"no CloudTrail files found in {', '.join(map(str, paths)) or 'no path at all'}",
            cause="; ".join([*(str(error) for error in refused[:5]), *also]),
            cure="name a folder or files of CloudTrail records, or - for standard input",
        )
    return ScanFiles(tuple(files), tuple(refused), ignored)


def _left_out(item: LeftOut) -> RecordError:
    cure = "read it from standard input: osdetect scan - < FILE" if "neither a file" in item.reason else ""
    return RecordError(item.reason, cure=cure, where=Where(str(item.path)))


def _kept(standard_input: BinaryIO, folder: Path) -> Path:
    made, name = tempfile.mkstemp(prefix="input-", dir=folder)
    try:
        with os.fdopen(made, "wb") as file:
            while data := standard_input.read(_COPY):
                file.write(data)
    except OSError as error:
        raise InputError(
            "standard input cannot be kept while it is scanned",
            cause=f"{folder}: {error.strerror or error}",
            cure="make room there, set TMPDIR to a folder that has some, or name the file itself",
        ) from None
    return Path(name)


def tasks(files: Iterable[SourceFile], workers: int) -> Iterator[Read]:
    """The files in tasks for so many workers: large ones first and alone, small ones together."""
    small: list[SourceFile] = []
    for file in files:
        if file.size >= _LARGE:
            yield Read((file,))
        else:
            small.append(file)
    batch: list[SourceFile] = []
    size, left = 0, sum(file.size for file in small)
    for file in small:
        most = min(_MOST_BYTES, max(_FEWEST_BYTES, left // (_SHARES * workers)))
        if batch and (size + file.size > most or len(batch) == _TASK_FILES):
            yield Read(tuple(batch))
            left -= size
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield Read(tuple(batch))
