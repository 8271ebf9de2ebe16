"""What comes of a text of records."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec

from osdetect.expr.engine.keyed import Hits
from osdetect.expr.engine.pieces import Span


class Match(msgspec.Struct, frozen=True, gc=False):
    """A record that rules hold for."""

    number: int
    """Its place among the records of the text, from 1."""
    rules: tuple[str, ...]
    """The ids of the rules, in the order the engine was given them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a text of records."""

    records: int
    """How many there were; each was judged."""
    numbers: tuple[int, ...] = ()
    """The places, from 1, of those that rules hold for."""
    rules: tuple[tuple[str, ...], ...] = ()
    """For each of them the ids of the rules, in the order the engine was given them."""
    told: tuple[tuple[Any, ...], ...] = ()
    """For each field that the engine was asked to tell its value in each of them; UNSET for an absent one."""
    gathered: int = 0
    """How many others are gathered by now, of this text and of those before (`Engine.gathered`)."""
    spans: Callable[[], Sequence[Span]] = field(default=tuple, compare=False, repr=False)
    """Where each of them begins and ends in the text. It is looked for when it is asked for."""

    @property
    def matches(self) -> tuple[Match, ...]:
        """The same, one by one."""
        return tuple(map(Match, self.numbers, self.rules))


def in_order(records: int, parts: Sequence[Hits], gathered: int) -> Judged:
    """All hits of a text: those of the first part, and among them those of records that it left."""
    hits = parts[0]
    if len(parts) == 1:
        numbers = tuple([place + 1 for place in hits.places])
        return Judged(
            records,
            numbers,
            tuple(hits.rules),
            tuple(map(tuple, hits.told)),
            gathered,
            lambda: hits.spans,
        )
    places = list(chain.from_iterable([part.places for part in parts]))
    order = sorted(range(len(places)), key=places.__getitem__)

    def ordered(columns: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
        return tuple(map(list(chain.from_iterable(columns)).__getitem__, order))

    spans = ordered(part.spans for part in parts)
    return Judged(
        records,
        tuple([places[at] + 1 for at in order]),
        ordered(part.rules for part in parts),
        tuple(ordered(columns) for columns in zip(*[part.told for part in parts], strict=True)),
        gathered,
        lambda: spans,
    )
