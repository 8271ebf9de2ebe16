"""Candidates found by searching: the deployed rules' search queries over a window of stored events.

Only events that some rule's query finds leave the cluster. The queries may find too much and never too little on events
that `osdetect load` or its ingest pipeline stored (`osdetect.compiler.search_query`), so only indices with that mapping
are searched, and an event there that neither of them stamped is always found.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from osdetect.cluster import Cluster
from osdetect.detect.factored import CLAUSES, Query, clauses
from osdetect.detect.release import Release, stored_rules
from osdetect.detect.searches import Searches
from osdetect.documents.event import HOLLOW_FIELDS
from osdetect.vocabulary import EVENTS_PREFIX, OWNER

UNSTAMPED: Query = {"bool": {"must_not": [{"exists": {"field": "event.ingested"}}]}}
"""Events that neither `load` nor its pipeline stored: what the mapping knows of them promises nothing."""


def searchable(cluster: Cluster, index: str) -> bool:
    """Whether the index has the mapping that search queries are made for; those that older templates made have not."""
    if not index.startswith(EVENTS_PREFIX):
        return False
    reply = cluster.request(
        "GET", f"/{index}/_mapping", params={"filter_path": "*.mappings._meta"}, accept=(404,)
    )
    meta = reply.get(index, {}).get("mappings", {}).get("_meta", {})
    return bool(meta.get("owner") == OWNER) and set(HOLLOW_FIELDS) <= set(meta.get("hollow", ()))


def deployed_searches(cluster: Cluster, release: Release) -> Searches | None:
    """The searches that together find every event for which a rule of the release holds.

    None when a rule has no search query or one that alone is too large: then searching would miss its events.
    """
    stored = stored_rules(cluster, release.index, ["search"])
    return searches_of(((rule_id, source.get("search")) for rule_id, source in stored), release)


def searches_of(stored: Iterable[tuple[str, Any]], release: Release) -> Searches | None:
    """The same of rule ids and their search queries, from wherever they are."""
    wanted = set(release.rules)
    queries: list[Query] = [UNSTAMPED]
    for rule_id, query in stored:
        if rule_id in wanted:
            if not isinstance(query, Mapping) or clauses(query) > CLAUSES // 2:
                return None
            wanted.remove(rule_id)
            queries.append(query)
    return None if wanted else Searches(queries)


def in_time(paths: Sequence[str], bounds: Mapping[str, str], *also: Query) -> Query:
    """Finds each event that has one of these times in the span, or lacks the first: what it says then only it can tell."""
    ranges: list[Query] = [{"range": {path: bounds}} for path in paths]
    undated: Query = {"bool": {"must_not": [{"exists": {"field": paths[0]}}]}}
    return {"bool": {"should": [*ranges, undated, *also], "minimum_should_match": 1}}
