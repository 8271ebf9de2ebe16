"""A file of rule text, read with limits: nobody knows where it comes from."""

import os
from pathlib import Path

from osdetect.errors import RuleError, Where
from osdetect.source import SourceText

MAX_BYTES = 1 << 20
"""A larger file is refused: the largest public rule file has 50 KiB."""


def read_text(file: Path) -> SourceText:
    """The file's text.

    Raises:
        RuleError: it cannot be read, is too large, or is not UTF-8.
    """
    where = Where(str(file))
    try:
        data = _read(file)
    except OSError as error:
        raise RuleError("this cannot be read", cause=str(error.strerror), where=where) from error
    if len(data) > MAX_BYTES:
        raise RuleError(f"this file is larger than {MAX_BYTES >> 20} MiB", where=where)
    return decoded(str(file), data)


def _read(file: Path) -> bytes:
    """The file's bytes, at most one more than are taken. A quarter of the time of a file object, for each of thousands."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        data = os.read(descriptor, min(size, MAX_BYTES) + 1)
        while len(data) not in {size, MAX_BYTES + 1}:  # it grows, shrinks, or has no size
            more = os.read(descriptor, MAX_BYTES + 1 - len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(descriptor)


def decoded(name: str, data: bytes) -> SourceText:
    """The text that the bytes of a file are.

    Raises:
        RuleError: they are not UTF-8.
    """
    try:
        return SourceText(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RuleError(
            "this is not UTF-8 text",
            cause=f"byte {error.start} is not",
            cure="save it as UTF-8",
            where=Where(name),
        ) from error
