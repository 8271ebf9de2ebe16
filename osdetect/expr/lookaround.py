r"""Look-around of a pattern, rewritten into patterns that RE2 takes, where that is exact.

The one question is whether the pattern is found somewhere in a text, so where it is found, what a group holds, and
which of several matches comes first do not count. Rewritten are

    look-around of one character      `(?<!\\)"`, `foo(?![a-z])`           what may stand there, or the text's edge
    ahead at the end                  `foo(?=bar)`, `foo(?!bar)`           that text, or any that is not that
    behind at the beginning           `(?<=bar)foo`, `(?<!bar)foo`         likewise
    ahead, at a fixed distance from   `^(?!.*x)(?=.*y)abc`                 one pattern each: all of them must be found,
      the beginning                                                        or, if negated, not be found
    behind, so from the end           `abc(?<!x+y)$`                       likewise
    a text without a pattern          `^(?:(?!x).)*$`                      likewise
    possessive, atomic                `[^"]*+"`, `(?>a|ab)`                as if it were not, where that is the same

`^` and `$` are RE2's: without the flag m, `$` is the very end of the text.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from osdetect.expr.regex_edges import FREE, Inexpressible, Side, frames
from osdetect.expr.regex_sets import ALL, Ranges, complement, intersection
from osdetect.expr.regex_syntax import Unreadable, parse
from osdetect.expr.regex_tree import (
    EMPTY,
    NOTHING,
    Atomic,
    Chars,
    Choice,
    Edge,
    Look,
    Node,
    Repeat,
    Sequence,
    choice,
    nodes,
    nullable,
    repeat,
    sequence,
    width,
)


class Conjunct(msgspec.Struct, frozen=True):
    """A pattern in RE2's syntax, without flags, that must be found in a text; or must not, when negated."""

    pattern: str
    negated: bool = False


_MAYBE = re.compile(r"\(\?(?:[=!>]|<[=!])|[*+?}]\+")
_MAX_LOOKS = 100
_LONGEST = 50_000
"""Characters of a rewritten pattern; RE2 reads that many in some milliseconds."""


@lru_cache(maxsize=10_000)
def conjuncts(pattern: str, flags: str = "") -> tuple[Conjunct, ...] | None:
    r"""Patterns that are all found, or not found if negated, in just the texts that `pattern` is found in.

    None when the pattern has no look-around, or one that is not rewritten: RE2 then says what it thinks of it.

    >>> [(one.pattern, one.negated) for one in conjuncts("^(?!x)(?!.*yz)abc")]
    [('\\A(?:abc)', False), ('\\A(?:[^\\x{a}]*yz)', True)]
    >>> conjuncts("abc"), conjuncts("a(?=b+c)b+")
    (None, None)
    """
    if not _MAYBE.search(pattern):
        return None
    try:
        tree = parse(pattern, flags)
        kinds = {type(node) for node in nodes(tree)}
        unsure = any(isinstance(node, Chars) and not node.sure for node in nodes(tree))
        looks = sum(isinstance(node, Look) for node in nodes(tree))
        if unsure or not kinds & {Look, Atomic} or looks > _MAX_LOOKS:
            return None
        made = tuple(Conjunct(_text(part), negated) for part, negated in _split(tree))
    except (Unreadable, Inexpressible):
        return None
    return made if sum(len(one.pattern) for one in made) <= _LONGEST else None


Part = tuple[Node, bool]
"""A tree, and whether it must not be found."""


def _split(tree: Node) -> Iterator[Part]:
    parts = tree.parts if isinstance(tree, Sequence) else (tree,)
    parts, without = _tempered(parts)
    parts, ahead = _from_the_beginning(parts)
    parts, behind = _from_the_end(parts)
    yield _head(_tail(sequence(_backtracking(parts)))), False
    for part, negated in (*without, *ahead, *behind):
        # What is pinned at its beginning may go on as it likes, and the other way round.
        plain = sequence(_backtracking(part.parts if isinstance(part, Sequence) else (part,)))
        yield _head(_tail(plain)), negated


def _tempered(parts: tuple[Node, ...]) -> tuple[tuple[Node, ...], list[Part]]:
    """`^(?:(?!x).)*$`: at no place but the end, where a text that is not empty is not found anyway, stands an x."""
    match parts:
        case (
            Edge.BEGIN,
            Repeat(part=Sequence(parts=(Look() as look, Chars() as one))) as every,
            Edge.END,
        ) if every.high is None and look.ahead and look.negated and not nullable(look.part):
            kept = (Edge.BEGIN, repeat(one, every.low, None), Edge.END)
            return kept, [(look.part, True)]
        case _:
            return parts, []


def _from_the_beginning(parts: tuple[Node, ...]) -> tuple[tuple[Node, ...], list[Part]]:
    """Looks ahead from a place whose distance from the beginning of the text is fixed."""
    if parts[:1] != (Edge.BEGIN,):
        return parts, []
    kept: list[Node] = []
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Look) and part.ahead and not _is_side(part) and width(sequence(kept)) is not None:
            found.append((sequence((*_without_looks(kept), part.part)), part.negated))
        else:
            kept.append(part)
    return tuple(kept), found


def _from_the_end(parts: tuple[Node, ...]) -> tuple[tuple[Node, ...], list[Part]]:
    """Looks behind from a place whose distance from the end of the text is fixed."""
    if parts[-1:] != (Edge.END,):
        return parts, []
    kept: list[Node] = []
    found: list[Part] = []
    for part in reversed(parts):
        if (
            isinstance(part, Look)
            and not part.ahead
            and not _is_side(part)
            and width(sequence(kept)) is not None
        ):
            found.append((sequence((part.part, *_without_looks(kept)[::-1])), part.negated))
        else:
            kept.append(part)
    return tuple(reversed(kept)), found


def _without_looks(parts: list[Node]) -> list[Node]:
    """The parts but for the looks between them, which the pattern itself goes on asking for."""
    return [part for part in parts if not isinstance(part, Look)]


def _is_side(look: Look) -> bool:
    try:
        frames(look)
    except Inexpressible:
        return False
    return True


def _backtracking(parts: tuple[Node, ...]) -> Iterator[Node]:
    """The parts; a possessive repeat of a character is a plain one before what cannot be that character."""
    for part, following in zip(parts, (*parts[1:], None), strict=True):
        match part:
            case Atomic(part=Repeat(part=Chars(ranges=ranges)) as plain) if _excludes(following, ranges):
                yield plain
            case Atomic(part=Chars() as plain):
                yield plain
            case _:
                yield part


def _excludes(following: Node | None, ranges: Ranges) -> bool:
    match following:
        case Edge.END:
            return True
        case Chars(ranges=others):
            return not intersection(ranges, others)
        case Repeat(part=Chars(ranges=others), low=low) if low:
            return not intersection(ranges, others)
        case _:
            return False


def _tail(node: Node) -> Node:
    """The tree at the end of a pattern, where any text may follow a match."""
    match node:
        case Sequence(parts=(*others, last)):
            return sequence((*others, _tail(last)))
        case Choice(parts=parts):
            return choice(map(_tail, parts))
        case Repeat(part=part, low=0, high=1):
            return repeat(_tail(part), 0, 1)
        case Atomic(part=part):
            return _tail(part)
        case Look(part=part, ahead=True, negated=False):
            return _tail(part)
        case Look(part=part, ahead=True) if not _is_side(node):
            return _other_than(_words(part), ahead=True)
        case _:
            return node


def _head(node: Node) -> Node:
    """The tree at the beginning of a pattern, where any text may precede a match."""
    match node:
        case Sequence(parts=(first, *others)):
            return sequence((_head(first), *others))
        case Choice(parts=parts):
            return choice(map(_head, parts))
        case Repeat(part=part, low=0, high=1):
            return repeat(_head(part), 0, 1)
        case Look(part=part, ahead=False, negated=False):
            return _head(part)
        case Look(part=part, ahead=False) if not _is_side(node):
            return _other_than([word[::-1] for word in _words(part)], ahead=False)
        case _:
            return node


Word = tuple[Ranges, ...]
_MAX_WORDS = 64


def _words(node: Node) -> list[Word]:
    """The node as a list of words, each a set of characters after the other."""
    match node:
        case Chars(ranges=ranges):
            return [(ranges,)]
        case Choice(parts=parts):
            made = [word for part in parts for word in _words(part)]
        case Sequence(parts=parts):
            made = _products([_words(part) for part in parts])
        case Repeat(part=part, low=low, high=int(high)) if high <= _MAX_WORDS:
            made = [word for times in range(low, high + 1) for word in _products([_words(part)] * times)]
        case _:
            raise Inexpressible("look-around that has no greatest length")
    return _few(made)


def _products(each: list[list[Word]]) -> list[Word]:
    made: list[Word] = [()]
    for words in each:
        made = _few([(*one, *other) for one in made for other in words])
    return made


def _few(words: list[Word]) -> list[Word]:
    if len(words) > _MAX_WORDS:
        raise Inexpressible("look-around with too many alternatives")
    return words


def _other_than(words: list[Word], *, ahead: bool) -> Node:
    """Characters, up to the text's edge if need be, that are the beginning of none of the words."""
    if not words:
        return EMPTY
    if () in words:
        return NOTHING
    branches: list[Node] = [Edge.END if ahead else Edge.BEGIN]
    for block in _blocks([word[0] for word in words]):
        rest = _other_than([word[1:] for word in words if intersection(word[0], block)], ahead=ahead)
        branches.append(sequence((Chars(block), rest) if ahead else (rest, Chars(block))))
    if sum(1 for branch in branches for _ in nodes(branch)) > _MAX_WORDS * 20:
        raise Inexpressible("look-around with too many alternatives")
    return Choice(tuple(branch for branch in branches if branch != NOTHING))


def _blocks(sets: list[Ranges]) -> list[Ranges]:
    """All characters, in sets that each lie in or outside each of the given."""
    blocks = [ALL]
    for ranges in sets:
        parted = (part for block in blocks for part in (intersection(block, ranges), _less(block, ranges)))
        blocks = [part for part in parted if part]
    return blocks


def _less(block: Ranges, ranges: Ranges) -> Ranges:
    return intersection(block, complement(ranges))


def _text(node: Node) -> str:
    """The tree in RE2's syntax."""
    found = [
        _beside(one.left, r"\A") + f"(?:{_written(one.body)})" + _beside(one.right, r"\z")
        for one in frames(node)
    ]
    return "|".join(found) if found else _class(())


def _beside(side: Side, edge: str) -> str:
    if side == FREE:
        return ""
    if not side.ranges:
        return edge
    return f"(?:{edge}|{_class(side.ranges)})" if side.edge else _class(side.ranges)


def _written(node: Node) -> str:
    match node:
        case Chars(ranges=ranges):
            return _class(ranges)
        case Sequence(parts=parts):
            return "".join(
                f"(?:{_written(part)})" if isinstance(part, Choice) else _written(part) for part in parts
            )
        case Choice(parts=parts):
            return "|".join(map(_written, parts)) if parts else _class(())
        case Repeat(part=part, low=low, high=high):
            one = _written(part) if isinstance(part, Chars) else f"(?:{_written(part)})"
            return one + _times(low, high)
        case _:
            raise AssertionError("a body has no edges")


_SIGNS: dict[tuple[int, int | None], str] = {(0, None): "*", (1, None): "+", (0, 1): "?"}


def _times(low: int, high: int | None) -> str:
    if (low, high) in _SIGNS:
        return _SIGNS[low, high]
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _class(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _point(ranges[0][0])
    negated = complement(ranges)
    if not negated:
        return r"(?s:.)"
    shorter = negated if len(negated) < len(ranges) else ranges
    inner = "".join(
        _point(first) if first == last else f"{_point(first)}-{_point(last)}" for first, last in shorter
    )
    return f"[{'^' if shorter is negated else ''}{inner}]" if inner else r"[^\x{0}-\x{10ffff}]"


def _point(point: int) -> str:
    character = chr(point)
    return character if character.isascii() and character.isalnum() else f"\\x{{{point:x}}}"
