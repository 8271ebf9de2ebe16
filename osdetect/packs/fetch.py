"""A snapshot of any source."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from msgspec.structs import replace

from osdetect.errors import InputError
from osdetect.packs.archive import read_archive
from osdetect.packs.download import downloaded
from osdetect.packs.folder import read_folder
from osdetect.packs.git import is_at, read_git
from osdetect.packs.limits import Entry, Gate, Snapshot
from osdetect.packs.source import Kind, Source

Tell = Callable[[int, int], None]


def fetch(source: Source, root: Path, on_progress: Tell) -> Snapshot:
    """What a source holds now.

    Args:
        source: where.
        root: what a relative path is relative to.
        on_progress: told the bytes of a download.

    Raises:
        InputError: it cannot be read, is too large, or holds no rule file.
        UsageError: there is no git.
    """
    gate = Gate(source.location)
    snapshot = _inside(_read(source, root, gate, on_progress), source)
    if not snapshot.rules:
        refused = snapshot.refused
        raise InputError(
            "there is no rule file in this source",
            cause=f"{len(refused)} files are refused, the first: {refused[0]}" if refused else "",
            cure="name a source whose .yml or .yaml files are Sigma rules",
        )
    return snapshot


def unchanged(source: Source, root: Path, revision: str) -> bool:
    """Whether a git source is at this commit still: then all of it need not be fetched to say so.

    Raises:
        InputError: it cannot be asked.
    """
    return source.kind is Kind.GIT and is_at(_placed(source, root), revision, Gate(source.location))


def _placed(source: Source, root: Path) -> Source:
    """The source with the whole path of what is on this machine."""
    if source.remote:
        return source
    return replace(source, location=str((root / source.location).absolute()))


def _read(source: Source, root: Path, gate: Gate, on_progress: Tell) -> Snapshot:
    path = root / _local(source.location)
    if source.kind is Kind.GIT:
        return read_git(_placed(source, root), gate)
    if source.kind is Kind.FOLDER:
        return read_folder(path, gate)
    if not source.location.startswith("https:"):
        return _without_top(read_archive(path, gate))
    with downloaded(source.location, gate, on_progress) as file:
        return _without_top(read_archive(file, gate))


def _local(location: str) -> str:
    return url2pathname(urlsplit(location).path) if location.startswith("file:") else location


def _without_top(snapshot: Snapshot) -> Snapshot:
    """Archives of a release hold one folder, named after the release: it is left away."""
    every = (*snapshot.rules, *snapshot.licences)
    tops = {one.path.partition("/")[0] for one in every}
    if len(tops) != 1 or any("/" not in one.path for one in every):
        return snapshot
    return _below(snapshot, f"{tops.pop()}/")


def _inside(snapshot: Snapshot, source: Source) -> Snapshot:
    """The part that is asked for. Licences above it are kept."""
    if not source.folder:
        return snapshot
    part = _below(snapshot, f"{source.folder}/")
    above = {source.folder[: at + 1] for at, letter in enumerate(source.folder) if letter == "/"} | {""}
    kept = (
        one for one in snapshot.licences if one.path.rpartition("/")[0] in {one.rstrip("/") for one in above}
    )
    named = {one.path for one in part.licences}
    more = tuple(Entry(name, one.data) for one in kept if (name := one.path.rpartition("/")[2]) not in named)
    refused = tuple(
        one for one in snapshot.refused if one.where and one.where.file.startswith(f"{source.folder}/")
    )
    return replace(part, licences=(*part.licences, *more), refused=refused)


def _below(snapshot: Snapshot, top: str) -> Snapshot:
    rules, licences = (
        tuple(Entry(one.path.removeprefix(top), one.data) for one in some if one.path.startswith(top))
        for some in (snapshot.rules, snapshot.licences)
    )
    return replace(snapshot, rules=rules, licences=licences)
