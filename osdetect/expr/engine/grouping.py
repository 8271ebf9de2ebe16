"""From columns of values to outcomes.

A steady field has few values: names of calls and services, kinds of callers. The outcome of a record is found with one
look into a dictionary by the values of all its steady fields, as long as the other fields are quiet: they have ever new
values of which few pass a test, and that none does is seen of many records at once.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.expr.engine.column import Held
from osdetect.expr.engine.memory import Memory
from osdetect.expr.engine.outcome import Outcome, Outcomes
from osdetect.expr.engine.shape import Shape

STEADY = 4_096
"""A field with more values than this is not steady."""
_ENOUGH = 100
"""Fewer records tell nothing of how many values come again."""
_NAMES = 1_000
"""So many values a field may have, however few the records, that can't be looked at together with others: names of calls."""
MISSES = 200
"""Records looked up in vain before it is asked whether a steady field is to blame: one without which so much"""
_FEWER = 0.6
"""of the combinations would be left."""
_REMEMBERED = 8_192


class _Together(msgspec.Struct, frozen=True, eq=False):
    """The tests that hold of the steady fields, in the order of these; told apart by identity."""

    held: tuple[Held | None, ...]


class Grouping(msgspec.Struct, frozen=True):
    """How records of one shape are looked up."""

    outcomes: Outcomes
    shape: Shape
    wide: frozenset[int]
    """The numbers of the columns with too many values. A column stays so: its values are not counted any more."""
    steady: tuple[int, ...]
    """The numbers of those that are looked up together; none or at least two."""
    rare: tuple[int, ...]
    """The numbers of the wide ones of which many values can be looked at together."""
    others: tuple[int, ...]
    _began: int
    """How many records were seen before."""
    _get: Callable[[Any], Any]
    """The values of the steady fields of a record."""
    _values: Memory[Any, _Together]
    """By the values of the steady fields."""
    _quiet: Memory[Any, Outcome]
    """By the same the outcome where no other field passes a test."""
    _texts: Memory[Any, Any]
    _known: Memory[tuple[Held | None, ...], _Together]
    _found: Memory[tuple[Any, ...], Outcome]

    @staticmethod
    def of(
        outcomes: Outcomes,
        shape: Shape,
        most: int = STEADY,
        records: int = 0,
        before: "Grouping | None" = None,
    ) -> "Grouping":
        """The grouping for what is known by now of how many values the fields have.

        Args:
            outcomes: of the rules.
            shape: how records are read.
            most: values that a steady field may have.
            records: how many were seen.
            before: another of the same rules; what it remembers is kept where it still says the same.
        """
        known = before if before is not None and before.outcomes is outcomes else None
        many = min(most, records // 2 if records >= _ENOUGH else most)
        columns = outcomes.columns
        # One that cannot be rare, should it be wide, is given more room.
        room = [many if column.clues is not None else max(many, min(most, _NAMES)) for column in columns]
        wide = frozenset(
            number
            for number, column in enumerate(columns)
            if len(column.memo.held) > room[number] + 2 or column.memo.emptied
        )
        if known is not None:
            wide |= known.wide | known.to_blame(records)
        steady = tuple(number for number in range(len(columns)) if number not in wide)
        if len(steady) < 2 or not most:
            steady = ()
        rare = tuple(number for number in sorted(wide) if columns[number].clues is not None)
        get = attrgetter(*(shape.hot[number] for number in steady)) if steady else bool
        if known is not None and known.wide == wide:
            return replace(known, shape=shape, _get=get)
        memories = (Memory[Any, Any](_REMEMBERED, _REMEMBERED) for _ in range(5))
        others = tuple(number for number in range(len(columns)) if number not in (*steady, *rare))
        return Grouping(outcomes, shape, wide, steady, rare, others, records, get, *memories)

    @property
    def misses(self) -> int:
        """How many combinations of the steady fields' values were not remembered when they came."""
        return self._values.added

    def misses_much(self, records: int) -> bool:
        """Whether that was so for a sixth of the records or more, of so many that were seen in all."""
        return self.misses >= MISSES and self.misses * 6 > records - self._began

    def to_blame(self, records: int) -> frozenset[int]:
        """The column that makes most of the combinations, if these are too many and without it there were far fewer.

        One that may be rare: as another it would cost as much.
        """
        combinations = self._values.held
        blamed = [
            at for at, number in enumerate(self.steady) if self.outcomes.columns[number].clues is not None
        ]
        if not blamed or len(self.steady) <= 2 or not self.misses_much(records):
            return frozenset()
        left, number = min(
            (len({(*one[:at], *one[at + 1 :]) for one in combinations}), self.steady[at]) for at in blamed
        )
        return frozenset({number} if left < len(combinations) * _FEWER else ())

    def found(self, records: Sequence[Any]) -> list[Outcome | None]:
        """The outcome for each record; None for one that must be read as a whole."""
        if self.others or not self.steady:
            return self._by_columns(records)
        try:
            values = list(map(self._get, records))
            found = self._if_quiet(values)
        except (AttributeError, TypeError):  # null where an object should be; a list or an object as a value
            return self._by_columns(records)
        rare = [self.shape.column(number, records) for number in self.rare]
        self._put_loud(found, values, rare)
        return found

    def outcome_of(self, record: Any, quiet: int) -> Outcome | None:
        """The outcome for a record and for all that are like it in the steady fields, and in the rare ones that are not quiet.

        Args:
            record: what was read of it.
            quiet: by bits, which of the rare fields pass no test, whatever their text.
        """
        columns = self.outcomes.columns
        values = [self.shape.column(number, [record])[0] for number in self.steady]
        rare = [
            columns[number].text
            if quiet >> place & 1
            else columns[number].of_one(self.shape.column(number, [record])[0])
            for place, number in enumerate(self.rare)
        ]
        return self._outcome((self._decide(tuple(values)), *rare))

    def _if_quiet(self, values: Sequence[Any]) -> list[Outcome | None]:
        try:
            return list(map(self._quiet.held.__getitem__, values))
        except KeyError:
            return [self._quiet.get(value) or self._first(value) for value in values]

    def _first(self, value: tuple[Any, ...]) -> Outcome | None:
        columns = self.outcomes.columns
        outcome = self._outcome((self._decide(value), *[columns[number].text for number in self.rare]))
        if outcome is None or value not in self._values.held:
            return outcome
        return self._quiet.put(tuple(map(self._shared, value)), outcome)

    def _put_loud(
        self, found: list[Outcome | None], values: Sequence[Any], rare: Sequence[Sequence[Any]]
    ) -> None:
        """Correct what was found for records of which a rare field is not quiet."""
        loud: dict[int, dict[int, Held | None]] = {}
        for number, of_all in zip(self.rare, rare, strict=True):
            column = self.outcomes.columns[number]
            places = column.loud(of_all)
            for at in range(len(of_all)) if places is None else places:
                held = column.of_one(of_all[at])
                if held is not column.text:
                    loud.setdefault(at, {})[number] = held
        for at, by_number in loud.items():
            together = self._values.get(values[at]) or self._decide(values[at])
            others = [by_number.get(number, self.outcomes.columns[number].text) for number in self.rare]
            found[at] = self._outcome((together, *others))

    def _by_columns(self, records: Sequence[Any]) -> list[Outcome | None]:
        columns: list[Sequence[Any]] = [
            self._column(number, records) for number in (*self.rare, *self.others)
        ]
        if self.steady:
            columns.insert(0, self._together(records))
        if not columns:
            return [self.outcomes.outcome(())] * len(records)
        keys = list(zip(*columns, strict=True))
        found: list[Outcome | None] = list(map(self._found.get, keys))
        for at in [at for at, outcome in enumerate(found) if outcome is None]:
            found[at] = self._outcome(keys[at])
        return found

    def _outcome(self, key: tuple[Any, ...]) -> Outcome | None:
        known = self._found.get(key)
        if known is not None:
            return known
        held: list[Held | None] = [None] * len(self.outcomes.columns)
        steady, others = (key[0].held, key[1:]) if self.steady else ((), key)
        numbers = (*self.steady, *self.rare, *self.others)
        for number, one in zip(numbers, (*steady, *others), strict=True):
            held[number] = one
        return None if None in held else self._found.put(key, self.outcomes.outcome(tuple(held)))

    def _column(self, number: int, records: Sequence[Any]) -> list[Held | None]:
        column, values = self.outcomes.columns[number], self.shape.column(number, records)
        return column.of_many(values) if number in self.rare else column.of_column(values)

    def _together(self, records: Sequence[Any]) -> list[_Together]:
        try:
            values: list[Any] = list(map(self._get, records))
            found: list[_Together | None] = list(map(self._values.get, values))
        except (AttributeError, TypeError):  # as above
            values = list(zip(*(self.shape.column(number, records) for number in self.steady), strict=True))
            found = [None] * len(values)
        return [one or self._decide(value) for one, value in zip(found, values, strict=True)]

    def _decide(self, values: tuple[Any, ...]) -> _Together:
        columns = self.outcomes.columns
        held = tuple(
            [columns[number].of_one(value) for number, value in zip(self.steady, values, strict=True)]
        )
        known = self._known.get(held)
        together = known if known is not None else self._known.put(held, _Together(held))
        # Not what has a truth value in it: Python holds True and 1 for equal.
        kept = None not in held and not any(isinstance(value, bool) for value in values)
        if not kept:
            return together
        # Values that are many times the same object take less of the processor's cache.
        return self._values.put(tuple(map(self._shared, values)), together)

    def _shared(self, value: Any) -> Any:
        return self._texts.get(value) or self._texts.put(value, value)
