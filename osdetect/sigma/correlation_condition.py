"""The condition of a correlation: what is measured of a window, and how it must compare.

Sigma correlation rules specification 2.1, "Condition": a map of one comparison or, as a range, of two; for the types
that look at values also `field`. Beyond it, as pySigma has it: a boolean expression over the rules of a temporal
correlation, and `percentile`.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec
import sigma.exceptions as theirs
from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from osdetect.expr import All, AnyOf, Exists, Expr, Leaf, Not, leaves, simplify
from osdetect.expr.nodes import MAX_DEPTH, MAX_INTEGER
from osdetect.expr.windows import Bound, Comparison, Measure
from osdetect.sigma.yaml_text import Document, Path

MAX_EXPRESSION = 2_000
"""Characters of a boolean condition; pySigma's parser is slow and recursive."""
MAX_PARENTHESES = 20
MAX_COUNTED = 5
"""Fields that are counted together."""
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)

_FIELDS: Mapping[Measure, tuple[int, int]] = {
    "values": (1, MAX_COUNTED),
    "sum": (1, 1),
    "average": (1, 1),
    "percentile": (1, 1),
}
"""How many fields each measure takes, at least and at most; the others take none."""
_AT: Path = ("correlation", "condition")


class Condition(msgspec.Struct, frozen=True):
    """What a window must meet."""

    measure: Measure
    bounds: tuple[Bound, ...] = ()
    fields: tuple[str, ...] = ()
    percentile: int | float = 50
    present: Expr[str] | None = None
    named: tuple[str, ...] = ()
    """The rules that a boolean condition names, in the order of their first mention."""


def read_condition(document: Document, given: object, measure: Measure, *, named: int | None) -> Condition:
    """The condition.

    Args:
        document: what it stands in.
        given: its value; None if there is none.
        measure: what the correlation's type measures.
        named: how many rules the correlation lists; None if it has no list.

    Raises:
        RuleError: it is none, does not go with the type, or can never be met.
    """
    if given is None and measure in {"rules", "order"}:
        return Condition(measure, (Bound("gte", named or 0),))  # all of them
    if isinstance(given, str):
        return _boolean(document, given, measure)
    if not isinstance(given, dict):
        raise document.error(
            "this correlation needs a condition: a map", at=_AT, cure="for example condition: {gte: 10}"
        )
    unknown = next((key for key in given if key not in {*COMPARISONS, "field", "percentile"}), None)
    if unknown is not None:
        raise document.error(
            f"{unknown!r} is no part of a correlation's condition",
            at=(*_AT, unknown),
            cure=f"its parts are {', '.join(COMPARISONS)} and field",
        )
    bounds = tuple(
        Bound(key, _number(document, (*_AT, key), given[key])) for key in COMPARISONS if key in given
    )
    if not bounds:
        raise document.error(
            "this condition compares with nothing", at=_AT, cure=f"give it one of {', '.join(COMPARISONS)}"
        )
    fields = _fields(document, given.get("field"), measure)
    if measure == "percentile" and "percentile" not in given:
        measure = "share"  # the specification's example: a value that is at most 1 % of all
    percentile = _percentile(document, given["percentile"], measure) if "percentile" in given else 50
    _check_possible(document, bounds, measure, named)
    return Condition(measure, bounds, fields, percentile)


def _number(document: Document, at: Path, value: Any) -> int | float:
    """A finite number; a text that is one too, as pySigma takes it."""
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value) if value.lstrip("+-").isdecimal() else float(value)
        except ValueError as error:
            raise document.error(f"{value[:20]!r} is no number", at=at) from error
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise document.error("this must be a number", at=at)
    if not math.isfinite(value) or abs(value) > MAX_INTEGER:
        raise document.error("this number is too large to be compared exactly", at=at)
    return value


def _fields(document: Document, given: object, measure: Measure) -> tuple[str, ...]:
    listed = [] if given is None else given if isinstance(given, list) else [given]
    at = (*_AT, "field")
    low, high = _FIELDS.get(measure, (0, 0))
    wrong = next((one for one in listed if not isinstance(one, str) or not one.strip()), None)
    if wrong is not None or len(set(map(str, listed))) < len(listed):
        raise document.error("field takes the name of a field, or a list of different ones", at=at)
    if len(listed) > high:
        said = f"at most {high}" if high else "no field"
        raise document.error(
            f"a correlation of this type takes {said}",
            at=at,
            cure="the type value_count counts the values of a field",
        )
    if len(listed) < low:
        raise document.error(
            "a correlation of this type needs a field",
            at=_AT,
            cure="name it in the condition: field: eventName",
        )
    return tuple(listed)


def _percentile(document: Document, value: object, measure: Measure) -> int | float:
    at = (*_AT, "percentile")
    if measure != "percentile":
        raise document.error("percentile belongs to the type value_percentile", at=at)
    number = _number(document, at, value)
    if not 0 <= number <= 100:
        raise document.error("a percentile is between 0 and 100", at=at)
    return number


def _check_possible(
    document: Document, bounds: tuple[Bound, ...], measure: Measure, named: int | None
) -> None:
    """Refuse what no window can meet: the author meant something else."""
    low, high, whole = _RANGES.get(measure, (-math.inf, math.inf, False))
    if measure in {"rules", "order"}:
        high = named or 0
    if not _possible(bounds, low, high, whole=whole):
        said = f"between {low} and {'any number' if high == math.inf else high}" if whole else "any number"
        raise document.error(
            "this condition can never be met", at=_AT, cause=f"what is measured here is {said}"
        )


_RANGES: Mapping[Measure, tuple[float, float, bool]] = {
    "events": (1, math.inf, True),
    "values": (0, math.inf, True),
    "rules": (1, math.inf, True),
    "order": (1, math.inf, True),
    "share": (0, 100, False),
}
"""The smallest and largest measure, and whether only whole numbers occur; a window has at least one event."""


def _possible(bounds: tuple[Bound, ...], low: float, high: float, *, whole: bool) -> bool:
    for bound in bounds:
        value = bound.value
        if bound.comparison in {"gt", "gte", "eq"}:
            low = max(low, math.floor(value) + 1 if whole and bound.comparison == "gt" else value)
        if bound.comparison in {"lt", "lte", "eq"}:
            high = min(high, math.ceil(value) - 1 if whole and bound.comparison == "lt" else value)
    if whole:
        low = math.ceil(low)
    strict = {bound.value for bound in bounds if bound.comparison in {"lt", "gt", "neq"}}
    return low < high or (low == high and low not in strict)


def _boolean(document: Document, given: str, measure: Measure) -> Condition:
    if measure != "rules":
        raise document.error(
            "a boolean condition goes with the type temporal alone",
            at=_AT,
            cure="write a map, for example condition: {gte: 10}",
        )
    if len(given) > MAX_EXPRESSION or given.count("(") > MAX_PARENTHESES:
        raise document.error(
            "this condition is too long",
            at=_AT,
            cause=f"at most {MAX_EXPRESSION:,} characters and {MAX_PARENTHESES} parentheses are read",
        )
    try:
        tree = _tree(SigmaExtendedCorrelationCondition(given).parsed)
    except (theirs.SigmaError, RecursionError) as error:
        raise document.error(
            "this condition cannot be read",
            at=_AT,
            cause=" ".join(str(error).split())[:200],
            cure="names of rules, and, or, not, parentheses; names of letters, digits and _",
        ) from error
    named = tuple(dict.fromkeys(leaf.field for leaf in leaves(tree)))
    return Condition("rules", present=simplify(tree), named=named)


def _tree(parsed: object, depth: int = 0) -> Expr[str]:
    if depth > MAX_DEPTH:
        raise RecursionError(f"nested more than {MAX_DEPTH} deep")
    match parsed:
        case SigmaRuleReference(reference=reference):
            return Leaf(str(reference), Exists())
        case CorrelationConditionNOT(args=args):
            return Not(_tree(args[0], depth + 1))
        case CorrelationConditionAND(args=args):
            return All(tuple(_parts(args, depth)))
        case CorrelationConditionOR(args=args):
            return AnyOf(tuple(_parts(args, depth)))
        case _:
            raise theirs.SigmaCorrelationConditionError(f"{type(parsed).__name__} is not known")


def _parts(args: list[Any], depth: int) -> Iterator[Expr[str]]:
    return (_tree(arg, depth + 1) for arg in args)
