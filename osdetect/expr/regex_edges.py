r"""What a regular expression asks of the characters beside its match, and the expression without that.

`^`, `$`, `\b` and look-around of one character ask something of the character before or after a place. Taken out of
the tree they become a `Side`: which character may stand beside the match, and whether the text may end there. A
pattern is then a choice of `Framed`: a body without edges, and its two sides. Lucene has no other way to say an edge,
RE2 none to say look-around.
"""

from collections.abc import Iterable, Iterator

import msgspec

from osdetect.expr.regex_class import WORD
from osdetect.expr.regex_sets import ALL, NONE, Ranges, complement, intersection, of, union
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
    inside,
    nodes,
    nullable,
    repeat,
    sequence,
)


class Inexpressible(Exception):
    """The tree asks more of its surroundings than a character, or its form without edges is too large."""


class Side(msgspec.Struct, frozen=True):
    """What may stand beside a match: one of these characters, or, when `edge`, nothing."""

    ranges: Ranges
    edge: bool

    def __and__(self, other: "Side") -> "Side":
        """What both allow."""
        return Side(intersection(self.ranges, other.ranges), self.edge and other.edge)

    def __or__(self, other: "Side") -> "Side":
        """What either allows."""
        return Side(union(self.ranges, other.ranges), self.edge or other.edge)

    def __invert__(self) -> "Side":
        """What it does not allow."""
        return Side(complement(self.ranges), not self.edge)


FREE = Side(ALL, edge=True)
IMPOSSIBLE = Side(NONE, edge=False)
_TEXT_EDGE = Side(NONE, edge=True)
_LINE_EDGE = Side(of("\n"), edge=True)
_WORD = Side(WORD, edge=False)
_EDGES: dict[Edge, tuple[tuple[Side, Side], ...]] = {
    Edge.BEGIN: ((_TEXT_EDGE, FREE),),
    Edge.END: ((FREE, _TEXT_EDGE),),
    Edge.BEGIN_LINE: ((_LINE_EDGE, FREE),),
    Edge.END_LINE: ((FREE, _LINE_EDGE),),
    Edge.WORD: ((_WORD, ~_WORD), (~_WORD, _WORD)),
    Edge.NOT_WORD: ((_WORD, _WORD), (~_WORD, ~_WORD)),
}


class Framed(msgspec.Struct, frozen=True):
    """A body that has no edges, between its two sides."""

    left: Side
    body: Node
    right: Side


Frames = tuple[Framed, ...]

MAX_FRAMES = 24
"""Combinations of sides that are kept apart."""
MAX_NODES = 2_000
"""Nodes of all bodies together."""
MAX_DEPTH = 100
"""Nodes in one another; the folds over a tree are recursive."""
MAX_JOINTS = 100
"""Parts with edges, and parts between them, in one sequence."""
MAX_UNROLLED = 8
"""Times that a part with edges is written out."""


def frames(node: Node) -> Frames:
    """The tree as a choice of bodies with sides. It fits where one of the bodies fits between its sides.

    Raises:
        Inexpressible: the tree has an edge in an endless repeat, look-around of more than one character, or atomic
            groups; or the result is larger than is of use.
    """
    match node:
        case Look():
            side = _side(node)
            return _merged((Framed(FREE, EMPTY, side) if node.ahead else Framed(side, EMPTY, FREE),))
        case Atomic():
            raise Inexpressible("an atomic group")
        case Edge():
            return tuple(Framed(left, EMPTY, right) for left, right in _EDGES[node])
        case _ if not _has_edges(node):
            return (Framed(FREE, node, FREE),)
        case Sequence(parts=parts):
            return _joined(frames(part) for part in _runs(parts))
        case Choice(parts=parts):
            return _merged(one for part in parts for one in frames(part))
        case Repeat():
            return _repeated(node)
        case Chars():
            raise AssertionError("a character has no edges")


def without_edges(node: Node) -> Node:
    """The tree with each edge and look-around left out: it fits wherever the tree does, and possibly more."""
    match node:
        case Edge() | Look():
            return EMPTY
        case Chars():
            return node
        case Sequence(parts=parts):
            return sequence(map(without_edges, parts))
        case Choice(parts=parts):
            return choice(map(without_edges, parts))
        case Repeat(part=part, low=low, high=high):
            return repeat(without_edges(part), low, high)
        case Atomic(part=part):
            return without_edges(part)


def _has_edges(node: Node) -> bool:
    return any(isinstance(one, Edge | Look | Atomic) for one in nodes(node))


def _runs(parts: tuple[Node, ...]) -> Iterator[Node]:
    """The parts, with those that stand together without edges as one."""
    run: list[Node] = []
    for part in parts:
        if _has_edges(part):
            yield sequence(run)
            run = []
            yield part
        else:
            run.append(part)
    yield sequence(run)


def _repeated(node: Repeat) -> Frames:
    times = node.low if node.high is None else node.high
    if node.high is None or times > MAX_UNROLLED:
        raise Inexpressible("an edge that is repeated")
    once = frames(node.part)
    perhaps = _merged((*once, Framed(FREE, EMPTY, FREE)))
    return _joined([once] * node.low + [perhaps] * (node.high - node.low))


def _joined(each: Iterable[Frames]) -> Frames:
    made: Frames = (Framed(FREE, EMPTY, FREE),)
    for joints, part in enumerate(each):
        if joints > MAX_JOINTS:
            raise Inexpressible("too many edges")
        made = _merged(joint for one in made for other in part for joint in _joint(one, other))
    return made


def _joint(one: Framed, other: Framed) -> Iterator[Framed]:
    """One body behind the other: what each asks of its neighbour is asked of the other body, or passed on."""
    if one.right == FREE and other.left == FREE:
        yield Framed(one.left, sequence((one.body, other.body)), other.right)
        return
    first = _ending(one.body, other.left.ranges)
    second = _beginning(other.body, one.right.ranges)
    yield Framed(one.left, sequence((first, second)), other.right)
    if nullable(one.body):
        yield Framed(one.left & other.left, second, other.right)
    if nullable(other.body):
        yield Framed(one.left, first, one.right & other.right)
    if nullable(one.body) and nullable(other.body):
        yield Framed(one.left & other.left, EMPTY, one.right & other.right)


def _merged(each: Iterable[Framed]) -> Frames:
    bodies: dict[tuple[Side, Side], list[Node]] = {}
    for one in each:
        if one.body != NOTHING and IMPOSSIBLE not in {one.left, one.right}:
            bodies.setdefault((one.left, one.right), []).append(one.body)
    made = tuple(Framed(left, choice(found), right) for (left, right), found in bodies.items())
    if len(made) > MAX_FRAMES or _too_large(made):
        raise Inexpressible("too many combinations of edges")
    return made


def _too_large(made: Frames) -> bool:
    level: tuple[Node, ...] = tuple(one.body for one in made)
    count = depth = 0
    while level:
        count, depth = count + len(level), depth + 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            return True
        level = tuple(part for node in level for part in inside(node))
    return False


def _beginning(node: Node, first: Ranges) -> Node:
    """What fits texts of the node that begin with one of these characters; none of them is empty."""
    return _limited(node, first, backwards=False)


def _ending(node: Node, last: Ranges) -> Node:
    """What fits texts of the node that end with one of these characters; none of them is empty."""
    return _limited(node, last, backwards=True)


def _limited(node: Node, allowed: Ranges, *, backwards: bool) -> Node:
    match node:
        case Chars(ranges=ranges, sure=sure):
            left = intersection(ranges, allowed)
            return Chars(left, sure) if left else NOTHING
        case Choice(parts=parts):
            return choice(_limited(part, allowed, backwards=backwards) for part in parts)
        case Sequence(parts=parts):
            return choice(_limited_parts(parts, allowed, backwards=backwards))
        case Repeat(part=part, low=low, high=high):
            once = _limited(part, allowed, backwards=backwards)
            others = repeat(part, max(low - 1, 0), None if high is None else high - 1)
            return sequence((others, once) if backwards else (once, others))
        case _:
            raise AssertionError("a body has no edges")


def _limited_parts(parts: tuple[Node, ...], allowed: Ranges, *, backwards: bool) -> Iterator[Node]:
    """One form for each part that may be the outermost that is not empty."""
    order = range(len(parts) - 1, -1, -1) if backwards else range(len(parts))
    for place in order:
        limited = _limited(parts[place], allowed, backwards=backwards)
        yield sequence((*parts[:place], limited) if backwards else (limited, *parts[place + 1 :]))
        if not nullable(parts[place]):
            return


def _side(look: Look) -> Side:
    side = _seen(look.part, ahead=look.ahead)
    return ~side if look.negated else side


def _seen(node: Node, *, ahead: bool) -> Side:
    """The side that fits where the node does; both ways, so that it can be turned round."""
    match node:
        case Chars(ranges=ranges, sure=True):
            return Side(ranges, edge=False)
        case Edge.BEGIN | Edge.BEGIN_LINE if not ahead:
            return _EDGES[node][0][0]
        case Edge.END | Edge.END_LINE if ahead:
            return _EDGES[node][0][1]
        case Choice(parts=parts):
            side = IMPOSSIBLE
            for part in parts:
                side |= _seen(part, ahead=ahead)
            return side
        case Repeat(low=0) | Sequence(parts=()):
            return FREE
        case Repeat(part=part, low=1):
            return _seen(part, ahead=ahead)
        case Sequence(parts=parts):
            near, far = (parts[0], parts[1:]) if ahead else (parts[-1], parts[:-1])
            if any(_has_edges(part) or not nullable(part) for part in far):
                raise Inexpressible("look-around of more than one character")
            return _seen(near, ahead=ahead)
        case _:
            raise Inexpressible("look-around of more than one character")
