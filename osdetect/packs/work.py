"""Add, update, list and remove: what `osdetect packs` does."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from osdetect.errors import InputError, OsdetectError, UsageError
from osdetect.packs import making
from osdetect.packs.fetch import Tell, fetch, unchanged
from osdetect.packs.installed import differing, installed_snapshot, state_of
from osdetect.packs.overlay import read_overlays
from osdetect.packs.place import FOLDER, Place, held
from osdetect.packs.report import Change, Failed, Listed, State
from osdetect.packs.selection import Selection
from osdetect.packs.source import Kind, Source, check_name, name_of, source_of


class Update(msgspec.Struct, frozen=True):
    """What an update does."""

    ref: str = ""
    """Of git: from now on this branch, tag or commit."""
    wanted: Selection | None = None
    """From now on these rules; None: the same as before."""
    offline: bool = False
    """Ask no source; only overlays are applied anew."""
    accept: bool = False
    """Take the overlays in conflict for what is meant."""
    discard_edits: bool = False
    """Write over files of the pack that were edited."""


PLAIN = Update()


def add(
    root: Path,
    source: Source,
    wanted: Selection,
    name: str = "",
    on_progress: Tell = lambda _done, _total: None,
) -> Change:
    """Put the selected rules of a source into the user's repository as a pack.

    Args:
        root: the top of the repository.
        source: where the rules come from.
        wanted: which of them.
        name: of the pack; by default made from the source's.
        on_progress: told the bytes of a download.

    Raises:
        UsageError: the name is taken.
        InputError: the source cannot be read, or none of its rules is selected.
        RuleError: an overlay that waits for this pack does not fit.
        OutputError: it cannot be written.
    """
    called = check_name(name) if name else name_of(source.location)
    if not source.remote and not Path(source.location).is_absolute():
        source = replace(source, location=os.path.relpath(source.location, root))
    _require_apart(root, source)
    with held(root, make=True) as place:
        if called in place.packs or place.of(called).exists():
            raise UsageError(
                f"there is a pack {called} already",
                cause=str(place.of(called)),
                cure="give this one another name (--name), update that one, or remove it",
            )
        snapshot = fetch(source, root, on_progress)
        asked = making.Asked(called, source, wanted, snapshot, read_overlays(place.overlays(called)))
        return making.put(place, asked)


def _require_apart(root: Path, source: Source) -> None:
    """Check that the source does not hold the packs: each update would take in the one before.

    Raises:
        UsageError: it does.
    """
    if source.kind is Kind.ARCHIVE or source.remote:
        return
    inside = (root / source.location / source.folder).resolve()
    if (root.resolve() / FOLDER).is_relative_to(inside):
        raise UsageError(
            "this source holds the packs themselves",
            cause=f"{FOLDER}/ is in it, and would be taken into itself at each update",
            cure="name the part of it that holds the rules: --folder DIR; or another --root",
        )


def update(
    root: Path,
    names: Sequence[str] = (),
    how: Update = PLAIN,
    on_progress: Tell = lambda _done, _total: None,
) -> tuple[Change | Failed, ...]:
    """Bring packs to what their sources hold now, and overlays on them to what they say now.

    A pack that cannot be updated stays as it is and does not stop the others.

    Args:
        root: the top of the repository.
        names: which packs; all by default.
        how: what of it.
        on_progress: told the bytes of a download.

    Raises:
        InputError: there is no pack of that name.
    """
    with held(root) as place:
        done: list[Change | Failed] = []
        for name in _named(place, names):
            try:
                done.append(_updated(place, root, name, how, on_progress))
            except OsdetectError as error:
                done.append(Failed(name, error))
        return tuple(done)


def _updated(place: Place, root: Path, name: str, how: Update, on_progress: Tell) -> Change:
    pack, folder = place.packs[name], place.of(name)
    edited = differing(folder, pack)
    if state_of(folder, pack) is State.EDITED and not how.discard_edits:
        raise InputError(
            f"files of the pack {name} were edited: it is not updated",
            cause=f"{len(edited)} files, the first: {folder / edited[0]}",
            cure=f"say it in an overlay ({place.overlays(name)}), or give the edits up: --discard-edits",
        )
    source = pack.source
    if how.ref:
        source = source_of(source.location, kind=source.kind, ref=how.ref, folder=source.folder)
    overlays = read_overlays(place.overlays(name))
    # What its source had refused is not in the folder: a later osdetect may be able to read it, so it is read again.
    whole = state_of(folder, pack) is State.CLEAN and not pack.refused and how.wanted is None
    if how.offline or (whole and unchanged(source, root, pack.revision)):
        # What is there is selected already.
        snapshot = installed_snapshot(folder, pack)
        asked = making.Asked(name, source, pack.selection, snapshot, overlays, how.accept, offline=True)
    else:
        wanted = pack.selection if how.wanted is None else how.wanted
        asked = making.Asked(name, source, wanted, fetch(source, root, on_progress), overlays, how.accept)
    return making.put(place, asked)


def listed(root: Path) -> tuple[Listed, ...]:
    """Every pack with its state, by name.

    Raises:
        InputError: the lock file is damaged.
    """
    with held(root) as place:
        return tuple(_listed(place, name) for name in sorted(place.packs))


def _listed(place: Place, name: str) -> Listed:
    pack, folder = place.packs[name], place.of(name)
    return Listed(pack, state_of(folder, pack), differing(folder, pack))


def remove(root: Path, name: str, *, discard_edits: bool = False) -> Path | None:
    """Take a pack away. Its overlays stay: the folder that they are in, if there are any.

    Raises:
        InputError: there is no such pack, or files of it were edited.
        OutputError: it cannot be removed.
    """
    with held(root) as place:
        _named(place, (name,))
        pack, folder = place.packs[name], place.of(name)
        if state_of(folder, pack) is State.EDITED and not discard_edits:
            raise InputError(
                f"files of the pack {name} were edited: it is not removed",
                cause=f"the first: {folder / differing(folder, pack)[0]}",
                cure="copy them elsewhere, or give the edits up: --discard-edits",
            )
        place.remove(name)
        overlays = place.overlays(name)
        return overlays if overlays.exists() else None


def _named(place: Place, names: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(names)) or tuple(sorted(place.packs))
    unknown = next((name for name in wanted if name not in place.packs), None)
    if unknown is not None or not wanted:
        raise InputError(
            f"there is no pack {unknown}" if unknown else "there are no packs",
            cause=f"{place.lock_file} names {', '.join(sorted(place.packs)) or 'none'}",
            cure="osdetect packs list; osdetect packs add SOURCE",
        )
    return wanted
