"""Which files to read: the paths the user names, folders walked in sorted order."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

_ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")


class FoundFile(msgspec.Struct, frozen=True):
    """A file to read."""

    path: Path
    size: int
    """Its bytes, when it was found."""


class LeftOut(msgspec.Struct, frozen=True):
    """A path that is not read.

    `ignored` is true for a file in a folder whose name does not end like a CloudTrail file: that is expected
    (licences, listings) and only counted. Otherwise it is something the user may have wanted, and is shown.
    """

    path: Path
    reason: str
    ignored: bool = False


def iter_files(paths: Sequence[Path]) -> Iterator[FoundFile | LeftOut]:
    """The files behind `paths`, in the order given, folders sorted by name at each level.

    A file named by the user is read whatever its name; in folders those with an ending of
    JSON or NDJSON are. Symbolic links in a
    folder are followed to files inside that folder only: an archive from elsewhere may hold a link to `/etc`.
    """
    for path in paths:
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield _stated(path)
        elif path.exists():
            yield LeftOut(path, "neither a file nor a folder")
        elif path.is_symlink():
            yield LeftOut(path, "a link to nothing")
        else:
            yield LeftOut(path, "does not exist")


def _walk(root: Path) -> Iterator[FoundFile | LeftOut]:
    inside = root.resolve()
    failures: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=failures.append):
        folders.sort()
        here = Path(folder)
        for name in folders:
            if (here / name).is_symlink() and not _within(here / name, inside):
                yield LeftOut(here / name, "a link out of the folder; it is not followed")
        for name in sorted(names):
            yield _judge(folder, name, inside)
        while failures:
            failure = failures.pop()
            yield LeftOut(Path(failure.filename or folder), f"cannot be listed: {failure.strerror}")
    while failures:
        failure = failures.pop()
        yield LeftOut(Path(failure.filename or root), f"cannot be listed: {failure.strerror}")


def _judge(folder: str, name: str, inside: Path) -> FoundFile | LeftOut:
    path = Path(folder, name)
    if not name.lower().endswith(_ENDINGS):
        return LeftOut(path, "not named like JSON", ignored=True)
    if path.is_symlink():
        if not path.exists():
            return LeftOut(path, "a link to nothing")
        if not _within(path, inside):
            return LeftOut(path, "a link out of the folder; it is not followed")
    return _stated(path)


def _stated(path: Path) -> FoundFile | LeftOut:
    try:
        known = path.stat()
    except OSError as error:  # gone since it was seen
        return LeftOut(path, f"cannot be found any more: {error.strerror}")
    return (
        FoundFile(path, known.st_size)
        if stat.S_ISREG(known.st_mode)
        else LeftOut(path, "neither a file nor a folder")
    )


def _within(link: Path, inside: Path) -> bool:
    return link.resolve().is_relative_to(inside)
