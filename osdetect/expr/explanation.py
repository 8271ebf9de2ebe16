"""Why a tree holds for an event or does not: every test with the values it met, and the nearest miss."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, assert_never

import msgspec

from osdetect.expr.evaluate import Event, holds
from osdetect.expr.nodes import All, AnyOf, Expr, Leaf, Not
from osdetect.expr.render import render
from osdetect.expr.values import resolve, text_of

Kind = Literal["all of", "any of", "not", "test"]


class Step(msgspec.Struct, frozen=True):
    """A node of the tree, decided."""

    kind: Kind
    text: str
    """The node in words."""
    held: bool
    values: tuple[str, ...] | None
    """What a test met: the texts of the field's values, null as "null"; None where the field is absent or for no test."""
    parts: tuple["Step", ...]


class Change(msgspec.Struct, frozen=True):
    """A test that would have to come out otherwise."""

    field: str
    text: str
    must_hold: bool
    values: tuple[str, ...] | None
    """What the field has now; None where it is absent."""


Lack: TypeAlias = tuple[Leaf[str], bool]
"""A test, and the outcome that is wanted of it."""


def explain(expr: Expr[str], event: Event) -> Step:
    """Decide every node; `held` of the outermost is what `evaluate` says.

    >>> from osdetect.expr.nodes import Equals
    >>> explain(Leaf("eventName", Equals("GetUser")), {"eventName": "getuser"})
    Step(kind='test', text='eventName is "GetUser"', held=True, values=('getuser',), parts=())
    """
    match expr:
        case Leaf(field=path, test=test):
            return Step("test", render(expr), holds(path, test, event), _values(path, event), ())
        case Not(part=part):
            inner = explain(part, event)
            return Step("not", render(expr), not inner.held, None, (inner,))
        case All(parts=parts):
            steps = tuple(explain(part, event) for part in parts)
            return Step("all of", render(expr), all(step.held for step in steps), None, steps)
        case AnyOf(parts=parts):
            steps = tuple(explain(part, event) for part in parts)
            return Step("any of", render(expr), any(step.held for step in steps), None, steps)
        case _:
            assert_never(expr)


def nearest_miss(expr: Expr[str], event: Event) -> tuple[Change, ...] | None:
    """The fewest tests whose outcome keeps the event from matching; empty if it matches, None if nothing could.

    >>> from osdetect.expr.nodes import Equals, Exists
    >>> rule = All((Leaf("eventName", Equals("GetUser")), Not(Leaf("errorCode", Exists()))))
    >>> [(change.text, change.must_hold) for change in nearest_miss(rule, {"eventName": "getuser", "errorCode": "x"})]
    [('errorCode exists', False)]
    """
    changes = lacking(expr, event)
    if changes is None:
        return None
    return tuple(
        dict.fromkeys(
            Change(leaf.field, render(leaf), wanted, _values(leaf.field, event)) for leaf, wanted in changes
        )
    )


def lacking(expr: Expr[str], event: Event, *, wanted: bool = True) -> tuple[Lack, ...] | None:
    """The tests of `nearest_miss`, each as often as the tree asks for it; without words, for those who try many events."""
    match expr:
        case Leaf(field=path, test=test):
            return () if holds(path, test, event) is wanted else ((expr, wanted),)
        case Not(part=part):
            return lacking(part, event, wanted=not wanted)
        case All(parts=parts) | AnyOf(parts=parts):
            each = (lacking(part, event, wanted=wanted) for part in parts)
            return _every(each) if isinstance(expr, All) is wanted else _fewest(each)
        case _:
            assert_never(expr)


def _every(each: Iterable[tuple[Lack, ...] | None]) -> tuple[Lack, ...] | None:
    """What all parts lack together."""
    found: list[Lack] = []
    for part in each:
        if part is None:
            return None
        found += part
    return tuple(found)


def _fewest(each: Iterable[tuple[Lack, ...] | None]) -> tuple[Lack, ...] | None:
    """What the part lacks that lacks the fewest."""
    least: tuple[Lack, ...] | None = None
    for part in each:
        if part is not None and (least is None or len(part) < len(least)):
            least = part
            if not least:
                break
    return least


def _values(path: str, event: Event) -> tuple[str, ...] | None:
    values = resolve(event, path)
    return None if values is None else tuple(_shown(values))


def _shown(values: tuple[object, ...]) -> Iterator[str]:
    for value in values:
        text = text_of(value)
        yield "null" if text is None else text
