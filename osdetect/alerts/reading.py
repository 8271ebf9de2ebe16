"""Alerts as they are stored: found by a selection, every page of it, or by their ids."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from osdetect.cluster import Cluster, Version, every_page, refresh
from osdetect.documents.alert import in_order
from osdetect.vocabulary import ALERTS_PREFIX

PAGE = 1_000
_IDS_PAGE = 10_000
_KEPT = "30m"
"""How long a snapshot outlives the last question to it: somebody may think before confirming."""
_ANY = {"ignore_unavailable": "true", "allow_no_indices": "true"}
SHORTEST_PREFIX = 4


class FoundAlert(msgspec.Struct, frozen=True):
    """An alert, where it is stored, and which write of it this is."""

    index: str
    id: str
    version: Version
    source: Mapping[str, Any]


class Snapshot:
    """The alerts of a namespace as they are now; what is written later does not show in it.

    A context manager: the cluster holds on to it until it is closed.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._pattern = cluster, _pattern(namespace)
        self._id: str | None = None

    def __enter__(self) -> Self:
        _refresh(self._cluster, self._pattern)
        if _stands_for_something(self._cluster, self._pattern):
            params = {"keep_alive": _KEPT, "allow_partial_pit_creation": "false"}
            path = f"/{self._pattern}/_search/point_in_time"
            self._id = self._cluster.request("POST", path, params=params)["pit_id"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._id is not None:
            body = {"pit_id": [self._id]}
            self._cluster.request("DELETE", "/_search/point_in_time", body=body, accept=(404,), repeat=False)

    def count(self, query: Mapping[str, Any]) -> int:
        """How many alerts the query selects."""
        if self._id is None:
            return 0
        reply = self._ask({"size": 0, "query": query, "track_total_hits": True})
        return int(reply["hits"]["total"]["value"])

    def alerts(self, query: Mapping[str, Any], *, limit: int = 0) -> Iterator[FoundAlert]:
        """The alerts that the query selects, newest first; the first `limit` of them, 0: all."""
        left = limit
        for hits in self.pages(query, size=min(PAGE, limit or PAGE)):
            found = hits[:left] if limit else hits
            yield from map(_found, found)
            left -= len(found)
            if limit and not left:
                return

    def pages(
        self, query: Mapping[str, Any], *, size: int = PAGE, source: bool = True
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """The hits of the query, newest first, page by page until there are no more."""
        if self._id is None:
            return
        body = {
            "size": size,
            "query": query,
            "_source": source,
            "sort": in_order("desc"),
            "seq_no_primary_term": True,
            "track_total_hits": False,
        }
        yield from every_page(self._cluster, "/_search", self._pinned(body))

    def _ask(self, body: Mapping[str, Any]) -> Any:
        # A point in time answers in parts when a shard is gone: what is missing must not look like "no alerts".
        params = {"allow_partial_search_results": "false"}
        return self._cluster.request("POST", "/_search", params=params, body=self._pinned(body))

    def _pinned(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {**body, "pit": {"id": self._id, "keep_alive": _KEPT}}


def found_by_id(cluster: Cluster, namespace: str, asked: Sequence[str]) -> dict[str, tuple[FoundAlert, ...]]:
    """For each text the alerts that it stands for: the one with this id, else those whose ids begin with it.

    One alert where the text is good, as it is now, also before a refresh; none, or several of an ambiguous beginning (no
    more than a screenful).
    """
    with Snapshot(cluster, namespace) as snapshot:
        exact = _by_ids(snapshot, asked)
        rest = [text for text in asked if not exact.get(text) and len(text) >= SHORTEST_PREFIX]
        begun = _by_prefixes(snapshot, rest) if rest else {}
    found = {text: tuple(exact.get(text) or begun.get(text) or ()) for text in asked}
    meant = {alerts[0].id: alerts[0] for alerts in found.values() if len(alerts) == 1}
    now = dict(zip(meant, read_again(cluster, list(meant.values())), strict=True))
    return {text: _as_now(alerts, now) for text, alerts in found.items()}


def _as_now(alerts: tuple[FoundAlert, ...], now: Mapping[str, FoundAlert | None]) -> tuple[FoundAlert, ...]:
    if len(alerts) != 1:
        return alerts
    alert = now[alerts[0].id]
    return () if alert is None else (alert,)


_AMBIGUOUS = 20


def _by_ids(snapshot: Snapshot, ids: Sequence[str]) -> dict[str, list[FoundAlert]]:
    found: dict[str, list[FoundAlert]] = {}
    for start in range(0, len(ids), PAGE):
        for alert in snapshot.alerts({"ids": {"values": list(ids[start : start + PAGE])}}):
            found.setdefault(alert.id, []).append(alert)
    return found


def _by_prefixes(snapshot: Snapshot, prefixes: Sequence[str]) -> dict[str, list[FoundAlert]]:
    """OpenSearch finds no beginning of an `_id`; alerts say their id once more, where it can be searched.

    Alerts that do not say it are read through, ids only.
    """
    ids = {
        prefix: {
            alert.id
            for alert in snapshot.alerts({"prefix": {"osdetect.id": {"value": prefix}}}, limit=_AMBIGUOUS)
        }
        for prefix in prefixes
    }
    silent = {"bool": {"must_not": [{"exists": {"field": "osdetect.id"}}]}}
    for hits in snapshot.pages(silent, size=_IDS_PAGE, source=False):
        for prefix, known in ids.items():
            if len(known) < _AMBIGUOUS:
                known.update(hit["_id"] for hit in hits if hit["_id"].startswith(prefix))
    by_id = _by_ids(snapshot, sorted({one for known in ids.values() for one in known}))
    return {
        prefix: [alert for one in sorted(known)[:_AMBIGUOUS] for alert in by_id.get(one, ())]
        for prefix, known in ids.items()
    }


def read_again(cluster: Cluster, alerts: Sequence[FoundAlert]) -> tuple[FoundAlert | None, ...]:
    """The same alerts as of now, also before a refresh; None for one that is gone."""
    stored = cluster.read_documents((alert.index, alert.id) for alert in alerts)
    return tuple(_found(document) if document.get("found") else None for document in stored)


def event_of(cluster: Cluster, alert: FoundAlert) -> Mapping[str, Any] | None:
    """The event that the alert is about; None when it is gone."""
    at = alert.source.get("osdetect", {}).get("source", {})
    if not (at.get("index") and at.get("id")):
        return None
    stored = cluster.read_document(str(at["index"]), str(at["id"]))
    return stored.source if stored else None


def _found(hit: Mapping[str, Any]) -> FoundAlert:
    version = Version(hit["_seq_no"], hit["_primary_term"])
    return FoundAlert(hit["_index"], hit["_id"], version, hit.get("_source", {}))


def _pattern(namespace: str) -> str:
    return f"{ALERTS_PREFIX}{namespace}-*"


def _stands_for_something(cluster: Cluster, pattern: str) -> bool:
    """Whether there is an index: a point in time of none is refused. Asked by a search, which everybody here may make."""
    params = {**_ANY, "filter_path": "_shards.total"}
    reply = cluster.request("POST", f"/{pattern}/_search", params=params, body={"size": 0})
    return bool(reply.get("_shards", {}).get("total"))


def _refresh(cluster: Cluster, pattern: str) -> None:
    """Make all alerts searchable; who may only read sees the last second's a second later."""
    refresh(cluster, pattern, params=_ANY, accept=(403,))
