"""The documents of one shard in a range of sequence numbers, in order, page by page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from osdetect.cluster import Cluster
from osdetect.cluster.background import in_background
from osdetect.documents.alert import EventReference
from osdetect.follow.shards import Shard, still_there

FIRST_PAGE = 500
LARGEST_PAGE = 5_000
PAGE_BYTES = 24 << 20
"""About how much of `_source` one page may hold; the next page's size follows from the last one's events."""
_DEEP_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event and where it stands."""

    at: EventReference
    source: Mapping[str, Any]


def pages(
    cluster: Cluster, shard: Shard, after: int, upto: int, *, query: Mapping[str, Any] | None = None
) -> Iterator[tuple[StoredEvent, ...]]:
    """The documents with sequence numbers in (after, upto].

    While a page is worked on, the next one is fetched: at most two are in memory. What is to be found must be visible:
    refresh the index after its checkpoint was read and before this (`make_visible`). A shard whose index was deleted
    meanwhile has none, also when another index has its name now.

    Args:
        cluster: where.
        shard: of which shard.
        after: the sequence number before the first.
        upto: the last sequence number; never above the shard's global checkpoint.
        query: only documents that this query finds.

    Raises:
        ClusterError: a page could not be read.
    """
    if after >= upto:
        return
    wanted = _Wanted(shard, upto, query)
    size = FIRST_PAGE
    coming = in_background(partial(_page, cluster, wanted, after, size))
    while page := coming.result():
        last, after = len(page) < size, page[-1].at.seq_no
        if not last:
            size = _next_size(page)
            coming = in_background(partial(_page, cluster, wanted, after, size))
        yield page
        if last:
            return


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What pages are read of."""

    shard: Shard
    upto: int
    query: Mapping[str, Any] | None


def _page(cluster: Cluster, wanted: _Wanted, after: int, size: int) -> tuple[StoredEvent, ...]:
    shard = wanted.shard
    bounds: dict[str, Any] = {"range": {"_seq_no": {"gt": after, "lte": wanted.upto}}}
    body = {
        "size": size,
        "query": bounds if wanted.query is None else {"bool": {"filter": [bounds, wanted.query]}},
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "track_total_hits": False,
    }
    params = {
        "preference": f"_shards:{shard.number}|_primary",
        "filter_path": "hits.hits",
        "allow_partial_search_results": "false",  # a part would move the cursor over what is not in it
    }
    reply = cluster.request("POST", f"/{shard.index}/_search", params=params, body=body, accept=(404,))
    found = tuple(
        StoredEvent(
            EventReference(shard.index, shard.index_uuid, hit["_id"], shard.number, hit["_seq_no"]),
            hit.get("_source", {}),
        )
        for hit in reply.get("hits", {}).get("hits", ())
    )
    return found if found and still_there(cluster, shard) else ()


def _next_size(page: tuple[StoredEvent, ...]) -> int:
    each = max(1, sum(_size(event) for event in page[:200]) // min(len(page), 200))
    return max(50, min(LARGEST_PAGE, PAGE_BYTES // each))


def _size(event: StoredEvent) -> int:
    try:
        return len(orjson.dumps(event.source))
    except orjson.JSONEncodeError:  # nested deeper than orjson writes: not what `osdetect load` stores
        return _DEEP_BYTES
