"""A pack as it is on disk: is it what was put there, and what did its source say?"""

import hashlib
import os
from pathlib import Path

from osdetect.errors import InputError
from osdetect.packs.limits import Entry, Snapshot, is_rule_file
from osdetect.packs.lock import Pack
from osdetect.packs.manifest import ADDED, MANIFEST, UPSTREAM, Manifest, manifest_from
from osdetect.packs.report import State
from osdetect.source import printable


def state_of(folder: Path, pack: Pack) -> State:
    """Whether a pack's folder holds what was put there."""
    if not folder.exists():
        return State.MISSING
    return State.EDITED if differing(folder, pack) else State.CLEAN


def differing(folder: Path, pack: Pack) -> tuple[str, ...]:
    """The files that are edited, gone, or none of the pack's; nothing where the whole folder is gone."""
    if not folder.exists():
        return ()
    manifest = manifest_in(folder, pack)
    if manifest is None:
        return (MANIFEST,)
    there = {path: _digest(folder / path) for path in _files(folder) if path != MANIFEST}
    every = sorted({*there, *manifest.files})
    return tuple(path for path in every if there.get(path) != manifest.files.get(path))


def manifest_in(folder: Path, pack: Pack) -> Manifest | None:
    """The list of the pack's files; None if it is not the one that the lock file knows."""
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data).hexdigest() != pack.content:
        return None
    return manifest_from(data, pack.name)


def installed_snapshot(folder: Path, pack: Pack) -> Snapshot:
    """What the source said of the rules that are in the pack, without asking it.

    Raises:
        InputError: the pack is not there, or is not what was put there.
    """
    manifest = manifest_in(folder, pack)
    if manifest is None or differing(folder, pack):
        raise InputError(
            f"the pack {pack.name} is not as its source gave it, so that its overlays cannot be applied anew",
            cause=f"{folder} is gone, or files of it were edited",
            cure=f"ask the source: osdetect packs update {pack.name}",
        )
    strange = set(pack.licence.files) - manifest.files.keys()
    if strange:  # the lock file was edited by hand: its paths are nothing to read from
        raise InputError(
            f"the lock file names a licence that the pack {pack.name} has not",
            cause=printable(min(strange)),
            cure=f"ask the source: osdetect packs update {pack.name}",
        )
    pristine = {
        path.removeprefix(f"{UPSTREAM}/") for path in manifest.files if path.startswith(f"{UPSTREAM}/")
    }
    rules = {
        path: folder / (f"{UPSTREAM}/{path}" if path in pristine else path)
        for path in (*manifest.files, *pristine)
        if is_rule_file(path) and not path.startswith(f"{ADDED}/")
    }
    return Snapshot(
        tuple(Entry(path, rules[path].read_bytes()) for path in sorted(rules)),
        tuple(Entry(path, (folder / path).read_bytes()) for path in pack.licence.files),
        (),
        pack.revision,
    )


def _files(folder: Path) -> list[str]:
    found: list[str] = []
    for inside, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(f"{inside}/{name}")]  # noqa: PTH114  # one string, no Path
        found += [os.path.relpath(f"{inside}/{name}", folder) for name in (*names, *links)]
    return found


def _digest(file: Path) -> str:
    """Of a plain file; anything else is none of the pack's."""
    if file.is_symlink() or not file.is_file():
        return ""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
