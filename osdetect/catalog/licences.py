"""Under which licence a rule stands that does not say it itself: that of the file next to it, as packs have one."""

from collections.abc import Iterable
from pathlib import Path

OWN_PACK = "osdetect"
"""The pack of the rules that come with osdetect."""

_OWN = "Apache-2.0"
_NAMES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md", "COPYING")
_READ = 4_096
"""Bytes of a licence in which its first line must end."""
_SHOWN = 100


class Licences:
    """The licence files of some folders of rules; each is read once."""

    def __init__(self, named: Iterable[Path]) -> None:
        self._roots = tuple(root for root in named if root.is_dir())
        self._known: dict[Path, str] = {}

    def of(self, file: Path, pack: str) -> str:
        """What the nearest licence file at or below the named folder begins with; empty if there is none."""
        root = next((one for one in self._roots if file.is_relative_to(one)), None)
        found = "" if root is None else self._at(file.parent, root)
        return found or (_OWN if pack == OWN_PACK else "")

    def _at(self, folder: Path, root: Path) -> str:
        if folder not in self._known:
            above = "" if folder == root else self._at(folder.parent, root)
            self._known[folder] = self._in(folder, root) or above
        return self._known[folder]

    def _in(self, folder: Path, root: Path) -> str:
        for place in (folder / name for name in _NAMES):
            first = _first_line(place)
            if first:
                return f"{first} ({place.relative_to(root).as_posix()})"
        return ""


def _first_line(place: Path) -> str:
    if place.is_symlink() or not place.is_file():  # a pack's link could lead to any file of this machine
        return ""
    try:
        with place.open("rb") as file:
            text = file.read(_READ).decode(errors="replace")
    except (
        OSError
    ):  # there is none of this name, or none that can be read: then the rule's licence is not known
        return ""
    lines = (line.strip().lstrip("#").strip() for line in text.splitlines())
    return next((line[:_SHOWN] for line in lines if line), "")
