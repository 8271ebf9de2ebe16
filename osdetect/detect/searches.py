"""The search queries of a release, of which a window of events needs few: those for calls that happened in it.

Most rules ask for certain calls, and a window holds some dozens of them. Which they are costs one aggregation; the queries for
all others need not be asked. So what a window costs depends on what happened in it, hardly on how many rules there are.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

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


class Searches:
    """Queries that together find every event that one of some rules may hold for; as few for a window as can be."""

    field = CALL
    """What a window is asked for before it is searched: the values that its events have there (`follow.Asking`)."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self._queries = tuple(conjuncts_of(query) for query in queries)
        self._by_call: dict[str, list[int]] = {}
        self._always: list[int] = []
        """Queries that do not ask for calls in words that are certain to be the cluster's own."""
        for at, conjuncts in enumerate(self._queries):
            calls = _calls(conjuncts)
            if calls is None:
                self._always.append(at)
            for call in calls or ():
                self._by_call.setdefault(call, []).append(at)

    @cached_property
    def whole(self) -> tuple[Query, ...]:
        """All of them, in groups that a search takes each."""
        return _few(map(all_of, self._queries))

    def of(self, values: frozenset[str] | None) -> tuple[Query, ...]:
        """Those that can find an event with one of these calls, or without any; None: with whichever call.

        >>> one = {"bool": {"filter": [{"term": {"eventSource": "iam"}}, {"term": {"eventName": "createuser"}}]}}
        >>> two = {"bool": {"filter": [{"term": {"eventSource": "s3"}}, {"term": {"eventName": "deletebucket"}}]}}
        >>> Searches([one, two]).of(frozenset(["createuser", "getuser"]))[0]["bool"]["should"] == [one]
        True
        """
        if values is None:
            return self.whole
        wanted = {at for call in values for at in self._by_call.get(call, ())}
        return _few(self._for(sorted(wanted.union(self._always)), values))

    def _for(self, positions: Iterable[int], values: frozenset[str]) -> Iterator[Query]:
        for position in positions:
            conjuncts = self._queries[position]
            if (calls := _calls(conjuncts)) is None:
                yield all_of(conjuncts)
                continue
            at = first_of(conjuncts, CALL)
            assert at is not None
            there = [call for call in calls if call in values]
            asked: Query = {"terms": {CALL: there}} if len(there) > 1 else {"term": {CALL: there[0]}}
            yield all_of((*conjuncts[:at], asked, *conjuncts[at + 1 :]))


def _few(queries: Iterable[Query]) -> tuple[Query, ...]:
    return tuple(any_of(group) for group in grouped(factored(queries)))


def _calls(conjuncts: Conjuncts) -> list[str] | None:
    """The calls that the query asks for, as the cluster keeps them: in lower case, which is beyond doubt for ASCII alone."""
    at = first_of(conjuncts, CALL)
    values: list[Any] = (values_of(conjuncts[at], CALL) or []) if at is not None else []
    if not values or not all(isinstance(one, str) and one.isascii() for one in values):
        return None
    return [one.lower() for one in values]
