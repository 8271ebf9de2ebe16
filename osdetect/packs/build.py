"""From a snapshot of a source to the files of a pack: selected, overlaid, with licences."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import msgspec

from osdetect.errors import RuleError, Where
from osdetect.packs.documents import PackRule, RuleFile, digest_of, read_documents, rule_files
from osdetect.packs.licence import Licence, recognised
from osdetect.packs.limits import Entry, Snapshot
from osdetect.packs.manifest import ADDED, UPSTREAM, HeldRule
from osdetect.packs.overlay import Action, Overlay, patched
from osdetect.packs.selection import Selection, selected
from osdetect.sigma.listing import beside_rule, holds_tests
from osdetect.sigma.reader import texts
from osdetect.sigma.yaml_out import yaml_of

Data: TypeAlias = Mapping[str, Any]

ATTRIBUTES = ".gitattributes"
_ATTRIBUTES = b"* -text\n"
"""For the user's own git: files of a pack keep their line ends, else they would seem edited."""


class Built(msgspec.Struct, frozen=True):
    """A pack as it will be on disk."""

    files: Mapping[str, bytes]
    rules: tuple[HeldRule, ...]
    bases: Mapping[str, str]
    """The digest of what the source says, for each rule that an overlay is about and the source has."""
    licence: Licence
    refused: tuple[RuleError, ...]
    left_out: int
    """Rules of the source that are not selected."""


def build(snapshot: Snapshot, wanted: Selection, overlays: Mapping[str, Overlay], origin: str) -> Built:
    """The files of a pack.

    Args:
        snapshot: what the source holds.
        wanted: which rules are taken.
        overlays: what the user says about some of them, by id.
        origin: the source, for the head of files that an overlay made.

    Raises:
        RuleError: an overlay does not fit.
    """
    own, rules = _parted(snapshot.rules)
    tests = {one.path: one for one in rules if holds_tests_of(one)}
    found, refused = rule_files(one for one in rules if one.path not in tests)
    everything = [rule for file in found for rule in file.rules]
    taken = selected(everything, wanted)
    chosen = {(rule.file, rule.id, rule.text) for rule in taken}
    made = _Making(overlays, origin)
    for file in found:
        kept = tuple(rule for rule in file.rules if (rule.file, rule.id, rule.text) in chosen)
        if kept:
            made.file(file, kept)
    made.beside(tests)
    made.added()
    licences = _licences(snapshot.licences, made.files)
    named = {word for rule in taken for word in texts(rule.data.get("license"))}
    authors = {
        word.strip() for rule in taken for one in texts(rule.data.get("author")) for word in one.split(",")
    }
    return Built(
        files={**made.files, **{one.path: one.data for one in licences}, ATTRIBUTES: _ATTRIBUTES},
        rules=tuple(made.rules),
        bases=made.bases,
        licence=Licence(
            recognised(snapshot.licences),
            tuple(one.path for one in licences),
            tuple(sorted(named))[:20],
            len(authors - {""}),
        ),
        refused=(*snapshot.refused, *own, *refused),
        left_out=len(everything) - len(taken),
    )


def _parted(rules: Sequence[Entry]) -> tuple[tuple[RuleError, ...], tuple[Entry, ...]]:
    """What stands where only overlays put rules, as refusals; and the others."""
    own = tuple(one for one in rules if one.path.startswith(f"{ADDED}/"))
    refused = tuple(
        RuleError(
            "this path is not taken",
            cause=f"rules that only an overlay has are put into {ADDED}/",
            cure="rename the folder in the source",
            where=Where(one.path),
        )
        for one in own
    )
    return refused, tuple(one for one in rules if not one.path.startswith(f"{ADDED}/"))


def holds_tests_of(entry: Entry) -> bool:
    """Whether a file holds tests of the rules beside it."""
    return holds_tests(PurePosixPath(entry.path))


class _Making:
    """The files that were made so far."""

    def __init__(self, overlays: Mapping[str, Overlay], origin: str) -> None:
        self.files: dict[str, bytes] = {}
        self.rules: list[HeldRule] = []
        self.bases: dict[str, str] = {}
        self._overlays = overlays
        self._origin = origin

    def file(self, file: RuleFile, kept: tuple[PackRule, ...]) -> None:
        """One file of the source: as it is, where all of it is taken and no overlay is about it."""
        path = file.entry.path
        whole = len(kept) == len(file.rules)
        pristine = file.entry.data if whole else _written(path, [(rule.text, rule.data) for rule in kept])
        if not any(rule.id in self._overlays for rule in kept):
            self.files[path] = pristine
            self.rules += [HeldRule(rule.id, rule.title, path, rule.digest) for rule in kept]
            return
        self.files[f"{UPSTREAM}/{path}"] = pristine
        parts: list[tuple[str, Data]] = []
        for rule in kept:
            if (made := self._with_overlay(rule)) is not None:
                parts.append(made)
                title = str(made[1].get("title") or "")
                self.rules.append(HeldRule(rule.id, title, path, digest_of(made[0])))
        if parts:
            self.files[path] = _written(path, parts)

    def _with_overlay(self, rule: PackRule) -> tuple[str, Data] | None:
        """The rule's text, and what it says, as the overlays have it; None where one disables it."""
        overlay = self._overlays.get(rule.id)
        if overlay is None:
            return rule.text, rule.data
        self.bases.setdefault(rule.id, rule.digest)
        if overlay.action is Action.DISABLE:
            return None
        head = f"# {self._origin}: {rule.file}, with the overlay {overlay.file}\n"
        if overlay.action is Action.REPLACE:
            return head + overlay.text, overlay.document.data
        data = patched(rule, overlay)
        return head + yaml_of(data), data

    def beside(self, tests: Mapping[str, Entry]) -> None:
        """Tests come with the rules that they are of; those of disabled rules wait with them."""
        for file in tuple(self.files):
            path = file.removeprefix(f"{UPSTREAM}/")
            apart = f"{UPSTREAM}/" if path not in self.files else ""
            for beside in (one.as_posix() for one in beside_rule(PurePosixPath(path))):
                if beside in tests:
                    self.files[apart + beside] = tests[beside].data

    def added(self) -> None:
        """Whole rules of overlays that stand for none of those that are taken."""
        files: dict[str, list[Overlay]] = {}
        for overlay in self._overlays.values():
            if overlay.action is Action.REPLACE and overlay.id not in self.bases:
                files.setdefault(f"{ADDED}/{overlay.file}", []).append(overlay)
        for path, overlays in files.items():
            self.files[path] = _written(path, [(one.text, one.document.data) for one in overlays])
            for one in overlays:
                title = str(one.document.data.get("title") or "")
                self.rules.append(HeldRule(one.id, title, path, one.digest))


def _written(path: str, parts: Sequence[tuple[str, Data]]) -> bytes:
    """A file of these documents: their texts if these say the same in it, else what they say, written anew.

    They do not where documents of a file share words.
    """
    joined = _joined(text for text, _ in parts)
    unreadable: list[RuleError] = []
    read = [one.data for one in read_documents(Entry(path, joined), unreadable)]
    if not unreadable and read == [data for _, data in parts]:
        return joined
    return _joined(yaml_of(dict(data)) for _, data in parts)


def _joined(texts: Iterable[str]) -> bytes:
    return "\n---\n".join(text.rstrip("\r\n") for text in texts).encode() + b"\n"


def _licences(found: Iterable[Entry], files: Mapping[str, bytes]) -> tuple[Entry, ...]:
    """The texts at the top, and those in a folder above a rule that is taken."""
    folders = {"", *(parent.as_posix() for path in files for parent in PurePosixPath(path).parents)}
    return tuple(one for one in found if PurePosixPath(one.path).parent.as_posix() in {*folders, "."})
