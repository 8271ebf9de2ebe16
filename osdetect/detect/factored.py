"""Fewer clauses that find the same: what queries of rules have in common is asked once.

Nearly every rule asks for one service and for some of its calls, and many ask for nothing else. Rules that ask for the same but for the
calls become one query for all those calls; rules of one service become one query of that service. Each step is a law of Boolean
algebra: what is found stays the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

Query = Mapping[str, Any]

CLAUSES = 900
"""Clauses of one search; OpenSearch takes 1,024 by default (setting indices.query.bool.max_clause_count)."""
CALL = "eventName"
_SERVICE = "eventSource"


def factored(queries: Iterable[Query]) -> tuple[Query, ...]:
    """Queries that together find what the given ones find.

    >>> one = {"bool": {"filter": [{"term": {"eventSource": "iam"}}, {"term": {"eventName": "createuser"}}]}}
    >>> two = {"bool": {"filter": [{"term": {"eventSource": "iam"}}, {"term": {"eventName": "deleteuser"}}]}}
    >>> factored([one, two])
    ({'bool': {'filter': [{'term': {'eventSource': 'iam'}}, {'terms': {'eventName': ['createuser', 'deleteuser']}}]}},)
    """
    return tuple(_by_service(_by_rest(conjuncts_of(query) for query in queries)))


Conjuncts = tuple[Query, ...]


def conjuncts_of(query: Query) -> Conjuncts:
    """Queries of which each must find what the query finds."""
    match query:
        case {"bool": {"filter": list(parts), **rest}} if not rest:
            return tuple(parts)
        case _:
            return (query,)


def values_of(query: Query, field: str) -> list[Any] | None:
    """The values that a test for terms of the field allows; None for another test."""
    match query:
        case {"term": Mapping() as named} if list(named) == [field] and not isinstance(named[field], Mapping):
            return [named[field]]
        case {"terms": Mapping() as named} if list(named) == [field] and isinstance(named[field], list):
            return list(named[field])
        case _:
            return None


def _by_rest(queries: Iterable[Conjuncts]) -> Iterator[Conjuncts]:
    """Queries that differ in the calls alone, as one."""
    calls: dict[bytes, tuple[Conjuncts, dict[Any, None]]] = {}
    for conjuncts in queries:
        at = first_of(conjuncts, CALL)
        if at is None:
            yield conjuncts
            continue
        rest = conjuncts[:at] + conjuncts[at + 1 :]
        _, values = calls.setdefault(_key(rest), (rest, {}))
        values.update(dict.fromkeys(values_of(conjuncts[at], CALL) or ()))
    for rest, values in calls.values():
        yield (*rest, {"terms": {CALL: list(values)}})


def _by_service(queries: Iterable[Conjuncts]) -> Iterator[Query]:
    """Queries of one service, as one."""
    services: dict[bytes, tuple[Query, list[Query]]] = {}
    for conjuncts in queries:
        at = first_of(conjuncts, _SERVICE)
        if at is None or len(conjuncts) == 1:
            yield all_of(conjuncts)
            continue
        _, inner = services.setdefault(_key(conjuncts[at : at + 1]), (conjuncts[at], []))
        inner.append(all_of(conjuncts[:at] + conjuncts[at + 1 :]))
    for service, inner in services.values():
        for part in grouped(inner):
            yield all_of((service, any_of(part)) if len(part) > 1 else (service, *conjuncts_of(part[0])))


def first_of(conjuncts: Conjuncts, field: str) -> int | None:
    """Where the first test for terms of the field stands (`values_of`); None: there is none."""
    return next((at for at, one in enumerate(conjuncts) if values_of(one, field) is not None), None)


def _key(conjuncts: Conjuncts) -> bytes:
    return b"\n".join(sorted(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in conjuncts))


def all_of(conjuncts: Sequence[Query]) -> Query:
    """What every one of the queries finds."""
    return conjuncts[0] if len(conjuncts) == 1 else {"bool": {"filter": list(conjuncts)}}


def any_of(queries: Sequence[Query]) -> Query:
    """What one of the queries finds."""
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}


def grouped(queries: Iterable[Query]) -> Iterator[Sequence[Query]]:
    """The queries in order, in groups that a search takes each."""
    group: list[Query] = []
    size = _AROUND
    for query in queries:
        more = clauses(query)
        if group and size + more > CLAUSES:
            yield group
            group, size = [], _AROUND
        group.append(query)
        size += more
    if group:
        yield group


_AROUND = 10
"""Clauses that may be put around a group."""


def clauses(query: Any) -> int:
    """At most how many clauses Lucene counts in a query (OpenSearch docs, "Search settings"); a `terms` is one.

    >>> clauses({"bool": {"filter": [{"term": {"a": 1}}, {"terms": {"b": [1, 2]}}]}})
    3
    """
    match query:
        case {"bool": Mapping() as parts}:
            inner = (one for part in parts.values() for one in (part if isinstance(part, list) else [part]))
            return 1 + sum(clauses(one) for one in inner if isinstance(one, Mapping))
        case _:
            return 1
