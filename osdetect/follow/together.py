"""The documents that any of several queries finds in one range of a shard: all queries asked by one request.

A range is first asked how many documents it has, and which values they have in one field; whoever searches says then what to
ask. Much of what a search costs is that it is asked at all, so the queries go together (OpenSearch docs, "Multi-search"). Those
that find more than a page are asked again, together, behind their last document.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

import msgspec
import orjson
from msgspec.structs import replace

from osdetect.cluster import Cluster, from_status
from osdetect.cluster.background import in_background
from osdetect.documents.json_text import read_json
from osdetect.follow.pages import (
    PAGE_BYTES,
    UNREADABLE,
    Hit,
    StoredEvent,
    Wanted,
    more_than,
    next_size,
    read_hits,
    read_objects,
    whole_numbers,
)
from osdetect.follow.shards import Shard, only, still_there

FIRST_PAGE = 1_000
MOST_VALUES = 5_000
"""Different values that a range is asked for; of one with more it is not known which they are."""
_GONE = 404


class _Total(msgspec.Struct):
    value: int = 0


class _Hits(msgspec.Struct):
    hits: list[Hit] = []
    total: _Total = msgspec.field(default_factory=_Total)


class _Answer(msgspec.Struct):
    status: int = 200
    hits: _Hits = msgspec.field(default_factory=_Hits)
    error: Any = None
    aggregations: Any = None


class _Reply(msgspec.Struct):
    responses: list[_Answer] = []


_decoder = msgspec.json.Decoder(_Reply)


class Asking(Protocol):
    """What to search a range for."""

    @property
    def field(self) -> str:
        """A field whose values in the range are wanted."""

    def of(self, values: frozenset[str] | None) -> Sequence[Mapping[str, Any]]:
        """Queries of which one must find a document.

        Args:
            values: of the field, as the cluster keeps them; None: too many to know.
        """


class _Asked(msgspec.Struct, frozen=True):
    """A query, the number behind which it looks, and what it found there."""

    query: Mapping[str, Any]
    after: int
    page: tuple[StoredEvent, ...] = ()


class _Round(msgspec.Struct, frozen=True):
    """The answers to one request, or to that and the one before that told what to ask."""

    asked: tuple[_Asked, ...]
    size: int
    """Of the pages that were asked for."""
    seconds: float
    events: int = 0
    """Documents of the range, if they were counted."""


class Together:
    """Asks as soon as it is made, in the background; read it once."""

    def __init__(self, cluster: Cluster, wanted: Wanted, asking: Asking, page: int = FIRST_PAGE) -> None:
        """See the class.

        Args:
            cluster: where.
            wanted: the range; its own query, if it has one, holds for every document.
            asking: what to find there.
            page: documents that a query is asked for at first.
        """
        self.wanted = wanted
        self._cluster = cluster
        self.page = page
        """Documents that a query is asked for at once: as many as are no more than a page together."""
        self._coming: Future[_Round] | None = in_background(partial(_begun, cluster, wanted, asking, page))
        self.seconds = 0.0
        """What the requests that were answered took."""
        self.given: set[tuple[int, str, str]] = set()
        """The places of the documents of all pages so far."""

    def events(self) -> int:
        """How many documents the range has, found or not.

        Raises:
            ClusterError: a search could not be made.
        """
        assert self._coming is not None
        return self._coming.result().events

    def pages(self) -> Iterator[tuple[StoredEvent, ...]]:
        """The documents that are found, each once; in the order of their numbers for each query.

        Raises:
            ClusterError: a search could not be made.
        """
        queries = 1
        while self._coming is not None:
            answer = self._coming.result()
            queries = max(queries, len(answer.asked))
            self.seconds += answer.seconds
            self._coming = None
            full = tuple(one for one in answer.asked if len(one.page) == answer.size)
            sizes = [next_size(one.page, PAGE_BYTES // queries) for one in answer.asked if one.page]
            self.page = min(sizes, default=self.page)
            if full:
                behind = self._behind(full, answer.size)
                self._coming = in_background(
                    partial(_answered, self._cluster, self.wanted, behind, self.page)
                )
            for one in answer.asked:
                fresh = tuple(event for event in one.page if event.at.place not in self.given)
                self.given.update(event.at.place for event in fresh)
                if fresh:
                    yield fresh

    def _behind(self, full: tuple[_Asked, ...], size: int) -> tuple[_Asked, ...]:
        """What is to be asked yet: behind the last number of which nothing can be missing; the page grows where there is none."""
        behind = []
        for one in full:
            whole = whole_numbers(one.page)
            if not whole:
                self.page = max(self.page, more_than(size, self.wanted.shard))
            behind.append(_Asked(one.query, whole[-1].at.seq_no if whole else one.after))
        return tuple(behind)


def _begun(cluster: Cluster, wanted: Wanted, asking: Asking, size: int) -> _Round:
    began = time.monotonic()
    ((events, values, _),) = _searched(cluster, wanted.shard, [_counting(wanted, asking.field)])
    if not events:
        return _Round((), size, time.monotonic() - began)
    asked = tuple(_Asked(query, wanted.after) for query in asking.of(values))
    found = _found(cluster, wanted, asked, size)
    if not still_there(cluster, wanted.shard):
        return _Round((), size, time.monotonic() - began)
    return _Round(found, size, time.monotonic() - began, events)


def _answered(cluster: Cluster, wanted: Wanted, asked: tuple[_Asked, ...], size: int) -> _Round:
    began = time.monotonic()
    found = _found(cluster, wanted, asked, size)
    if any(one.page for one in found) and not still_there(cluster, wanted.shard):
        found = ()
    return _Round(found, size, time.monotonic() - began)


def _found(cluster: Cluster, wanted: Wanted, asked: tuple[_Asked, ...], size: int) -> tuple[_Asked, ...]:
    answers = _searched(cluster, wanted.shard, [_body(wanted, one, size) for one in asked])
    return tuple(replace(one, page=page) for one, (_, _, page) in zip(asked, answers, strict=True))


_Answers = list[tuple[int, frozenset[str] | None, tuple[StoredEvent, ...]]]
"""For each search its total, the values that it was asked for, and its events."""


def _searched(cluster: Cluster, shard: Shard, bodies: Sequence[Mapping[str, Any]]) -> _Answers:
    header = orjson.dumps({"index": shard.index, **_header(shard)})
    text = b"".join(b"%b\n%b\n" % (header, orjson.dumps(body)) for body in bodies)

    def ask() -> _Answers:  # answered as a whole with what failed in parts
        return _read(cluster.request_text("POST", "/_msearch", body=text, repeat=False), shard, len(bodies))

    return cluster.repeated_while_passing(ask)


def _header(shard: Shard) -> dict[str, Any]:
    return {**only(shard), "allow_partial_search_results": False}


def _counting(wanted: Wanted, field: str) -> dict[str, Any]:
    values = {"terms": {"field": field, "size": MOST_VALUES}}
    return {"size": 0, "query": wanted.bounded(), "track_total_hits": True, "aggs": {"values": values}}


def _values(aggregations: Any) -> frozenset[str] | None:
    """The values that the range has, if they are known to be all."""
    match aggregations:
        case {"values": {"buckets": list(buckets), "sum_other_doc_count": 0}}:
            keys = [bucket.get("key") for bucket in buckets]
            return frozenset(keys) if all(isinstance(key, str) for key in keys) else None
        case _:
            return None


def _body(wanted: Wanted, one: _Asked, size: int) -> dict[str, Any]:
    query = one.query if wanted.query is None else {"bool": {"filter": [wanted.query, one.query]}}
    return {
        "size": size,
        "query": replace(wanted, after=one.after, query=query).bounded(),
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "track_total_hits": False,
    }


def _read(text: str, shard: Shard, expected: int) -> _Answers:
    """The answers; of an index that is gone there are none."""
    answers: _Answers = []
    outcomes: list[tuple[int, Any]]
    try:
        read = _decoder.decode(text).responses
        outcomes = [(one.status, one.error) for one in read]
        for one in read:
            events = tuple(read_hits(one.hits.hits, shard))
            answers.append((one.hits.total.value, _values(one.aggregations), events))
    except UNREADABLE:
        objects = read_json(text).get("responses", ())
        outcomes = [(found.get("status", 200), found.get("error")) for found in objects]
        answers = []
        for found in objects:
            hits = found.get("hits", {})
            events = tuple(read_objects(hits.get("hits", ()), shard))
            total = hits.get("total", {}).get("value", 0)
            answers.append((total, _values(found.get("aggregations")), events))
    for status, error in outcomes:
        if error is not None and status != _GONE:
            raise from_status(int(status), {"error": error}, f"a search of {shard.index}")
    if len(answers) != expected:
        raise from_status(502, f"{len(answers)} answers to {expected} searches", f"searches of {shard.index}")
    return answers
