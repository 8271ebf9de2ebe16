"""What a correlation is made of: a window over matches, what it groups by, and what it measures."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, Literal, TypeAlias

import msgspec

from osdetect.expr.nodes import Expr
from osdetect.expr.values import fold_case, resolve, text_of

Comparison = Literal["lt", "lte", "gt", "gte", "eq", "neq"]
Measure = Literal["events", "values", "rules", "order", "sum", "average", "percentile", "share"]
"""What is measured of a window: its events; the distinct values of the counted columns; the distinct rules; the most
rules that follow one another in their order; sum, average or percentile of the numbers in the counted column; the
percentage of the window's events that have the value that the last one has.
"""
MAX_COMBINATIONS = 100
"""Combinations of the values of several columns that one match has a part in: lists of events are hostile."""
Values: TypeAlias = tuple[str, ...]
Reading: TypeAlias = int | Fraction


class Bound(msgspec.Struct, frozen=True):
    """One comparison of the measure with a number; all of a window's must hold."""

    comparison: Comparison
    value: int | float


class Column(msgspec.Struct, frozen=True):
    """A field by the name that the correlation gives it."""

    name: str
    paths: tuple[tuple[str, str], ...] = ()
    """(rule id, path) for each rule whose events have it elsewhere: the specification's aliases."""

    def path(self, rule: str) -> str:
        """Where the rule's events have it."""
        return next((path for named, path in self.paths if named == rule), self.name)


class Window(msgspec.Struct, frozen=True):
    """A correlation as far as its meaning goes."""

    id: str
    rules: tuple[str, ...]
    """Ids of rules or of other windows; their order counts for the measure `order`."""
    span: int
    """Seconds."""
    measure: Measure
    bounds: tuple[Bound, ...] = ()
    group_by: tuple[Column, ...] = ()
    """Without any, all matches are one group."""
    counted: tuple[Column, ...] = ()
    percentile: int | float = 50
    present: Expr[str] | None = None
    """For the measure `rules`, instead of bounds: a tree over presence, its fields the ids in `rules`."""


class Match(msgspec.Struct, frozen=True):
    """A rule that matched an event, or a window that held at a moment."""

    rule: str
    time: int | None
    """The event's time, in milliseconds since 1970; None if it has none that can be read."""
    event: Mapping[str, Any]
    key: str
    """Names the event: matches of one key are one event."""
    settled: tuple[tuple[str, str], ...] = ()
    """(name, value) that a window grouped by; they stand before what the event has there."""


class Entry(msgspec.Struct, frozen=True):
    """A match in the group that is being measured."""

    time: int
    match: Match


def column_values(column: Column, match: Match) -> dict[str, str]:
    """The texts that the match's event has in the column: folded to lower case, with the first spelling of each.

    Null is no value. Letter case does not count, as nowhere in Sigma.
    """
    path = column.path(match.rule)
    for name, value in match.settled:
        if name == path:
            return {fold_case(value): value}
    found: dict[str, str] = {}
    for value in resolve(match.event, path) or ():
        text = text_of(value)
        if text is not None:
            found.setdefault(fold_case(text), text)
    return found


def combinations(columns: Sequence[Column], match: Match) -> Iterator[tuple[Values, Values]]:
    """Each combination of a value from each column, folded and as written; none if a column has no value."""
    each = [column_values(column, match).items() for column in columns]
    for chosen in product(*each):
        yield tuple(folded for folded, _ in chosen), tuple(written for _, written in chosen)
