"""The cursors that are stored for a namespace, of all purposes and of shards that are no more as well."""

from collections.abc import Iterator, Mapping
from typing import Any

from osdetect.cluster import Cluster, every_page, refresh
from osdetect.vocabulary import STATE_INDEX

_PAGE = 1_000


def stored_cursors(cluster: Cluster, namespace: str) -> Iterator[Mapping[str, Any]]:
    """Their documents, as hits of a search with `_id`, `_source`, `_seq_no` and `_primary_term`; none without a state index.

    In order of their last writing: one that moves meanwhile is given again, and none is passed by.

    Raises:
        ClusterError: not all of them can be read.
    """
    of_namespace = [{"term": {"kind": "cursor"}}, {"term": {"namespace": namespace}}]
    body = {
        "size": _PAGE,
        "query": {"bool": {"filter": of_namespace}},
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
    }
    refresh(cluster, STATE_INDEX, accept=(404,))
    primary = {"preference": "_primary"}  # a replica may lag behind a refresh
    for hits in every_page(cluster, f"/{STATE_INDEX}/_search", body, params=primary, accept=(404,)):
        yield from hits
