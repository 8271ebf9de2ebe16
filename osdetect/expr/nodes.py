"""What a tree is made of: four kinds of node, and the tests that a leaf makes of a field's values.

`Expr[F]` is generic in the field: `Expr[str]` names fields by their Sigma path, `Expr[Column]` by their place
in an index. Handing an unbound tree to something that needs a bound one is a type error.
"""

from enum import Enum
from typing import Generic, Literal, TypeVar

import msgspec

F_co = TypeVar("F_co", covariant=True)


class Gap(Enum):
    """What stands between the literals of a wildcard pattern (Sigma rules specification, "Wildcard")."""

    ANY = "*"
    """Any number of characters, none included."""
    ONE = "?"
    """Exactly one character."""


class Equals(msgspec.Struct, frozen=True):
    """A value's text is this text; letter case counts only when `cased`."""

    text: str
    cased: bool = False


class Wildcard(msgspec.Struct, frozen=True):
    """A value's whole text fits the pattern; letter case counts only when `cased`."""

    parts: tuple[str | Gap, ...]
    cased: bool = False


class Regex(msgspec.Struct, frozen=True):
    """The pattern is found somewhere in a value's text (RE2 syntax, linear time)."""

    pattern: str
    flags: str = ""
    """Letters out of "ims", sorted: ignore case, multi-line, dot matches line ends."""


class Cidr(msgspec.Struct, frozen=True):
    """A value is an IP address inside the network, for example 10.0.0.0/8 or 2001:db8::/32."""

    network: str


class Number(msgspec.Struct, frozen=True):
    """A value is this number, or its text is the number's text."""

    value: int | float


Side = Literal["lt", "lte", "gt", "gte"]
Part = Literal["minute", "hour", "day", "week", "month", "year"]
"""The parts of a time that Sigma names; weeks are those of ISO 8601, from 1 to 53."""


class Compare(msgspec.Struct, frozen=True):
    """A value is a number, or text that reads as one, on this side of the bound."""

    operator: Side
    value: int | float


class CompareTime(msgspec.Struct, frozen=True):
    """A value is a date or time (ISO 8601) on this side of the moment."""

    operator: Side
    moment: str
    """ISO 8601 with an offset, for example 2024-05-01T00:00:00+00:00. A value without an offset counts as UTC."""


class TimePart(msgspec.Struct, frozen=True):
    """A part of a value that is a date or time (ISO 8601), as it is written there, compares so to the number."""

    part: Part
    operator: Side | Literal["eq"]
    value: int


class Boolean(msgspec.Struct, frozen=True):
    """A value is this truth value, or the text "true" or "false" in any letter case."""

    value: bool


class Null(msgspec.Struct, frozen=True):
    """The field is absent, has no value, or a null is among its values."""


class Exists(msgspec.Struct, frozen=True):
    """The field is present, whatever its value, be it empty or null."""


class SameAs(msgspec.Struct, frozen=True):
    """A value's text stands so to the text of a value of another field; letter case counts only when `cased`."""

    path: str
    relation: Literal["is", "startswith", "endswith", "contains"] = "is"
    cased: bool = False


Test = (
    Equals
    | Wildcard
    | Regex
    | Cidr
    | Number
    | Compare
    | CompareTime
    | TimePart
    | Boolean
    | Null
    | Exists
    | SameAs
)
"""What a leaf asks of a field. All but `Null` and `Exists` ask it of each value; one that holds is enough."""


class Leaf(msgspec.Struct, Generic[F_co], frozen=True):
    """A test of one field."""

    field: F_co
    test: Test


class Not(msgspec.Struct, Generic[F_co], frozen=True):
    """True where `part` is false, also when the field is absent."""

    part: "Expr[F_co]"


class All(msgspec.Struct, Generic[F_co], frozen=True):
    """True where every part is; `All(())` is true."""

    parts: "tuple[Expr[F_co], ...]"


class AnyOf(msgspec.Struct, Generic[F_co], frozen=True):
    """True where some part is; `AnyOf(())` is false."""

    parts: "tuple[Expr[F_co], ...]"


Expr = Leaf[F_co] | Not[F_co] | All[F_co] | AnyOf[F_co]

ANYWHERE = ""
"""The field of a keyword: every value of the event that is no object and no list, wherever it stands.

No field of a rule is called so (Sigma rules specification, "Search-Identifier", lists of strings).
"""

MAX_DEPTH = 64
"""How many nodes may stand in one another; the rule reader and the tree reader refuse more."""
MAX_INTEGER = 2**53
"""A larger integer in a rule is refused: JSON readers do not agree about it (RFC 8259, section 6)."""
