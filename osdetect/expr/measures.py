"""How each measure of a window is taken while entries enter and leave it: in logarithmic time at most.

Numbers are exact (fractions), so that a sum does not drift and does not depend on the order of its parts.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from typing import Any, Protocol, TypeAlias

from osdetect.expr.evaluate import evaluate
from osdetect.expr.values import resolve
from osdetect.expr.windows import MAX_COMBINATIONS, Entry, Measure, Reading, Window, combinations

MAX_DIGITS = 400
"""Characters of a text that is read as a number."""
_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Meter(Protocol):
    """Measures a window that entries enter and leave, both in the order of time."""

    def add(self, entry: Entry) -> None:
        """The entry enters."""

    def drop(self, entry: Entry) -> None:
        """The entry leaves."""

    def readings(self, latest: Sequence[Entry]) -> Iterable[Reading]:
        """The measure of the window; none if it has none. `latest` are the entries of the moment that it ends at."""


MakeMeter: TypeAlias = Callable[[Window, Sequence[Entry]], Meter]
"""Given the window and all entries of the group, in the order of time."""
_Keys: TypeAlias = Callable[[Entry], Iterable[Hashable]]


class _Distinct:
    """How many different keys the entries have."""

    def __init__(self, keys: _Keys) -> None:
        self._keys = keys
        self.counts: Counter[Hashable] = Counter()

    def add(self, entry: Entry) -> None:
        self.counts.update(self._keys(entry))

    def drop(self, entry: Entry) -> None:
        for key in self._keys(entry):
            self.counts[key] -= 1
            if not self.counts[key]:
                del self.counts[key]

    def readings(self, latest: Sequence[Entry]) -> Iterable[Reading]:
        del latest
        return (len(self.counts),)


class _Rules(_Distinct):
    """How many different rules matched; or, with a tree over their presence, 1 where it holds."""

    def __init__(self, window: Window, _: Sequence[Entry]) -> None:
        super().__init__(lambda entry: (entry.match.rule,))
        self._window = window

    def readings(self, latest: Sequence[Entry]) -> Iterable[Reading]:
        if self._window.present is None:
            return super().readings(latest)
        return (1,) if evaluate(self._window.present, {str(rule): True for rule in self.counts}) else ()


class _Share:
    """The percentage of the window's values that the latest ones are."""

    def __init__(self, window: Window, _: Sequence[Entry]) -> None:
        self._keys = _counted(window)
        self._counts: Counter[Hashable] = Counter()
        self._total = 0

    def add(self, entry: Entry) -> None:
        for key in self._keys(entry):
            self._counts[key] += 1
            self._total += 1

    def drop(self, entry: Entry) -> None:
        for key in self._keys(entry):
            self._counts[key] -= 1
            self._total -= 1
            if not self._counts[key]:
                del self._counts[key]

    def readings(self, latest: Sequence[Entry]) -> Iterable[Reading]:
        keys = dict.fromkeys(key for entry in latest for key in self._keys(entry))
        return [Fraction(100 * self._counts[key], self._total) for key in keys]


class _Order:
    """The most rules that follow one another, in the order of the window's rules.

    `_starts[n][i]` is the latest moment at which a sequence of n + 1 rules began that ends at rule i. Matches of
    one moment follow one another in any order: the records of a second have no order.
    """

    def __init__(self, window: Window, _: Sequence[Entry]) -> None:
        self._place = {rule: place for place, rule in enumerate(window.rules)}
        self._span = window.span * 1000
        self._starts: list[list[float]] = [[-math.inf] * len(window.rules) for _ in window.rules]

    def add(self, entry: Entry) -> None:
        """Nothing: sequences are told at the end of a moment."""

    def drop(self, entry: Entry) -> None:
        """Nothing: a sequence leaves by its beginning."""

    def readings(self, latest: Sequence[Entry]) -> Iterable[Reading]:
        now = latest[0].time
        starts = self._starts
        for place in sorted({self._place[entry.match.rule] for entry in latest}):
            starts[0][place] = now
            for length in range(1, place + 1):
                starts[length][place] = max(starts[length][place], *starts[length - 1][:place])
        reached = [n for n, begun in enumerate(starts, start=1) if max(begun) >= now - self._span]
        return (max(reached),)


class _Sum:
    """The sum of the numbers, or their average."""

    def __init__(self, window: Window, _: Sequence[Entry]) -> None:
        self._window = window
        self._total: Reading = 0
        self._count = 0

    def add(self, entry: Entry) -> None:
        numbers = _numbers(self._window, entry)
        self._total += sum(numbers)
        self._count += len(numbers)

    def drop(self, entry: Entry) -> None:
        numbers = _numbers(self._window, entry)
        self._total -= sum(numbers)
        self._count -= len(numbers)

    def readings(self, latest: Sequence[Entry]) -> Iterable[Reading]:
        del latest
        if not self._count:
            return ()
        return (self._total,) if self._window.measure == "sum" else (Fraction(self._total) / self._count,)


class _Percentile:
    """The number below which so many percent of the numbers lie, interpolated between the nearest two.

    Counts the numbers in a binary indexed tree over all that the group has, sorted.
    """

    def __init__(self, window: Window, entries: Sequence[Entry]) -> None:
        self._window = window
        self._sorted = sorted({number for entry in entries for number in _numbers(window, entry)})
        self._places = {number: place for place, number in enumerate(self._sorted, start=1)}
        self._tree = [0] * (len(self._sorted) + 1)
        self._share = Fraction(window.percentile) / 100
        self._count = 0

    def add(self, entry: Entry) -> None:
        self._change(entry, 1)

    def drop(self, entry: Entry) -> None:
        self._change(entry, -1)

    def _change(self, entry: Entry, by: int) -> None:
        for number in _numbers(self._window, entry):
            self._count += by
            place = self._places[number]
            while place < len(self._tree):
                self._tree[place] += by
                place += place & -place

    def readings(self, latest: Sequence[Entry]) -> Iterable[Reading]:
        del latest
        if not self._count:
            return ()
        rank = self._share * (self._count - 1)
        below = int(rank)
        low, high = self._ranked(below), self._ranked(min(below + 1, self._count - 1))
        return (low + (high - low) * (rank - below),)

    def _ranked(self, rank: int) -> Reading:
        """The number with so many before it."""
        place, step = 0, 1 << (len(self._tree).bit_length() - 1)
        while step:
            if place + step < len(self._tree) and self._tree[place + step] <= rank:
                place += step
                rank -= self._tree[place]
            step >>= 1
        return self._sorted[place]


def _counted(window: Window) -> _Keys:
    """Each combination of values in the counted columns; none where one of them has no value."""
    limit = MAX_COMBINATIONS if len(window.counted) > 1 else None
    return lambda entry: [folded for folded, _ in islice(combinations(window.counted, entry.match), limit)]


def _numbers(window: Window, entry: Entry) -> list[Reading]:
    """The numbers in the counted columns, texts that read as one too; what is none is passed over."""
    found = [
        number_of(value)
        for column in window.counted
        for value in resolve(entry.match.event, column.path(entry.match.rule)) or ()
    ]
    return [number for number in found if number is not None]


def number_of(value: Any) -> Reading | None:
    """The finite number that a value is or reads as; a truth value is none.

    >>> number_of("1.5"), number_of(True), number_of("1e999"), number_of("x")
    (Fraction(3, 2), None, None, None)
    """
    if isinstance(value, str):
        if len(value) > MAX_DIGITS or not _NUMERAL.fullmatch(value):
            return None
        value = int(value) if value.lstrip("+-").isdigit() else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int):
        return value
    return Fraction(value) if math.isfinite(value) else None


METERS: Mapping[Measure, MakeMeter] = {
    "events": lambda _, __: _Distinct(lambda entry: (entry.match.key,)),
    "values": lambda window, _: _Distinct(_counted(window)),
    "rules": _Rules,
    "order": _Order,
    "sum": _Sum,
    "average": _Sum,
    "percentile": _Percentile,
    "share": _Share,
}
