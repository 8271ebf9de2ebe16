"""Indices whose documents cannot be read as they were sent: to judge them would be to pass over them."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from osdetect.cluster import Cluster
from osdetect.errors import ClusterError, ClusterRefused, IndexRefused
from osdetect.follow.shards import Shard


class Readable:
    """Remembers what it was told of an index: the mapping of `_source` is made with it and does not change."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[str, ClusterError | None] = {}
        """By the index's uuid."""

    def partial(self, shards: Iterable[Shard]) -> dict[str, ClusterError]:
        """The shards' indices whose documents cannot be read whole, and why.

        Raises:
            ClusterUnavailable: it could not be asked.
        """
        found = ((shard.index, self._why_not(shard)) for shard in shards)
        return {index: why for index, why in found if why is not None}

    def _why_not(self, shard: Shard) -> ClusterError | None:
        if shard.index_uuid not in self._known:
            try:
                self._known[shard.index_uuid] = self._asked(shard.index)
            except ClusterRefused as error:  # may be mended: it is asked again
                return error
        return self._known[shard.index_uuid]

    def _asked(self, index: str) -> ClusterError | None:
        """As its mapping says (OpenSearch docs, "Source")."""
        params = {"filter_path": "*.mappings._source"}
        reply = self._cluster.request(
            "GET", f"/{quote(index, safe='')}/_mapping", params=params, accept=(404,)
        )
        said: dict[str, Any] = reply.get(index, {}).get("mappings", {}).get("_source", {})
        found = {
            "it keeps no _source": str(said.get("enabled", True)).lower() == "false",
            "it keeps a part of _source only": bool(said.get("includes") or said.get("excludes")),
        }
        cause = next((words for words, holds in found.items() if holds), "")
        if not cause:
            return None
        return IndexRefused(
            f"the events of {index} cannot be judged",
            cause=cause,
            cure="store them with the whole _source, in another index, or leave this one out of --target",
        )
