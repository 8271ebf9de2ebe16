"""A correlation rule as its document says it (Sigma correlation rules specification 2.1)."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from osdetect.errors import Where
from osdetect.expr import Expr, to_json
from osdetect.expr.windows import Bound, Measure
from osdetect.source import printable
from osdetect.vocabulary import Level

if TYPE_CHECKING:  # nobody who takes rules from the cache needs YAML
    from osdetect.sigma.yaml_text import Document, Path


class CorrelationType(StrEnum):
    """What a correlation is about (specification, "Correlation Types"); the last is pySigma's."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"


MEASURES: Mapping[CorrelationType, Measure] = {
    CorrelationType.EVENT_COUNT: "events",
    CorrelationType.VALUE_COUNT: "values",
    CorrelationType.TEMPORAL: "rules",
    CorrelationType.TEMPORAL_ORDERED: "order",
    CorrelationType.VALUE_SUM: "sum",
    CorrelationType.VALUE_AVG: "average",
    CorrelationType.VALUE_PERCENTILE: "percentile",
    CorrelationType.VALUE_MEDIAN: "percentile",
}


class Reference(msgspec.Struct, frozen=True):
    """What a correlation calls a rule, and where it stands."""

    text: str
    where: Where


class Alias(msgspec.Struct, frozen=True):
    """A name for a field that the rules' events have in different places."""

    name: str
    paths: tuple[tuple[Reference, str], ...]


class Correlation(msgspec.Struct, frozen=True):
    """One Sigma correlation rule, as its document says it; `resolve` finds the rules that it names."""

    id: str
    name: str
    title: str
    description: str
    status: str
    level: Level
    author: str
    license: str
    date: str
    modified: str
    references: tuple[str, ...]
    falsepositives: tuple[str, ...]
    tags: tuple[str, ...]
    type: CorrelationType
    measure: Measure
    rules: tuple[Reference, ...]
    group_by: tuple[str, ...]
    timespan: int
    """Seconds."""
    aliases: tuple[Alias, ...]
    bounds: tuple[Bound, ...]
    fields: tuple[str, ...]
    """What is counted or computed of each event."""
    percentile: int | float
    present: Expr[str] | None
    """A boolean condition of a temporal correlation; its fields are the texts of references."""
    generate: bool
    """Whether the rules that it names alert on their own as well."""
    where: Where

    def content(self) -> dict[str, object]:
        """What the correlation says, as JSON-able data; the file that it stands in is no part of it."""
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "status": self.status,
            "level": self.level.value,
            "author": self.author,
            "license": self.license,
            "references": list(self.references),
            "falsepositives": list(self.falsepositives),
            "tags": list(self.tags),
            "type": self.type.value,
            "measure": self.measure,
            "rules": [one.text for one in self.rules],
            "group_by": list(self.group_by),
            "timespan_s": self.timespan,
            "aliases": {one.name: {rule.text: path for rule, path in one.paths} for one in self.aliases},
            "condition": [{bound.comparison: bound.value} for bound in self.bounds],
            "fields": list(self.fields),
            "percentile": self.percentile,
            "present": to_json(self.present) if self.present is not None else None,
            "generate": self.generate,
        }


def references(document: "Document", called: Iterable[str], paths: "Iterable[Path]") -> tuple[Reference, ...]:
    """What stands at the paths of a document, as references; the text is taken apart once for all of them."""
    lines = document.source.text.splitlines()
    found = []
    for one, path in zip(called, paths, strict=True):
        line, column = document.place(path)
        excerpt = printable(lines[line - 1].rstrip()) if 0 < line <= len(lines) else ""
        found.append(Reference(one, Where(document.source.name, line, column, excerpt)))
    return tuple(found)


def is_correlation(document: "Document") -> bool:
    """Whether the document is a correlation rule.

    A detection rule may have a key `correlation` of its own with a text for people in it: it stays a detection rule.
    """
    data = document.data
    return isinstance(data, dict) and "correlation" in data and not _is_note(data)


def _is_note(data: Mapping[str, Any]) -> bool:
    return "detection" in data and isinstance(data["correlation"], (str, type(None)))
