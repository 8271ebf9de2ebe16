"""The tests of one field, decided for whole columns of values: each distinct value once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from osdetect.expr.engine.memory import Memory
from osdetect.expr.engine.multi_pattern import MultiPattern
from osdetect.expr.nodes import Exists, Null, SameAs, Test
from osdetect.expr.predicates import ValueTest

REMEMBERED = 16_384
"""Values of a field whose tests are remembered,"""
CHARACTERS = 1 << 20
"""and how many characters these may have together: principals and addresses are many and short, agents few and long."""
_SETS = 4_096
"""Sets of tests that hold together; a field has a few."""


class Held(msgspec.Struct, frozen=True, eq=False):
    """The tests of a field that hold, by their places. Remembered ones are told apart by identity, which is fast."""

    places: frozenset[int]


class Column(msgspec.Struct, frozen=True):
    """A field and its distinct tests."""

    path: str
    places: Mapping[Test, int]
    _patterns: MultiPattern
    _of_pattern: tuple[int, ...]
    """The place of each test among `_patterns`."""
    _present: frozenset[int]
    _null: frozenset[int]
    _absent: Held
    _is_null: Held
    text: Held
    """What holds of any text that passes no test; the same object as of an absent field where presence is not asked for."""
    memo: Memory[str | UnsetType | None, Held]
    """By the value; UNSET is absence."""
    _known: Memory[frozenset[int], Held]

    @staticmethod
    def of(path: str, tests: Iterable[Test]) -> "Column":
        """The column for these tests of the field; none of them a `SameAs`, which is of two fields."""
        places = {test: place for place, test in enumerate(dict.fromkeys(tests))}
        values: list[tuple[int, ValueTest]] = []
        for test, place in places.items():
            assert not isinstance(test, SameAs)
            if not isinstance(test, (Exists, Null)):
                values.append((place, test))
        present = frozenset(place for test, place in places.items() if isinstance(test, Exists))
        null = frozenset(place for test, place in places.items() if isinstance(test, Null))
        of_text = Held(present)
        absent, is_null = (of_text if held == present else Held(held) for held in (null, present | null))
        return Column(
            path,
            places,
            MultiPattern.of([("", test) for _, test in values]),
            tuple(place for place, _ in values),
            present,
            null,
            absent,
            is_null,
            of_text,
            Memory(REMEMBERED, CHARACTERS, {UNSET: absent, None: is_null}),
            Memory(_SETS, _SETS),
        )

    @property
    def clues(self) -> tuple[str, ...] | None:
        """Texts in lower case of which one stands in every text for which something else than `text` holds.

        None: there are no few such. Texts that `free_lines` finds need not have one.
        """
        return self._patterns.clues

    @property
    def hints(self) -> tuple[str, ...] | None:
        """Texts in lower case of which one stands in every text that `free_lines` finds.

        None: there are no such. Empty: it finds nothing.
        """
        return self._patterns.hints

    def free_lines(self, texts: str) -> Sequence[int]:
        """The places of the texts, each ended by a newline, that pass a test by a regular expression alone."""
        find = self._patterns.free
        if find is None or not any(True for _ in find(texts)):
            return ()
        return [place for place, line in enumerate(texts.split("\n")) if any(True for _ in find(line))]

    def loud(self, values: Sequence[Any]) -> Sequence[int] | None:
        """The places of the values for which something else than `text` may hold; None: that needs a look at each.

        It takes one look at all of them together.
        """
        texts = values
        if self._absent is self.text and self._is_null is self.text:
            texts = ["" if value is UNSET or value is None else value for value in values]
        try:
            together = "\n".join(texts)
        except TypeError:
            return None
        clues = self._patterns.clues_within(together)
        if clues is None:
            return None
        if not clues:
            return ()
        return _places_of(clues, together.lower()) if together.count("\n") == len(texts) - 1 else None

    def of_values(self, values: Sequence[Any] | None) -> Held:
        """The tests that hold for the values at the path, as `resolve` gives them: None when it is absent."""
        if values is None:
            return self._absent
        if len(values) == 1:
            return self._of(values[0])
        held = {place for value in values for place in self._decided(value)}
        no_value = not values or None in values
        return self._shared(self._present.union(held, self._null if no_value else ()))

    def of_column(self, values: Sequence[Any]) -> list[Held | None]:
        """The tests that hold for each; UNSET is an absent field. None for what is neither text, truth value nor null."""
        # Where only presence is asked for, every other value is like any text.
        other = None if self._of_pattern else self.text
        try:
            held: list[Held | None] = list(map(self.memo.get, values, repeat(other)))
        except TypeError:  # a list or an object is among them
            held = [None] * len(values)
        if None in held:
            missing = [place for place, one in enumerate(held) if one is None]
            decided = self._decide({value for place in missing if isinstance(value := values[place], str)})
            for place in missing:
                value = values[place]
                if isinstance(value, str):
                    held[place] = decided[value]
                elif _is_plain(value):
                    held[place] = self._of(value)
        return held

    def of_one(self, value: Any) -> Held | None:
        """The same for one value."""
        return self._of(value) if _is_plain(value) else None

    def of_many(self, values: Sequence[Any]) -> list[Held | None]:
        """The same for a field with ever new values: few of them pass a test, and that is seen of all together."""
        texts = [value for value in values if value.__class__ is str]
        clues = self._patterns.clues_within("\n".join(texts))
        if clues is None:
            return self.of_column(values)
        text, of_one = self.text, self._of
        if not clues and len(texts) == len(values):
            return [text] * len(values)
        held: list[Held | None] = [
            text if value.__class__ is str else of_one(value) if _is_plain(value) else None
            for value in values
        ]
        for place, value in enumerate(values) if clues else ():
            if value.__class__ is str:
                folded = value.lower()
                for clue in clues:
                    if clue in folded:
                        held[place] = of_one(value)
        return held

    def _decide(self, texts: Collection[str]) -> Mapping[Any, Held]:
        """What holds of each of these texts, which is remembered."""
        of_pattern, shared, present = self._of_pattern, self._shared, self._present
        decided: dict[Any, Held] = dict.fromkeys(texts, self.text)
        for text, numbers in zip(decided, self._patterns.places_of_texts(list(decided)), strict=True):
            if numbers:
                decided[text] = shared(present.union([of_pattern[number] for number in numbers]))
        self.memo.update(decided, sum(map(len, decided)) + len(decided))
        return decided

    def _of(self, value: Any) -> Held:
        if value is UNSET:
            return self._absent
        if value is None:
            return self._is_null
        if not self._of_pattern:
            return self.text
        if not isinstance(value, str):
            return self._shared(self._present.union(self._decided(value)))
        found = self.memo.get(value)
        if found is not None:
            return found
        return self.memo.put(value, self._shared(self._present.union(self._decided(value))), len(value) + 1)

    def _decided(self, value: Any) -> list[int]:
        of_pattern = self._of_pattern
        return [of_pattern[number] for number in self._patterns.places(value)] if of_pattern else []

    def _shared(self, places: frozenset[int]) -> Held:
        """The one object for these places, as long as it is remembered."""
        found = self._known.get(places)
        return found if found is not None else self._known.put(places, Held(places))


def _places_of(clues: Iterable[str], lines: str) -> list[int]:
    """The numbers, from 0, of the lines that have one of these in them."""
    places: set[int] = set()
    for clue in clues:
        line, before, at = 0, 0, lines.find(clue)
        while at >= 0:
            line, before = line + lines.count("\n", before, at), at
            places.add(line)
            end = lines.find("\n", at)
            at = lines.find(clue, end) if end >= 0 else -1
    return sorted(places)


def _is_plain(value: Any) -> bool:
    return value is UNSET or value is None or isinstance(value, (str, bool))
