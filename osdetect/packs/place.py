"""Where packs live in the user's repository, and how one takes the place of another.

    packs/NAME/              the rules, as deploy, check, catalog and test read them
    overlays/NAME/           what the user says about some of them; only read
    osdetect.packs.lock      what each pack is

A new pack is written beside the old one, and both change places at once; then the lock file is written. A journal says what was
under way, so that whoever comes after one that was killed in between can bring lock file and folder together.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import orjson

from osdetect.errors import InputError, OutputError, UsageError
from osdetect.packs.lock import Pack, lock_bytes, pack_from, read_lock
from osdetect.packs.manifest import MANIFEST
from osdetect.packs.source import check_name
from osdetect.packs.swap import exchange

FOLDER = "packs"
OVERLAYS = "overlays"
LOCK_FILE = "osdetect.packs.lock"
_JOURNAL = ".journal.json"
_NEW = ".new-"


class Place:
    """The packs of one repository of the user's, held by one process at a time (`held`)."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self.lock_file = root / LOCK_FILE
        self._overlays = root / OVERLAYS
        self.packs: dict[str, Pack] = {}

    def of(self, name: str) -> Path:
        """The folder of a pack."""
        return self.folder / name

    def overlays(self, name: str) -> Path:
        """The folder of its overlays."""
        return self._overlays / name

    def install(self, pack: Pack, files: Mapping[str, bytes]) -> None:
        """Put a pack's files in the place of those that are there, and the pack into the lock file.

        Raises:
            OutputError: it cannot be written; what was there stays.
        """
        new = self.folder / f"{_NEW}{pack.name}"
        with _writing(new):
            _delete(new)
            for path, data in files.items():
                file = new / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            self._journal(pack.name, pack)
            self._swap(new, self.of(pack.name))
            self._settle({**self.packs, pack.name: pack})

    def note(self, pack: Pack) -> None:
        """Change what the lock file says of a pack whose files stay as they are.

        Raises:
            OutputError: it cannot be written.
        """
        with _writing(self.lock_file):
            self._settle({**self.packs, pack.name: pack})

    def remove(self, name: str) -> None:
        """Take a pack away.

        Raises:
            OutputError: it cannot be; it stays.
        """
        with _writing(self.of(name)):
            gone = self.folder / f"{_NEW}{name}"
            _delete(gone)
            self._journal(name, None)
            if self.of(name).exists():
                self.of(name).rename(gone)
            self._settle({one: pack for one, pack in self.packs.items() if one != name})

    def recover(self) -> None:
        """Bring lock file and folders together after a process that was killed; without one there is nothing to do."""
        self.packs = dict(read_lock(self.lock_file))
        journal = self.folder / _JOURNAL
        if journal.exists():
            with _writing(self.folder):
                name, pack = _journaled(journal)
                self._settle(self._brought_together(name, pack))
        else:
            with _writing(self.folder):
                self._sweep()

    def _brought_together(self, name: str, pack: Pack | None) -> dict[str, Pack]:
        others = {one: held for one, held in self.packs.items() if one != name}
        if pack is None:
            return others if not self.of(name).exists() else self.packs
        new = self.folder / f"{_NEW}{name}"
        if not self.of(name).exists() and _content(new) == pack.content:
            new.rename(self.of(name))
        return {**others, name: pack} if _content(self.of(name)) == pack.content else self.packs

    def _swap(self, new: Path, old: Path) -> None:
        """The moment. A file system that cannot exchange folders has one in which neither is there; `recover` ends it."""
        if not old.exists():
            new.rename(old)
        elif not exchange(new, old):
            aside = self.folder / f"{_NEW}{old.name}-old"
            _delete(aside)
            old.rename(aside)
            new.rename(old)

    def _journal(self, name: str, pack: Pack | None) -> None:
        _replace(self.folder / _JOURNAL, orjson.dumps({"name": name, "pack": pack and pack.to_json()}))

    def _settle(self, packs: dict[str, Pack]) -> None:
        _replace(self.lock_file, lock_bytes(packs))
        self.packs = packs
        (self.folder / _JOURNAL).unlink(missing_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        for left in self.folder.glob(f"{_NEW}*"):
            _delete(left)
        for file in (self.folder / _JOURNAL, self.lock_file):
            _beside(file).unlink(missing_ok=True)


@contextmanager
def held(root: Path, *, make: bool = False) -> Iterator[Place]:
    """The packs of a repository, for this process alone; what one that was killed left is put right first.

    Args:
        root: the top of the repository.
        make: whether the folder of packs is made where there is none yet, nor a lock file.

    Raises:
        InputError: there is no such repository, another process works on its packs, or the lock file is damaged.
        OutputError: the folder cannot be made.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder", cure="give the top of your repository with --root")
    place = Place(root)
    if not make and not place.folder.exists() and not place.lock_file.exists():
        yield place  # nothing was ever added: nothing to hold, and nothing is made by asking
        return
    with _writing(place.folder):
        place.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                "another osdetect works on these packs", cause=str(place.folder), cure="wait until it is done"
            ) from error
        place.recover()
        yield place
    finally:
        os.close(descriptor)


def _journaled(journal: Path) -> tuple[str, Pack | None]:
    """What was under way. The journal is written as a whole or not at all.

    Raises:
        InputError: somebody else wrote to it.
    """
    try:
        read = orjson.loads(journal.read_bytes())
        name = check_name(read["name"])
        return name, pack_from(name, read["pack"]) if read["pack"] else None
    except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
        raise InputError(
            "the journal of the packs is damaged",
            cause=str(journal),
            cure="delete it; then: osdetect packs list",
        ) from error


def _content(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return ""


def _beside(file: Path) -> Path:
    """Where a file is written before it gets its name."""
    return file.with_name(f"{file.name}.new")


def _replace(file: Path, data: bytes) -> None:
    beside = _beside(file)
    with beside.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)


def _delete(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _writing(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise OutputError(
            f"{where} cannot be written",
            cause=str(error.strerror or error),
            cure="make room" if full else "see who may write there",
        ) from error
