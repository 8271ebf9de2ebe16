"""The search queries of a release, of which a window of events needs few: those for calls that happened in it.

Most rules ask for certain calls, and a window holds some dozens of them. Which they are costs one aggregation; the queries for
all others need not be asked. So what a window costs depends on what happened in it, hardly on how many rules there are.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from osdetect.detect.factored import (
    CALL,
    Conjuncts,
    Query,
    all_of,
    any_of,
    conjuncts_of,
    factored,
    first_of,
    grouped,
    values_of,
)


class _Asked(msgspec.Struct, frozen=True):
    """A query, and the calls that it asks for."""

    conjuncts: Conjuncts
    at: int = 0
    """Where the test for calls stands."""
    calls: tuple[str, ...] = ()
    """Empty: it does not ask for calls, or not in words that are certain to be the cluster's own."""

    def of(self, values: frozenset[str]) -> Query:
        """The query for events with one of these calls."""
        if not self.calls:
            return all_of(self.conjuncts)
        there = [call for call in self.calls if call in values]
        asked: Query = {"terms": {CALL: there}} if len(there) > 1 else {"term": {CALL: there[0]}}
        return all_of((*self.conjuncts[: self.at], asked, *self.conjuncts[self.at + 1 :]))


class Searches:
    """Queries that together find every event that one of some rules may hold for; as few for a window as can be."""

    field = CALL
    """What a window is asked for before it is searched: the values that its events have there (`follow.Asking`)."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self._queries = tuple(_asked(conjuncts_of(query)) for query in queries)
        self._always = {at for at, one in enumerate(self._queries) if not one.calls}
        self._by_call: dict[str, list[int]] = {}
        for at, one in enumerate(self._queries):
            for call in one.calls:
                self._by_call.setdefault(call, []).append(at)

    @cached_property
    def whole(self) -> tuple[Query, ...]:
        """All of them, in groups that a search takes each."""
        return _few(all_of(one.conjuncts) for one in self._queries)

    def of(self, values: frozenset[str] | None) -> tuple[Query, ...]:
        """Those that can find an event with one of these calls, or without any; None: with whichever call.

        >>> one = {"bool": {"filter": [{"term": {"eventSource": "iam"}}, {"term": {"eventName": "createuser"}}]}}
        >>> two = {"bool": {"filter": [{"term": {"eventSource": "s3"}}, {"term": {"eventName": "deletebucket"}}]}}
        >>> Searches([one, two]).of(frozenset(["createuser", "getuser"]))[0]["bool"]["should"] == [one]
        True
        """
        if values is None:
            return self.whole
        wanted = self._always.union(*(self._by_call.get(call, ()) for call in values))
        return _few(self._queries[at].of(values) for at in sorted(wanted))


def _few(queries: Iterable[Query]) -> tuple[Query, ...]:
    return tuple(any_of(group) for group in grouped(factored(queries)))


def _asked(conjuncts: Conjuncts) -> _Asked:
    """The cluster keeps calls in lower case, and which that is, is beyond doubt for ASCII alone."""
    at = first_of(conjuncts, CALL)
    values: list[Any] = (values_of(conjuncts[at], CALL) or []) if at is not None else []
    if at is None or not all(isinstance(one, str) and one.isascii() for one in values):
        return _Asked(conjuncts)
    return _Asked(conjuncts, at, tuple(one.lower() for one in values))
