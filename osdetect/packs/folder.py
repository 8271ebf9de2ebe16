"""Rule files of a folder on this machine. No link is followed."""

import os
import stat
from pathlib import Path

from osdetect.errors import InputError
from osdetect.packs.limits import Gate, Snapshot


def read_folder(root: Path, gate: Gate) -> Snapshot:
    """What a folder holds.

    Raises:
        InputError: it is no folder, or too large.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder", cure="name a folder that holds rules")
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        folders = [path for path in _listed(root, inside, gate) if _is_folder(root, path, gate)]
        waiting += reversed(folders)
    return gate.snapshot("")


def _listed(root: Path, inside: str, gate: Gate) -> list[str]:
    try:
        names = sorted(os.listdir(root / inside))  # noqa: PTH208  # names alone, also those that are not UTF-8
    except OSError as error:
        gate.refuse(inside, "this folder cannot be read", str(error.strerror))
        return []
    return [f"{inside}/{name}" if inside else name for name in names if not name.startswith(".")]


def _is_folder(root: Path, path: str, gate: Gate) -> bool:
    """Whether a path is a folder to look into; a file is taken here."""
    gate.count()
    try:
        mode = os.lstat(root / path).st_mode
    except OSError as error:
        gate.refuse(path, "this cannot be read", str(error.strerror))
        return False
    if stat.S_ISLNK(mode):
        gate.refuse(path, "this is a link", "links are not followed", "copy what it leads to")
    elif not gate.passes(path):
        return False
    elif stat.S_ISDIR(mode):
        return True
    elif not stat.S_ISREG(mode):
        gate.refuse(path, "this is no plain file", "it is a device, a pipe or a socket")
    elif most := gate.wants(path):
        _take(root / path, path, most, gate)
    return False


def _take(file: Path, path: str, most: int, gate: Gate) -> None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        gate.refuse(path, "this cannot be read", str(error.strerror))
        return
    gate.take(path, data)
