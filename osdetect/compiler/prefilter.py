"""How much of a rule the percolator can decide before it verifies anything."""

from dataclasses import dataclass
from enum import IntEnum
from typing import assert_never

from osdetect.compiler.stored_query import is_column
from osdetect.expr import All, AnyOf, Expr, Leaf, Not, Null, render


class Kind(IntEnum):
    """What every match of a rule is sure to carry, cheapest first."""

    INDEXED = 0
    """A value that the rule names: only events with that value are verified."""
    TOKEN = 1
    """A token: events for which a test held in process, or that have a field, are verified."""
    EVERY_EVENT = 2
    """Nothing: the rule is verified against every event."""


@dataclass(frozen=True, slots=True)
class Prefilter:
    """The kind, and the part of the rule that is the reason."""

    kind: Kind
    reason: str

    @property
    def word(self) -> str:
        """As shown to people and stored: indexed, token, every event."""
        return self.kind.name.lower().replace("_", " ")


def prefilter(expr: Expr[str]) -> Prefilter:
    """How the percolator can pre-filter the rule.

    >>> from osdetect.expr import Equals, Exists
    >>> prefilter(All((Leaf("eventName", Equals("x")), Not(Leaf("errorCode", Exists()))))).word
    'indexed'
    >>> prefilter(Not(Leaf("errorCode", Exists()))).word
    'every event'
    """
    match expr:
        case Leaf(test=Null()):
            return Prefilter(Kind.EVERY_EVENT, f"most events hold: {render(expr)}")
        case Leaf(field=path, test=test):
            kind = Kind.INDEXED if is_column(test) else Kind.TOKEN
            return Prefilter(kind, f"{path}: {render(expr)}")
        case Not():
            return Prefilter(Kind.EVERY_EVENT, f"what must not hold gives no term: {render(expr)}")
        case All(parts=parts):
            return min(
                (prefilter(part) for part in parts),
                key=lambda found: found.kind,
                default=Prefilter(Kind.EVERY_EVENT, "the rule asks nothing"),
            )
        case AnyOf(parts=parts):
            return max(
                (prefilter(part) for part in parts),
                key=lambda found: found.kind,
                default=Prefilter(Kind.INDEXED, "the rule never matches"),
            )
        case _:
            assert_never(expr)
