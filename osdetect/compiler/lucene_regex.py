"""A regular expression as Lucene's, for terms of a keyword field with the normalizer `lowercase`.

Lucene's expressions (OpenSearch docs, "Regular expression syntax") fit a whole term, know no edges and no flags, and
are made deterministic before they run. So the pattern's edges become what may stand before and behind a match, each
set of characters what it may be in lower case, and what would be too long or too much work is loosened, step by step:
no edges, then shorter counts, then only the literals that the pattern requires. No step misses a text.
"""

import string
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from itertools import starmap
from typing import Any

import msgspec

from osdetect.compiler.lucene_effort import within_effort
from osdetect.expr import Regex
from osdetect.expr.lookaround import conjuncts
from osdetect.expr.regex_edges import FREE, Framed, Inexpressible, Side, frames, without_edges
from osdetect.expr.regex_sets import ALL, Ranges, changes, complement, contains, lowered
from osdetect.expr.regex_syntax import Unreadable, parse
from osdetect.expr.regex_tree import (
    EMPTY,
    NOTHING,
    Chars,
    Choice,
    Node,
    Repeat,
    Sequence,
    choice,
    nodes,
    nullable,
    repeat,
    sequence,
)
from osdetect.expr.required_literals import required_literals

Query = dict[str, Any]

MAX_LENGTH = 1_000
"""UTF-16 units of an expression (OpenSearch docs, index.max_regex_length; this is its default)."""


class Fit(Enum):
    """Which terms the expression fits: those of the texts that the pattern is found in, and which others."""

    SAME = "just theirs"
    CASE = "just theirs, but other texts have the same terms, which differ from these by letter case alone"
    MORE = "theirs and possibly more"


class LuceneRegex(msgspec.Struct, frozen=True):
    """An expression in Lucene's syntax with all optional operators off; None when no term fits."""

    pattern: str | None
    fit: Fit


def lucene_regex(pattern: str, flags: str = "") -> LuceneRegex | None:
    r"""The expression for an RE2 pattern without look-around; None when there is none that Lucene does easily.

    Whenever RE2 finds the pattern in a text, the expression fits the text in lower case.

    >>> lucene_regex("^Get[A-Z]").pattern, lucene_regex(r"(^|/)x$").pattern
    ('get[a-z].*', 'x|.*\\/x')
    """
    try:
        tree = parse(pattern, flags)
    except Unreadable:
        return None
    for node, exact in _loosened(tree):
        if sum(1 for _ in nodes(node)) > MAX_LENGTH:
            continue
        term = _lowered(node)
        if term == NOTHING:
            return LuceneRegex(None, Fit.SAME if exact else Fit.MORE)
        written = _written(term)
        if _units(written) <= MAX_LENGTH and within_effort(term):
            return LuceneRegex(written, _fit(node) if exact else Fit.MORE)
    return None


def regex_query(path: str, test: Regex) -> tuple[Query, Fit] | None:
    """The query that finds each event with a value, indexed at `path`, that the test holds for; None: any event.

    Where the pattern has look-around, each part of it that must be found is asked for.
    """
    rewritten = conjuncts(test.pattern, test.flags)
    if rewritten is None:
        return _pattern_query(path, test.pattern, test.flags)
    wanted = [_pattern_query(path, one.pattern, "") for one in rewritten if not one.negated]
    found = [query for query in wanted if query is not None]
    if len(found) == len(rewritten) == 1:
        return found[0]
    queries = [query for query, _ in found]
    return (queries[0] if len(queries) == 1 else {"bool": {"filter": queries}}, Fit.MORE) if queries else None


def _pattern_query(path: str, pattern: str, flags: str) -> tuple[Query, Fit] | None:
    made = lucene_regex(pattern, flags)
    if made is not None and made.pattern is None:
        return {"match_none": {}}, made.fit
    if made is not None and made.pattern != ".*":
        return {"regexp": {path: {"value": made.pattern, "flags": "NONE"}}}, made.fit
    literals = required_literals(pattern, flags)
    if not literals:
        return None
    each = [_any_of([_holding(path, literal) for literal in alternatives]) for alternatives in literals]
    return (each[0] if len(each) == 1 else {"bool": {"filter": each}}), Fit.MORE


def _holding(path: str, literal: str) -> Query:
    escaped = literal.translate(_WILDCARD_META)
    return {"wildcard": {path: {"value": f"*{escaped}*"}}}


_WILDCARD_META = str.maketrans({"\\": "\\\\", "*": "\\*", "?": "\\?"})


def _any_of(queries: list[Query]) -> Query:
    return queries[0] if len(queries) == 1 else {"bool": {"should": queries, "minimum_should_match": 1}}


_COUNTS = (128, 32, 8, 2, 1)


def _loosened(tree: Node) -> Iterator[tuple[Node, bool]]:
    """Trees for whole texts, each fitting what the one before it does and more; and whether it is just the pattern."""
    with suppress(Inexpressible):
        yield choice(map(_whole, frames(tree))), True
    plain = without_edges(tree)
    for most in (None, *_COUNTS):
        loose = plain if most is None else _counted(plain, most)
        yield _whole(Framed(FREE, loose, FREE)), False


def _counted(node: Node, most: int) -> Node:
    """The tree with no count above that: more of it is no longer counted."""
    match node:
        case Repeat(part=part, low=low, high=high):
            end = None if high is None or high > most else high
            return repeat(_counted(part, most), min(low, most), end)
        case Sequence(parts=parts):
            return sequence(_counted(part, most) for part in parts)
        case Choice(parts=parts):
            return choice(_counted(part, most) for part in parts)
        case _:
            return node


_ANYTHING = Repeat(Chars(ALL), 0, None)


def _whole(framed: Framed) -> Node:
    """The tree that fits a whole text which the body is found in, between its sides."""
    body = framed.body
    body = _trimmed(body, backwards=False) if framed.left == FREE else body
    body = _trimmed(body, backwards=True) if framed.right == FREE else body
    if body == EMPTY and framed.left == framed.right == FREE:
        return _ANYTHING
    return sequence((_around(framed.left), body, _around(framed.right, backwards=True)))


def _around(side: Side, *, backwards: bool = False) -> Node:
    if side == FREE:
        return _ANYTHING
    if not side.ranges:
        return EMPTY
    beside = (Chars(side.ranges), _ANYTHING) if backwards else (_ANYTHING, Chars(side.ranges))
    return repeat(sequence(beside), 0 if side.edge else 1, 1)


def _trimmed(node: Node, *, backwards: bool) -> Node:
    """The tree without what the text around it, which may be anything, fits as well."""
    if nullable(node):
        return EMPTY
    match node:
        case Repeat(part=part, low=low):
            return repeat(part, low, low)
        case Choice(parts=parts):
            return choice(_trimmed(part, backwards=backwards) for part in parts)
        case Sequence(parts=(*others, last)) if backwards:
            outer = _trimmed(last, backwards=True)
            return (
                _trimmed(sequence(others), backwards=True) if outer == EMPTY else sequence((*others, outer))
            )
        case Sequence(parts=(first, *others)):
            outer = _trimmed(first, backwards=False)
            return (
                _trimmed(sequence(others), backwards=False) if outer == EMPTY else sequence((outer, *others))
            )
        case _:
            return node


def _lowered(node: Node) -> Node:
    match node:
        case Chars(ranges=ranges):
            cleared = _clear_of_surrogates(lowered(ranges))
            return Chars(cleared) if cleared else NOTHING
        case Sequence(parts=parts):
            return sequence(map(_lowered, parts))
        case Choice(parts=parts):
            return choice(map(_lowered, parts))
        case Repeat(part=part, low=low, high=high):
            return repeat(_lowered(part), low, high)
        case _:
            raise AssertionError("a body has no edges")


def _clear_of_surrogates(ranges: Ranges) -> Ranges:
    """The set with no range that begins or ends in surrogates, which no text holds and JSON does not carry."""
    cleared = (
        (0xE000 if 0xD800 <= first <= 0xDFFF else first, 0xD7FF if 0xD800 <= last <= 0xDFFF else last)
        for first, last in ranges
    )
    return tuple((first, last) for first, last in cleared if first <= last)


def _fit(node: Node) -> Fit:
    """Whether letter case makes a difference to the pattern that it does not make to a term."""
    sets = {one for one in nodes(node) if isinstance(one, Chars)}
    if not all(one.sure for one in sets):
        return Fit.MORE
    alike = all(
        contains(one.ranges, point) == contains(one.ranges, low) for one in sets for point, low in changes()
    )
    return Fit.SAME if alike else Fit.CASE


def _written(node: Node) -> str:
    match node:
        case Chars(ranges=ranges):
            return _class(ranges)
        case Sequence(parts=parts):
            return (
                "".join(_grouped(part) if isinstance(part, Choice) else _written(part) for part in parts)
                or "()"
            )
        case Choice(parts=parts):
            return "|".join(map(_written, parts))
        case Repeat(part=part, low=low, high=high):
            return (_written(part) if isinstance(part, Chars) else _grouped(part)) + _times(low, high)
        case _:
            raise AssertionError("a body has no edges")


def _grouped(node: Node) -> str:
    return f"({_written(node)})"


_SIGNS: dict[tuple[int, int | None], str] = {(0, None): "*", (1, None): "+", (0, 1): "?"}


def _times(low: int, high: int | None) -> str:
    if (low, high) in _SIGNS:
        return _SIGNS[low, high]
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _class(ranges: Ranges) -> str:
    negated = complement(ranges)
    if not negated:
        return "."
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _point(ranges[0][0])
    shorter = negated if len(negated) < len(ranges) else ranges
    return f"[{'^' if shorter is negated else ''}{''.join(starmap(_range, shorter))}]"


_BACKSLASH = ord("\\")


def _range(first: int, last: int) -> str:
    if last - first < 2:
        return _point(first) if first == last else _point(first) + _point(last)
    # Lucene reads an escaped backslash in a class as one character, never as the end of a range.
    if first == _BACKSLASH:
        return _point(first) + _range(first + 1, last)
    if last == _BACKSLASH:
        return _range(first, last - 1) + _point(last)
    return f"{_point(first)}-{_point(last)}"


def _point(point: int) -> str:
    character = chr(point)
    return f"\\{character}" if character in string.punctuation else character


def _units(text: str) -> int:
    """How long the text is to Java: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2
