"""What a cluster says of the detection over one target: all of it in one report, with what is wrong by name."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Cluster, refresh
from osdetect.documents.state import DETECT
from osdetect.errors import ClusterUnavailable, RuleError
from osdetect.follow import Shard
from osdetect.status.cursors import CursorSeen, seen_cursors
from osdetect.status.heartbeat import PassMark, read_mark
from osdetect.status.lag import Lags, ShardLag, lags
from osdetect.vocabulary import DEADLETTER_PREFIX, RULES_ALIAS, RUNS_PREFIX

_NAMES_ASKED = 50
"""Names in one request: they stand in its path."""
RECENT = timedelta(hours=24)
"""Dead letters of this time count as losses; older ones are shown."""


class Release(msgspec.Struct, frozen=True):
    """The live release, and which of its rules do not run."""

    name: str
    rules: int
    refused: tuple[str, ...]
    """Rules that the cluster refused at the deploy."""
    unreadable: tuple[str, ...]


class Gaps(msgspec.Struct, frozen=True):
    """What detection has not seen, or cannot see."""

    without_cursor: tuple[str, ...]
    """Indices of the target that were never judged."""
    closed: tuple[str, ...]
    """Indices of the target that are closed: nothing in them can be read."""
    without_primary: tuple[str, ...]
    """Indices of the target with a shard that has no primary, and which: how far they are judged cannot be counted."""
    not_counted: tuple[str, ...]
    """Other indices of the target of which that cannot be counted now, and why."""
    of_deleted: tuple[str, ...]
    """Cursors whose index is not there any more."""


class Limits(msgspec.Struct, frozen=True):
    """What counts as wrong, besides losses; 0: no limit."""

    lag_s: float = 0.0
    lag_events: int = 0
    heartbeat_s: float = 0.0

    def silent(self, last: PassMark | None, now: datetime) -> bool:
        """Whether passes do not go on as they should, `last` being the last one; by its own schedule if there is no limit."""
        if not self.heartbeat_s:
            return last is not None and last.late(now, last.limit_s)
        return last is None or last.late(now, self.heartbeat_s)


class Status(msgspec.Struct, frozen=True):
    """The report."""

    namespace: str
    target: str
    now: datetime
    shards: tuple[ShardLag, ...]
    gaps: Gaps
    last_pass: PassMark | None
    runs: tuple[dict[str, Any], ...]
    """The last ones that had something to do, newest first."""
    release: Release | None
    dead_letters: int
    dead_letters_recent: int

    @property
    def lag_events(self) -> int:
        """Events not judged yet."""
        return sum(one.events for one in self.shards)

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest of them, as far as they say when they came."""
        return max((one.seconds or 0.0 for one in self.shards), default=0.0)

    @property
    def ageless(self) -> int:
        """How many of them do not say when they came."""
        return sum(one.ageless for one in self.shards)

    @property
    def owed(self) -> int:
        """Sequence numbers that rules which were put off must still judge."""
        return sum(one.owed_events for one in self.shards)

    def late(self, limits: Limits) -> bool:
        """Whether passes do not go on as they should."""
        return limits.silent(self.last_pass, self.now)

    def problems(self, limits: Limits) -> tuple[str, ...]:
        """What is wrong, one sentence each."""
        last = (
            f"the last ended at {self.last_pass.ended.isoformat()}" if self.last_pass else "none ever ended"
        )
        found = {
            f"{self.lag_events:,} events are not judged, more than {limits.lag_events:,}": 0
            < limits.lag_events
            < self.lag_events,
            f"the oldest event that is not judged came {self.lag_seconds:,.0f} s ago, more than {limits.lag_s:,.0f}": 0
            < limits.lag_s
            < self.lag_seconds,
            f"{self.ageless:,} events that are not judged do not say when they came": limits.lag_s > 0
            and self.ageless > 0,
            f"{self.owed:,} sequence numbers are owed to rules that were put off, more than {limits.lag_events:,}": 0
            < limits.lag_events
            < self.owed,
            f"passes are late: {last}": self.late(limits),
            "no rules are deployed": self.release is None,
            f"{len(self.gaps.closed)} indices of the target are closed": bool(self.gaps.closed),
            f"{len(self.gaps.without_primary)} indices of the target have a shard without a primary": bool(
                self.gaps.without_primary
            ),
            f"{len(self.gaps.not_counted)} indices of the target cannot be searched": bool(
                self.gaps.not_counted
            ),
            f"{self.dead_letters_recent:,} dead letters in 24 hours": self.dead_letters_recent > 0,
        }
        if self.release:
            found[f"{len(self.release.refused)} rules were refused by the cluster"] = bool(
                self.release.refused
            )
            found[f"{len(self.release.unreadable)} rules cannot be read"] = bool(self.release.unreadable)
        return tuple(said for said, wrong in found.items() if wrong)

    def to_json(self, limits: Limits) -> dict[str, Any]:
        """For machines."""
        mark, release = self.last_pass, self.release
        return {
            "namespace": self.namespace,
            "target": self.target,
            "at": self.now.isoformat(),
            "problems": list(self.problems(limits)),
            "lag": {
                "events": self.lag_events,
                "seconds": None if 0 < self.ageless == self.lag_events else round(self.lag_seconds, 3),
                "events_of_unknown_age": self.ageless,
            },
            "shards": [one.to_json(self.now) for one in self.shards],
            "last_pass": mark
            and {"ended": mark.ended.isoformat(), "run": mark.run_id, "worker": mark.worker},
            "runs": list(self.runs),
            "release": release
            and {
                "name": release.name,
                "rules": release.rules,
                "refused": list(release.refused),
                "unreadable": list(release.unreadable),
            },
            "gaps": {
                "indices_without_cursor": list(self.gaps.without_cursor),
                "closed_indices": list(self.gaps.closed),
                "shards_without_primary": list(self.gaps.without_primary),
                "indices_not_counted": list(self.gaps.not_counted),
                "cursors_of_deleted_indices": list(self.gaps.of_deleted),
                "owed_ranges": sum(one.owed for one in self.shards),
            },
            "dead_letters": {"all": self.dead_letters, "last_24_hours": self.dead_letters_recent},
        }


def examine(
    cluster: Cluster,
    namespace: str,
    target: str,
    *,
    shards: Sequence[Shard],
    unreadable: Iterable[RuleError],
    now: datetime,
    runs: int = 5,
) -> Status:
    """Ask the cluster for all of it. Nothing is changed, but indices that are behind are refreshed.

    Args:
        cluster: where.
        namespace: of the detectors.
        target: what they watch.
        shards: the target's shards.
        unreadable: rules of the live release that cannot be read.
        now: the time, in UTC.
        runs: how many of the last runs to tell.

    Raises:
        ClusterError: a part cannot be read.
    """
    cursors = seen_cursors(cluster, namespace)
    found = lags(cluster, target, shards, cursors, now)
    letters = f"/{DEADLETTER_PREFIX}*/_count"
    recent = {"range": {"@timestamp": {"gte": (now - RECENT).isoformat()}}}
    return Status(
        namespace=namespace,
        target=target,
        now=now,
        shards=found.shards,
        gaps=_gaps(cluster, target, found, cursors),
        last_pass=read_mark(cluster, namespace, target),
        runs=_last_runs(cluster, namespace, runs),
        release=_release(cluster, unreadable),
        dead_letters=_counted(cluster, letters, [{"term": {"namespace": namespace}}]),
        dead_letters_recent=_counted(cluster, letters, [{"term": {"namespace": namespace}}, recent]),
    )


def _gaps(
    cluster: Cluster,
    target: str,
    found: Lags,
    cursors: Iterable[CursorSeen],
) -> Gaps:
    detecting = [one for one in cursors if one.purpose == DETECT]
    there = _uuids(cluster, {one.index for one in detecting})
    params = {"format": "json", "h": "index,status", "expand_wildcards": "closed"}
    listed = cluster.request(
        "GET", f"/_cat/indices/{quote(target, safe='*,-._')}", params=params, accept=(400, 403, 404)
    )
    # An index or alias that is named, and not by a wildcard, is listed whether it is closed or not.
    closed = (
        [one["index"] for one in listed if one.get("status") == "close"] if isinstance(listed, list) else []
    )
    return Gaps(
        without_cursor=tuple(
            sorted({one.index for one in found.shards if not one.started and one.checkpoint >= 0})
        ),
        closed=tuple(sorted(closed)),
        without_primary=tuple(error.what for error in found.without_primary),
        not_counted=tuple(f"{index}: {error}" for index, error in sorted(found.not_counted.items())),
        of_deleted=tuple(
            sorted({f"{one.index} ({one.index_uuid})" for one in detecting if one.index_uuid not in there})
        ),
    )


def _uuids(cluster: Cluster, names: set[str]) -> set[str]:
    """The uuids of the indices of these names that are there; no others are asked for: not everybody may see them."""
    ordered = sorted(names)
    params = {"filter_path": "*.settings.index.uuid", "ignore_unavailable": "true", "expand_wildcards": "all"}
    uuids: set[str] = set()
    for start in range(0, len(ordered), _NAMES_ASKED):
        asked = quote(",".join(ordered[start : start + _NAMES_ASKED]), safe=",-._")
        reply = cluster.request("GET", f"/{asked}/_settings", params=params)
        uuids |= {one["settings"]["index"]["uuid"] for one in reply.values() if isinstance(one, dict)}
    return uuids


def _last_runs(cluster: Cluster, namespace: str, size: int) -> tuple[dict[str, Any], ...]:
    options = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    refresh(cluster, f"{RUNS_PREFIX}*", params=options)
    body = {
        "size": size,
        "query": {"term": {"run.namespace": namespace}},
        "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}],
    }
    reply = cluster.request("POST", f"/{RUNS_PREFIX}*/_search", params=options, body=body)
    return tuple(hit["_source"]["run"] for hit in reply["hits"]["hits"])


def _release(cluster: Cluster, unreadable: Iterable[RuleError]) -> Release | None:
    reply = cluster.request("GET", f"/{RULES_ALIAS}/_mapping", accept=(404,))
    if len(reply) != 1 or "error" in reply:
        return None
    ((name, entry),) = reply.items()
    refused = entry["mappings"].get("_meta", {}).get("refused", {})
    return Release(
        name=name,
        rules=_counted(cluster, f"/{name}/_count", []),
        refused=tuple(f"{rule}: {reason}" for rule, reason in sorted(refused.items())),
        unreadable=tuple(str(one) for one in unreadable),
    )


def _counted(cluster: Cluster, path: str, filters: Sequence[dict[str, Any]]) -> int:
    options = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    body = {"query": {"bool": {"filter": list(filters)}}}
    reply = cluster.request("POST", path, params=options, body=body)
    shards = reply["_shards"]
    if shards["successful"] < shards["total"]:  # one without a primary is not even among those that failed
        raise ClusterUnavailable(
            f"not every shard could be counted ({path})",
            cure="see the cluster's health: a part of the documents is no number to show",
        )
    return int(reply["count"])
