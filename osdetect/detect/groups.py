"""Alerts of groups: one for all matches that agree in some fields in a window, with their number, exact after any replay.

The number is counted over the stored matches, never added up, and written by compare-and-set: whoever writes last has
counted last.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from osdetect.cluster import Cluster, ItemOutcome, Version, create_action, refresh, replace_action
from osdetect.documents.match import Counted
from osdetect.errors import ClusterUnavailable, IndexRefused

_TOGETHER = 500
_ATTEMPTS = 30


class Touched(msgspec.Struct, frozen=True):
    """A group that something was stored of."""

    id: str
    """The alert's id."""
    alert_index: str
    match_index: str
    alert: Mapping[str, Any]
    """The alert's source, should there be none yet; without what is counted."""
    place: tuple[int, str, str] | None = None
    """That of the event that touched it first, if it is being judged."""

    @property
    def source(self) -> Mapping[str, Any]:
        """As a dead letter keeps it."""
        return self.alert

    @property
    def said(self) -> Mapping[str, Any]:
        """What is known of the group."""
        said: Mapping[str, Any] = self.alert["osdetect"]["suppression"]
        return said


class Settled(msgspec.Struct, frozen=True):
    """What became of groups' alerts."""

    created: int = 0
    there: int = 0
    refused: tuple[tuple[Touched, ItemOutcome], ...] = ()
    """Alerts that the cluster refuses for what they hold."""

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(
            self.created + other.created, self.there + other.there, (*self.refused, *other.refused)
        )


def settle(cluster: Cluster, touched: Iterable[Touched]) -> Settled:
    """Make the groups' alerts say what their stored matches say.

    Raises:
        IndexRefused: the cluster takes no alert there, whatever it holds.
        ClusterError: it could not be done; doing it again is harmless.
    """
    by_index: dict[str, list[Touched]] = {}
    for one in touched:
        by_index.setdefault(one.match_index, []).append(one)
    settled = Settled()
    for index, groups in by_index.items():
        refresh(cluster, index)
        left = iter(groups)
        while part := list(islice(left, _TOGETHER)):
            settled += _settled(cluster, index, part)
    return settled


def _settled(cluster: Cluster, index: str, groups: Sequence[Touched]) -> Settled:
    """Until each alert is written over the version that was read.

    A group without matches has no alert and is neither: they were deleted meanwhile, or belong to another one already.
    """
    created, empty, waiting = 0, 0, list(groups)
    refused: list[tuple[Touched, ItemOutcome]] = []
    for _ in range(_ATTEMPTS):
        # In this order: what is counted after the alert was read is no less than what the alert says.
        stored = _stored(cluster, waiting)
        told = _counted(cluster, index, waiting)
        empty += sum(one.id not in told for one in waiting)
        actions = [_action(one, stored.get(one.id), told.get(one.id)) for one in waiting]
        sent = [(one, action) for one, action in zip(waiting, actions, strict=True) if action is not None]
        outcomes = cluster.bulk([action for _, action in sent]) if sent else ()
        done = zip(sent, outcomes, strict=True)
        waiting = []
        for (one, _), outcome in done:
            created += outcome.created and one.id not in stored
            if outcome.exists:
                waiting.append(one)
            elif outcome.failed:
                require_space(one.alert_index, outcome)
                refused.append((one, outcome))
        if not waiting:
            return Settled(created, len(groups) - created - empty - len(refused), tuple(refused))
        refresh(cluster, index)
    raise ClusterUnavailable(
        f"the alert {waiting[0].id} is written by others all the time",
        cure="the next pass does it again",
    )


def _action(
    one: Touched, stored: tuple[str, Mapping[str, Any], Version] | None, told: Counted | None
) -> bytes | None:
    """The write that makes the alert say what was counted; None when it says so already."""
    if told is None:
        return None
    if stored is None:
        return create_action(one.alert_index, one.id, told.on(one.alert, one.said))
    index, alert, version = stored
    source = told.on(alert, one.said)
    if source == alert:
        return None
    source["osdetect"].setdefault("first_seq_no", version.seq_no)
    return replace_action(index, one.id, source, version)


def _stored(cluster: Cluster, groups: Sequence[Touched]) -> dict[str, tuple[str, Mapping[str, Any], Version]]:
    """The alerts that are there: index, source and version."""
    found = cluster.read_documents((one.alert_index, one.id) for one in groups)
    return {
        one["_id"]: (one["_index"], one["_source"], Version(one["_seq_no"], one["_primary_term"]))
        for one in found
        if one.get("found")
    }


def require_space(index: str, outcome: ItemOutcome) -> None:
    """An alert that was refused, and not for what it holds, is no dead letter: later ones would be refused too.

    Args:
        index: of alerts.
        outcome: of one that was refused.

    Raises:
        IndexRefused: it is such a refusal.
    """
    if not outcome.blames_document:
        raise IndexRefused(
            f"the cluster does not take alerts into {index}",
            cause=f"{outcome.error_type}: {outcome.reason}",
            cure="mend that: judging goes on from the same place",
        )


def _counted(cluster: Cluster, index: str, groups: Sequence[Touched]) -> dict[str, Counted]:
    ids = [one.id for one in groups]
    body = {
        "size": 0,
        "query": {"terms": {"group": ids}},
        "aggs": {
            "groups": {
                "terms": {"field": "group", "size": len(ids)},
                "aggs": {"first": {"min": {"field": "@timestamp"}}, "last": {"max": {"field": "@timestamp"}}},
            }
        },
    }
    # A replica may not have yet what a refresh made visible (OpenSearch docs, "Segment replication").
    params = {"allow_partial_search_results": "false", "preference": "_primary"}
    reply = cluster.request("POST", f"/{index}/_search", params=params, body=body)
    return {
        bucket["key"]: Counted(
            int(bucket["doc_count"]),
            bucket["first"].get("value_as_string"),
            bucket["last"].get("value_as_string"),
        )
        for bucket in reply["aggregations"]["groups"]["buckets"]
    }
