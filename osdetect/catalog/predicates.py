"""What a rule looks for, test by test: a field, an operator in words, and a value."""

from collections.abc import Callable, Iterator, Mapping
from typing import assert_never

import msgspec

from osdetect.expr import (
    ANYWHERE,
    All,
    AnyOf,
    Boolean,
    Cidr,
    Compare,
    CompareTime,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Null,
    Number,
    Regex,
    SameAs,
    Test,
    TimePart,
    Wildcard,
)
from osdetect.expr.values import fold_case

ANY_FIELD = "any field"
"""What a keyword's field is called."""


class Indicator(msgspec.Struct, frozen=True):
    """One test of one field, in words. Rules look for the same when their indicators have the same `key`."""

    field: str
    operator: str
    value: str
    cased: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """The indicator without regard to what is not compared: the letter case of its value."""
        return self.field, self.operator, self.value if self.cased else fold_case(self.value)

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {self.value}".rstrip()


_OPPOSITES: Mapping[str, str] = {
    "equals": "does not equal",
    "contains": "does not contain",
    "starts with": "does not start with",
    "ends with": "does not end with",
    "fits": "does not fit",
    "matches": "does not match",
    "is in": "is not in",
    "is null": "is not null",
    "exists": "does not exist",
    "is true": "is not true",
    "is false": "is not false",
    "equals field": "does not equal field",
    "starts with field": "does not start with field",
    "ends with field": "does not end with field",
    "contains field": "does not contain field",
}
_SIDES: Mapping[str, str] = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "="}
_RELATIONS: Mapping[str, str] = {
    "is": "equals field",
    "startswith": "starts with field",
    "endswith": "ends with field",
    "contains": "contains field",
}


def indicator(leaf: Leaf[str], *, holds: bool = True) -> Indicator:
    """A leaf in words; `holds` is false where the rule wants it not to hold.

    >>> str(indicator(Leaf("eventName", Equals("CreateApiKey"))))
    'eventName equals CreateApiKey'
    >>> str(indicator(Leaf("errorCode", Exists()), holds=False))
    'errorCode does not exist'
    """
    operator, value, cased = _said(leaf.test)
    if not holds:
        operator = _OPPOSITES.get(operator, f"not {operator}")
    if cased and not isinstance(leaf.test, Regex):
        operator = f"{operator} (letter case counts)"
    return Indicator(ANY_FIELD if leaf.field == ANYWHERE else leaf.field, operator, value, cased)


def _said(test: Test) -> tuple[str, str, bool]:
    match test:
        case Equals(text=text, cased=cased):
            return "equals", text, cased
        case Wildcard(parts=parts, cased=cased):
            return *_shape(parts), cased
        case Regex(pattern=pattern, flags=flags):
            return "matches", f"(?{flags}){pattern}" if flags else pattern, True
        case Cidr(network=network):
            return "is in", network, False
        case Number(value=number):
            return "equals", str(number), False
        case Compare(operator=name, value=number):
            return _SIDES[name], str(number), False
        case CompareTime(operator=name, moment=moment):
            return f"{_SIDES[name]} the time", moment, False
        case TimePart(part=part, operator=name, value=number):
            return f"has {part} {_SIDES[name]}", str(number), False
        case Boolean(value=truth):
            return "is true" if truth else "is false", "", False
        case Null():
            return "is null", "", False
        case Exists():
            return "exists", "", False
        case SameAs(path=path, relation=relation, cased=cased):
            return _RELATIONS[relation], path, cased
        case _:
            assert_never(test)


def _shape(parts: tuple[str | Gap, ...]) -> tuple[str, str]:
    match parts:
        case (Gap.ANY, str(text), Gap.ANY):
            return "contains", text
        case (str(text), Gap.ANY):
            return "starts with", text
        case (Gap.ANY, str(text)):
            return "ends with", text
        case _:
            return "fits", "".join(part.value if isinstance(part, Gap) else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def indicators(tree: Expr[str]) -> tuple[Indicator, ...]:
    """What a rule looks for, each once, in the order of its tree; what it excludes has the opposite operator."""
    found: dict[tuple[str, str, str], Indicator] = {}
    for leaf, holds in signed_leaves(tree):
        one = indicator(leaf, holds=holds)
        found.setdefault(one.key, one)
    return tuple(found.values())


def signed_leaves(tree: Expr[str], *, holds: bool = True) -> Iterator[tuple[Leaf[str], bool]]:
    """Every leaf, and whether the rule wants it to hold: false below an odd number of negations."""
    match tree:
        case Leaf():
            yield tree, holds
        case Not(part=part):
            yield from signed_leaves(part, holds=not holds)
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from signed_leaves(part, holds=holds)
        case _:
            assert_never(tree)


def excluded(tree: Expr[str], may: Callable[[Leaf[str]], bool | None]) -> bool:
    """Whether the tree cannot hold, going by what is known of some of its leaves.

    Args:
        tree: the tree.
        may: whether a leaf holds; None where that is not known.
    """
    return _known(tree, may) is False


def _known(tree: Expr[str], may: Callable[[Leaf[str]], bool | None]) -> bool | None:
    """Kleene's logic of three values."""
    match tree:
        case Leaf():
            return may(tree)
        case Not(part=part):
            inner = _known(part, may)
            return None if inner is None else not inner
        case All(parts=parts):
            found = {_known(part, may) for part in parts}
            return False if False in found else None if None in found else True
        case AnyOf(parts=parts):
            found = {_known(part, may) for part in parts}
            return True if True in found else None if None in found else False
        case _:
            assert_never(tree)
