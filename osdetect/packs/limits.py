"""What is taken from a source, and what is not: a source is hostile until its files have passed here."""

import unicodedata
from pathlib import PurePosixPath

import msgspec

from osdetect.errors import InputError, RuleError, Where
from osdetect.sigma.listing import SUFFIXES
from osdetect.sigma.text_file import MAX_BYTES as MAX_RULE_BYTES
from osdetect.source import printable

MAX_ENTRIES = 100_000
"""Files and folders of a source. The largest public repository of rules has 12,000."""
MAX_DEPTH = 24
MAX_PATH_BYTES = 1_024
MAX_NAME_BYTES = 250
MAX_TAKEN_BYTES = 128 << 20
"""Bytes of the files that are taken. All of SigmaHQ's come to 9 MB."""
MAX_SOURCE_BYTES = 512 << 20
"""Bytes of an archive unpacked, of a download, of a repository's objects."""
MAX_LICENCE_BYTES = 256 << 10
MAX_REFUSED = 1_000
"""Refusals that are kept; a source with more is refused as a whole: nobody would read them."""

_LICENCE_NAMES = ("license", "licence", "copying", "notice", "authors", "contributors")
_RULES_AS_LICENCE = (".py", ".go", ".js", ".sh", ".html")


class Entry(msgspec.Struct, frozen=True):
    """A file of a source."""

    path: str
    """Below the source's top, with slashes."""
    data: bytes


class Snapshot(msgspec.Struct, frozen=True):
    """What a source holds at one moment."""

    rules: tuple[Entry, ...]
    licences: tuple[Entry, ...]
    refused: tuple[RuleError, ...]
    revision: str
    """A commit, or the SHA-256 of an archive; of a folder, nothing but its files says what it was."""


def is_rule_file(path: str) -> bool:
    """Whether a file may hold rules: by its name, and in no hidden folder.

    >>> is_rule_file("rules/key.yml"), is_rule_file(".github/build.yml"), is_rule_file("README.md")
    (True, False, False)
    """
    return path.endswith(SUFFIXES) and not any(part.startswith(".") for part in path.split("/"))


def is_licence_file(path: str) -> bool:
    """Whether a file says under which terms rules may be used, or who wrote them.

    >>> is_licence_file("LICENSE"), is_licence_file("docs/AUTHORS.md"), is_licence_file("rules/license.yml")
    (True, True, False)
    """
    *folders, name = path.split("/")
    if any(part.startswith(".") for part in folders) or name.endswith((*SUFFIXES, *_RULES_AS_LICENCE)):
        return False
    return name.lower().startswith(_LICENCE_NAMES)


class Gate(msgspec.Struct):
    """Every file of a source goes through one of these: counted, its path looked at, its size bounded."""

    source: str
    entries: int = 0
    taken_bytes: int = 0
    rules: list[Entry] = msgspec.field(default_factory=list)
    licences: list[Entry] = msgspec.field(default_factory=list)
    refused: list[RuleError] = msgspec.field(default_factory=list)
    _seen: set[str] = msgspec.field(default_factory=set)
    _folded: dict[str, str] = msgspec.field(default_factory=dict)
    """Of each path that was taken and of the folders on it: as a file system sees it that does not tell capitals apart."""

    def count(self) -> None:
        """One more file or folder.

        Raises:
            InputError: there are too many.
        """
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise self.too_much(f"it has more than {MAX_ENTRIES:,} files and folders")

    def too_much(self, cause: str) -> InputError:
        """The whole source is refused."""
        return InputError(
            "this source is too large to be a pack of rules",
            cause=cause,
            cure="name a source, or with --folder a part of it, that holds rules",
            where=Where(self.source),
        )

    def refuse(self, path: str, what: str, cause: str = "", cure: str = "") -> None:
        """One file is not taken; its name goes on the list.

        Raises:
            InputError: there are too many of these.
        """
        if len(self.refused) >= MAX_REFUSED:
            raise self.too_much(
                f"more than {MAX_REFUSED:,} of its files are refused, the first: {self.refused[0]}"
            )
        self.refused.append(RuleError(what, cause=cause, cure=cure, where=Where(printable(path, 300))))

    def passes(self, path: str) -> bool:
        """Whether a path stays below the folder that it is written to, and can be a name there."""
        wrong = _wrong_path(path)
        if wrong:
            self.refuse(
                path, "this path is not taken", wrong, "rename it in the source, or leave it out there"
            )
        return not wrong

    def wants(self, path: str) -> int:
        """How many bytes of a file are taken at most; 0: it is neither rules nor a licence."""
        if is_rule_file(path):
            return MAX_RULE_BYTES
        return MAX_LICENCE_BYTES if is_licence_file(path) else 0

    def take(self, path: str, data: bytes) -> None:
        """A file that passed. One that is larger than `wants` says is refused.

        Raises:
            InputError: all files together are too much.
        """
        most = self.wants(path)
        if len(data) > most:
            self.refuse(path, f"this file is larger than {most >> 10:,} KiB", cure="split it in the source")
            return
        if path in self._seen:
            self.refuse(path, "this path stands in the source twice", "the first is taken")
            return
        if (other := self._collision(path)) is not None:
            self.refuse(
                path,
                "this path cannot stand beside another of the source",
                f"not every file system tells it from {printable(other)}, which is taken",
                "rename it in the source",
            )
            return
        self._seen.add(path)
        self.taken_bytes += len(data)
        if self.taken_bytes > MAX_TAKEN_BYTES:
            raise self.too_much(f"its rules have more than {MAX_TAKEN_BYTES >> 20} MiB")
        (self.rules if is_rule_file(path) else self.licences).append(Entry(path, data))

    def _collision(self, path: str) -> str | None:
        """What was taken that is the same but for capitals, or a file where this needs a folder, or the other way round.

        If nothing is, the path and its folders are remembered.
        """
        parts = path.split("/")
        whole = [*("/".join(parts[:at]) + "/" for at in range(1, len(parts))), path]
        folded = {_folded(one): one for one in whole}
        for key, one in folded.items():
            for other in (key, key.removesuffix("/") if key.endswith("/") else f"{key}/"):
                there = self._folded.get(other)
                if there is not None and there != one:
                    return there
        self._folded.update(folded)
        return None

    def snapshot(self, revision: str) -> Snapshot:
        """What came through, in the order of names."""
        return Snapshot(
            tuple(sorted(self.rules, key=lambda one: one.path)),
            tuple(sorted(self.licences, key=lambda one: one.path)),
            tuple(self.refused),
            revision,
        )


def _wrong_path(path: str) -> str:
    """Why a path cannot be taken; empty if it can."""
    parts = path.split("/")
    if path.startswith("/") or PurePosixPath(path).is_absolute():
        return "it is absolute"
    if any(part in {"", ".", ".."} for part in parts):
        return "it leads out of its folder, or through none"
    if any(part.lower().rstrip(". ") == ".git" or part.lower().startswith("git~") for part in parts):
        return "it leads into git's own folder"
    if "\\" in path or not path.isprintable() or any(_invisible(letter) for letter in path):
        return "it has a character that no name of a rule needs"
    if len(parts) > MAX_DEPTH:
        return f"it is deeper than {MAX_DEPTH} folders"
    if len(path.encode()) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        return "it is too long"
    return ""


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cf", "Cs", "Co", "Cn"}
