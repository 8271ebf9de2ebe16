"""The events of one shard after its cursor, in the order of their sequence numbers, page by page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from osdetect.cluster import Cluster
from osdetect.cluster.background import in_background
from osdetect.detect.shards import Shard
from osdetect.documents.alert import EventReference

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


def pages(cluster: Cluster, shard: Shard, after: int) -> Iterator[tuple[StoredEvent, ...]]:
    """The events with sequence numbers above `after` and up to the shard's checkpoint.

    While a page is worked on, the next one is fetched: at most two are in memory.
    """
    if after >= shard.checkpoint:
        return
    size = FIRST_PAGE
    coming = in_background(partial(_page, cluster, shard, after, size))
    while page := coming.result():
        last, after = len(page) < size, page[-1].at.seq_no
        if not last:
            size = _next_size(page)
            coming = in_background(partial(_page, cluster, shard, after, size))
        yield page
        if last:
            return


def _page(cluster: Cluster, shard: Shard, after: int, size: int) -> tuple[StoredEvent, ...]:
    body = {
        "size": size,
        "query": {"range": {"_seq_no": {"gt": after, "lte": shard.checkpoint}}},
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "track_total_hits": False,
    }
    params = {
        "preference": f"_shards:{shard.number}|_primary",
        "filter_path": "hits.hits",
        "allow_partial_search_results": "false",  # a part would move the cursor over what is not in it
    }
    reply = cluster.request("POST", f"/{shard.index}/_search", params=params, body=body)
    return tuple(
        StoredEvent(
            EventReference(shard.index, shard.index_uuid, hit["_id"], shard.number, hit["_seq_no"]),
            hit.get("_source", {}),
        )
        for hit in reply.get("hits", {}).get("hits", ())
    )


def _next_size(page: tuple[StoredEvent, ...]) -> int:
    each = max(1, sum(_size(event) for event in page[:200]) // min(len(page), 200))
    return max(50, min(LARGEST_PAGE, PAGE_BYTES // each))


def _size(event: StoredEvent) -> int:
    try:
        return len(orjson.dumps(event.source))
    except orjson.JSONEncodeError:  # nested deeper than orjson writes: not what `osdetect load` stores
        return _DEEP_BYTES
