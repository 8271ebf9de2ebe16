"""A batch of events to its candidates: the pairs (event, rule) whose stored query holds.

The answer is exact for what terms can say and is checked by evaluation all the same. It is a function of the release
and of the projected document, and events that no rule tells apart have equal documents: each is asked for once a run,
which is most of why this is fast. A request that fails is cut in halves; a document that fails alone is not decided
here: its events are judged by evaluation alone, against every rule.
"""

from collections.abc import Iterator, Sequence

import orjson

from osdetect.cluster import Cluster, every_page
from osdetect.detect.in_process import Candidate
from osdetect.detect.release import FOR_CLOUDTRAIL, Release
from osdetect.errors import ClusterError, ClusterRefused
from osdetect.follow import StoredEvent

PAGE = 5_000
"""Percolate hits are rules: pages of this many until all are read."""

_NOT_THE_DOCUMENT = frozenset({401, 403, 404})
"""Refusals (no rights, no rules index) that smaller requests would meet as well."""


class Percolator:
    """Decides the events of one run by one release; keeps what it was told, up to a bound."""

    REMEMBERED = 50_000
    """Documents whose rules are kept; each is bounded by what the rules ask for."""

    def __init__(self, cluster: Cluster, release: Release) -> None:
        self._cluster, self._release = cluster, release
        self._known: dict[bytes, tuple[str, ...] | None] = {}
        self.evaluated_alone = 0
        """Events that the cluster could not percolate: every rule was a candidate for them."""

    def candidates(self, events: Sequence[StoredEvent], *, each: bool = False) -> Iterator[Candidate]:
        """The pairs to judge exactly.

        Args:
            events: a batch.
            each: ask for each document by a request of its own, which is quicker for a few.

        Raises:
            ClusterUnavailable: the cluster went away.
        """
        if not self._release.rules:
            return
        documents = [self._document(event) for event in events]
        distinct = dict.fromkeys(document for document in documents if document is not None)
        if len(self._known) + len(distinct) > self.REMEMBERED:
            self._known = {
                document: self._known[document] for document in distinct if document in self._known
            }
        new = [document for document in distinct if document not in self._known]
        if new:
            for part in [[document] for document in new] if each else [new]:
                self._known.update(_halved(self._cluster, self._release, part))
        for event, document in zip(events, documents, strict=True):
            found = None if document is None else self._known[document]
            self.evaluated_alone += found is None
            for rule_id in self._release.rules if found is None else found:
                yield event, rule_id

    def _document(self, event: StoredEvent) -> bytes | None:
        """What the rules ask of the event; None when it is nested too deeply for that: each rule's evaluation says so."""
        try:
            return orjson.dumps(self._release.projection.project(event.source))
        except RecursionError:
            return None


def _halved(
    cluster: Cluster, release: Release, documents: Sequence[bytes]
) -> Iterator[tuple[bytes, tuple[str, ...] | None]]:
    """Each document with the rules whose stored query holds; None for one that the cluster cannot percolate."""
    alone = len(documents) == 1
    try:
        found = _percolate(cluster, release, documents, repeat=alone)
    except ClusterRefused as error:
        if error.status in _NOT_THE_DOCUMENT:
            raise
        if alone:
            yield documents[0], None
            return
    except ClusterError:
        if alone:
            raise
    else:
        yield from zip(documents, found, strict=True)
        return
    middle = len(documents) // 2
    yield from _halved(cluster, release, documents[:middle])
    yield from _halved(cluster, release, documents[middle:])


def _percolate(
    cluster: Cluster, release: Release, documents: Sequence[bytes], *, repeat: bool
) -> list[tuple[str, ...]]:
    """For each document the ids of its rules, by one request (OpenSearch docs, "Percolate query")."""
    batch = [orjson.Fragment(document) for document in documents]
    query = {"bool": {"filter": [*FOR_CLOUDTRAIL, {"percolate": {"field": "query", "documents": batch}}]}}
    body = {
        "size": min(PAGE, max(1, len(release.rules))),
        "_source": False,
        "query": query,
        "sort": [{"rule.id": "asc"}],
        "track_total_hits": False,
    }
    # A replica may not have yet what a deploy made visible, and what it does not find is remembered.
    params = {"filter_path": "hits.hits._id,hits.hits.fields,hits.hits.sort", "preference": "_primary"}
    found: list[list[str]] = [[] for _ in documents]
    for hits in every_page(cluster, f"/{release.index}/_search", body, params=params, repeat=repeat):
        for hit in hits:
            for slot in hit["fields"]["_percolator_document_slot"]:
                found[slot].append(str(hit["_id"]))
    return [tuple(ids) for ids in found]
