"""What the index that a release is meant for has: its fields."""

from urllib.parse import quote

from osdetect.cluster import Cluster
from osdetect.errors import UsageError


def fields_of(cluster: Cluster, target: str) -> tuple[str, ...]:
    """The fields that an index, pattern or alias can be searched by, in order of their names.

    Raises:
        UsageError: the target stands for no index.
    """
    # OpenSearch docs, "Field capabilities"
    path = f"/{quote(target, safe='*,-._')}/_field_caps"
    params = {"fields": "*", "filter_path": "indices,fields.*.*.type"}
    reply = cluster.request("GET", path, params=params, accept=(404,))
    if not reply.get("indices"):
        raise UsageError(
            f"{target} stands for no index, so its dialect cannot be told",
            cure="name an index that holds events with --target, or the dialect with --pipeline",
        )
    return tuple(sorted(reply.get("fields", {})))
