"""How much work Lucene has with a regular expression, found by doing the part of it that may explode.

Lucene makes each expression deterministic before it meets a term (Operations.determinize), which may take a number of
states that is exponential in the expression's length: `.*a.{30}`. It gives up at 10,000 units of work, after having
done them. Here the same sets of positions are counted, up to a small part of that.
"""

import msgspec

from osdetect.expr.regex_sets import Ranges, contains
from osdetect.expr.regex_tree import Chars, Choice, Node, Repeat, Sequence

MAX_POSITIONS = 1_000
"""Characters of an expression with its repeats written out."""
MAX_WORK = 12_000
"""Sum of the sizes of all states, each a set of positions. Lucene stops at eight times that."""
MAX_TRANSITIONS = 6_000
"""States, times the sets of characters that they tell apart; each becomes a few states of UTF-8 bytes."""


class TooMuchWork(Exception):
    """The bound is reached."""


def within_effort(node: Node) -> bool:
    """Whether Lucene makes the expression (no edges, no look-around) deterministic in little time."""
    positions = _Positions()
    try:
        begin, _, _ = positions.add(node)
        _states(positions, begin)
    except TooMuchWork:
        return False
    return True


class _Positions(msgspec.Struct):
    """Each character of the expression, and the characters that may follow it, as bits (Glushkov's construction)."""

    ranges: list[Ranges] = msgspec.field(default_factory=list)
    follow: list[int] = msgspec.field(default_factory=list)
    work: int = 0

    def add(self, node: Node) -> tuple[int, int, bool]:
        """The first and the last positions of the node, and whether it fits the empty text."""
        match node:
            case Chars(ranges=ranges):
                if len(self.ranges) >= MAX_POSITIONS:
                    raise TooMuchWork
                self.ranges.append(ranges)
                self.follow.append(0)
                return 1 << (len(self.ranges) - 1), 1 << (len(self.ranges) - 1), False
            case Sequence(parts=parts):
                return self._one_after_the_other(parts)
            case Choice(parts=parts):
                first, last, nullable = 0, 0, False
                for part in parts:
                    one, other, empty = self.add(part)
                    first, last, nullable = first | one, last | other, nullable or empty
                return first, last, nullable
            case Repeat(part=part, low=low, high=high):
                return self._again_and_again(part, low, high)
            case _:
                raise AssertionError("an edge has no position")

    def _one_after_the_other(
        self, parts: tuple[Node, ...], optional_from: int | None = None
    ) -> tuple[int, int, bool]:
        first, last, nullable = 0, 0, True
        for place, part in enumerate(parts):
            one, other, empty = self.add(part)
            empty = empty or (optional_from is not None and place >= optional_from)
            self._link(last, one)
            first = first | one if nullable else first
            last = last | other if empty else other
            nullable = nullable and empty
        return first, last, nullable

    def _again_and_again(self, part: Node, low: int, high: int | None) -> tuple[int, int, bool]:
        if high is not None:
            return self._one_after_the_other((part,) * high, optional_from=low)
        if low:  # as Lucene has it: the copies that must be, then a loop of its own
            return self._one_after_the_other((*(part,) * low, Repeat(part, 0, None)))
        first, last, _ = self.add(part)
        self._link(last, first)
        return first, last, True

    def _link(self, before: int, after: int) -> None:
        for position in _bits(before):
            self.follow[position] |= after
            self.work += 1
            if self.work > MAX_WORK * 5:
                raise TooMuchWork


def _bits(mask: int) -> list[int]:
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found


def _states(positions: _Positions, begin: int) -> None:
    points = {0}
    for ranges in set(positions.ranges):
        points |= {edge for first, last in ranges for edge in (first, last + 1)}
        if len(points) > MAX_TRANSITIONS:
            raise TooMuchWork
    numbers = {ranges: number for number, ranges in enumerate(dict.fromkeys(positions.ranges))}
    kinds = {frozenset(number for ranges, number in numbers.items() if contains(ranges, at)) for at in points}
    places = [numbers[ranges] for ranges in positions.ranges]
    masks = [sum(1 << place for place, number in enumerate(places) if number in kind) for kind in kinds]
    work = 0
    seen: set[int] = set()
    pending = [begin]
    met: set[int] = set()
    while pending:
        possible = pending.pop()
        for mask in masks:
            state = possible & mask
            if state in seen:
                continue
            seen.add(state)
            after = 0
            members = _bits(state)
            for position in members:
                after |= positions.follow[position]
            work += len(members) + 1
            if work > MAX_WORK or len(seen) * len(masks) > MAX_TRANSITIONS:
                raise TooMuchWork
            if after not in met:
                met.add(after)
                pending.append(after)
