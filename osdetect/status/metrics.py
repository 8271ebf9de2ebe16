"""A detector's numbers for Prometheus; names as its conventions say (base units, `_total` for what only grows)."""

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from osdetect import __version__
from osdetect.status.lag import Lags

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
_COUNTED: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("events",): ("osdetect_events", "Events read after the cursors."),
    ("judged",): ("osdetect_events_judged", "Events that met every readable rule."),
    ("evaluated_alone",): ("osdetect_events_evaluated_alone", "Events judged in process: not percolated."),
    ("deadlettered", "deadlettered_owed"): (
        "osdetect_dead_letters",
        "Events of which a verdict or an alert became a dead letter.",
    ),
    ("candidates",): ("osdetect_candidates", "Pairs of rule and event that were judged exactly."),
    ("matches",): ("osdetect_matches", "Pairs of rule and event that match."),
    ("alerts_created", "groups_created"): ("osdetect_alerts_created", "Alerts that were stored."),
    ("alerts_there",): ("osdetect_alerts_there", "Alerts that an earlier pass had stored already."),
    ("gathered", "shadowed", "excepted"): (
        "osdetect_matches_withheld",
        "Matches that make no alert of their own.",
    ),
}
"""What a pass counts: its names in the report, which are added up, the metric's name, and what it is."""


class Metrics:
    """The numbers of one process. Safe to read while they are written."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        self._counted = {keys: Counter(name, text, registry=own) for keys, (name, text) in _COUNTED.items()}
        self._passes = Counter("osdetect_passes", "Passes, by their outcome.", ["outcome"], registry=own)
        self._seconds = Histogram(
            "osdetect_pass_duration_seconds",
            "How long passes took that were made to their end.",
            buckets=_SECONDS,
            registry=own,
        )
        self._lag_events = Gauge(
            "osdetect_shard_lag_events", "Events not judged yet.", ["index", "shard"], registry=own
        )
        self._lag_seconds = Gauge(
            "osdetect_shard_lag_seconds",
            "Age of the oldest of them; +Inf when some do not say when they came.",
            ["index", "shard"],
            registry=own,
        )
        self._owed = Gauge(
            "osdetect_shard_owed_sequence_numbers",
            "Sequence numbers that rules which were put off must still judge.",
            ["index", "shard"],
            registry=own,
        )
        self._not_counted = Gauge(
            "osdetect_indices_not_counted", "Indices whose shards' lag cannot be counted now.", registry=own
        )
        self._success = Gauge(
            "osdetect_last_success_timestamp_seconds",
            "When the last pass ended without a loss.",
            registry=own,
        )
        self._left = Counter(
            "osdetect_shards_left_to_others", "Shards that another worker had or took.", registry=own
        )
        self._unreadable = Gauge(
            "osdetect_rules_unreadable", "Deployed rules that cannot be read.", registry=own
        )
        self._rules = Gauge("osdetect_rules", "Deployed rules that run.", registry=own)
        self._leases = Counter("osdetect_lease_events", "Leases taken and lost.", ["event"], registry=own)
        self._repeated = Counter(
            "osdetect_requests_retried", "Requests to the cluster that were sent again.", registry=own
        )
        self._repeats_seen = 0
        build = Gauge("osdetect_build_info", "1; its label is the version.", ["version"], registry=own)
        build.labels(version=__version__).set(1)
        for outcome in ("complete", "loss", "failed"):
            self._passes.labels(outcome=outcome)
        for event in ("taken", "lost"):
            self._leases.labels(event=event)

    def pass_ended(self, report: Mapping[str, object], *, lost: bool, seconds: float, ended: float) -> None:
        """Add a pass: its report, whether it lost something, how long it took and when it ended."""
        self.pass_cut_short(report)
        self._left.inc(_number(report.get("left_to_others")))
        for event in ("taken", "lost"):
            self._leases.labels(event=event).inc(_number(report.get(f"leases_{event}")))
        self._rules.set(_number(report.get("rules")))
        unreadable = report.get("rules_unreadable")
        self._unreadable.set(len(unreadable) if isinstance(unreadable, (list, tuple)) else 0)
        self._passes.labels(outcome="loss" if lost else "complete").inc()
        self._seconds.observe(seconds)
        if not lost:
            self._success.set(ended)

    def pass_cut_short(self, report: Mapping[str, object]) -> None:
        """Add what was done by a pass that did not come to its end."""
        for keys, counter in self._counted.items():
            counter.inc(sum(_number(report[key]) for key in keys))

    def pass_failed(self) -> None:
        """Add a pass that the cluster ended."""
        self._passes.labels(outcome="failed").inc()

    def shards(self, found: Lags) -> None:
        """Say how far each shard is behind; of those that are gone, or cannot be counted now, nothing is said any more."""
        for gauge in (self._lag_events, self._lag_seconds, self._owed):
            gauge.clear()
        self._not_counted.set(len(found.without_primary) + len(found.not_counted))
        for one in found.shards:
            place = {"index": one.index, "shard": str(one.shard)}
            self._lag_events.labels(**place).set(one.events)
            self._lag_seconds.labels(**place).set(math.inf if one.ageless else one.seconds or 0.0)
            self._owed.labels(**place).set(one.owed_events)

    def repeated(self, ever: int) -> None:
        """Say how many requests were ever sent again."""
        self._repeated.inc(ever - self._repeats_seen)
        self._repeats_seen = ever

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
