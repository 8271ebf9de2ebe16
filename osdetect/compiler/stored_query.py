"""The stored query: the rule as the percolator verifies it, a boolean of terms over the projected document.

Every leaf is exact there: a text that equals is a term of its column, presence is a term of `present`, and each
other test is a token (`osdetect.schema.projection`). Only `term`, `terms` and `bool` are emitted: OpenSearch
docs, "Percolator field type", and the costs measured for each query form.
"""

from collections.abc import Iterable
from typing import Any, assert_never

from osdetect.expr import All, AnyOf, Boolean, Equals, Exists, Expr, Leaf, Not, Test
from osdetect.expr.values import fold_case
from osdetect.schema.projection import EVERY_EVENT, MAX_TERM, PRESENT, TESTS, column, token

Query = dict[str, Any]

_EVERY: Query = {"term": {TESTS: EVERY_EVENT}}
_NONE: Query = {"match_none": {}}


def is_column(test: Test) -> bool:
    """Whether a term of the field's column says this test exactly."""
    return (isinstance(test, Equals) and not test.cased and len(test.text) <= MAX_TERM) or isinstance(
        test, Boolean
    )


def is_token(test: Test) -> bool:
    """Whether the test is decided in process, and stands in the query as a token."""
    return not is_column(test) and not isinstance(test, Exists)


def stored_query(expr: Expr[str]) -> Query:
    """The query to store for a tree.

    >>> stored_query(Leaf("eventName", Equals("CreateApiKey")))
    {'term': {'values.eventName': 'createapikey'}}
    """
    match expr:
        case Leaf():
            return _leaf(expr)
        case Not(part=part):
            return {"bool": {"filter": [_EVERY], "must_not": [stored_query(part)]}}
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
        case Equals(text=text) as test if is_column(test):
            return {"term": {column(leaf.field): fold_case(text)}}
        case Boolean(value=value):
            return {"term": {column(leaf.field): "true" if value else "false"}}
        case Exists():
            return {"term": {PRESENT: leaf.field}}
        case _:
            return {"term": {TESTS: token(leaf)}}


def _conjunction(parts: Iterable[Expr[str]]) -> Query:
    required = [stored_query(part) for part in parts if not isinstance(part, Not)]
    excluded = [stored_query(part.part) for part in parts if isinstance(part, Not)]
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
