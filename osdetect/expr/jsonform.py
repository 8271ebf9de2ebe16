"""The tree as JSON, as stored with the deployed rule, and back. What comes back is checked: it is hostile.

A leaf is `{"field": "eventName", "equals": "CreateApiKey"}`; the others are `{"all": [...]}`, `{"any": [...]}` and
`{"not": ...}`.
"""

import ipaddress
import math
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from osdetect.errors import RuleError
from osdetect.expr.moments import moment_of
from osdetect.expr.nodes import (
    MAX_DEPTH,
    MAX_INTEGER,
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
from osdetect.expr.predicates import check_pattern

Json = Mapping[str, Any]


def to_json(expr: Expr[str]) -> dict[str, Any]:
    """The tree as JSON-able data.

    >>> to_json(Not(Leaf("eventName", Wildcard(("Create", Gap.ANY)))))
    {'not': {'field': 'eventName', 'like': ['Create', {'gap': '*'}]}}
    """
    match expr:
        case Leaf(field=path, test=test):
            return {"field": path, **_test_to_json(test)}
        case Not(part=part):
            return {"not": to_json(part)}
        case All(parts=parts):
            return {"all": [to_json(part) for part in parts]}
        case AnyOf(parts=parts):
            return {"any": [to_json(part) for part in parts]}
        case _:
            assert_never(expr)


def _test_to_json(test: Test) -> dict[str, Any]:
    match test:
        case Equals(text=text, cased=cased):
            return {"equals": text, **({"cased": True} if cased else {})}
        case Wildcard(parts=parts, cased=cased):
            like = [{"gap": part.value} if isinstance(part, Gap) else part for part in parts]
            return {"like": like, **({"cased": True} if cased else {})}
        case Regex(pattern=pattern, flags=flags):
            return {"regex": pattern, **({"flags": flags} if flags else {})}
        case Cidr(network=network):
            return {"cidr": network}
        case Number(value=value):
            return {"number": _plain(value)}
        case Compare(operator=name, value=value):
            return {name: _plain(value)}
        case CompareTime(operator=name, moment=moment):
            return {f"time_{name}": moment}
        case TimePart(part=part, operator=name, value=value):
            return {part: {name: value}}
        case Boolean(value=value):
            return {"boolean": value}
        case Null():
            return {"null": True}
        case Exists():
            return {"exists": True}
        case SameAs(path=path, relation=relation, cased=cased):
            key = "same_as" if relation == "is" else f"{relation}_field"
            return {key: path, **({"cased": True} if cased else {})}
        case _:
            assert_never(test)


def _plain(value: float) -> int | float:
    """Equal numbers alike: 1.0 as 1, so that equal trees have equal JSON."""
    return int(value) if abs(value) <= MAX_INTEGER and value == int(value) else value


def from_json(data: object, *, depth: int = 0) -> Expr[str]:
    """The tree that `to_json` wrote.

    Raises:
        RuleError: `data` is not what `to_json` writes.
    """
    if depth > MAX_DEPTH:
        raise _unreadable(f"nodes stand more than {MAX_DEPTH} deep in one another")
    match data:
        case {"field": str(path), **test}:
            return Leaf(path, _test_from_json({str(name): value for name, value in test.items()}))
        case {"not": part, **rest} if not rest:
            return Not(from_json(part, depth=depth + 1))
        case {"all": list(parts), **rest} if not rest:
            return All(tuple(from_json(part, depth=depth + 1) for part in parts))
        case {"any": list(parts), **rest} if not rest:
            return AnyOf(tuple(from_json(part, depth=depth + 1) for part in parts))
        case _:
            raise _unreadable(f"{str(data)[:80]} is no node")


def _unreadable(cause: str) -> RuleError:
    return RuleError(
        "a stored tree cannot be read", cause=cause, cure="deploy the rules again: osdetect deploy"
    )


def _equals(value: object, options: Json) -> Test | None:
    cased = options.get("cased", False)
    return Equals(value, cased) if isinstance(value, str) and isinstance(cased, bool) else None


def _like(value: object, options: Json) -> Test | None:
    cased = options.get("cased", False)
    if not isinstance(value, list) or not isinstance(cased, bool):
        return None
    gaps = {"*": Gap.ANY, "?": Gap.ONE}
    parts: list[str | Gap] = []
    for part in value:
        match part:
            case str():
                parts.append(part)
            case {"gap": "*" | "?" as sign}:
                parts.append(gaps[sign])
            case _:
                return None
    test = Wildcard(tuple(parts), cased)
    return None if check_pattern(test) else test


def _regex(value: object, options: Json) -> Test | None:
    flags = options.get("flags", "")
    if not isinstance(value, str) or not isinstance(flags, str) or not set(flags) <= set("ims"):
        return None
    test = Regex(value, flags)
    return None if check_pattern(test) else test


def _cidr(value: object, _: Json) -> Test | None:
    try:
        ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return None
    return Cidr(str(value))


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= MAX_INTEGER
    return isinstance(value, float) and math.isfinite(value)


def _number(value: Any, _: Json) -> Test | None:
    return Number(value) if _is_number(value) else None


def _compare(name: Any) -> Callable[[Any, Json], Test | None]:
    return lambda value, _: Compare(name, value) if _is_number(value) else None


def _compare_time(name: Any) -> Callable[[Any, Json], Test | None]:
    def read(value: Any, _: Json) -> Test | None:
        return CompareTime(name, value) if isinstance(value, str) and moment_of(value) else None

    return read


def _time_part(part: Any) -> Callable[[Any, Json], Test | None]:
    def read(value: Any, _: Json) -> Test | None:
        if not isinstance(value, Mapping) or len(value) != 1:
            return None
        ((name, number),) = value.items()
        if (
            name not in {"eq", "lt", "lte", "gt", "gte"}
            or not isinstance(number, int)
            or not _is_number(number)
        ):
            return None
        return TimePart(part, name, number)

    return read


def _same_as(relation: Any) -> Callable[[Any, Json], Test | None]:
    def read(value: Any, options: Json) -> Test | None:
        cased = options.get("cased", False)
        if not isinstance(value, str) or not isinstance(cased, bool):
            return None
        return SameAs(value, relation, cased)

    return read


_READERS: Mapping[str, Callable[[Any, Json], Test | None]] = {
    "equals": _equals,
    "like": _like,
    "regex": _regex,
    "cidr": _cidr,
    "number": _number,
    "lt": _compare("lt"),
    "lte": _compare("lte"),
    "gt": _compare("gt"),
    "gte": _compare("gte"),
    "boolean": lambda value, _: Boolean(value) if isinstance(value, bool) else None,
    "null": lambda value, _: Null() if value is True else None,
    "exists": lambda value, _: Exists() if value is True else None,
    **{f"time_{name}": _compare_time(name) for name in ("lt", "lte", "gt", "gte")},
    **{part: _time_part(part) for part in ("minute", "hour", "day", "week", "month", "year")},
    "same_as": _same_as("is"),
    **{f"{relation}_field": _same_as(relation) for relation in ("startswith", "endswith", "contains")},
}
_OPTIONS = frozenset({"cased", "flags"})


def _test_from_json(data: Json) -> Test:
    options = {name: value for name, value in data.items() if name in _OPTIONS}
    names = [name for name in data if name not in _OPTIONS]
    if len(names) == 1 and names[0] in _READERS:
        test = _READERS[names[0]](data[names[0]], options)
        if test is not None and _test_to_json(test) == data:
            return test
    raise _unreadable(f"{str(dict(data))[:80]} is no test")
