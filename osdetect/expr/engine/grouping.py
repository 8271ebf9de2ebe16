"""From columns of values to outcomes: steady fields are looked up together, the others each by itself.

A steady field has few values: names of calls and services, kinds of callers. The tests of all steady fields of a
record are found with one look into a dictionary by their values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from osdetect.expr.engine.column import Held
from osdetect.expr.engine.memory import Memory
from osdetect.expr.engine.outcome import Outcome, Outcomes
from osdetect.expr.engine.shape import Shape

STEADY = 256
"""A field with fewer values than this so far is steady."""
MANY = 2_048
"""A field with more has another value in most records."""
_REMEMBERED = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class _Together:
    """The tests that hold of the steady fields, in the order of these; told apart by identity."""

    held: tuple[Held | None, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """How records of one shape are looked up."""

    outcomes: Outcomes
    shape: Shape
    steady: tuple[int, ...]
    """The numbers of the columns that are looked up together; none or at least two."""
    others: tuple[int, ...]
    _many: frozenset[int]
    """The numbers of those with so many values that few come again."""
    _values: Memory[Any, _Together]
    """By the values of the steady fields."""
    _known: Memory[tuple[Held | None, ...], _Together]
    _found: Memory[tuple[Any, ...], Outcome]

    @staticmethod
    def of(
        outcomes: Outcomes, shape: Shape, most: int = STEADY, before: "Grouping | None" = None
    ) -> "Grouping":
        """The grouping for what is known by now of how many values the fields have.

        Args:
            outcomes: of the rules.
            shape: how records are read.
            most: values that a steady field may have.
            before: another of the same rules; what it remembers is kept where it still says the same.
        """
        memos = [column.memo for column in outcomes.columns]
        steady = tuple(
            number for number, memo in enumerate(memos) if len(memo.held) <= most and not memo.emptied
        )
        if len(steady) < 2:
            steady = ()
        others = tuple(number for number in range(len(memos)) if number not in steady)
        many = frozenset(
            number for number in others if memos[number].emptied or len(memos[number].held) > MANY
        )
        same = before is not None and before.outcomes is outcomes and before.steady == steady
        if before is not None and same and not before.overflowed:
            return replace(before, shape=shape, _many=many)
        together, known, found = (Memory[Any, Any](_REMEMBERED, _REMEMBERED) for _ in range(3))
        return Grouping(outcomes, shape, steady, others, many, together, known, found)

    @property
    def overflowed(self) -> bool:
        """Whether there were too many combinations of the steady fields' values to remember."""
        return self._values.emptied > 0

    def found(self, records: Sequence[Any]) -> list[Outcome | None]:
        """The outcome for each record; None for one that must be read as a whole."""
        columns: list[Sequence[Any]] = [self._column(number, records) for number in self.others]
        if self.steady:
            columns.insert(0, self._together(records))
        if not columns:
            return [self.outcomes.outcome(())] * len(records)
        found: list[Outcome | None] = list(map(self._found.get, zip(*columns, strict=True)))
        if None in found:
            for at in [at for at, outcome in enumerate(found) if outcome is None]:
                found[at] = self._outcome(tuple([column[at] for column in columns]))
        return found

    def _outcome(self, key: tuple[Any, ...]) -> Outcome | None:
        held: list[Held | None] = [None] * len(self.outcomes.columns)
        steady, others = (key[0].held, key[1:]) if self.steady else ((), key)
        for number, one in (*zip(self.steady, steady, strict=True), *zip(self.others, others, strict=True)):
            held[number] = one
        return None if None in held else self._found.put(key, self.outcomes.outcome(tuple(held)))

    def _column(self, number: int, records: Sequence[Any]) -> list[Held | None]:
        column, values = self.outcomes.columns[number], self.shape.column(number, records)
        return column.of_many(values) if number in self._many else column.of_column(values)

    def _together(self, records: Sequence[Any]) -> list[_Together]:
        get = attrgetter(*(self.shape.hot[number] for number in self.steady))
        try:
            values: list[Any] = list(map(get, records))
            found: list[_Together | None] = list(map(self._values.get, values))
        except (AttributeError, TypeError):  # null where an object should be; a list or an object as a value
            values = list(zip(*(self.shape.column(number, records) for number in self.steady), strict=True))
            found = [None] * len(values)
        if None not in found:
            return found  # type: ignore[return-value]  # there is no None in it
        return [one or self._decide(value) for one, value in zip(found, values, strict=True)]

    def _decide(self, values: tuple[Any, ...]) -> _Together:
        columns = self.outcomes.columns
        held = tuple(
            [
                columns[number].of_column((value,))[0]
                for number, value in zip(self.steady, values, strict=True)
            ]
        )
        known = self._known.get(held)
        together = known if known is not None else self._known.put(held, _Together(held))
        # Not what has a truth value in it: Python holds True and 1 for equal.
        kept = None not in held and not any(isinstance(value, bool) for value in values)
        return self._values.put(values, together) if kept else together
