"""A finding, and what a check looks at when it makes one."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from osdetect.check.codes import CODES, Code, Severity
from osdetect.check.items import Item, items_of
from osdetect.errors import Where
from osdetect.sigma import LogSource, Rule
from osdetect.sigma.yaml_text import Document, Path
from osdetect.source import SourceText, printable


class Finding(msgspec.Struct, frozen=True):
    """Something about a rule that its author should know."""

    code: Code
    what: str
    """One sentence without a full stop."""
    cause: str
    cure: str
    where: Where
    rule_id: str = ""
    """The id of the rule, if it has one."""

    @property
    def severity(self) -> Severity:
        """How grave it is."""
        return self.code.severity


@lru_cache(maxsize=4)
def _lines(source: SourceText) -> tuple[str, ...]:
    """The lines of a file, split once for all its findings."""
    return tuple(source.text.splitlines())


def _where(document: Document, at: Path) -> Where:
    line, column = document.place(at)
    lines = _lines(document.source)
    excerpt = printable(lines[line - 1].rstrip()) if 0 < line <= len(lines) else ""
    return Where(document.source.name, line, column, excerpt)


_KINDS = ("correlation", "filter")


class Subject(msgspec.Struct, frozen=True):
    """One document, and the rule that it became if it became one."""

    document: Document
    rule: Rule | None
    items: tuple[Item, ...] = ()

    @staticmethod
    def of(document: Document, rule: Rule | None) -> "Subject":
        """The document with the items of its detection."""
        return Subject(document, rule, tuple(items_of(document.data)))

    @property
    def data(self) -> Mapping[str, Any]:
        """The document's keys; none when it is no map."""
        return self.document.data if isinstance(self.document.data, dict) else {}

    @property
    def kind(self) -> str:
        """What the document is: rule, correlation or filter."""
        if "detection" in self.data:
            return "rule"
        return next((kind for kind in _KINDS if kind in self.data), "rule")

    @property
    def is_cloudtrail(self) -> bool:
        """Whether it is a rule for AWS CloudTrail, or a filter of such rules."""
        given = self.data.get("logsource")
        if self.kind == "correlation" or not isinstance(given, dict):
            return False
        words = (str(given.get(name) or "").lower() for name in ("category", "product", "service"))
        return LogSource(*words).covers_cloudtrail()

    def finding(self, code: str, what: str, *, at: Path = (), cause: str = "", cure: str = "") -> Finding:
        """A finding placed at the path, or at its nearest known ancestor."""
        where = _where(self.document, at)
        identity = self.data.get("id")
        return Finding(CODES[code], what, cause, cure, where, identity if isinstance(identity, str) else "")


Findings = Iterator[Finding]
