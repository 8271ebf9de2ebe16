"""A batch of events to its candidates: the pairs (event, rule) whose stored query holds.

The answer is exact for what terms can say and is checked by evaluation all the same. A request that fails is
cut in halves; an event that fails alone is judged by evaluation alone, against every rule.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from osdetect.cluster import Cluster
from osdetect.detect.events import StoredEvent
from osdetect.detect.release import Release
from osdetect.errors import ClusterError, ClusterRefused

PAGE = 5_000
"""Percolate hits are rules: pages of this many until all are read."""

_LOG_SOURCE: list[dict[str, Any]] = [
    {"term": {"logsource.product": "aws"}},
    {"terms": {"logsource.service": ["", "cloudtrail"]}},
]

Candidate = tuple[StoredEvent, str]
"""An event and the id of a rule."""


def candidates(cluster: Cluster, release: Release, events: Sequence[StoredEvent]) -> Iterator[Candidate]:
    """The pairs to judge exactly.

    Raises:
        ClusterUnavailable: the cluster went away.
    """
    if not events or not release.rules:
        return
    documents = [release.projection.project(event.source) for event in events]
    yield from _halved(cluster, release, events, documents)


def _halved(
    cluster: Cluster, release: Release, events: Sequence[StoredEvent], documents: Sequence[dict[str, Any]]
) -> Iterator[Candidate]:
    alone = len(events) == 1
    try:
        found = list(_percolate(cluster, release, documents, repeat=alone))
    except ClusterRefused:
        if alone:
            yield from ((events[0], rule_id) for rule_id in release.rules)
            return
    except ClusterError:
        if alone:
            raise
    else:
        yield from ((events[slot], rule_id) for slot, rule_id in found)
        return
    middle = len(events) // 2
    yield from _halved(cluster, release, events[:middle], documents[:middle])
    yield from _halved(cluster, release, events[middle:], documents[middle:])


def _percolate(
    cluster: Cluster, release: Release, documents: Sequence[dict[str, Any]], *, repeat: bool
) -> Iterator[tuple[int, str]]:
    size = min(PAGE, max(1, len(release.rules)))
    query = {"bool": {"filter": [*_LOG_SOURCE, {"percolate": {"field": "query", "documents": documents}}]}}
    after: list[object] | None = None
    while True:
        body = {
            "size": size,
            "_source": False,
            "query": query,
            "sort": [{"rule.id": "asc"}],
            "track_total_hits": False,
            **({"search_after": after} if after else {}),
        }
        params = {"filter_path": "hits.hits._id,hits.hits.fields,hits.hits.sort"}
        reply = cluster.request("POST", f"/{release.index}/_search", params=params, body=body, repeat=repeat)
        hits = reply.get("hits", {}).get("hits", [])
        for hit in hits:
            for slot in hit["fields"]["_percolator_document_slot"]:
                yield int(slot), str(hit["_id"])
        if len(hits) < size:
            return
        after = hits[-1]["sort"]
