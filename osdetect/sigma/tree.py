"""From pySigma's parsed condition to our tree, one entry a kind of value.

Nothing is guessed: what is not in the table is refused.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from osdetect.expr import (
    All,
    AnyOf,
    Boolean,
    Cidr,
    Compare,
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
    Wildcard,
)
from osdetect.expr.nodes import MAX_DEPTH
from osdetect.expr.predicates import check_pattern

Tree: TypeAlias = Expr[str]


class Refusal(Exception):  # internal: reader.py turns it into a RuleError with its place
    """Something in a detection that has no tree (yet), and the field that it stands at."""

    def __init__(self, what: str, *, field: str = "", cause: str = "", cure: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.field = field
        self.cause = cause
        self.cure = cure


def tree_of(condition: object, *, depth: int = 0) -> Tree:
    """The tree of a parsed and postprocessed pySigma condition.

    Raises:
        Refusal: it holds something that is not supported.
    """
    if depth > MAX_DEPTH:
        raise Refusal(f"the condition is nested more than {MAX_DEPTH} deep")
    match condition:
        case ConditionAND(args=args):
            return All(tuple(tree_of(arg, depth=depth + 1) for arg in args))
        case ConditionOR(args=args):
            return AnyOf(tuple(tree_of(arg, depth=depth + 1) for arg in args))
        case ConditionNOT(args=args):
            return Not(tree_of(args[0], depth=depth + 1))
        case ConditionFieldEqualsValueExpression(field=field, value=value):
            return _leaf(field, value)
        case ConditionValueExpression(value=value):
            raise Refusal(
                "keywords without a field are not supported yet",
                cause=f"the value {str(value)[:60]!r} names no field",
                cure="name the field: CloudTrail records have fields for everything",
            )
        case _:
            raise Refusal(f"a condition of kind {type(condition).__name__} is not supported")


def _leaf(field: str, value: object) -> Tree:
    convert = _VALUES.get(type(value))
    if convert is None:
        raise Refusal(f"a value of kind {type(value).__name__} is not supported yet", field=field)
    return convert(field, value)


def _string(field: str, value: Any) -> Tree:
    cased = isinstance(value, SigmaCasedString)
    parts: list[str | Gap] = []
    for part in value.s:
        if isinstance(part, Placeholder):
            raise Refusal(
                f"the placeholder %{part.name}% has no values",
                field=field,
                cause="placeholder lists are not supported yet",
                cure="write the values into the rule, or leave the rule out",
            )
        parts.append(_GAPS[part] if isinstance(part, SpecialChars) else part)
    if not any(isinstance(part, Gap) for part in parts):
        return Leaf(field, Equals("".join(str(part) for part in parts), cased))
    test = Wildcard(_without_repeated_stars(parts), cased)
    complaint = check_pattern(test)
    if complaint is not None:
        raise Refusal("this wildcard pattern is too long", field=field, cause=f"RE2 says: {complaint}")
    return Leaf(field, test)


_GAPS: Mapping[SpecialChars, Gap] = {
    SpecialChars.WILDCARD_MULTI: Gap.ANY,
    SpecialChars.WILDCARD_SINGLE: Gap.ONE,
}


def _without_repeated_stars(parts: list[str | Gap]) -> tuple[str | Gap, ...]:
    kept: list[str | Gap] = []
    for part in parts:
        if not (part is Gap.ANY and kept and kept[-1] is Gap.ANY):
            kept.append(part)
    return tuple(kept)


def _regex(field: str, value: Any) -> Tree:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    test = Regex(str(value.regexp), flags)
    complaint = check_pattern(test)
    if complaint is not None:
        raise Refusal(
            "this regular expression is not supported",
            field=field,
            cause=f"RE2, which runs it in linear time, says: {complaint}",
            cure="write it without look-around and back-references",
        )
    return Leaf(field, test)


def _number(field: str, value: Any) -> Tree:
    return Leaf(field, Number(_finite(field, value.number)))


def _finite(field: str, number: float) -> int | float:
    if not math.isfinite(number):
        raise Refusal("a number must be finite", field=field)
    return number


_SIDES: Mapping[CompareOperators, Literal["lt", "lte", "gt", "gte"]] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}


def _compare(field: str, value: Any) -> Tree:
    number = _finite(field, value.number.number)
    if value.op == CompareOperators.NEQ:
        return Not(Leaf(field, Number(number)))
    return Leaf(field, Compare(_SIDES[value.op], number))


def _exists(field: str, value: Any) -> Tree:
    return Leaf(field, Exists()) if value.exists else Not(Leaf(field, Exists()))


def _same_as(field: str, value: Any) -> Tree:
    if value.starts_with or value.ends_with:
        raise Refusal(
            "fieldref together with startswith, endswith or contains is not supported yet", field=field
        )
    return Leaf(field, SameAs(value.field))


def _expansion(field: str, value: Any) -> Tree:
    return AnyOf(tuple(_leaf(field, one) for one in value.values))


_VALUES: Mapping[type, Callable[[str, Any], Tree]] = {
    SigmaString: _string,
    SigmaCasedString: _string,
    SigmaNumber: _number,
    SigmaBool: lambda field, value: Leaf(field, Boolean(value.boolean)),
    SigmaNull: lambda field, _: Leaf(field, Null()),
    SigmaRegularExpression: _regex,
    SigmaCIDRExpression: lambda field, value: Leaf(field, Cidr(str(value.network))),
    SigmaCompareExpression: _compare,
    SigmaExists: _exists,
    SigmaFieldReference: _same_as,
    SigmaExpansion: _expansion,
}
