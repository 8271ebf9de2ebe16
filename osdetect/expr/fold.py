"""The one way to walk a tree: a function for each kind of node, applied from the leaves up."""

from collections.abc import Callable, Iterator
from typing import TypeVar, assert_never

from osdetect.expr.nodes import All, AnyOf, Expr, F_co, Leaf, Not

R = TypeVar("R")


def fold(
    expr: Expr[F_co],
    *,
    leaf: Callable[[Leaf[F_co]], R],
    negate: Callable[[R], R],
    conjoin: Callable[[tuple[R, ...]], R],
    disjoin: Callable[[tuple[R, ...]], R],
) -> R:
    """What the four functions make of the tree.

    >>> from osdetect.expr.nodes import Exists
    >>> tree = All((Leaf("a", Exists()), Not(Leaf("b", Exists()))))
    >>> fold(tree, leaf=lambda x: x.field, negate=lambda x: f"!{x}", conjoin="&".join, disjoin="|".join)
    'a&!b'
    """

    def walk(node: Expr[F_co]) -> R:
        match node:
            case Leaf():
                return leaf(node)
            case Not(part=part):
                return negate(walk(part))
            case All(parts=parts):
                return conjoin(tuple(walk(part) for part in parts))
            case AnyOf(parts=parts):
                return disjoin(tuple(walk(part) for part in parts))
            case _:
                assert_never(node)

    return walk(expr)


def leaves(expr: Expr[F_co]) -> Iterator[Leaf[F_co]]:
    """Every leaf, left to right, repeated ones too."""
    match expr:
        case Leaf():
            yield expr
        case Not(part=part):
            yield from leaves(part)
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from leaves(part)
        case _:
            assert_never(expr)
