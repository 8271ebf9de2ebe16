"""The definition of what a tree means for an event. Everything else is measured against this."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, assert_never

from osdetect.expr.nodes import All, AnyOf, Exists, Expr, Leaf, Not, Null, SameAs, Test
from osdetect.expr.predicates import predicate
from osdetect.expr.render import render_test
from osdetect.expr.values import fold_case, resolve, text_of

Event = Mapping[str, Any]


class Evidence(NamedTuple):
    """Why a leaf held: the field, the test in words, and the text of the value that it held for."""

    field: str
    test: str
    value: str
    """Empty when the field is absent or null."""


def evaluate(expr: Expr[str], event: Event) -> bool:
    """Whether the event matches.

    >>> from osdetect.expr.nodes import All, Equals, Exists, Leaf, Not
    >>> rule = All((Leaf("eventName", Equals("createapikey")), Not(Leaf("errorCode", Exists()))))
    >>> evaluate(rule, {"eventName": "CreateApiKey"})
    True
    >>> evaluate(rule, {"eventName": "CreateApiKey", "errorCode": "AccessDenied"})
    False
    """
    match expr:
        case Leaf(field=path, test=test):
            return holds(path, test, event)
        case Not(part=part):
            return not evaluate(part, event)
        case All(parts=parts):
            return all(evaluate(part, event) for part in parts)
        case AnyOf(parts=parts):
            return any(evaluate(part, event) for part in parts)
        case _:
            assert_never(expr)


def holds(path: str, test: Test, event: Event) -> bool:
    """Whether one test holds for the values at `path`."""
    values = resolve(event, path)
    if isinstance(test, Exists):
        return values is not None
    if isinstance(test, Null):
        return not values or None in values
    return values is not None and _first(test, values, event) is not None


_NOTHING: tuple[Any, ...] = ()


def _first(test: Test, values: tuple[Any, ...], event: Event) -> tuple[Any] | None:
    """The first value that the test holds for, boxed so that a null can be told from none."""
    match test:
        case Null() | Exists():
            return (values[0],) if values else None
        case SameAs(path=other):
            others = tuple(_texts(test, resolve(event, other) or _NOTHING))
            return next(((v,) for v in values if _related(test, tuple(_texts(test, (v,))), others)), None)
        case _:
            decide = predicate(test)
            return next(((value,) for value in values if decide(value)), None)


def _texts(test: SameAs, values: tuple[Any, ...]) -> Iterator[str]:
    for value in values:
        text = text_of(value)
        if text is not None:
            yield text if test.cased else fold_case(text)


_RELATIONS: Mapping[str, Callable[[str, str], bool]] = {
    "is": str.__eq__,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
}


def _related(test: SameAs, texts: tuple[str, ...], others: tuple[str, ...]) -> bool:
    stands = _RELATIONS[test.relation]
    return any(stands(text, other) for text in texts for other in others)


def evidence(expr: Expr[str], event: Event) -> tuple[Evidence, ...] | None:
    """The leaves that made the event match, in the tree's order; None when it does not match.

    Under `Not` nothing is listed: what made it true is that its part did not hold.
    """
    found: dict[Evidence, None] = {}
    return tuple(found) if _collect(expr, event, found) else None


def _collect(expr: Expr[str], event: Event, found: dict[Evidence, None]) -> bool:
    """Whether the expression holds; only then its leaves that hold are added to `found`."""
    match expr:
        case Leaf(field=path, test=test):
            held = value_of(path, test, event)
            if held is not None:
                found[Evidence(path, said(test), held)] = None
            return held is not None
        case Not(part=part):
            return not evaluate(part, event)
        case All(parts=parts):
            inner: dict[Evidence, None] = {}
            for part in parts:
                if not _collect(part, event, inner):
                    return False
            found.update(inner)
            return True
        case AnyOf(parts=parts):
            told = [
                _collect(part, event, found) for part in parts
            ]  # all of them: each that holds is evidence
            return any(told)
        case _:
            assert_never(expr)


def value_of(path: str, test: Test, event: Event) -> str | None:
    """The text of the value that a test holds for, empty if it holds for none; None when it does not hold."""
    values = resolve(event, path)
    if isinstance(test, Null):
        return "" if not values or None in values else None
    if values is None:
        return None
    if isinstance(test, Exists):
        return (text_of(values[0]) or "") if values else ""
    boxed = _first(test, values, event)
    return None if boxed is None else text_of(boxed[0]) or ""


@lru_cache(maxsize=10_000)
def said(test: Test) -> str:
    """The test in words (`render_test`), as evidence gives it."""
    return render_test(test)
