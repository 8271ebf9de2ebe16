"""What git knows of rule files: who changed them, when and why."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import msgspec

from osdetect.errors import InputError, OsdetectError, Where

SHOWN = 10
"""Commits of a file that are listed."""
_TIMEOUT_S = 120
_COMMAND = (
    "git", "--no-pager", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false",
    "-c", "log.showSignature=false", "-c", "protocol.allow=never",
)  # fmt: skip
"""Nothing that a repository's own settings name is run: rules come from anywhere."""
_FORMAT = "--format=%x01%h%x00%as%x00%an%x00%s"


class Commit(msgspec.Struct, frozen=True):
    """One change of a file."""

    id: str
    date: str
    author: str
    subject: str


class History(msgspec.Struct, frozen=True):
    """The changes of a file, the newest first."""

    commits: tuple[Commit, ...]
    more: int


NO_HISTORY = History((), 0)


class Histories:
    """The histories of some files: git is asked once for each repository that they are in."""

    def __init__(self, files: Iterable[Path]) -> None:
        roots: dict[Path, set[Path]] = {}
        for file in files:
            folder = file.absolute().parent
            root = _root(folder)
            if root is not None:
                roots.setdefault(root, set()).add(folder)
        found: dict[Path, History] = {}
        notes: list[OsdetectError] = []
        for root in roots:
            try:
                found.update(_histories(root))
            except InputError as unknown:
                notes.append(unknown)
        self._of: Mapping[Path, History] = MappingProxyType(found)
        self.notes = tuple(notes)
        """Why nothing is known of some; pages then say that git knows no history."""

    def of(self, file: Path) -> History:
        """A file's history; an empty one if git knows nothing of it."""
        return self._of.get(file.absolute(), NO_HISTORY)


@cache
def _root(folder: Path) -> Path | None:
    """The repository that a folder is in; looked for without starting git."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)


def _histories(root: Path) -> dict[Path, History]:
    environment = {
        **os.environ,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }
    command = [
        *_COMMAND,
        "log",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--name-only",
        "-z",
        _FORMAT,
    ]
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command, no shell
            [*command, "--", ":(glob)**/*.yml", ":(glob)**/*.yaml"],
            cwd=root,
            env=environment,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise _unknown(root, f"git cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise _unknown(root, f"git took more than {_TIMEOUT_S} seconds") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise _unknown(root, f"git says: {said[:300]}")
    return _parsed(root, done.stdout.decode(errors="replace"))


def _unknown(root: Path, cause: str) -> InputError:
    return InputError(
        "the history of these rules is not known",
        cause=cause,
        cure="--no-history asks for none",
        where=Where(str(root)),
    )


def _parsed(root: Path, text: str) -> dict[Path, History]:
    """A commit is its four words, then the files that it changed."""
    found: dict[Path, list[Commit]] = {}
    for chunk in text.split("\x01")[1:]:
        identity, day, author, rest = chunk.split("\x00", 3)
        subject, _, files = rest.partition("\x00")
        commit = Commit(identity, day, author, subject.strip())
        for name in files.split("\x00"):
            if name.strip():
                found.setdefault(root / name.strip("\n"), []).append(commit)
    return {
        file: History(tuple(commits[:SHOWN]), max(0, len(commits) - SHOWN)) for file, commits in found.items()
    }
