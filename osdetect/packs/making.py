"""A snapshot made into a pack and put in its place, with what that changes."""

import difflib
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from osdetect.errors import InputError, RuleError
from osdetect.packs.build import Built, build
from osdetect.packs.documents import rule_files
from osdetect.packs.installed import differing, installed_snapshot, manifest_in
from osdetect.packs.limits import Snapshot, is_rule_file
from osdetect.packs.lock import Applied, Pack
from osdetect.packs.manifest import MANIFEST, UPSTREAM, HeldRule, Manifest, manifest_of
from osdetect.packs.overlay import Action, Overlay
from osdetect.packs.place import Place
from osdetect.packs.report import Change, Conflict
from osdetect.packs.selection import Selection
from osdetect.packs.source import Source
from osdetect.sigma import ReadOptions, read_rules
from osdetect.source import printable

_DIFF_LINES = 200


class Asked(msgspec.Struct, frozen=True):
    """What a pack is to be made of."""

    name: str
    source: Source
    wanted: Selection
    snapshot: Snapshot
    overlays: Mapping[str, Overlay]
    accept: bool = False
    offline: bool = False
    """Whether the snapshot is of the pack itself."""


def put(place: Place, asked: Asked) -> Change:
    """Make the pack, and put it in its place unless it is there already.

    Raises:
        InputError: none of the source's rules is selected.
        RuleError: an overlay does not fit, or what it makes is no rule.
        OutputError: it cannot be written.
    """
    old, folder = place.packs.get(asked.name), place.of(asked.name)
    # What the source refused stays refused while it is not asked again.
    selection = Selection() if asked.offline else asked.wanted
    built = build(asked.snapshot, selection, asked.overlays, printable(asked.source.location))
    if not built.rules and not built.bases:
        raise _nothing(asked, built)
    by_reader = _refused_by_reader(built, asked.overlays)
    refused = (*built.refused, *by_reader)
    known = old.refused if old else ()
    held = manifest_of(built.files, built.rules)
    data = held.to_bytes()
    overlays = tuple(_applied(asked, built, old))
    pack = Pack(
        name=asked.name,
        source=asked.source,
        revision=asked.snapshot.revision,
        licence=built.licence,
        selection=asked.wanted,
        content=hashlib.sha256(data).hexdigest(),
        rules=len(held.rules),
        refused=tuple(sorted({*(known if asked.offline else ()), *map(_said, refused)})),
        overlays=overlays,
    )
    before = manifest_in(folder, old) if old else None
    conflicts = tuple(_conflicts(place, asked, pack, old))
    whole = before is not None and old is not None and not differing(folder, old)
    if not whole or old is None or pack.content != old.content:
        place.install(pack, {**built.files, MANIFEST: data})
    elif pack != old:
        place.note(pack)
    added, changed, removed = _differences(before, held)
    return Change(
        pack=pack,
        before=old.revision if old else "",
        written=pack != old or not whole,
        added=added,
        changed=changed,
        removed=removed,
        conflicts=conflicts,
        refused=refused,
        newly_refused=tuple(one for one in refused if _said(one) not in known),
        left_out=built.left_out,
    )


def _said(refusal: RuleError) -> str:
    return printable(f"{refusal.where.file}: {refusal.what}" if refusal.where else refusal.what, 400)


def _nothing(asked: Asked, built: Built) -> InputError:
    if built.left_out:
        words = "; ".join(f"{name}: {', '.join(values)}" for name, values in asked.wanted.to_json().items())
        return InputError(
            "none of the source's rules is selected",
            cause=f"it has {built.left_out}, and none fits {words}",
            cure="select less narrowly",
        )
    first = f"{len(built.refused)} files are refused, the first: {built.refused[0]}" if built.refused else ""
    return InputError(
        "there is no Sigma rule in this source",
        cause=first or "no document of its YAML files has a detection, a correlation or a filter",
        cure="name a source of Sigma rules, or with --folder the part of it that has them",
    )


def _refused_by_reader(built: Built, overlays: Mapping[str, Overlay]) -> list[RuleError]:
    """What of the pack no command could use. The pack has it all the same: it is the source's to mend.

    Raises:
        RuleError: it is an overlay that made it so.
    """
    overlaid = {held.file for held in built.rules if held.id in overlays}
    with tempfile.TemporaryDirectory(prefix="osdetect-packs-") as folder:
        root = Path(folder)
        for path, data in built.files.items():
            if is_rule_file(path.removeprefix(f"{UPSTREAM}/")):
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        refused = _refused_below(root)
        before = {one.what for one in _refused_below(root / UPSTREAM)}
    made = (one for one in refused if one.where and one.where.file in overlaid and one.what not in before)
    wrong = next(made, None)
    if wrong is not None:
        raise RuleError(
            f"with its overlay this is no rule: {wrong.what}",
            cause=wrong.cause,
            cure=f"mend the overlay, one of: {', '.join(sorted(one.file for one in overlays.values()))[:300]}",
            where=wrong.where,
        )
    return refused


def _refused_below(root: Path) -> list[RuleError]:
    """What the reader refuses of a folder; nothing of one without rules: overlays may disable every rule."""
    try:
        read = read_rules([root], ReadOptions(every_log_source=True))
    except InputError:
        return []
    return [_below(one, root) for one in read.refused]


def _below(error: RuleError, root: Path) -> RuleError:
    """The refusal with its place as a path in the pack."""
    where = error.where and replace(error.where, file=error.where.file.removeprefix(f"{root}/"))
    cause = error.cause.replace(f"{root}/", "")
    return RuleError(error.what, cause=cause, cure=error.cure, where=where)


def _applied(asked: Asked, built: Built, old: Pack | None) -> Iterator[Applied]:
    """Each overlay, with the rule that it was written for: that of the day when its text last changed."""
    before = {one.id: one for one in old.overlays} if old else {}
    for overlay in sorted(asked.overlays.values(), key=lambda one: one.id):
        base = built.bases.get(overlay.id, "")
        known = before.get(overlay.id)
        if known is not None and known.digest == overlay.digest and not asked.accept:
            conflict = known.base != base
            yield replace(known, file=overlay.file, conflict=conflict)
        else:
            nothing_there = not base and overlay.action is not Action.REPLACE
            yield Applied(overlay.id, overlay.action, overlay.file, overlay.digest, base, nothing_there)


def _conflicts(place: Place, asked: Asked, pack: Pack, old: Pack | None) -> Iterator[Conflict]:
    found = [one for one in pack.overlays if one.conflict]
    if not found:
        return
    now = _texts(asked.snapshot)
    before = _texts_before(place, old) if old else {}
    for one in found:
        name = f"the rule {one.id}"
        if one.id not in now:
            what = f"{name} is not in the source, or not selected"
            what += "; the overlay's own is in effect" if one.action is Action.REPLACE else ""
        else:
            what = f"{name} changed in the source since the overlay was written; the overlay is in effect"
        lines = difflib.unified_diff(
            before.get(one.id, "").splitlines(),
            now.get(one.id, "").splitlines(),
            "before",
            "now",
            lineterm="",
            n=2,
        )
        both = one.id in before and one.id in now
        yield Conflict(one.id, one.file, what, tuple(lines)[:_DIFF_LINES] if both else ())


def _texts(snapshot: Snapshot) -> dict[str, str]:
    files, _ = rule_files(snapshot.rules)
    return {rule.id: rule.text for file in files for rule in file.rules}


def _texts_before(place: Place, old: Pack) -> dict[str, str]:
    """What the source said when it was last asked; nothing where the folder is not as it was then."""
    try:
        return _texts(installed_snapshot(place.of(old.name), old))
    except InputError:
        return {}


def _differences(
    before: Manifest | None, now: Manifest
) -> tuple[tuple[HeldRule, ...], tuple[HeldRule, ...], tuple[HeldRule, ...]]:
    """The rules that are added, changed and removed."""
    old, new = before.by_id() if before else {}, now.by_id()
    added = tuple(rule for key, rule in new.items() if key not in old)
    changed = tuple(rule for key, rule in new.items() if key in old and old[key].digest != rule.digest)
    removed = tuple(rule for key, rule in old.items() if key not in new)
    return added, changed, removed
