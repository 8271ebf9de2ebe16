"""What a command did to a pack, and in which state packs are."""

from enum import StrEnum

import msgspec

from osdetect.errors import OsdetectError, RuleError
from osdetect.packs.lock import Pack
from osdetect.packs.manifest import HeldRule


class State(StrEnum):
    """Of a pack's folder, against what was put there."""

    CLEAN = "clean"
    EDITED = "edited"
    MISSING = "missing"


class Conflict(msgspec.Struct, frozen=True):
    """An overlay whose rule is no longer what it was written for."""

    id: str
    file: str
    """The overlay, as a path below the pack's folder of overlays."""
    what: str
    diff: tuple[str, ...]
    """What changed in the rule: the lines of a unified diff; none where it was gone, or is."""


class Change(msgspec.Struct, frozen=True):
    """What became of a pack."""

    pack: Pack
    before: str
    """The revision that was there; empty for a new pack."""
    written: bool
    """Whether anything changed on disk."""
    added: tuple[HeldRule, ...]
    changed: tuple[HeldRule, ...]
    removed: tuple[HeldRule, ...]
    conflicts: tuple[Conflict, ...]
    refused: tuple[RuleError, ...]
    newly_refused: tuple[RuleError, ...]
    """Those among them that the lock file did not name before."""
    left_out: int


class Failed(msgspec.Struct, frozen=True):
    """A pack that stays as it was, and why."""

    name: str
    error: OsdetectError


class Listed(msgspec.Struct, frozen=True):
    """A pack with its state."""

    pack: Pack
    state: State
    differing: tuple[str, ...]
    """The files that are edited, gone, or none of the pack's."""
