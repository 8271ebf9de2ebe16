"""How much of a rule the percolator can decide before it verifies anything."""

from enum import IntEnum
from typing import TypeAlias, assert_never

import msgspec

from osdetect.compiler.stored_query import gives_term, is_column
from osdetect.expr import All, AnyOf, Expr, Leaf, Not, render


class Kind(IntEnum):
    """What every match of a rule is sure to carry, cheapest first."""

    INDEXED = 0
    """A value that the rule names: only events with that value are verified."""
    TOKEN = 1
    """A token: only events for which a test held in process, or that have a field, are verified."""
    EVERY_EVENT = 2
    """Nothing: the rule is verified against every event."""


class Prefilter(msgspec.Struct, frozen=True):
    """The kind, and the part of the rule that is the reason."""

    kind: Kind
    part: Expr[str]

    @property
    def word(self) -> str:
        """As shown to people and stored: indexed, token, every event."""
        return self.kind.name.lower().replace("_", " ")

    @property
    def reason(self) -> str:
        """Why, in words."""
        if self.part == All(()):
            return "the rule asks nothing"
        if self.part == AnyOf(()):
            return "the rule never matches"
        if not gives_term(self.part):
            return f"decided in process, as it asks only for what must not be: {render(self.part)}"
        return f"every match has: {render(self.part)}"


_Found: TypeAlias = tuple[Kind, Expr[str]]


def prefilter(expr: Expr[str]) -> Prefilter:
    """How the percolator can pre-filter the rule.

    >>> from osdetect.expr import Equals, Exists
    >>> prefilter(All((Leaf("eventName", Equals("x")), Not(Leaf("errorCode", Exists()))))).word
    'indexed'
    >>> prefilter(Not(Leaf("errorCode", Exists()))).word
    'token'
    """
    return Prefilter(*_found(expr))


def _found(expr: Expr[str]) -> _Found:
    if expr == All(()):
        return Kind.EVERY_EVENT, expr
    if not gives_term(expr):
        return Kind.TOKEN, expr
    match expr:
        case Leaf():
            return Kind.INDEXED if is_column(expr) else Kind.TOKEN, expr
        case Not():
            return Kind.TOKEN, expr
        case All(parts=parts):
            return min((_found(part) for part in parts if gives_term(part)), key=lambda found: found[0])
        case AnyOf(parts=parts):
            return max(
                (_found(part) for part in parts), key=lambda found: found[0], default=(Kind.INDEXED, expr)
            )
        case _:
            assert_never(expr)
