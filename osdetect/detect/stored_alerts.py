"""The alerts that are stored in a namespace."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osdetect.cluster import Cluster
from osdetect.vocabulary import ALERTS_PREFIX

PAGE = 2_000
_ORDER = (
    "@timestamp",
    "osdetect.source.index",
    "osdetect.source.shard",
    "osdetect.source.seq_no",
    "rule.id",
)
"""By time, and then by what tells any two alerts apart, so that no page boundary can lose one."""


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert document and its id."""

    id: str
    source: Mapping[str, Any]


def stored_alerts(cluster: Cluster, namespace: str) -> Iterator[StoredAlert]:
    """Every alert of the namespace, in the order of their events' times; read page by page."""
    pattern = f"{ALERTS_PREFIX}{namespace}-*"
    options = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    cluster.request("POST", f"/{pattern}/_refresh", params=options)
    after: list[object] | None = None
    while True:
        body = {
            "size": PAGE,
            "sort": [{name: {"order": "asc", "unmapped_type": "keyword"}} for name in _ORDER],
            "track_total_hits": False,
            **({"search_after": after} if after else {}),
        }
        params = {**options, "allow_partial_search_results": "false"}
        reply = cluster.request("POST", f"/{pattern}/_search", params=params, body=body)
        hits = reply["hits"]["hits"]
        yield from (StoredAlert(hit["_id"], hit["_source"]) for hit in hits)
        if len(hits) < PAGE:
            return
        after = hits[-1]["sort"]
