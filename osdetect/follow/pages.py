"""The documents of one shard in a range of sequence numbers, in order, page by page, each read only when asked for."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.cluster.background import in_background
from osdetect.documents.json_text import read_json
from osdetect.documents.told import EventReference
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable, IndexAway, IndexRefused
from osdetect.follow.shards import NO_SUCH_INDEX, Shard, only, still_there

FIRST_PAGE = 1_000
SMALLEST_PAGE = 50
LARGEST_PAGE = 5_000
_MOST = 10_000
"""The most that a search gives (OpenSearch docs, `index.max_result_window`)."""
PAGE_BYTES = 16 << 20
"""About how much of `_source` one page may hold; the next page's size follows from the last one's documents."""
_UNKNOWN_BYTES = 16 << 10
"""Assumed of a document whose text is not kept."""
_TOO_LARGE = "Result window is too large"
_NOT_THE_SIZE = frozenset({400, 401, 403})
"""Refusals that a smaller page would meet as well, but that of a larger page than an index allows (`max_result_window`)."""


class StoredEvent:
    """An event and where it stands. Its text is read when its `source` is asked for: most events match nothing."""

    __slots__ = ("_source", "at", "raw")

    def __init__(self, at: EventReference, raw: bytes = b"", source: Mapping[str, Any] | None = None) -> None:
        self.at = at
        self.raw = raw
        """`_source` as JSON; empty when only `source` is known."""
        self._source = source

    @property
    def source(self) -> Mapping[str, Any]:
        """`_source`.

        Raises:
            RecursionError: it is nested too deeply to be read.
        """
        if self._source is None:
            self._source = read_json(self.raw)
        return self._source


class Hit(msgspec.Struct, gc=False, frozen=True):
    """A hit of a search, its document unread."""

    id: str = msgspec.field(name="_id")
    seq_no: int = msgspec.field(name="_seq_no")
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b"{}"))
    routing: str = msgspec.field(name="_routing", default="")


class _Hits(msgspec.Struct):
    hits: list[Hit] = []


class _Reply(msgspec.Struct):
    hits: _Hits = msgspec.field(default_factory=_Hits)


_decoder = msgspec.json.Decoder(_Reply)
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What is raised by a reply whose documents' texts cannot be kept as they are (`read_json` reads more)."""


class Wanted(msgspec.Struct, frozen=True):
    """What pages are read of."""

    shard: Shard
    after: int
    """The sequence number before the first."""
    upto: int
    """The last one; never above the shard's global checkpoint."""
    query: Mapping[str, Any] | None = None
    """Only documents that this query finds."""

    def bounded(self) -> dict[str, Any]:
        """The query for all of them."""
        bounds: dict[str, Any] = {"range": {"_seq_no": {"gt": self.after, "lte": self.upto}}}
        return bounds if self.query is None else {"bool": {"filter": [bounds, self.query]}}


def pages(
    cluster: Cluster,
    wanted: Wanted,
    took: Callable[[int, float], None] = lambda _documents, _seconds: None,
    *,
    patient: bool = True,
) -> Iterator[tuple[StoredEvent, ...]]:
    """The documents that are wanted.

    While a page is worked on, the next one is fetched: at most two are in memory. What is to be found must be visible:
    refresh the index after its checkpoint was read and before this (`make_visible`). A shard whose index was deleted
    meanwhile has none, also when another index has its name now. A page that the cluster does not give is asked for in
    smaller ones, until it is small.

    Args:
        cluster: where.
        wanted: what.
        took: told of each page how many documents it has, and in how many seconds they were read.
        patient: false when it was tried for long in another way already: the first page is a small one, and none is waited for.

    Raises:
        IndexRefused: the index does not give its documents.
        IndexAway: it did not answer.
        ClusterError: a page could not be read.
    """
    after, size = wanted.after, FIRST_PAGE if patient else SMALLEST_PAGE
    if after >= wanted.upto:
        return
    coming = in_background(partial(_page, cluster, wanted, after, size, patient=patient))
    while True:
        page, asked, seconds = coming.result()
        if not page:
            return
        after = page[-1].at.seq_no
        last = len(page) < asked or after >= wanted.upto
        if not last:
            size = min(next_size(page), asked * 2)
            coming = in_background(partial(_page, cluster, wanted, after, size, patient=patient))
        took(len(page), seconds)
        yield page
        if last:
            return


def _page(
    cluster: Cluster, wanted: Wanted, after: int, size: int, *, patient: bool
) -> tuple[tuple[StoredEvent, ...], int, float]:
    """A page, the size that was asked for in the end, and the seconds it took.

    Raises:
        IndexRefused: the index does not give it.
        IndexAway: the index does not answer.
    """
    with of_one_index(cluster):
        return _smaller_until_given(cluster, wanted, after, size, patient=patient)


def _smaller_until_given(
    cluster: Cluster, wanted: Wanted, after: int, size: int, *, patient: bool
) -> tuple[tuple[StoredEvent, ...], int, float]:
    began, shared = time.monotonic(), False  # shared: smaller pages have one number only
    while True:
        try:
            repeat = patient and (shared or size == SMALLEST_PAGE)
            page = _asked(cluster, wanted, after, size, repeat=repeat)
            if len(page) < size:
                return page, size, time.monotonic() - began
            if whole := whole_numbers(page):
                return whole, len(whole), time.monotonic() - began
            size, shared = more_than(size, wanted.shard), True
        except ClusterError as error:
            if isinstance(error, ClusterRefused) and NO_SUCH_INDEX in error.cause:
                return (), size, time.monotonic() - began
            not_the_size = error.status in _NOT_THE_SIZE and _TOO_LARGE not in error.cause
            if size == SMALLEST_PAGE or shared or not_the_size:
                raise
            size = max(SMALLEST_PAGE, size // 8)


@contextmanager
def of_one_index(cluster: Cluster) -> Iterator[None]:
    """What is refused or not answered in the body, which reads one index, is so of that index.

    Raises:
        IndexRefused: instead of `ClusterRefused`.
        IndexAway: see `for_one_index`.
    """
    try:
        with for_one_index(cluster):
            yield
    except IndexRefused:
        raise
    except ClusterRefused as error:
        raise IndexRefused(error.what, cause=error.cause, cure=error.cure, status=error.status) from error


@contextmanager
def for_one_index(cluster: Cluster) -> Iterator[None]:
    """What is not answered in the body keeps one index from being judged, whatever was asked, if the cluster answers otherwise.

    Raises:
        IndexAway: instead of `ClusterUnavailable`.
        ClusterError: it does not answer at all.
    """
    try:
        yield
    except IndexAway:
        raise
    except ClusterUnavailable as error:
        cluster.require_answer()
        raise IndexAway(error.what, cause=error.cause, cure=error.cure, status=error.status) from error


def require_shard(cluster: Cluster, shard: Shard) -> None:
    """Ask a shard for next to nothing, once: for one that did not answer the last time.

    Raises:
        IndexRefused: it may not be searched.
        IndexAway: it does not answer.
    """
    body = {"size": 0, "terminate_after": 1, "track_total_hits": False}
    path = f"/{shard.index}/_search"
    with of_one_index(cluster):
        cluster.request("POST", path, params=only(shard), body=body, accept=(404,), repeat=False)


def _asked(
    cluster: Cluster, wanted: Wanted, after: int, size: int, *, repeat: bool
) -> tuple[StoredEvent, ...]:
    shard = wanted.shard
    body = {
        "size": size,
        "query": replace(wanted, after=after).bounded(),
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "track_total_hits": False,
    }
    # No filter_path: what is filtered, the cluster parses and writes anew, each document (`benchmarks/README.md`).
    path = f"/{shard.index}/_search"
    text = cluster.request_text("POST", path, params=only(shard), body=body, repeat=repeat)
    found = tuple(_read(text, shard))
    return found if found and still_there(cluster, shard) else ()


def _read(text: str, shard: Shard) -> Iterator[StoredEvent]:
    try:
        hits = _decoder.decode(text).hits.hits
    except UNREADABLE:
        return read_objects(read_json(text).get("hits", {}).get("hits", ()), shard)
    return read_hits(hits, shard)


def read_hits(hits: Iterable[Hit], shard: Shard) -> Iterator[StoredEvent]:
    """The events of a search's hits in the shard."""
    for hit in hits:
        yield StoredEvent(_at(shard, hit.id, hit.seq_no, hit.routing), bytes(hit.source))


def read_objects(hits: Iterable[Mapping[str, Any]], shard: Shard) -> Iterator[StoredEvent]:
    """The same of hits that were read as JSON, for want of a text that could be kept."""
    for hit in hits:
        at = _at(shard, hit["_id"], hit["_seq_no"], hit.get("_routing", ""))
        yield StoredEvent(at, source=hit.get("_source", {}))


def _at(shard: Shard, key: str, seq_no: int, routing: str) -> EventReference:
    return EventReference(shard.index, shard.index_uuid, key, shard.number, seq_no, routing)


def number_of(cluster: Cluster, wanted: Wanted, place: int) -> int:
    """The sequence number of the document at that place among those that are wanted; the last one wanted if there are fewer.

    Args:
        cluster: where.
        wanted: what.
        place: from 1; one that is more than a search gives stands for as many as that.

    Raises:
        IndexRefused: the index may not be searched.
        ClusterError: it could not be asked.
    """
    body = {
        "size": 1,
        "query": wanted.bounded(),
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "_source": False,
        "track_total_hits": False,
    }
    path, there = f"/{wanted.shard.index}/_search", min(place, _MOST)
    while True:
        try:
            with of_one_index(cluster):
                asked = {**body, "from": there - 1}
                reply = cluster.request("POST", path, params=only(wanted.shard), body=asked, accept=(404,))
        except IndexRefused as error:
            if there == 1 or _TOO_LARGE not in error.cause:
                raise
            there = max(1, there // 4)
            continue
        hits = reply.get("hits", {}).get("hits", ())
        return int(hits[0]["_seq_no"]) if hits else wanted.upto


def whole_numbers(page: Sequence[StoredEvent]) -> tuple[StoredEvent, ...]:
    """A full page without those of its last number: others may share it, and the next page is asked for behind what this one has.

    In an index that was shrunk several documents of a shard have the same sequence number (OpenSearch docs, "Shrink index").
    """
    last = page[-1].at.seq_no
    return tuple(event for event in page if event.at.seq_no < last)


def more_than(size: int, shard: Shard) -> int:
    """The size to ask for when all of a full page share one number.

    Raises:
        IndexRefused: more of them share it than a search gives.
    """
    if size >= _MOST:
        raise IndexRefused(
            f"{_MOST:,} documents of shard {shard.number} of {shard.index} share one sequence number",
            cure="reindex it: its documents cannot be read one after another",
        )
    return min(_MOST, size * 4)


def next_size(page: Sequence[StoredEvent], bytes_of_page: int = PAGE_BYTES) -> int:
    """How many documents like these are a page of so many bytes."""
    some = page[:200]
    each = max(1, sum(len(event.raw) or _UNKNOWN_BYTES for event in some) // len(some))
    return max(SMALLEST_PAGE, min(LARGEST_PAGE, bytes_of_page // each))
