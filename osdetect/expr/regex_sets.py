"""Sets of code points: what one character of a regular expression may be.

A set is a tuple of ranges (first, last), ascending, with a gap between any two.
"""

import sys
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache

from osdetect.expr.values import fold_case

Ranges = tuple[tuple[int, int], ...]

NONE: Ranges = ()
ALL: Ranges = ((0, sys.maxunicode),)

_CASED = 0x20000
"""No character with letter case lies beyond the first two planes of Unicode."""


_LATER_FOLDS = {0x1FD3: 0x0390, 0x1FE3: 0x03B0, 0xFB05: 0xFB06}
"""Cases that Unicode 15.1 added to CaseFolding.txt; RE2 knows them, Python before 3.13 does not."""
_LATER_CAPITALS = (
    {0x1C89: 0x1C8A, 0xA7CB: 0x0264, 0xA7CC: 0xA7CD, 0xA7DA: 0xA7DB, 0xA7DC: 0x019B}
    | {point: point + 0x20 for point in range(0x10D50, 0x10D66)}
)  # fmt: skip
"""Letters of Unicode 16: a node on a recent Java lowers them, Python before 3.14 does not."""
_REPLACED = {ord("?"): 0xFFFD}
"""What a lone surrogate becomes: the question mark where Python encodes, the replacement character in a term."""


def union(*sets: Iterable[tuple[int, int]]) -> Ranges:
    """What is in any of the sets; each may also be ranges in any order.

    >>> union(((97, 99),), ((100, 101), (97, 97)))
    ((97, 101),)
    """
    made: list[tuple[int, int]] = []
    for first, last in sorted(pair for ranges in sets for pair in ranges):
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], last))
        else:
            made.append((first, last))
    return tuple(made)


def complement(ranges: Ranges) -> Ranges:
    """Every code point that is not in the set."""
    made = []
    start = 0
    for first, last in ranges:
        if first > start:
            made.append((start, first - 1))
        start = last + 1
    if start <= sys.maxunicode:
        made.append((start, sys.maxunicode))
    return tuple(made)


def intersection(one: Ranges, other: Ranges) -> Ranges:
    """What is in both sets."""
    if one == ALL:
        return other
    return one if other == ALL else complement(union(complement(one), complement(other)))


def contains(ranges: Ranges, point: int) -> bool:
    """Whether the code point is in the set."""
    at = bisect_right(ranges, (point, sys.maxunicode)) - 1
    return at >= 0 and ranges[at][1] >= point


def of(characters: str) -> Ranges:
    """The set of these characters."""
    return union((ord(character), ord(character)) for character in characters)


def size(ranges: Ranges) -> int:
    """How many code points are in the set."""
    return sum(last - first + 1 for first, last in ranges)


@lru_cache(maxsize=1_000)
def any_case(ranges: Ranges) -> Ranges:
    """The set with each character's other cases, as RE2's flag i has it (Unicode's simple case folding).

    >>> [chr(first) for first, _ in any_case(of("k"))]
    ['K', 'k', '\u212a']
    """
    folds = _folds()
    met = {fold for point, fold in folds.items() if contains(ranges, point)}
    return union(ranges, ((point, point) for point, fold in folds.items() if fold in met))


@lru_cache(maxsize=1)
def _folds() -> dict[int, int]:
    """For each code point that has another case, the one that stands for all its cases."""
    changed = {}
    for point in range(_CASED):
        character = chr(point)
        fold = character.casefold()
        if len(fold) > 1:
            # Full folding; the simple one of such a character, if any, is its lower case.
            fold = character.lower() if len(character.lower()) == 1 else character
        if fold != character:
            changed[point] = ord(fold)
    changed |= _LATER_FOLDS
    return changed | {fold: fold for fold in changed.values()}


@lru_cache(maxsize=1)
def capitals() -> dict[int, int]:
    """Every code point that `fold_case` changes, and what to."""
    # Few of the blocks of 256 that Unicode is laid out in have any: those are passed over at once.
    blocks = (range(first, first + 0x100) for first in range(0, _CASED, 0x100))
    cased = [block for block in blocks if (text := "".join(map(chr, block))) != text.lower()]
    return {
        point: ord(low) for block in cased for point in block if (low := fold_case(chr(point))) != chr(point)
    }


@lru_cache(maxsize=4_000)
def lowered(ranges: Ranges) -> Ranges:
    """What a character of the set may be as part of a term of a field with the normalizer `lowercase`.

    Capitals, which no such term has, are in it only where the set is simpler with them.

    >>> lowered(of("aB?")) == of("ab?\ufffd"), lowered(((0, 96),)) == lowered(((0, 122),))
    (True, True)
    """
    changed = [(low, low) for point, low in changes() if contains(ranges, point)]
    found = union(ranges, changed)
    if size(found) > _FEW:
        return union(found, _capital_gaps(found))
    large = capitals()
    points = {point for first, last in found for point in range(first, last + 1)}
    return union((point, point) for point in points if point not in large)


_FEW = 512


def _capital_gaps(ranges: Ranges) -> Ranges:
    large = capitals()
    gaps = ((first, last) for first, last in complement(ranges) if last - first < _FEW)
    return tuple(
        (first, last) for first, last in gaps if all(point in large for point in range(first, last + 1))
    )


@lru_cache(maxsize=1)
def changes() -> tuple[tuple[int, int], ...]:
    """Each code point that is something else in a term, and what; see `lowered`."""
    return tuple((capitals() | _LATER_CAPITALS | _REPLACED).items())
