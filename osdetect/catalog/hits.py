"""How often each rule alerted in a cluster."""

from collections.abc import Mapping
from typing import Any

from osdetect.catalog.evidence import Hits
from osdetect.cluster import Cluster
from osdetect.vocabulary import ALERTS_PREFIX

PAGE = 1_000


def hits(cluster: Cluster, namespace: str) -> Mapping[str, Hits]:
    """The alerts of the namespace, counted by rule id; first and last by the time of their events.

    Raises:
        ClusterRefused, ClusterUnavailable: the cluster does not answer, or not as it should.
    """
    found: dict[str, Hits] = {}
    after: Mapping[str, Any] | None = None
    while True:
        counted = _page(cluster, namespace, after)
        for bucket in counted.get("buckets", ()):
            found[bucket["key"]["rule"]] = Hits(
                bucket["doc_count"],
                str(bucket["first"].get("value_as_string", "")),
                str(bucket["last"].get("value_as_string", "")),
            )
        after = counted.get("after_key")
        if after is None:
            return found


def _page(cluster: Cluster, namespace: str, after: Mapping[str, Any] | None) -> Mapping[str, Any]:
    by_rule: dict[str, Any] = {"size": PAGE, "sources": [{"rule": {"terms": {"field": "rule.id"}}}]}
    if after:
        by_rule["after"] = after
    times = {name: {kind: {"field": "@timestamp"}} for name, kind in (("first", "min"), ("last", "max"))}
    reply = cluster.request(
        "POST",
        f"/{ALERTS_PREFIX}{namespace}-*/_search",
        # A part of the alerts would be a wrong number.
        params={
            "ignore_unavailable": "true",
            "allow_no_indices": "true",
            "allow_partial_search_results": "false",
        },
        body={"size": 0, "aggs": {"rules": {"composite": by_rule, "aggs": times}}},
    )
    counted: Mapping[str, Any] = reply.get("aggregations", {}).get(
        "rules", {}
    )  # none where there is no index
    return counted
