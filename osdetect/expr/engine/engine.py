"""Rules against events and whole files of records, many at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import orjson
from msgspec import UNSET

from osdetect.expr.engine import pieces
from osdetect.expr.engine.grouping import MISSES, STEADY, Grouping
from osdetect.expr.engine.hot import hot_columns
from osdetect.expr.engine.judged import Judged, in_order
from osdetect.expr.engine.keyed import Hits, Keyed, Rows
from osdetect.expr.engine.native import Gather
from osdetect.expr.engine.outcome import NOTHING, Outcome, Outcomes, decide, paths
from osdetect.expr.engine.pieces import Piece, Span
from osdetect.expr.engine.shape import Names, Shape, learn
from osdetect.expr.nodes import Expr
from osdetect.expr.values import resolve

_RELEARN = 64
"""How often the shape of records is made anew for names not seen before. It takes a millisecond."""
_TOGETHER = 64
"""Records that are judged at once of those that the compiled reader leaves."""
_OBJECTS = 10
"""A field is not hot that has an object or a list in more than one record of so many."""


Spans = Callable[[Piece, Sequence[memoryview]], Sequence[Span] | None]
"""How the records of a piece are found in the whole text; None when they are not as they should be."""


class _NoObject(Exception):
    """A record that is no object."""


_UNREADABLE = (msgspec.DecodeError, orjson.JSONDecodeError, UnicodeDecodeError, RecursionError, _NoObject)


class Engine:
    """Rules made ready to be asked of many events.

    It agrees with `osdetect.expr.evaluate`. What it remembers of events makes it faster, never different, and is bounded.
    """

    __slots__ = (
        "_avoid",
        "_compiled",
        "_gather",
        "_gathered",
        "_grouping",
        "_keyed",
        "_keyed_for",
        "_names",
        "_objects",
        "_outcomes",
        "_patience",
        "_pieces",
        "_read",
        "_relearned",
        "_rules",
        "_seen",
        "_steady",
        "_tell",
    )

    def __init__(
        self,
        rules: Sequence[tuple[str, Expr[str]]],
        tell: Sequence[str],
        gather: Gather | None,
        *,
        compiled: bool,
    ) -> None:
        self._rules = tuple(rules)
        self._tell = tuple(tell)
        self._read = frozenset(path for _, tree in rules for path in paths(tree))
        self._names: Names = {}
        # What is told is read as a value, so nothing inside it can be.
        self._avoid = frozenset(path for path in self._read if path.partition(".")[0] in tell and "." in path)
        self._relearned = 0
        self._steady = STEADY
        self._patience = MISSES
        self._pieces = 0
        self._seen = 0
        self._objects: Counter[str] = Counter()
        self._outcomes = self._make_outcomes()
        self._grouping = self._make_grouping(None)
        self._compiled = compiled
        self._keyed: Keyed | None = None
        self._keyed_for: Grouping | None = None
        self._gather = gather
        self._gathered: list[Rows] = []

    @staticmethod
    def of(
        rules: Sequence[tuple[str, Expr[str]]],
        tell: Sequence[str] = (),
        gather: Gather | None = None,
        *,
        compiled: bool = True,
    ) -> "Engine":
        """The engine for these rules: id and tree of each.

        Args:
            rules: what to judge by.
            tell: names of fields of a record whose values every match is to have with it.
            gather: not None where account, id and time of an event are what is told: the hits between two moments, in
                microseconds since 1970, are gathered where it can be done, and not given back (`gathered`).
            compiled: whether the compiled reader is used, where there is one; the results are the same.
        """
        return Engine(rules, tell, gather, compiled=compiled)

    def _make_outcomes(self) -> Outcomes:
        return Outcomes.of(self._rules, hot_columns([tree for _, tree in self._rules], self._avoid))

    def _make_grouping(self, before: Grouping | None) -> Grouping:
        hot = [column.path for column in self._outcomes.columns]
        return Grouping.of(
            self._outcomes,
            Shape.of(hot, self._read, self._names, self._tell),
            self._steady,
            self._seen,
            before,
        )

    def _current(self) -> Grouping:
        """The grouping, made anew from time to time: by then it is seen what values the fields have."""
        self._pieces += 1
        # At 1, 2, 4, 8, ...; and in between when too much is looked up in vain, each time that twice as much was.
        vain = self._grouping.misses > self._patience and self._grouping.misses_much(self._seen)
        if vain or self._pieces & (self._pieces - 1) == 0:
            objects = {path for path, count in self._objects.items() if count * _OBJECTS > self._seen}
            if not objects <= self._avoid:
                self._avoid |= objects
                self._outcomes = self._make_outcomes()
            self._grouping = self._make_grouping(self._grouping)
            self._patience = max(2 * self._grouping.misses, MISSES)
        return self._grouping

    def match(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """The ids of the rules that hold for the event, in the order given."""
        outcomes = self._outcomes
        key = tuple([column.of_values(resolve(event, column.path)) for column in outcomes.columns])
        return decide(outcomes, outcomes.outcome(key), event)

    def gathered(self) -> list[Rows]:
        """The hits that were gathered and not given back, which are not kept any more: three numbers for each.

        The key (`native.fingerprint` of account and id), the time in microseconds since 1970, and the place.
        """
        rows, self._gathered = self._gathered, []
        return [*rows, *(self._keyed.gathered() if self._keyed is not None else ())]

    def match_records(self, text: bytes, first: int = 0) -> Judged | None:
        """The records of `{"Records": [...]}` that rules hold for; None for a text in which something is odd.

        `first` is the place of the first record, should hits be gathered.

        Odd is all that keeps a record from being read as it stands: another layout, a text cut off, broken JSON or UTF-8.
        A number beyond what a double holds and nesting of any depth are not noticed in fields that no rule reads.
        """
        judged = self._by_key(text, first, lines=False)
        return self._judge(_if_unicode(text, pieces.of_delivery), pieces.spans) if judged is None else judged

    def match_lines(self, text: bytes, first: int = 0) -> Judged | None:
        """The same for NDJSON: a record a line, blank lines skipped."""
        judged = self._by_key(text, first, lines=True)
        if judged is not None:
            return judged
        return self._judge(
            _if_unicode(text, pieces.of_lines),
            lambda piece, records: pieces.line_spans(text, piece, records),
            check=True,
        )

    def _by_key(self, text: bytes, first: int, *, lines: bool) -> Judged | None:
        """What the compiled reader makes of the text, and of what it leaves this; None where there is none, or if it won't."""
        grouping = self._current() if self._compiled else None
        if grouping is not None and grouping is not self._keyed_for:
            self._make_keyed(grouping)
        if self._keyed is None:
            return None
        try:
            hits = self._keyed.read(text, first, lines=lines)
            if hits is None:
                return None
            left = [
                self._of_left(text, hits.left[at : at + _TOGETHER])
                for at in range(0, len(hits.left), _TOGETHER)
            ]
        except _UNREADABLE:
            return None
        self._seen += hits.records
        return in_order(hits.records, [hits, *left], self._keyed.keep(hits))

    def _make_keyed(self, grouping: Grouping) -> None:
        before = self._keyed
        if before is None or not before.like(grouping):
            self._keyed = Keyed.of(grouping, self._tell, self._gather)
            if before is not None and before.stands_for_the_same(grouping) and self._keyed is not None:
                self._keyed.adopt(before)  # only names are new
            elif before is not None:
                self._gathered += before.gathered()
        self._keyed_for = grouping

    def _of_left(self, text: bytes, left: Sequence[tuple[int, Span]]) -> Hits:
        records = b",".join([text[start:end] for _, (start, end) in left])
        part = self._piece(Piece(b"[" + records + b"]", 1), 0)[1]
        places = [number - 1 for number in part.numbers]
        return Hits(
            len(left),
            [left[place][0] for place in places],
            [left[place][1] for place in places],
            part.rules,
            part.told,
        )

    def _judge(self, cut: Sequence[Piece] | None, spans: Spans, *, check: bool = False) -> Judged | None:
        """The records of the pieces; `check` wants each record's place to be found at once."""
        if cut is None:
            return None
        seen = 0
        parts: list[_Part] = []
        for piece in cut:
            self._current()
            try:
                count, part = self._piece(piece, seen)
                places = spans(piece, pieces.split(piece)) if check else ()
            except _UNREADABLE:
                return None
            if places is None or (check and len(places) != count):
                return None
            if part.numbers:
                part.places = places
                parts.append(part)
            seen += count
            self._seen += count
        return Judged(
            seen,
            tuple(chain.from_iterable([part.numbers for part in parts])),
            tuple(chain.from_iterable([part.rules for part in parts])),
            tuple(
                tuple(chain.from_iterable(column))
                for column in zip(*[part.told for part in parts], strict=True)
            ),
            spans=lambda: list(_spans(parts, spans)),
        )

    def _piece(self, piece: Piece, before: int) -> tuple[int, "_Part"]:
        """How many records there are, and those that rules hold for; `before` are in the pieces before."""
        grouping = self._grouping
        records, found = _found(grouping, piece)
        hits = [at for at, outcome in enumerate(found) if outcome is not NOTHING]
        rules: list[tuple[str, ...]] = []
        odd: list[Mapping[str, Any]] = []
        whole = _Whole(piece)
        for at in hits:
            outcome, record = found[at], records[at]
            if outcome is None:
                event = whole.event(at)
                if record is None:
                    odd.append(event)
                self._note(event)
                rules.append(self.match(event))
            elif not outcome.undecided:
                rules.append(outcome.ids)
            else:
                read = grouping.shape.event(record, outcome.reads)
                rules.append(decide(grouping.outcomes, outcome, whole.event(at) if read is None else read))
        if () in rules:
            hits = [at for at, held in zip(hits, rules, strict=True) if held]
            rules = [held for held in rules if held]
        told = self._told(grouping.shape, [records[at] for at in hits], hits, whole)
        if odd and self._relearned < _RELEARN:
            self._learn(odd)
        return len(records), _Part(piece, before, [before + at + 1 for at in hits], rules, told)

    def _told(
        self, shape: Shape, records: Sequence[Any], hits: Sequence[int], whole: "_Whole"
    ) -> tuple[list[Any], ...]:
        """The fields that are told of these records, which are those at `hits` of the piece."""
        try:
            return tuple([list(map(get, records)) for get in shape.told])
        except AttributeError:  # a record of another shape is among them
            return tuple(
                [
                    [
                        whole.event(at).get(name, UNSET) if record is None else get(record)
                        for at, record in zip(hits, records, strict=True)
                    ]
                    for name, get in zip(self._tell, shape.told, strict=True)
                ]
            )

    def _learn(self, events: Sequence[Mapping[str, Any]]) -> None:
        hot = [column.path for column in self._outcomes.columns]
        inner = {path[:at] for path in hot for at, sign in enumerate(path) if sign == "."}
        names = learn(self._names, events, sorted(inner), self._read)
        if names != self._names:
            self._names = names
            self._relearned += 1
            self._grouping = self._make_grouping(self._grouping)

    def _note(self, event: Mapping[str, Any]) -> None:
        """Count the hot fields in which this record has an object or a list: records like it can't be read fast."""
        for column in self._outcomes.columns:
            values = resolve(event, column.path)
            if values is not None and (len(values) != 1 or isinstance(values[0], dict)):
                self._objects[column.path] += 1


def _if_unicode(text: bytes, cut: Callable[[bytes], list[Piece] | None]) -> list[Piece] | None:
    """The pieces of a text that is UTF-8."""
    made = cut(text)
    if made is None or text.isascii() or all(pieces.is_unicode(piece.text) for piece in made):
        return made
    return None


class _Whole:
    """The records of a piece, read as a whole when they are asked for."""

    __slots__ = ("_piece", "_records")

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._records: list[memoryview] = []

    def event(self, at: int) -> dict[str, Any]:
        self._records = self._records or pieces.split(self._piece)
        event = orjson.loads(self._records[at])
        if not isinstance(event, dict):
            raise _NoObject
        return event


class _Part(msgspec.Struct):
    """What came of a piece; `places`, if they are known, say where all its records stand."""

    piece: Piece
    before: int
    numbers: Sequence[int]
    rules: Sequence[tuple[str, ...]]
    told: tuple[list[Any], ...]
    places: Sequence[Span] = ()


def _spans(parts: Sequence[_Part], find: Spans) -> Iterator[Span]:
    for part in parts:
        places = part.places or find(part.piece, pieces.split(part.piece))
        assert places is not None  # of a delivery, where each is found
        for number in part.numbers:
            yield places[number - part.before - 1]


def _found(grouping: Grouping, piece: Piece) -> tuple[Sequence[Any], list[Outcome | None]]:
    """The records of the piece, None for one of another shape, and their outcomes, None for one to be read as a whole."""
    try:
        records = grouping.shape.decode(piece.text)
        return records, grouping.found(records)
    except msgspec.ValidationError:
        read = [_read(grouping.shape, record) for record in pieces.split(piece)]
        of_read = iter(grouping.found([record for record in read if record is not None]))
        return read, [None if record is None else next(of_read) for record in read]


def _read(shape: Shape, record: memoryview) -> Any | None:
    """What the shape reads of the record; None for one of another shape."""
    try:
        return shape.decode_one(record)
    except msgspec.ValidationError:
        return None
