"""A tree as a function of the event: what `evaluate` says, without walking the tree each time."""

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from osdetect.expr.evaluate import holds
from osdetect.expr.nodes import ANYWHERE, All, AnyOf, Exists, Expr, Leaf, Not, Null, SameAs
from osdetect.expr.predicates import predicate
from osdetect.expr.values import resolve

Decide = Callable[[Mapping[str, Any]], bool]
Find = Callable[[Mapping[str, Any]], tuple[Any, ...] | None]


def closure(expr: Expr[str]) -> Decide:
    """The function that is `evaluate` of this tree.

    >>> from osdetect.expr.nodes import Equals
    >>> closure(Not(Leaf("eventName", Equals("a"))))({"eventName": "A"})
    False
    """
    match expr:
        case Leaf():
            return _leaf(expr)
        case Not(part=part):
            decide = closure(part)
            return lambda event: not decide(event)
        case All(parts=parts):
            return _all(tuple(closure(part) for part in parts))
        case AnyOf(parts=parts):
            return _any(tuple(closure(part) for part in parts))
        case _:
            assert_never(expr)


def _leaf(leaf: Leaf[str]) -> Decide:
    path = leaf.field
    match leaf.test:
        case Exists() | Null() | SameAs() as test:
            return lambda event: holds(path, test, event)
        case test:
            decide = predicate(test)

    find = finder(path)

    def some(event: Mapping[str, Any]) -> bool:
        values = find(event)
        return values is not None and any(map(decide, values))

    return some


def _all(parts: tuple[Decide, ...]) -> Decide:
    def decide(event: Mapping[str, Any]) -> bool:
        return all(part(event) for part in parts)

    return decide


def _any(parts: tuple[Decide, ...]) -> Decide:
    def decide(event: Mapping[str, Any]) -> bool:
        return any(part(event) for part in parts)

    return decide


def finder(path: str) -> Find:
    """The function that is `resolve` for this path: straight where no key has dots and no list is on the way."""
    names = path.split(".")
    rests = [".".join(names[at:]) for at in range(len(names))]
    # At each step the key, and the keys with dots that would lead along the path as well.
    steps = tuple(
        (
            name,
            tuple(rests[at][: -len(rests[end]) - 1] for end in range(at + 2, len(names)))
            + (rests[at],) * (at + 1 < len(names)),
        )
        for at, name in enumerate(names)
    )
    if path == ANYWHERE:
        return lambda event: resolve(event, path)

    def find(event: Mapping[str, Any]) -> tuple[Any, ...] | None:
        here: Any = event
        for name, dotted in steps:
            if not isinstance(here, dict):
                return resolve(event, path) if isinstance(here, (list, Mapping)) else None
            for key in dotted:
                if key in here:
                    return resolve(event, path)
            if name not in here:
                return None
            here = here[name]
        return resolve(event, path) if isinstance(here, list) else (here,)

    return find
