"""Overlays: what a user says about rules of a pack. The files are the user's; nothing here writes to them."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from osdetect.errors import RuleError
from osdetect.packs.documents import PackRule, digest_of, identity, logsource_in, read_documents
from osdetect.packs.folder import read_folder
from osdetect.packs.limits import Gate
from osdetect.sigma.listing import holds_tests
from osdetect.sigma.record_changes import NoSuchPlace, changed, without
from osdetect.sigma.selections import text_of
from osdetect.sigma.yaml_text import Document


class Action(StrEnum):
    """What an overlay does."""

    REPLACE = "replace"
    """It is a whole rule, which stands for the pack's rule of its id, or beside the pack's rules."""
    PATCH = "patch"
    DISABLE = "disable"


_KEPT = ("id", "author", "license")
"""Words that no patch changes: licences ask for them."""
_KEYS = frozenset({"overlay", "id", "change", "remove", "why"})


class Overlay(msgspec.Struct, frozen=True):
    """One document of an overlay."""

    action: Action
    id: str
    file: str
    """Below the pack's folder of overlays."""
    text: str
    document: Document
    change: Mapping[str, Any]
    remove: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of its words."""
        return digest_of(self.text)


def read_overlays(folder: Path) -> Mapping[str, Overlay]:
    """The overlays of a pack, by the rule's id.

    Raises:
        RuleError: one cannot be used. The pack is then left as it is: a rule must not come back because of a typing error.
    """
    if not folder.is_dir():
        return {}
    held = read_folder(folder, Gate(str(folder)))
    refused = list(held.refused)
    found: dict[str, Overlay] = {}
    for entry in held.rules:
        if holds_tests(Path(entry.path)):
            continue
        for document in read_documents(entry, refused):
            one = _overlay(document, entry.path)
            first = found.setdefault(one.id, one)
            if first is not one:
                raise document.error(
                    f"the rule {one.id} has two overlays", at=("id",), cause=f"the other is in {first.file}"
                )
    if refused:
        raise _placed(refused[0], folder)
    return found


def _placed(refusal: RuleError, folder: Path) -> RuleError:
    return RuleError(
        f"an overlay in {folder} cannot be read: {refusal.what}",
        cause=refusal.cause,
        cure=refusal.cure,
        where=refusal.where,
    )


def _overlay(document: Document, file: str) -> Overlay:
    data = document.data
    word = data.get("overlay")
    if word is None:
        if "detection" not in data and "correlation" not in data and "filter" not in data:
            raise document.error(
                "this overlay is neither a rule nor a change of one",
                cure="give it overlay: patch or overlay: disable",
            )
        return Overlay(
            Action.REPLACE,
            identity(document, logsource_in(document)),
            file,
            text_of(document),
            document,
            {},
            (),
        )
    if word not in {Action.PATCH, Action.DISABLE}:
        raise document.error(
            "overlay must be patch or disable", at=("overlay",), cure="a whole rule needs no such key"
        )
    unknown = next((key for key in data if key not in _KEYS), None)
    if unknown is not None:
        raise document.error(
            f"{unknown!r} is no part of an overlay",
            at=(unknown,),
            cure=f"its parts are {', '.join(sorted(_KEYS))}",
        )
    named = data.get("id")
    if not isinstance(named, str) or not named.strip():
        raise document.error("an overlay needs the id of the rule that it is about", at=("id",))
    change, remove = _changes(document, Action(word))
    return Overlay(Action(word), named.strip().lower(), file, text_of(document), document, change, remove)


def _changes(document: Document, action: Action) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    change, remove = document.data.get("change") or {}, document.data.get("remove") or []
    if (
        not isinstance(change, dict)
        or not isinstance(remove, list)
        or not all(isinstance(one, str) for one in remove)
    ):
        raise document.error("change is a map of paths to values, remove a list of paths", at=("change",))
    if action is Action.PATCH and not change and not remove:
        raise document.error("this patch changes nothing", cure="give it change: or remove:")
    if action is Action.DISABLE and (change or remove):
        raise document.error(
            "an overlay that disables a rule changes nothing in it",
            at=("overlay",),
            cure="write overlay: patch",
        )
    kept = next((one for one in (*change, *remove) if one.split(".")[0] in _KEPT), None)
    if kept is not None:
        raise document.error(
            f"a patch does not change {kept!r}",
            cause="the pack's licence and its authors' names are kept",
            cure="put a rule of your own beside the pack's",
        )
    return change, tuple(remove)


def patched(rule: PackRule, overlay: Overlay) -> dict[str, Any]:
    """What the rule says with the patch.

    Raises:
        RuleError: the rule has no such place.
    """
    try:
        return changed(without(rule.data, overlay.remove), overlay.change)
    except NoSuchPlace as error:
        raise overlay.document.error(
            f"this patch no longer fits the rule {rule.id}",
            cause=f"{error}, as {rule.file} has it",
            cure="change the patch to what the rule says now, or take the overlay away",
        ) from error
