"""The stored query: the rule as the percolator verifies it, a boolean of terms over the projected document.

Every leaf is exact there: a text that equals is a term of its column, presence is a term of `present`, and each
other test is a token (`osdetect.schema.projection`). What asks only for what must not be gives the percolator no
term to pre-filter by; where that is all that a rule or a branch of an `or` says, it becomes one token as a whole. Only `term`, `terms` and `bool` are emitted: OpenSearch
docs, "Percolator field type", and the costs measured for each query form.
"""

from collections.abc import Iterable, Iterator
from typing import Any, assert_never

from osdetect.expr import ANYWHERE, All, AnyOf, Boolean, Equals, Exists, Expr, Leaf, Not
from osdetect.expr.values import fold_case
from osdetect.schema.projection import EVERY_EVENT, MAX_TERM, PRESENT, TESTS, column, token

Query = dict[str, Any]

_EVERY: Query = {"term": {TESTS: EVERY_EVENT}}
_NONE: Query = {"match_none": {}}


def is_column(leaf: Leaf[str]) -> bool:
    """Whether a term of the field's column says this test exactly."""
    test = leaf.test
    if leaf.field == ANYWHERE:
        return False
    return (isinstance(test, Equals) and not test.cased and len(test.text) <= MAX_TERM) or isinstance(
        test, Boolean
    )


def gives_term(expr: Expr[str]) -> bool:
    """Whether every event that the tree holds for has one of a few terms, by which the percolator finds it."""
    match expr:
        case Leaf():
            return True
        case Not():
            return False
        case All(parts=parts):
            return any(gives_term(part) for part in parts)
        case AnyOf(parts=parts):
            return all(gives_term(part) for part in parts)
        case _:
            assert_never(expr)


def tokens(expr: Expr[str]) -> Iterator[Expr[str]]:
    """What is decided in process for the tree's stored query, left to right, repeated ones too."""
    if not gives_term(expr) and expr != All(()):
        yield expr
    else:
        yield from _tokens_inside(expr)


def _tokens_inside(expr: Expr[str]) -> Iterator[Expr[str]]:
    match expr:
        case Leaf():
            if not is_column(expr) and not isinstance(expr.test, Exists):
                yield expr
        case Not(part=part):
            yield from _tokens_inside(part)
        case All(parts=parts):
            for part in parts:
                yield from _tokens_inside(part)
        case AnyOf(parts=parts):
            for part in parts:
                yield from tokens(part)
        case _:
            assert_never(expr)


def stored_query(expr: Expr[str]) -> Query:
    """The query to store for a tree.

    >>> stored_query(Leaf("eventName", Equals("CreateApiKey")))
    {'term': {'values.eventName': 'createapikey'}}
    """
    if not gives_term(expr) and expr != All(()):
        return {"term": {TESTS: token(expr)}}
    return _inside(expr)


def _inside(expr: Expr[str]) -> Query:
    """The query of a tree that need not give a term: another part of the rule does, or it stands under a `not`."""
    match expr:
        case Leaf():
            return _leaf(expr)
        case Not(part=part):
            return {"bool": {"filter": [_EVERY], "must_not": [_inside(part)]}}
        case All(parts=()):
            return _EVERY
        case All(parts=parts):
            return _conjunction(parts)
        case AnyOf(parts=()):
            return _NONE
        case AnyOf(parts=parts):
            return _disjunction(parts)
        case _:
            assert_never(expr)


def _leaf(leaf: Leaf[str]) -> Query:
    match leaf.test:
        case Equals(text=text) if is_column(leaf):
            return {"term": {column(leaf.field): fold_case(text)}}
        case Boolean(value=value) if is_column(leaf):
            return {"term": {column(leaf.field): "true" if value else "false"}}
        case Exists():
            return {"term": {PRESENT: leaf.field}}
        case _:
            return {"term": {TESTS: token(leaf)}}


def _conjunction(parts: Iterable[Expr[str]]) -> Query:
    required = [_inside(part) for part in parts if not isinstance(part, Not)]
    excluded = [_inside(part.part) for part in parts if isinstance(part, Not)]
    query: Query = {"filter": required or [_EVERY]}
    return {"bool": {**query, "must_not": excluded} if excluded else query}


def _disjunction(parts: Iterable[Expr[str]]) -> Query:
    either = gathered(map(stored_query, parts))
    return either[0] if len(either) == 1 else {"bool": {"should": either, "minimum_should_match": 1}}


def gathered(alternatives: Iterable[Query]) -> list[Query]:
    """The alternatives with the terms of each field in one `terms` query: a bool takes only 1,024 clauses."""
    terms: dict[str, list[str]] = {}
    clauses: list[Query] = []
    for query in alternatives:
        if "term" in query:
            ((field, text),) = query["term"].items()
            terms.setdefault(field, []).append(text)
        else:
            clauses.append(query)
    return [
        {"terms": {field: texts}} if len(texts) > 1 else {"term": {field: texts[0]}}
        for field, texts in terms.items()
    ] + clauses
