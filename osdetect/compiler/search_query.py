"""The search query: the rule over stored events. It may find too much, and never too little.

What the event index cannot say, because the field is not indexed there or the test is none of Lucene's, becomes
"anything" where the rule asks for it and "nothing" where the rule excludes it. The exact check that follows a
search (`osdetect.expr.evaluate`) decides. Structured Query DSL only: no query_string, no scripts.

Why a wildcard also takes events that hold a long text: one longer than `ignore_above` is no term, and an attacker
chooses the length of a user agent. Events say of themselves that they hold one (`osdetect.documents.event`), and which of
the fields that rules ask to be there they have without a term.
"""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any, assert_never

import msgspec

from osdetect.compiler.lucene_regex import Fit, regex_query
from osdetect.compiler.stored_query import gathered
from osdetect.expr import (
    All,
    AnyOf,
    Boolean,
    Cidr,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Null,
    Regex,
    Wildcard,
)
from osdetect.expr.values import fold_case
from osdetect.schema.event_fields import EventFields
from osdetect.vocabulary import HOLLOW, LONG_TEXT

Query = dict[str, Any]

ANYTHING: Query = {"match_all": {}}
NOTHING: Query = {"match_none": {}}


class _Bounds(msgspec.Struct, frozen=True):
    """Two queries around a meaning: `over` finds every event it holds for, `under` none that it does not."""

    over: Query
    under: Query


_UNKNOWN = _Bounds(over=ANYTHING, under=NOTHING)


def search_query(expr: Expr[str], fields: EventFields) -> Query:
    """A query that finds every stored event that the tree matches, and possibly more.

    >>> fields = EventFields(frozenset({"eventName"}), {}, 8191)
    >>> search_query(All((Leaf("eventName", Equals("GetUser")), Leaf("other", Exists()))), fields)
    {'bool': {'filter': [{'term': {'eventName': 'getuser'}}]}}
    """
    return _bounds(expr, fields).over


def is_exact(expr: Expr[str], fields: EventFields) -> bool:
    """Whether the search query finds just what the tree matches, and never too much."""
    bounds = _bounds(expr, fields)
    return bounds.over == bounds.under


def _bounds(expr: Expr[str], fields: EventFields) -> _Bounds:
    match expr:
        case Leaf():
            return _leaf(expr, fields)
        case Not(part=part):
            inner = _bounds(part, fields)
            return _Bounds(over=_without(inner.under), under=_without(inner.over))
        case All(parts=parts):
            return _each(_conjoined, [_bounds(part, fields) for part in parts])
        case AnyOf(parts=parts):
            return _each(_disjoined, [_bounds(part, fields) for part in parts])
        case _:
            assert_never(expr)


def _each(join: Callable[[Iterable[Query]], Query], parts: list[_Bounds]) -> _Bounds:
    return _Bounds(join(part.over for part in parts), join(part.under for part in parts))


def _without(query: Query) -> Query:
    if query == ANYTHING:
        return NOTHING
    return ANYTHING if query == NOTHING else {"bool": {"must_not": [query]}}


def _conjoined(queries: Iterable[Query]) -> Query:
    parts = [query for query in queries if query != ANYTHING]
    if NOTHING in parts:
        return NOTHING
    return {"bool": {"filter": parts}} if parts else ANYTHING


def _disjoined(queries: Iterable[Query]) -> Query:
    parts = [query for query in queries if query != NOTHING]
    if ANYTHING in parts:
        return ANYTHING
    either = gathered(parts)
    if len(either) <= 1:
        return either[0] if either else NOTHING
    return {"bool": {"should": either, "minimum_should_match": 1}}


def _leaf(leaf: Leaf[str], fields: EventFields) -> _Bounds:
    path, test = leaf.field, leaf.test
    if path not in fields.keywords:
        return _UNKNOWN
    there: Query = {"exists": {"field": path}}
    match test:
        case Equals(text=text, cased=cased):
            return _equals(path, text, exact=not cased, fields=fields)
        case Boolean(value=value):
            return _equals(path, "true" if value else "false", exact=True, fields=fields)
        case Exists():
            # A field that is null, an empty list or too long is present, but not to the index.
            unseen = _or_unindexed(there, {"term": {HOLLOW: path}}) if path in fields.hollow else ANYTHING
            return _Bounds(over=unseen, under=there)
        case Null():
            # What the index holds no term of is absent, null, empty or too long; a null may stand among terms.
            return _UNKNOWN
        case Wildcard():
            return _Bounds(over=_or_unindexed(_wildcard(path, test)), under=NOTHING)
        case Regex():
            return _regex(path, test)
        case Cidr(network=network) if path in fields.ips and _is_network(network):
            return _Bounds(over=_or_unindexed({"term": {fields.ips[path]: network}}), under=NOTHING)
        case _:
            return _UNKNOWN


def _regex(path: str, test: Regex) -> _Bounds:
    found = regex_query(path, test)
    if found is None:
        return _UNKNOWN
    query, fit = found
    return _Bounds(over=_or_unindexed(query), under=query if fit is Fit.SAME else NOTHING)


def _equals(path: str, text: str, *, exact: bool, fields: EventFields) -> _Bounds:
    if _units(text) > fields.ignore_above:
        return _UNKNOWN
    query: Query = {"term": {path: fold_case(text)}}
    return _Bounds(over=query, under=query if exact else NOTHING)


def _units(text: str) -> int:
    """How long the text is to Java, which `ignore_above` counts by: UTF-16 code units."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


EFFORT = 10_000
"""What Lucene spends at most on making a pattern deterministic (Operations.DEFAULT_DETERMINIZE_WORK_LIMIT)."""
LITERAL = 90
"""Characters of the literal that stands for a pattern beyond that effort."""


def _effort(parts: tuple[str | Gap, ...]) -> int:
    """A bound of that effort: states, times states of one moment, for each `*`, doubled by each `?`."""
    length = sum(1 if isinstance(part, Gap) else len(part) for part in parts)
    return parts.count(Gap.ANY) * length**2 // 2 << min(parts.count(Gap.ONE), 20)


def _within_effort(parts: tuple[str | Gap, ...]) -> tuple[str | Gap, ...]:
    """The pattern, or one that fits more: any text with the beginning of its longest literal."""
    if _effort(parts) <= EFFORT:
        return parts
    longest = max((part for part in parts if isinstance(part, str)), key=len, default="")
    return (Gap.ANY, longest[:LITERAL], Gap.ANY)


def _or_unindexed(*queries: Query) -> Query:
    return {"bool": {"should": [*queries, {"term": {LONG_TEXT: True}}], "minimum_should_match": 1}}


_META = str.maketrans({"\\": "\\\\", "*": "\\*", "?": "\\?"})


def _wildcard(path: str, test: Wildcard) -> Query:
    """OpenSearch docs, "Wildcard query": the same two signs, backslash escapes."""
    pattern = "".join(
        part.value if isinstance(part, Gap) else fold_case(part).translate(_META)
        for part in _within_effort(test.parts)
    )
    return {"wildcard": {path: {"value": pattern}}}


def _is_network(network: str) -> bool:
    """Whether OpenSearch takes it: no host bits, no zone, not one of IPv4 addresses written as IPv6."""
    try:
        parsed = ipaddress.ip_network(network)
    except ValueError:
        return False
    return "%" not in network and getattr(parsed.network_address, "ipv4_mapped", None) is None
