"""The rules of a source's files: each document with its words and its text."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from osdetect.errors import RuleError
from osdetect.packs.limits import Entry
from osdetect.sigma.actions import with_actions
from osdetect.sigma.rule import LogSource
from osdetect.sigma.selections import text_of
from osdetect.sigma.text_file import decoded
from osdetect.sigma.yaml_text import Document, documents

_SIGNS = re.compile(rb"(?m)^\s*[\"']?(?:detection|correlation|filter)[\"']?\s*:")
"""A file without one of these holds no rule, whatever else its YAML is for."""


class RuleKind(StrEnum):
    """What a document is."""

    RULE = "rule"
    CORRELATION = "correlation"
    FILTER = "filter"


class PackRule(msgspec.Struct, frozen=True):
    """A document of a source that is a rule, a correlation rule or a filter."""

    kind: RuleKind
    id: str
    """As the reader of rules knows it; as it is written where the reader would refuse it; perhaps empty."""
    file: str
    data: Mapping[str, Any]
    """What it says, with what its file shares."""
    text: str
    logsource: LogSource

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.data.get("title") or "")

    @property
    def digest(self) -> str:
        """Of its words; how lines end is no part of them."""
        return digest_of(self.text)

    def called(self) -> tuple[str, ...]:
        """What correlations and filters may call it by."""
        given = (self.id, self.data.get("name"), self.data.get("title"))
        return tuple(one for one in given if isinstance(one, str) and one)

    def named(self) -> tuple[str, ...]:
        """What it calls the rules that it stands on."""
        body = self.data.get(self.kind.value)
        listed = body.get("rules") if isinstance(body, dict) else None
        return tuple(str(one) for one in (listed if isinstance(listed, list) else [listed] if listed else []))


class RuleFile(msgspec.Struct, frozen=True):
    """A file with the rules in it."""

    entry: Entry
    rules: tuple[PackRule, ...]


def digest_of(text: str) -> str:
    """Of a document's words."""
    return hashlib.sha256(text.replace("\r\n", "\n").strip().encode()).hexdigest()


def rule_files(entries: Iterable[Entry]) -> tuple[tuple[RuleFile, ...], tuple[RuleError, ...]]:
    """The files that hold rules, and what of them cannot be read. YAML of other kinds is left aside."""
    files: list[RuleFile] = []
    refused: list[RuleError] = []
    for entry in entries:
        if not _SIGNS.search(entry.data):
            continue
        found = read_documents(entry, refused)
        rules = tuple(rule for document in found if (rule := _rule(document, entry.path)) is not None)
        if rules:
            files.append(RuleFile(entry, rules))
    return tuple(files), tuple(refused)


def read_documents(entry: Entry, refused: list[RuleError]) -> tuple[Document, ...]:
    """The documents of a file that are maps; the others are added to `refused`."""
    try:
        source = decoded(entry.path, entry.data)
    except RuleError as refusal:
        refused.append(refusal)
        return ()
    found: list[Document] = []
    for one in with_actions(documents(source)):
        if isinstance(one, RuleError):
            refused.append(one)
        else:
            found.append(one[0])
    return tuple(found)


def _rule(document: Document, path: str) -> PackRule | None:
    data = document.data
    kind = next((one for one in RuleKind if _SECTION[one] in data), None)
    if kind is None:
        return None
    logsource = logsource_in(document)
    return PackRule(kind, identity(document, logsource), path, data, text_of(document), logsource)


_SECTION = {
    RuleKind.RULE: "detection",
    RuleKind.CORRELATION: "correlation",
    RuleKind.FILTER: "filter",
}


def logsource_in(document: Document) -> LogSource:
    """What a document says it is for; empty where it says so in no words."""
    given = document.data.get("logsource")
    words = given if isinstance(given, dict) else {}
    return LogSource(
        **{name: str(words.get(name) or "").lower() for name in ("category", "product", "service")}
    )


def identity(document: Document, logsource: LogSource) -> str:
    """The id that the reader gives a document, else what is written there."""
    from osdetect.sigma.reader import words_of  # noqa: PLC0415  # brings pySigma in, for half a second

    try:
        return words_of(document, logsource)[1]
    except RuleError:
        return str(document.data.get("id") or "").lower()
