"""Rules against events and whole files of records, many at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import orjson

from osdetect.expr.engine import pieces
from osdetect.expr.engine.column import Held
from osdetect.expr.engine.hot import hot_columns
from osdetect.expr.engine.outcome import NOTHING, Key, Outcome, Outcomes, decide, paths
from osdetect.expr.engine.pieces import Piece, Span
from osdetect.expr.engine.shape import Names, Shape, learn
from osdetect.expr.nodes import Expr
from osdetect.expr.values import resolve

_RELEARN = 64
"""How often the shape of records is made anew for names not seen before. It takes a millisecond."""


class Match(NamedTuple):
    """A record that rules hold for. A tuple, because they can be many."""

    number: int
    """Its place among the records of the text, from 1."""
    start: int
    """Where it begins in the text, in bytes."""
    stop: int
    """Behind its last byte."""
    rules: tuple[str, ...]
    """The ids of the rules, in the order the engine was given them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a text of records."""

    records: int
    """How many there were; each was judged."""
    matches: tuple[Match, ...]


class Engine:
    """Rules made ready to be asked of many events.

    It agrees with `osdetect.expr.evaluate`. What it remembers of events makes it faster, never different, and is bounded.
    """

    __slots__ = ("_inner", "_names", "_outcomes", "_read", "_relearned", "_shape")

    def __init__(self, rules: Sequence[tuple[str, Expr[str]]]) -> None:
        trees = [tree for _, tree in rules]
        columns = hot_columns(trees)
        self._outcomes = Outcomes.of(rules, columns)
        self._read = frozenset(path for tree in trees for path in paths(tree))
        hot = [column.path for column in columns]
        self._inner = tuple(
            sorted({path[:at] for path in hot for at, sign in enumerate(path) if sign == "."})
        )
        self._names: Names = {}
        self._relearned = 0
        self._shape = Shape.of(hot, self._read, self._names)

    @staticmethod
    def of(rules: Sequence[tuple[str, Expr[str]]]) -> "Engine":
        """The engine for these rules: id and tree of each."""
        return Engine(rules)

    def match(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """The ids of the rules that hold for the event, in the order given."""
        outcomes = self._outcomes
        key = tuple([column.of_values(resolve(event, column.path)) for column in outcomes.columns])
        return decide(outcomes, outcomes.outcome(key), event)

    def match_records(self, text: bytes) -> Judged | None:
        """The records of `{"Records": [...]}` that rules hold for; None for a text in which something is odd.

        Odd is all that keeps a record from being read as it stands: another layout, a text cut off, broken JSON or UTF-8.
        A number beyond what a double holds and nesting of any depth are not noticed in fields that no rule reads.
        """
        return self._judge(pieces.of_delivery(text), pieces.spans)

    def match_lines(self, text: bytes) -> Judged | None:
        """The same for NDJSON: a record a line, blank lines skipped."""
        return self._judge(
            pieces.of_lines(text), lambda piece, records: pieces.line_spans(text, piece, records), check=True
        )

    def _judge(
        self,
        cut: Sequence[Piece] | None,
        spans: Callable[[Piece, Sequence[memoryview]], Sequence[Span] | None],
        *,
        check: bool = False,
    ) -> Judged | None:
        if cut is None:
            return None
        seen = 0
        matches: list[Match] = []
        for piece in cut:
            try:
                count, held = self._piece(piece)
                if held or check:
                    places = spans(piece, pieces.split(piece))
                    if places is None or len(places) != count:
                        return None
                    matches += [Match(seen + at + 1, *places[at], rules) for at, rules in held]
            except (
                msgspec.DecodeError,
                orjson.JSONDecodeError,
                UnicodeDecodeError,
                RecursionError,
                _NoObject,
            ):
                return None
            seen += count
        return Judged(seen, tuple(matches))

    def _piece(self, piece: Piece) -> tuple[int, list[tuple[int, tuple[str, ...]]]]:
        """How many records there are, and the places of those that rules hold for, with the rules."""
        if not pieces.is_unicode(piece.text):
            raise _NoObject
        try:
            records = self._shape.decode(piece.text)
        except msgspec.ValidationError:
            return self._one_by_one(piece)
        found = self._found(records)
        whole: list[memoryview] = []
        held: list[tuple[int, tuple[str, ...]]] = []
        for at in [at for at, outcome in enumerate(found) if outcome is not NOTHING]:
            outcome = found[at]
            if outcome is not None and not outcome.undecided:
                held.append((at, outcome.ids))
                continue
            event = None if outcome is None else self._shape.event(records[at], outcome.reads)
            if event is None:
                whole = whole or pieces.split(piece)
                rules = self.match(_event(whole[at]))
            else:
                assert outcome is not None  # else there is no event
                rules = decide(self._outcomes, outcome, event)
            if rules:
                held.append((at, rules))
        return len(records), held

    def _found(self, records: Sequence[Any]) -> list[Outcome | None]:
        """The outcome for each record; None for one that must be read as a whole."""
        outcomes = self._outcomes
        if not outcomes.columns:
            return [outcomes.outcome(())] * len(records)
        columns: list[list[Held | None]] = [
            column.of_column(values)
            for column, values in zip(outcomes.columns, self._shape.columns(records), strict=True)
        ]
        found: list[Outcome | None] = list(map(outcomes.memo.get, zip(*columns, strict=True)))
        if None in found:
            for at in [at for at, outcome in enumerate(found) if outcome is None]:
                key: Key = tuple([column[at] for column in columns])
                found[at] = None if None in key else outcomes.outcome(key)
        return found

    def _one_by_one(self, piece: Piece) -> tuple[int, list[tuple[int, tuple[str, ...]]]]:
        """The same for a piece in which a record has an unknown name or an unusual form; its names are learned."""
        held: list[tuple[int, tuple[str, ...]]] = []
        names = self._names
        records = pieces.split(piece)
        for at, record in enumerate(records):
            event = _event(record)
            names = learn(names, event, self._inner, self._read)
            rules = self.match(event)
            if rules:
                held.append((at, rules))
        if names != self._names and self._relearned < _RELEARN:
            self._names = names
            self._relearned += 1
            hot = [column.path for column in self._outcomes.columns]
            self._shape = Shape.of(hot, self._read, names)
        return len(records), held


class _NoObject(Exception):  # said to no one: the caller reads the text the careful way
    """A record that is no object, or text that is no UTF-8."""


def _event(record: memoryview) -> dict[str, Any]:
    event = orjson.loads(record)
    if not isinstance(event, dict):
        raise _NoObject
    return event
