"""The documents that any of several queries finds in one range of a shard: all queries asked by one request.

Much of what a search costs is that it is asked at all, so the queries, and how many documents the range has, go together
(OpenSearch docs, "Multi-search"). Those that find more than a page are asked again, together, behind their last document.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import orjson

from osdetect.cluster import Cluster, from_status, read_json
from osdetect.cluster.background import in_background
from osdetect.follow.pages import (
    PAGE_BYTES,
    UNREADABLE,
    Hit,
    StoredEvent,
    Wanted,
    next_size,
    read_hits,
    read_objects,
)
from osdetect.follow.shards import Shard, only, still_there

FIRST_PAGE = 1_000
_GONE = 404
_FILTER = ",".join(
    f"responses.{name}"
    for name in (
        "hits.hits._id",
        "hits.hits._seq_no",
        "hits.hits._source",
        "hits.total.value",
        "status",
        "error",
    )
)


class _Total(msgspec.Struct):
    value: int = 0


class _Hits(msgspec.Struct):
    hits: list[Hit] = []
    total: _Total = msgspec.field(default_factory=_Total)


class _Answer(msgspec.Struct):
    status: int = 200
    hits: _Hits = msgspec.field(default_factory=_Hits)
    error: Any = None


class _Reply(msgspec.Struct):
    responses: list[_Answer] = []


_decoder = msgspec.json.Decoder(_Reply)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query, the number behind which it looks, and what it found there."""

    query: Mapping[str, Any]
    after: int
    page: tuple[StoredEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class _Round:
    """The answer to one request."""

    asked: tuple[_Asked, ...]
    events: int
    """Documents of the range, if they were counted."""
    seconds: float


class Together:
    """Asks as soon as it is made, in the background; read it once."""

    def __init__(
        self, cluster: Cluster, wanted: Wanted, queries: Sequence[Mapping[str, Any]], page: int = FIRST_PAGE
    ) -> None:
        """See the class.

        Args:
            cluster: where.
            wanted: the range; its own query, if it has one, holds for every document.
            queries: of which one must find a document.
            page: documents that a query is asked for at first.
        """
        self.wanted, self.queries = wanted, len(queries)
        self._cluster = cluster
        self.page = page
        """Documents that a query is asked for at once: as many as are no more than a page together."""
        first = tuple(_Asked(query, wanted.after) for query in queries)
        self._coming: Future[_Round] | None = self._ask(first, counting=True)
        self.seconds = 0.0
        """What the requests that were answered took."""

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
        seen: set[int] = set()
        while self._coming is not None:
            answer = self._coming.result()
            self.seconds += answer.seconds
            self._coming = None
            full = [one for one in answer.asked if len(one.page) == self.page]
            sizes = [next_size(one.page, PAGE_BYTES // self.queries) for one in answer.asked if one.page]
            self.page = min(sizes, default=self.page)
            if full:
                self._coming = self._ask(
                    tuple(_Asked(one.query, one.page[-1].at.seq_no) for one in full), counting=False
                )
            for one in answer.asked:
                fresh = tuple(event for event in one.page if event.at.seq_no not in seen)
                seen.update(event.at.seq_no for event in fresh)
                if fresh:
                    yield fresh

    def _ask(self, asked: tuple[_Asked, ...], *, counting: bool) -> Future[_Round]:
        return in_background(partial(_answered, self._cluster, self.wanted, asked, self.page, counting))


def _answered(
    cluster: Cluster, wanted: Wanted, asked: tuple[_Asked, ...], size: int, counting: bool
) -> _Round:
    began = time.monotonic()
    header = orjson.dumps({"index": wanted.shard.index, **_header(wanted.shard)})
    bodies = [_counting(wanted)] if counting else []
    bodies += [_body(wanted, one, size) for one in asked]
    text = b"".join(b"%b\n%b\n" % (header, orjson.dumps(body)) for body in bodies)
    reply = cluster.request_text("POST", "/_msearch", params={"filter_path": _FILTER}, body=text)
    answers = _read(reply, wanted.shard, len(bodies))
    events = answers[0][0] if counting else 0
    pages = [page for _, page in answers[1 if counting else 0 :]]
    if events + sum(map(len, pages)) and not still_there(cluster, wanted.shard):
        events, pages = 0, [() for _ in pages]
    found = tuple(replace(one, page=page) for one, page in zip(asked, pages, strict=True))
    return _Round(found, events, time.monotonic() - began)


def _header(shard: Shard) -> dict[str, Any]:
    return {**only(shard), "allow_partial_search_results": False}


def _counting(wanted: Wanted) -> dict[str, Any]:
    return {"size": 0, "query": wanted.bounded(), "track_total_hits": True}


def _body(wanted: Wanted, one: _Asked, size: int) -> dict[str, Any]:
    query = one.query if wanted.query is None else {"bool": {"filter": [wanted.query, one.query]}}
    return {
        "size": size,
        "query": replace(wanted, after=one.after, query=query).bounded(),
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "track_total_hits": False,
    }


def _read(text: str, shard: Shard, expected: int) -> list[tuple[int, tuple[StoredEvent, ...]]]:
    """For each search its total and its events; of an index that is gone there are none."""
    read: list[tuple[int, Any, int, tuple[StoredEvent, ...]]]
    try:
        read = [
            (one.status, one.error, one.hits.total.value, tuple(read_hits(one.hits.hits, shard)))
            for one in _decoder.decode(text).responses
        ]
    except UNREADABLE:
        read = []
        for found in read_json(text).get("responses", ()):
            hits = found.get("hits", {})
            total = hits.get("total", {}).get("value", 0)
            events = tuple(read_objects(hits.get("hits", ()), shard))
            read.append((found.get("status", 200), found.get("error"), total, events))
    for status, error, _, _ in read:
        if error is not None and status != _GONE:
            raise from_status(int(status), {"error": error}, f"a search of {shard.index}")
    if len(read) != expected:
        raise from_status(502, f"{len(read)} answers to {expected} searches", f"searches of {shard.index}")
    return [(total, events) for _, _, total, events in read]
