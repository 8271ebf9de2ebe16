"""From pySigma's detection items to our tree, one entry a kind of value.

Nothing is guessed: what is not in the table is refused.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from sigma.conditions import ConditionAND
from sigma.rule import SigmaDetection, SigmaDetectionItem
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
    SigmaTimestampPart,
    SpecialChars,
)

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
    TimePart,
    Wildcard,
)
from osdetect.expr.predicates import check_pattern
from osdetect.sigma.modifiers import Cased, TimeComparison

Tree: TypeAlias = Expr[str]
Placeholders: TypeAlias = Mapping[str, tuple[str, ...]]

MAX_LEAVES = 20_000
"""Tests in one rule, each use of a selection counted: a few lines can ask for millions."""


class Refusal(Exception):  # internal: detection.py turns it into a RuleError with its place
    """Something in a detection that has no tree, and the item (pySigma's) that it stands in."""

    def __init__(self, what: str, *, item: object = None, cause: str = "", cure: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.item = item
        self.cause = cause
        self.cure = cure


class _Place(msgspec.Struct, frozen=True):
    """Where a value stands."""

    field: str
    item: SigmaDetectionItem
    cased: bool
    placeholders: Placeholders

    def refusal(self, what: str, *, cause: str = "", cure: str = "") -> Refusal:
        return Refusal(what, item=self.item, cause=cause, cure=cure)


def selection_tree(detection: SigmaDetection | SigmaDetectionItem, placeholders: Placeholders) -> Tree:
    """The tree of a selection, or of one item of it.

    Raises:
        Refusal: it holds something that is not supported.
    """
    if isinstance(detection, SigmaDetectionItem):
        return _item_tree(detection, placeholders)
    parts = tuple(selection_tree(one, placeholders) for one in detection.detection_items)
    return All(parts) if detection.item_linking is ConditionAND else AnyOf(parts)


def _item_tree(item: SigmaDetectionItem, placeholders: Placeholders) -> Tree:
    place = _Place(
        ANYWHERE if item.field is None else item.field, item, Cased in item.modifiers, placeholders
    )
    values = item.value or [SigmaNull()]
    if len(values) > MAX_LEAVES:
        raise place.refusal(f"more than {MAX_LEAVES:,} values")
    parts = tuple(_leaf(place, value) for value in values)
    tree: Tree = All(parts) if item.value_linking is ConditionAND else AnyOf(parts)
    return Not(tree) if getattr(item, "negated", False) else tree


def _leaf(place: _Place, value: object) -> Tree:
    convert = next((_VALUES[kind] for kind in type(value).__mro__ if kind in _VALUES), None)
    if convert is None:
        raise place.refusal(f"a value of kind {type(value).__name__} is not supported")
    if place.field == ANYWHERE and type(value) in _NEED_A_FIELD:
        raise place.refusal(
            "this needs a field",
            cause="a keyword is text that stands anywhere in the event",
            cure="name the field in front of the modifier",
        )
    return convert(place, value)


def _string(place: _Place, value: Any) -> Tree:
    cased = isinstance(value, SigmaCasedString)
    parts = tuple(_filled(place, value.s))
    leaves = tuple(_text(place, one, cased=cased) for one in parts)
    return leaves[0] if len(leaves) == 1 else AnyOf(leaves)


def _filled(place: _Place, parts: list[Any]) -> Iterator[list[Any]]:
    """The parts with each placeholder replaced by each of its values in turn."""
    if not any(isinstance(part, Placeholder) for part in parts):
        yield parts
        return
    choices = [_choices(place, part) for part in parts]
    if math.prod(map(len, choices)) > MAX_LEAVES:
        raise place.refusal(f"the placeholders' values make more than {MAX_LEAVES:,} texts")
    for chosen in itertools.product(*choices):
        yield [part for run in chosen for part in run]


def _choices(place: _Place, part: Any) -> list[list[Any]]:
    if not isinstance(part, Placeholder):
        return [[part]]
    return [SigmaString(value).s for value in _values_of(place, part)]


def _values_of(place: _Place, placeholder: Placeholder) -> tuple[str, ...]:
    values = place.placeholders.get(placeholder.name)
    if not values:
        raise place.refusal(
            f"the placeholder %{placeholder.name}% has no values",
            cause="what it stands for is a fact about your organisation",
            cure=f"give a file that holds {placeholder.name}: [...] with --placeholders",
        )
    return values


def _text(place: _Place, filled: list[Any], *, cased: bool) -> Tree:
    parts = [_gap(part) if isinstance(part, SpecialChars) else str(part) for part in filled]
    if place.field == ANYWHERE:
        if not any(part for part in parts if not isinstance(part, Gap)):
            raise place.refusal("a keyword must have a letter, or it stands in every event")
        parts = [Gap.ANY, *parts, Gap.ANY]
    if not any(isinstance(part, Gap) for part in parts):
        return Leaf(place.field, Equals("".join(str(part) for part in parts), cased))
    test = Wildcard(_joined(parts), cased)
    # Of `*` alone RE2 is not asked (`osdetect.expr.predicates`): nothing can be too long for it.
    complaint = check_pattern(test) if test.parts.count(_ONE) > _SURE else None
    if complaint is not None:
        raise place.refusal("this wildcard pattern is too long", cause=f"RE2 says: {complaint}")
    return Leaf(place.field, test)


_SURE = 1_000
"""With so many `?` RE2 takes any pattern; only beyond them it is asked."""
_MULTI, _ANY, _ONE = SpecialChars.WILDCARD_MULTI, Gap.ANY, Gap.ONE


def _gap(part: SpecialChars) -> Gap:
    # By identity: the hash of an enum is Python code, and this is asked for each wildcard of each value.
    return _ANY if part is _MULTI else _ONE


def _joined(parts: list[str | Gap]) -> tuple[str | Gap, ...]:
    """Without repeated stars, and with neighbouring texts as one."""
    kept: list[str | Gap] = []
    for part in parts:
        last = kept[-1] if kept else None
        if isinstance(part, str) and isinstance(last, str):
            kept[-1] = last + part
        elif part != "" and not (part is _ANY and last is _ANY):
            kept.append(part)
    return tuple(kept)


def _regex(place: _Place, value: Any) -> Tree:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    choices = [
        [re.escape(one) for one in _values_of(place, part)]
        if isinstance(part, Placeholder)
        else [_sign(part)]
        for part in value.regexp.s
    ]
    if math.prod(map(len, choices)) > MAX_LEAVES:
        raise place.refusal(f"the placeholders' values make more than {MAX_LEAVES:,} texts")
    leaves = tuple(_pattern(place, Regex("".join(chosen), flags)) for chosen in itertools.product(*choices))
    return leaves[0] if len(leaves) == 1 else AnyOf(leaves)


def _sign(part: Any) -> str:
    return _gap(part).value if isinstance(part, SpecialChars) else str(part)


def _pattern(place: _Place, test: Regex) -> Tree:
    complaint = check_pattern(test)
    if complaint is not None:
        raise place.refusal(
            "this regular expression is not supported",
            cause=f"RE2, which runs it in linear time, says: {complaint}",
            cure="write it without back-references, and look-around only at its ends",
        )
    return Leaf(place.field, test)


def _number(place: _Place, value: Any) -> Tree:
    if isinstance(value, SigmaTimestampPart):
        return Leaf(place.field, _time_part(place, value, "eq"))
    if place.field == ANYWHERE:
        return _text(place, [str(value.number)], cased=False)
    return Leaf(place.field, Number(_finite(place, value.number)))


def _time_part(
    place: _Place, value: SigmaTimestampPart, operator: Literal["eq", "lt", "lte", "gt", "gte"]
) -> TimePart:
    part: Any = value.timestamp_part.name.lower()
    if place.field == ANYWHERE:
        raise place.refusal("this needs a field", cure="name the field in front of the modifier")
    return TimePart(part, operator, int(value.number))


def _finite(place: _Place, number: float) -> int | float:
    if not math.isfinite(number):
        raise place.refusal("a number must be finite")
    return number


_SIDES: Mapping[CompareOperators, Literal["lt", "lte", "gt", "gte"]] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}


def _compare(place: _Place, value: Any) -> Tree:
    if isinstance(value.number, SigmaTimestampPart):
        return Leaf(place.field, _time_part(place, value.number, _SIDES[value.op]))
    number = _finite(place, value.number.number)
    if value.op == CompareOperators.NEQ:
        return Not(Leaf(place.field, Number(number)))
    return Leaf(place.field, Compare(_SIDES[value.op], number))


def _compare_time(place: _Place, value: TimeComparison) -> Tree:
    return Leaf(place.field, CompareTime(_SIDES[value.operator], value.moment))


def _boolean(place: _Place, value: Any) -> Tree:
    if place.field == ANYWHERE:
        return _text(place, ["true" if value.boolean else "false"], cased=False)
    return Leaf(place.field, Boolean(value.boolean))


def _exists(place: _Place, value: Any) -> Tree:
    leaf = Leaf(place.field, Exists())
    return leaf if value.exists else Not(leaf)


_RELATIONS: Mapping[tuple[bool, bool], Literal["is", "startswith", "endswith", "contains"]] = {
    (False, False): "is",
    (True, False): "startswith",
    (False, True): "endswith",
    (True, True): "contains",
}


def _same_as(place: _Place, value: Any) -> Tree:
    relation = _RELATIONS[bool(value.starts_with), bool(value.ends_with)]
    return Leaf(place.field, SameAs(value.field, relation, place.cased))


def _expansion(place: _Place, value: Any) -> Tree:
    return AnyOf(tuple(_leaf(place, one) for one in value.values))


_NEED_A_FIELD = frozenset(
    {SigmaNull, SigmaExists, SigmaFieldReference, SigmaCompareExpression, TimeComparison}
)
_VALUES: Mapping[type, Callable[[_Place, Any], Tree]] = {
    SigmaString: _string,
    SigmaNumber: _number,
    SigmaBool: _boolean,
    SigmaNull: lambda place, _: Leaf(place.field, Null()),
    SigmaRegularExpression: _regex,
    SigmaCIDRExpression: lambda place, value: Leaf(place.field, Cidr(str(value.network))),
    SigmaCompareExpression: _compare,
    TimeComparison: _compare_time,
    SigmaExists: _exists,
    SigmaFieldReference: _same_as,
    SigmaExpansion: _expansion,
}
