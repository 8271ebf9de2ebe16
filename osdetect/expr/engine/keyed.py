"""Records known by a key: the fields that decide most rules, as they are written. The compiled reader passes over the rest."""

from array import array
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
from msgspec import UNSET

from osdetect.expr.engine import native
from osdetect.expr.engine.grouping import Grouping
from osdetect.expr.engine.outcome import NOTHING, REMEMBERED, Outcome, decide
from osdetect.expr.engine.pieces import Span

Rows = tuple[tuple[str, ...], "array[int]"]
"""The ids of rules that hold, and for each hit its key, its time and its place."""


class Hits(msgspec.Struct, frozen=True, gc=False):
    """Records of a text that rules hold for; the places are numbers from 0."""

    records: int
    """How many the text has."""
    places: Sequence[int]
    spans: Sequence[Span]
    rules: Sequence[tuple[str, ...]]
    told: tuple[Sequence[Any], ...]
    left: Sequence[tuple[int, Span]] = ()
    """Places of records that were not judged."""
    apart: frozenset[int] = frozenset()
    """Places of records that are not what they are known as."""


class Known(msgspec.Struct):
    """What is known of the keys that came."""

    outcomes: dict[int, Outcome] = {}
    """By number. The reader gives numbers in a text too that cannot be read to its end: those are missing until they come again."""
    numbers: dict[tuple[str, ...], int] = {}
    """Of the rules that hold for hits of which their key does not say all."""
    gathered: list[Rows] = []
    """Of keys that are not known any more."""


class Keyed:
    """What each key stands for, for one grouping."""

    __slots__ = ("_gathers", "_tell", "grouping", "known", "reader")

    def __init__(
        self, grouping: Grouping, reader: native.Reader, tell: Sequence[str], *, gathers: bool
    ) -> None:
        self.grouping = grouping
        self.reader = reader
        self.known = Known()
        self._tell = tuple(tell)
        self._gathers = gathers

    @staticmethod
    def of(grouping: Grouping, tell: Sequence[str], gather: native.Gather | None) -> "Keyed | None":
        """None where there is no compiled reader, or where a key does not say enough."""
        if native.MISSING or grouping.others or not grouping.steady:
            return None
        columns = grouping.outcomes.columns
        rare = [columns[number] for number in grouping.rare]
        try:
            reader = native.of_plan(
                grouping.shape.names,
                [columns[number].path for number in grouping.steady],
                [native.Rare(one.path, one.clues or (), one.hints) for one in rare],
                tell,
                gather,
            )
        except ValueError:
            return None
        return Keyed(grouping, reader, tell, gathers=gather is not None)

    def like(self, grouping: Grouping) -> bool:
        """Whether keys stand for the same there, and the same names are known."""
        return self.stands_for_the_same(grouping) and self.grouping.shape.names == grouping.shape.names

    def stands_for_the_same(self, grouping: Grouping) -> bool:
        """Whether keys stand for the same there."""
        mine = self.grouping
        return mine.outcomes is grouping.outcomes and (mine.steady, mine.rare, mine.others) == (
            grouping.steady,
            grouping.rare,
            grouping.others,
        )

    def adopt(self, other: "Keyed") -> None:
        """Take over what another has gathered, and what it knows, for which keys stand for the same."""
        self.reader.adopt(other.reader)
        self.known = other.known

    def gathered(self) -> list[Rows]:
        """The hits that were gathered, which are not kept any more."""
        rows = [(self.known.outcomes[number].ids, taken) for number, taken in self.reader.taken()]
        rows, self.known.gathered = [*self.known.gathered, *rows], []
        return rows

    def keep(self, hits: Hits) -> int:
        """Keep what was gathered of the text that was read last; how many hits are kept by now."""
        return self.reader.keep(hits.apart)

    def read(self, text: bytes, first: int, *, lines: bool) -> Hits | None:
        """Records of the text that rules hold for; None for a text that is to be read in another way.

        Those of which all is known are gathered instead, if hits are; `first` is the place of the first record there.

        Raises:
            msgspec.DecodeError, orjson.JSONDecodeError, RecursionError: the same.
        """
        if self.reader.numbers() > REMEMBERED:
            self.known.gathered = self.gathered()
            self.known.outcomes.clear()
            self.known.numbers.clear()
            self.reader.forget()
        found = self.reader.read(text, lines=lines, first=first)
        if found is None:
            return None
        rows = found.rows
        places, numbers = rows[0 :: native.ROW], rows[1 :: native.ROW]
        spans = list(zip(rows[2 :: native.ROW], rows[3 :: native.ROW], strict=True))
        masks = rows[4 :: native.ROW]
        loud = self._loud(found.free)
        known = self.known.outcomes
        outcomes = [
            known.get(number) or self._first(number, text[start:end], mask)
            for number, (start, end), mask in zip(numbers, spans, masks, strict=True)
        ]
        kept: list[int] = []
        rules: list[tuple[str, ...]] = []
        for row, outcome in enumerate(outcomes):
            if outcome is None or outcome is NOTHING or places[row] in loud:
                continue
            held = self._rules(outcome, text, spans[row])
            if held and not (self._gathers and self._take(row, numbers[row], outcome, held)):
                kept.append(row)
                rules.append(held)
        return Hits(
            found.records,
            _at(places, kept),
            _at(spans, kept),
            rules,
            self._told(found, kept, masks, text, spans),
            self._left(found, places, outcomes, loud),
            loud,
        )

    def _take(self, row: int, number: int, outcome: Outcome, held: tuple[str, ...]) -> bool:
        """Have the reader gather a hit that it did not know enough of."""
        if outcome.undecided:
            known = self.known.numbers.get(held)
            if known is None:
                known = self.known.numbers[held] = self.reader.number()
                self.known.outcomes[known] = Outcome(held)
            number = known
        return self.reader.take(row, number)

    def _told(
        self,
        found: native.Found,
        kept: Sequence[int],
        masks: Sequence[int],
        text: bytes,
        spans: Sequence[Span],
    ) -> tuple[list[Any], ...]:
        if not kept:
            return tuple([[] for _ in self._tell])
        told = tuple([_at(column, kept) for column in found.told()])
        for at, row in enumerate(kept):
            if masks[row] >= native.ODD_TOLD:
                event = orjson.loads(text[spans[row][0] : spans[row][1]])
                for name, column in zip(self._tell, told, strict=True):
                    column[at] = event.get(name, UNSET)
        return told

    def _rules(self, outcome: Outcome, text: bytes, span: Span) -> tuple[str, ...]:
        if not outcome.undecided:
            return outcome.ids
        record = memoryview(text)[span[0] : span[1]]
        try:
            event = self.grouping.shape.event(self.grouping.shape.decode_one(record), outcome.reads)
        except msgspec.ValidationError:  # a name that is not known stands where no key looks
            event = None
        return decide(self.grouping.outcomes, outcome, orjson.loads(record) if event is None else event)

    def _first(self, number: int, record: bytes, mask: int) -> Outcome | None:
        """What a key stands for, of which this is the first record; None where there is no key that says all of it."""
        if number >= native.STRANGE:
            return None
        try:
            outcome = self.grouping.outcome_of(self.grouping.shape.decode_one(memoryview(record)), mask)
        except msgspec.ValidationError:
            return None
        if outcome is not None:
            self.known.outcomes[number] = outcome
            if not outcome.undecided:
                self.reader.settle(number, hit=outcome is not NOTHING)
        return outcome

    def _loud(self, free: Sequence[str]) -> frozenset[int]:
        """The places of records that have a rare text which only an expression tells from others."""
        if not any(free):
            return frozenset()
        columns = [self.grouping.outcomes.columns[number] for number in self.grouping.rare]
        return frozenset(
            place
            for column, texts in zip([one for one in columns if one.hints != ()], free, strict=True)
            for place in column.free_lines(texts)
        )

    def _left(
        self,
        found: native.Found,
        places: Sequence[int],
        outcomes: Sequence[Outcome | None],
        loud: frozenset[int],
    ) -> list[tuple[int, Span]]:
        left = {place for place, outcome in zip(places, outcomes, strict=True) if outcome is None} | loud
        if not left:
            return []
        spans = found.spans()
        return [(place, (spans[2 * place], spans[2 * place + 1])) for place in sorted(left)]


def _at(column: Sequence[Any], places: Sequence[int]) -> list[Any]:
    """The values at the places, which ascend."""
    if len(places) == len(column):
        return list(column)
    return list(map(column.__getitem__, places))
