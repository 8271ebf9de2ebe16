"""Evidence, prepared once for a tree that many events are told of. It is what `evidence` gives, event by event; tests demand it."""

from collections.abc import Callable

from osdetect.expr.evaluate import Event, Evidence, said, value_of
from osdetect.expr.fold import fold
from osdetect.expr.nodes import Exists, Expr, Leaf, Null, SameAs
from osdetect.expr.predicates import predicate
from osdetect.expr.values import resolve, text_of

Witness = Callable[[Event], tuple[Evidence, ...] | None]
"""Gives an event's evidence, None when the tree does not hold for it."""
_Found = dict[Evidence, None]
_Collect = Callable[[Event, _Found], bool]


def witness(expr: Expr[str]) -> Witness:
    """The evidence of the tree for whichever event.

    >>> from osdetect.expr.nodes import Equals
    >>> witness(Leaf("eventName", Equals("createapikey")))({"eventName": "CreateApiKey"})
    (Evidence(field='eventName', test='is "createapikey"', value='CreateApiKey'),)
    """
    collect = fold(expr, leaf=_of_leaf, negate=_negated, conjoin=_of_all, disjoin=_of_any)

    def told(event: Event) -> tuple[Evidence, ...] | None:
        found: _Found = {}
        return tuple(found) if collect(event, found) else None

    return told


def _negated(held: _Collect) -> _Collect:
    return lambda event, _: not held(event, {})


def _of_any(collectors: tuple[_Collect, ...]) -> _Collect:
    def collect(event: Event, found: _Found) -> bool:
        told = [one(event, found) for one in collectors]  # all of them: each that holds is evidence
        return any(told)

    return collect


def _of_all(collectors: tuple[_Collect, ...]) -> _Collect:
    def collect(event: Event, found: _Found) -> bool:
        inner: _Found = {}
        for one in collectors:
            if not one(event, inner):
                return False
        found.update(inner)
        return True

    return collect


def _of_leaf(leaf: Leaf[str]) -> _Collect:
    path, test, words = leaf.field, leaf.test, said(leaf.test)
    if isinstance(test, (Null, Exists, SameAs)):

        def plainly(event: Event, found: _Found) -> bool:
            held = value_of(path, test, event)
            if held is not None:
                found[Evidence(path, words, held)] = None
            return held is not None

        return plainly
    decide = predicate(test)

    def of_value(event: Event, found: _Found) -> bool:
        for value in resolve(event, path) or ():
            if decide(value):
                found[Evidence(path, words, text_of(value) or "")] = None
                return True
        return False

    return of_value
