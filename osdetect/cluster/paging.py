"""Every hit of a search, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from osdetect.cluster.asking import Asks


def every_page(
    cluster: Asks,
    path: str,
    body: Mapping[str, Any],
    *,
    params: Mapping[str, Any] | None = None,
    accept: tuple[int, ...] = (),
    repeat: bool = True,
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The hits of a search in its order, all of them or an error: never a part (OpenSearch docs, "Paginate results").

    Args:
        cluster: where.
        path: of the search.
        body: the search; its `size` is that of a page, and its `sort` tells any two hits apart.
        params: query parameters.
        accept: error statuses that stand for no hits.
        repeat: false to fail at the first failure.

    Raises:
        ClusterError: a page could not be read.
    """
    asked = dict(body)
    while True:
        reply = cluster.request(
            "POST",
            path,
            params={**(params or {}), "allow_partial_search_results": "false"},
            body=orjson.dumps(asked),
            accept=accept,
            repeat=repeat,
        )
        hits = reply.get("hits", {}).get("hits", [])
        if hits:
            yield hits
        if len(hits) < body["size"]:
            return
        asked["search_after"] = hits[-1]["sort"]
