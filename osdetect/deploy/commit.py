"""Which commit a folder of rules is at, read from git's own files.

No git is started: a repository's settings may name programs for it to run, and whose rules they are may not be who deploys.
"""

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_REF = re.compile(r"refs/[\w./+@-]{1,400}", re.ASCII)
_LARGEST = 8 << 20


def commit_of(path: Path) -> str:
    """The commit that is checked out where the path is; empty when it is in no repository, or that cannot be read."""
    try:
        start = path.resolve()
        for folder in (start, *start.parents):
            found = folder / ".git"
            if found.exists():
                return _head(_git_folder(found))
    except (OSError, ValueError):  # no name for the release is better than no release
        return ""
    return ""


def _git_folder(found: Path) -> Path:
    """The folder itself; in a worktree a file says where it is."""
    if found.is_dir():
        return found
    said = _text(found).removeprefix("gitdir:").strip()
    return (found.parent / said).resolve()


def _head(git: Path) -> str:
    said = _text(git / "HEAD").strip()
    if _COMMIT.fullmatch(said):
        return said
    name = said.removeprefix("ref:").strip()
    if not _REF.fullmatch(name) or ".." in name:
        return ""
    places = [git]
    if (git / "commondir").exists():
        places.append((git / _text(git / "commondir").strip()).resolve())
    for place in places:
        if (place / name).is_file():
            commit = _text(place / name).strip()
            return commit if _COMMIT.fullmatch(commit) else ""
    for place in places:
        if (place / "packed-refs").is_file():
            for line in _text(place / "packed-refs").splitlines():
                commit, _, ref = line.partition(" ")
                if ref == name and _COMMIT.fullmatch(commit):
                    return commit
    return ""


def _text(file: Path) -> str:
    if file.stat().st_size > _LARGEST:
        raise ValueError("it is too large to be git's")
    return file.read_text("utf-8", errors="replace")
