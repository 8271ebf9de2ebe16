"""Making what was written visible to searches, in every shard or not at all."""

from collections.abc import Mapping
from urllib.parse import quote

from osdetect.cluster.asking import Asks
from osdetect.errors import ClusterUnavailable


def refresh(
    cluster: Asks, index: str, *, params: Mapping[str, str] | None = None, accept: tuple[int, ...] = ()
) -> None:
    """Let searches see all that was written into an index (OpenSearch docs, "Refresh index").

    The cluster answers 200 also when some shard was not refreshed; what is counted or copied then lacks its last documents.

    Args:
        cluster: where.
        index: the name of one, or a pattern.
        params: of the request.
        accept: error statuses that are no failure.

    Raises:
        ClusterUnavailable: a shard could not be refreshed.
        ClusterRefused: the cluster refused it.
    """
    reply = cluster.request("POST", f"/{quote(index, safe='*,-._')}/_refresh", params=params, accept=accept)
    shards = reply.get("_shards", {})
    if shards.get("failed"):
        failures = shards.get("failures", ())
        raise ClusterUnavailable(
            f"not every shard of {index} could be refreshed",
            cause=str(failures[0])[:300] if failures else "",
            cure="see the cluster's health; the next attempt goes on from the same place",
        )
