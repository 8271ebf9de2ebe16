"""Smaller trees of the same meaning: one function a law, applied from the leaves up."""

from collections.abc import Iterator
from typing import assert_never

from osdetect.expr.nodes import All, AnyOf, Expr, F_co, Leaf, Not


def simplify(expr: Expr[F_co]) -> Expr[F_co]:
    """The tree without nesting, repetition, double negation and constants that do not matter.

    `evaluate` gives the same for both, for every event; the order of what remains is kept.

    >>> from osdetect.expr.nodes import Exists
    >>> a, b = Leaf("a", Exists()), Leaf("b", Exists())
    >>> simplify(All((All((a, b)), a))) == All((a, b))
    True
    >>> simplify(Not(Not(AnyOf((a,))))) == a
    True
    >>> simplify(AnyOf((a, All(())))) == All(())
    True
    """
    match expr:
        case Leaf():
            return expr
        case Not(part=part):
            return _negate(simplify(part))
        case All(parts=parts):
            return _conjoin(tuple(simplify(part) for part in parts))
        case AnyOf(parts=parts):
            return _disjoin(tuple(simplify(part) for part in parts))
        case _:
            assert_never(expr)


def _negate(part: Expr[F_co]) -> Expr[F_co]:
    if isinstance(part, Not):
        return part.part
    if part == All(()):
        return AnyOf(())
    if part == AnyOf(()):
        return All(())
    return Not(part)


def _conjoin(parts: tuple[Expr[F_co], ...]) -> Expr[F_co]:
    flat = _different(tuple(_opened(parts, All)))
    if AnyOf(()) in flat:
        return AnyOf(())
    return flat[0] if len(flat) == 1 else All(flat)


def _disjoin(parts: tuple[Expr[F_co], ...]) -> Expr[F_co]:
    flat = _different(tuple(_opened(parts, AnyOf)))
    if All(()) in flat:
        return All(())
    return flat[0] if len(flat) == 1 else AnyOf(flat)


def _different(parts: tuple[Expr[F_co], ...]) -> tuple[Expr[F_co], ...]:
    """Each part once. The hash of a part goes through all of it: it is not asked of a single one."""
    return tuple(dict.fromkeys(parts)) if len(parts) > 1 else parts


def _opened(parts: tuple[Expr[F_co], ...], kind: type[All[F_co]] | type[AnyOf[F_co]]) -> Iterator[Expr[F_co]]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.parts
        else:
            yield part
