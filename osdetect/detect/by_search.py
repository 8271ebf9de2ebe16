"""Candidates found by searching: the deployed rules' search queries over a window of stored events.

Only events that some rule's query finds leave the cluster. The queries may find too much and never too little on events
that `osdetect load` or its ingest pipeline stored (`osdetect.compiler.search_query`), so only indices with that mapping
are searched, and an event there that neither of them stamped is always found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from osdetect.cluster import Cluster
from osdetect.detect.release import Release, stored_rules
from osdetect.vocabulary import EVENTS_PREFIX

CLAUSES = 900
"""Clauses of one search; OpenSearch takes 1,024 by default (setting indices.query.bool.max_clause_count)."""

Query = Mapping[str, Any]

UNSTAMPED: Query = {"bool": {"must_not": [{"exists": {"field": "event.ingested"}}]}}
"""Events that neither `load` nor its pipeline stored: what the mapping knows of them promises nothing."""


def searchable(cluster: Cluster, index: str) -> bool:
    """Whether the index has the mapping that search queries are made for."""
    if not index.startswith(EVENTS_PREFIX):
        return False
    reply = cluster.request(
        "GET", f"/{index}/_mapping", params={"filter_path": "*.mappings._meta"}, accept=(404,)
    )
    meta = reply.get(index, {}).get("mappings", {}).get("_meta", {})
    return bool(meta.get("owner") == "osdetect")


def search_groups(cluster: Cluster, release: Release) -> tuple[Query, ...] | None:
    """Queries that together find every event for which a rule of the release holds.

    None when a rule has no search query or one that alone is too large: then searching would miss its events.
    """
    stored = stored_rules(cluster, release.index, ["search"])
    return groups_of(((rule_id, source.get("search")) for rule_id, source in stored), release)


def groups_of(stored: Iterable[tuple[str, Any]], release: Release) -> tuple[Query, ...] | None:
    """The same of rule ids and their search queries, from wherever they are."""
    wanted = set(release.rules)
    queries: list[Query] = [UNSTAMPED]
    for rule_id, query in stored:
        if rule_id in wanted:
            if not isinstance(query, Mapping) or clauses(query) > CLAUSES:
                return None
            wanted.remove(rule_id)
            queries.append(query)
    return None if wanted else tuple(_grouped(queries))


def clauses(query: Any) -> int:
    """At most how many clauses Lucene counts in a query (OpenSearch docs, "Search settings").

    >>> clauses({"bool": {"filter": [{"term": {"a": 1}}, {"terms": {"b": [1, 2]}}]}})
    4
    """
    match query:
        case {"terms": Mapping() as named}:
            return sum(len(values) if isinstance(values, list) else 1 for values in named.values())
        case {"bool": Mapping() as parts}:
            inner = (one for part in parts.values() for one in (part if isinstance(part, list) else [part]))
            return 1 + sum(clauses(one) for one in inner if isinstance(one, Mapping))
        case _:
            return 1


def _grouped(queries: Sequence[Query]) -> Iterator[Query]:
    group: list[Query] = []
    size = 0
    for query in queries:
        more = clauses(query)
        if group and size + more > CLAUSES:
            yield {"bool": {"should": group, "minimum_should_match": 1}}
            group, size = [], 0
        group.append(query)
        size += more
    yield {"bool": {"should": group, "minimum_should_match": 1}}
