"""What a user names as a source: what kind it is, and what of it may be asked for."""

import re
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec

from osdetect.errors import InputError, UsageError
from osdetect.source import printable

ARCHIVES = (".zip", ".tar.gz", ".tgz")
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_SCP = re.compile(rf"(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?{_HOST}:(?![/:])[^\s:]+")
_SSH = re.compile(rf"ssh://(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?{_HOST}(?::[0-9]{{1,5}})?/\S+")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,199}")
_SECRET = re.compile(r"token|secret|passw|signature|credential|api[-_]?key|^sig$|^key$")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Kind(StrEnum):
    """How a source is read."""

    GIT = "git"
    FOLDER = "folder"
    ARCHIVE = "archive"


class Source(msgspec.Struct, frozen=True):
    """Where a pack comes from."""

    kind: Kind
    location: str
    """As the user named it."""
    ref: str = ""
    """Of git: a branch, tag or commit; empty for the repository's own choice."""
    folder: str = ""
    """The part of the source that is taken; empty for all of it."""

    @property
    def remote(self) -> bool:
        """Whether it is asked for over a network."""
        return _is_remote(self.location)


def source_of(location: str, *, kind: Kind | None = None, ref: str = "", folder: str = "") -> Source:
    """The source that a user names.

    Args:
        location: a URL or a path.
        kind: what it is; None: as it looks.
        ref: of git, what to take.
        folder: the part of it to take.

    Raises:
        UsageError: it cannot be asked for safely.
        InputError: there is no such path.
    """
    _require_safe(location)
    found = kind or _kind(location)
    if found is Kind.FOLDER and _is_remote(location):
        raise UsageError("a folder is on this machine", cause=f"this is a URL: {printable(location)}")
    if found is not Kind.GIT and ref:
        raise UsageError(
            "--ref is for git repositories", cause=f"this is read as a source of the kind {found}"
        )
    if ref and (not _REF.fullmatch(ref) or ".." in ref or "@{" in ref):
        raise UsageError(f"--ref {printable(ref)!r} is no branch, tag or commit")
    inside = folder.strip("/")
    if inside and any(part in {"", ".", ".."} for part in inside.split("/")):
        raise UsageError(f"--folder {printable(folder)!r} is no folder inside the source")
    return Source(found, location, ref, inside)


def name_of(location: str) -> str:
    """The name that a pack has if the user gives it none.

    >>> name_of("https://example.org/SigmaHQ/sigma.git"), name_of("rules-2.1.tar.gz"), name_of("git@example.org:a/b")
    ('sigma', 'rules-2-1', 'b')
    """
    last = re.split(r"[/:]", location.rstrip("/"))[-1].lower()
    for suffix in (".git", *ARCHIVES):
        last = last.removesuffix(suffix)
    return check_name(re.sub(r"[^a-z0-9_-]+", "-", last).strip("-_"))


def check_name(name: str) -> str:
    """The name, if a pack can have it.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{printable(name)!r} cannot be the name of a pack",
            cause="it becomes a folder's: small letters, digits, - and _, and a letter or digit first",
            cure="give another: --name NAME",
        )
    return name


def _is_remote(location: str) -> bool:
    return "://" in location or bool(_SCP.fullmatch(location) and not Path(location).exists())


def _require_safe(location: str) -> None:
    shown = printable(location.split("?", maxsplit=1)[0])
    if not location or location.startswith("-") or not location.isprintable():
        raise UsageError(f"{shown!r} is no source", cure="name a git repository, a folder or an archive")
    if "::" in location:
        raise UsageError(
            f"{shown!r} names a program of git's as its transport",
            cause="what follows the two colons would be run",
            cure="name the repository by https, by ssh, or as a path",
        )
    if "://" not in location:
        return
    parts = urlsplit(location)
    if parts.scheme not in {"https", "ssh", "file"}:
        raise UsageError(
            f"sources are not asked for by {printable(parts.scheme)}",
            cause="whoever is on the way could change the rules",
            cure="use https or ssh, or a path on this machine",
        )
    if parts.password or (parts.scheme == "https" and parts.username):
        raise UsageError(
            "this URL carries a secret",
            cause="it would stand in the lock file and in the list of processes",
            cure="put it into ~/.netrc, or use ssh with a key",
        )
    secret = next((name for name, _ in parse_qsl(parts.query) if _SECRET.search(name.lower())), None)
    if secret is not None:
        raise UsageError(
            f"this URL carries a secret in {printable(secret, 40)!r}",
            cause="it would stand in the lock file",
            cure="fetch the archive by other means, and name the file",
        )
    if parts.scheme == "ssh" and not _SSH.fullmatch(location):
        raise UsageError(f"{shown!r} is no address that ssh is given")
    if parts.scheme == "https" and not re.fullmatch(_HOST + r"(:[0-9]{1,5})?", parts.netloc):
        raise UsageError(f"{shown!r} has no host that can be asked")


def _kind(location: str) -> Kind:
    path = urlsplit(location).path if "://" in location else location
    if path.lower().endswith(ARCHIVES) and not Path(location).is_dir():
        return Kind.ARCHIVE
    if _is_remote(location):
        return Kind.GIT
    here = Path(location)
    if here.is_dir():
        bare = (here / "HEAD").is_file() and (here / "objects").is_dir() and (here / "refs").is_dir()
        return Kind.GIT if bare or (here / ".git").exists() else Kind.FOLDER
    if not here.exists():
        raise InputError(
            f"{printable(location)} does not exist", cure="name a git repository, a folder or an archive"
        )
    raise InputError(
        f"{printable(location)} is no source of rules",
        cause=f"a file is read if its name ends in {', '.join(ARCHIVES)}",
        cure="name a git repository, a folder or an archive",
    )
