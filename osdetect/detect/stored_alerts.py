"""The alerts that are stored in a namespace."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from osdetect.cluster import Cluster, every_page, refresh
from osdetect.documents.alert import in_order
from osdetect.vocabulary import ALERTS_PREFIX

PAGE = 2_000


class StoredAlert(msgspec.Struct, frozen=True):
    """An alert document and its id."""

    id: str
    source: Mapping[str, Any]


def stored_alerts(cluster: Cluster, namespace: str) -> Iterator[StoredAlert]:
    """Every alert of the namespace, in the order of their events' times; read page by page."""
    pattern = f"{ALERTS_PREFIX}{namespace}-*"
    options = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    refresh(cluster, pattern, params=options)
    body = {"size": PAGE, "sort": in_order("asc"), "track_total_hits": False}
    for hits in every_page(cluster, f"/{pattern}/_search", body, params=options):
        yield from (StoredAlert(hit["_id"], hit["_source"]) for hit in hits)
