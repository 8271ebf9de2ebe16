"""Candidates found by searching: the deployed rules' search queries over a window of stored events.

Only events that some rule's query finds leave the cluster. The queries may find too much and never too little on events
that `osdetect load` or its ingest pipeline stored (`osdetect.compiler.search_query`), so only indices with that mapping
are searched, and an event there that neither of them stamped is always found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from osdetect.cluster import Cluster
from osdetect.detect.release import Release
from osdetect.follow import StoredEvent, Wanted, pages
from osdetect.vocabulary import EVENTS_PREFIX

CLAUSES = 900
"""Clauses of one search; OpenSearch takes 1,024 by default (setting indices.query.bool.max_clause_count)."""
_PAGE = 500

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
    return groups_of(_stored_queries(cluster, release.index), release)


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


def found(cluster: Cluster, wanted: Wanted, groups: Sequence[Query]) -> Iterator[tuple[StoredEvent, ...]]:
    """The events of a window that some group finds, each once, page by page.

    Raises:
        ClusterError: a search could not be made.
    """
    seen: set[int] = set()
    for group in groups:
        query = group if wanted.query is None else {"bool": {"filter": [wanted.query, group]}}
        for page in pages(cluster, replace(wanted, query=query)):
            fresh = tuple(event for event in page if event.at.seq_no not in seen)
            seen.update(event.at.seq_no for event in fresh)
            if fresh:
                yield fresh


def count(cluster: Cluster, wanted: Wanted) -> int:
    """How many documents the window has.

    Raises:
        ClusterError: they could not be counted.
    """
    bounds: Query = {"range": {"_seq_no": {"gt": wanted.after, "lte": wanted.upto}}}
    query = bounds if wanted.query is None else {"bool": {"filter": [bounds, wanted.query]}}
    body = {"size": 0, "query": query, "track_total_hits": True}
    params = {
        "preference": f"_shards:{wanted.shard.number}|_primary",
        "filter_path": "hits.total.value",
        "allow_partial_search_results": "false",
    }
    reply = cluster.request("POST", f"/{wanted.shard.index}/_search", params=params, body=body, accept=(404,))
    return int(reply.get("hits", {}).get("total", {}).get("value", 0))


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


def _stored_queries(cluster: Cluster, index: str) -> Iterator[tuple[str, Any]]:
    after: list[object] | None = None
    while True:
        body = {
            "size": _PAGE,
            "_source": ["search"],
            "sort": [{"rule.id": "asc"}],
            **({"search_after": after} if after else {}),
        }
        params = {"allow_partial_search_results": "false"}
        hits = cluster.request("POST", f"/{index}/_search", params=params, body=body)["hits"]["hits"]
        for hit in hits:
            yield hit["_id"], hit["_source"].get("search")
        if len(hits) < _PAGE:
            return
        after = hits[-1]["sort"]
