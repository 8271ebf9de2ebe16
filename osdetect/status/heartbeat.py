"""That passes over a target go on, and the alert when they do not.

Each pass that was made to its end leaves a mark in the state index. A target whose mark is too old is late; its silence
began with that mark, so whoever notices, and however often, writes the same one alert.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from osdetect.cluster import Cluster
from osdetect.errors import ClusterRefused
from osdetect.status.cursors import moment
from osdetect.vocabulary import ALERTS_PREFIX, STATE_INDEX, Level

RULE_ID = "6f1f4bd0-57c5-4f0a-9d1b-0c4f7d2a8e31"
"""The rule that such alerts are of; osdetect's own, it is in no release."""
RULE_NAME = "osdetect: detection is late"
_PERIODS = 2
"""Periods that may go by after a pass was due before a target is late."""
_ATTEMPTS = 5
_AHEAD = timedelta(hours=1)
"""A mark that is to come by more than this was left by a clock that was ahead."""
_SHORTEST_S = 60.0
"""And never fewer seconds than these."""


def patience_s(gap_s: float) -> float:
    """How long a pass may be overdue, in seconds, where passes are meant to be `gap_s` apart.

    >>> patience_s(10), patience_s(300)
    (60.0, 600)
    """
    return max(_SHORTEST_S, _PERIODS * gap_s)


class PassMark(msgspec.Struct, frozen=True):
    """The last pass over a target that was made to its end."""

    namespace: str
    target: str
    ended: datetime
    run_id: str
    worker: str
    limit_s: float
    """How old the mark may become by its schedule; 0: as old as it likes."""

    def late(self, now: datetime, limit_s: float) -> bool:
        """Whether it is older than that; or so far to come, by a clock that was ahead, that it says nothing."""
        age = now - self.ended
        return limit_s > 0 and (age > timedelta(seconds=limit_s) or age < -_AHEAD)


def mark_pass(cluster: Cluster, mark: PassMark) -> bool:
    """Leave the mark; false when a later pass left one already.

    One that is to come does not count: the clock of who left it was ahead.
    """
    source = {
        "kind": "pass",
        "namespace": mark.namespace,
        "pass": {
            "namespace": mark.namespace,
            "target": mark.target,
            "ended": mark.ended.isoformat(),
            "run": mark.run_id,
            "worker": mark.worker,
            "limit_s": mark.limit_s,
        },
    }
    name = _mark_id(mark.namespace, mark.target)
    for _ in range(_ATTEMPTS):
        stored = cluster.read_document(STATE_INDEX, name)
        if stored is None:
            written = cluster.create_document(STATE_INDEX, name, source)
        else:
            last = _mark(stored.source)
            if last is not None and timedelta() < last.ended - mark.ended <= _AHEAD:
                return False
            written = cluster.replace_document(STATE_INDEX, name, source, stored.version)
        if written is not None:
            return True
    return False  # others leave theirs all the time


def read_mark(cluster: Cluster, namespace: str, target: str) -> PassMark | None:
    """The last pass over the target; None when there was none."""
    stored = cluster.read_document(STATE_INDEX, _mark_id(namespace, target))
    return _mark(stored.source) if stored else None


def read_marks(cluster: Cluster, namespace: str) -> tuple[PassMark, ...]:
    """The last pass over each target of the namespace."""
    body = {
        "size": 1_000,
        "query": {"bool": {"filter": [{"term": {"kind": "pass"}}, {"term": {"namespace": namespace}}]}},
    }
    reply = cluster.request("POST", f"/{STATE_INDEX}/_search", body=body, accept=(404,))
    marks = (_mark(hit["_source"]) for hit in reply.get("hits", {}).get("hits", ()))
    return tuple(mark for mark in marks if mark is not None)


def _mark(source: Any) -> PassMark | None:
    match source.get("pass"):
        case {"namespace": str(namespace), "target": str(target), "ended": str(ended)} as said:
            when, limit = moment(ended), said.get("limit_s")
            if when is not None:
                limit_s = float(limit) if isinstance(limit, (int, float)) else 0.0
                run, worker = str(said.get("run", "")), str(said.get("worker", ""))
                return PassMark(namespace, target, when, run, worker, limit_s)
        case _:
            pass
    return None


def _mark_id(namespace: str, target: str) -> str:
    return f"pass:{namespace}:{hashlib.sha256(target.encode()).hexdigest()[:24]}"


def raise_alarm(
    cluster: Cluster, namespace: str, target: str, last: PassMark | None, *, limit_s: float, now: datetime
) -> str | None:
    """Write the alert of this silence; its id, or None when it is written already.

    Raises:
        ClusterRefused: the alerts' template is not installed.
    """
    if "index_templates" not in cluster.request("GET", "/_index_template/osdetect-alerts", accept=(404,)):
        raise ClusterRefused("the alerts template is not installed", cure="install it: osdetect deploy")
    due = last.ended + timedelta(seconds=limit_s) if last and last.ended < now else now
    window = last.ended.isoformat() if last else "never"
    alert = hashlib.sha256(f"heartbeat\0{namespace}\0{target}\0{window}".encode()).hexdigest()[:40]
    index = f"{ALERTS_PREFIX}{namespace}-{due.astimezone(UTC).strftime('%Y.%m')}"
    source = _alert(namespace, target, last, limit_s=limit_s, due=due, now=now)
    source["osdetect"]["id"] = alert
    return alert if cluster.create_document(index, alert, source) is not None else None


def _alert(
    namespace: str, target: str, last: PassMark | None, *, limit_s: float, due: datetime, now: datetime
) -> dict[str, Any]:
    since = f"the last pass ended at {_iso(last.ended)}" if last else "no pass was ever made"
    said = f"no pass over {target} in {limit_s:g} s: {since}"
    return {
        "@timestamp": _iso(due),
        "event": {
            "kind": "alert",
            "action": "detection-late",
            "provider": "osdetect",
            "outcome": "failure",
            "created": _iso(now),
        },
        "rule": {
            "id": RULE_ID,
            "name": RULE_NAME,
            "level": Level.HIGH.value,
            "author": "The osdetect authors",
        },
        "error": {"code": "detection-late", "message": said[:2_048]},
        "osdetect": {
            "status": "open",
            "matched": ["osdetect.pass"],
            "evidence": [{"field": "osdetect.pass", "test": f"ended within {limit_s:g} s", "value": since}],
            "source": {"index": STATE_INDEX, "id": _mark_id(namespace, target)},
            "run_id": last.run_id if last else "",
        },
    }


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
