"""What a detector that goes on does beside its passes: marks, metrics, health, and an eye on the other targets."""

import time
from collections.abc import Callable
from datetime import datetime

from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, RunReport
from osdetect.detect.schedule import Schedule
from osdetect.errors import ClusterError, ClusterUnavailable
from osdetect.follow import shards_of
from osdetect.status.cursors import seen_cursors
from osdetect.status.health import Health
from osdetect.status.heartbeat import PassMark, mark_pass, patience_s, raise_alarm, read_marks
from osdetect.status.lag import lags
from osdetect.status.logs import Log
from osdetect.status.metrics import Metrics

_LOOK_S = 60.0
"""How often a worker looks whether another target is late."""


class Tended:
    """Listens to passes (`osdetect.cli.watching.Listener`)."""

    def __init__(
        self,
        cluster: Cluster,
        options: DetectOptions,
        *,
        worker: str,
        schedule: Schedule,
        clock: Callable[[], datetime],
        log: Log,
        metrics: Metrics,
        health: Health,
        count_lag: bool,
    ) -> None:
        """See the class.

        Args:
            cluster: where.
            options: of the passes.
            worker: this process's name.
            schedule: when passes are due.
            clock: gives the time, in UTC.
            log: where to tell what it finds.
            metrics: to be kept up to date.
            health: the same.
            count_lag: whether anybody reads how far the shards are behind: that costs requests.
        """
        self._cluster, self._options, self._worker, self._schedule = cluster, options, worker, schedule
        self._clock, self._log, self._metrics, self._health = clock, log, metrics, health
        self._count_lag = count_lag
        self._looked = time.monotonic() - _LOOK_S

    def pass_started(self) -> None:
        """Nothing to do."""

    def pass_ended(self, report: RunReport, seconds: float) -> None:
        """Leave the mark and bring all up to date. What fails here is told, and the next pass does it again."""
        now = self._clock()
        wait_s = self._schedule.wait_s(now)
        limit_s = wait_s + patience_s(self._schedule.gap_s(now))
        self._health.passed(wait_s)
        self._metrics.pass_ended(report.to_json(), lost=report.lossy, seconds=seconds, ended=now.timestamp())
        self._metrics.repeated(self._cluster.repeated)
        namespace, target = self._options.namespace, self._options.watched()
        try:
            mark_pass(self._cluster, PassMark(namespace, target, now, report.id, self._worker, limit_s))
            if time.monotonic() - self._looked >= _LOOK_S:
                self._looked = time.monotonic()
                self._look_at_others(now)
            if self._count_lag:
                cursors = seen_cursors(self._cluster, namespace)
                shards = shards_of(self._cluster, target)
                # An index that does not answer holds up no pass here either.
                once = self._cluster.asked_once()
                self._metrics.shards(lags(once, target, shards, cursors, now))
        except ClusterError as error:
            self._log.warning("pass not marked", what=error.what, cause=error.cause)

    def pass_cut_short(self, report: RunReport) -> None:
        """Count what was done."""
        self._metrics.pass_cut_short(report.to_json())

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:  # noqa: ARG002  # as `Listener` says
        """Note it."""
        self._health.failed(str(error))
        self._metrics.pass_failed()
        self._metrics.repeated(self._cluster.repeated)

    def _look_at_others(self, now: datetime) -> None:
        for mark in read_marks(self._cluster, self._options.namespace):
            if mark.target == self._options.watched() or not mark.late(now, mark.limit_s):
                continue
            alert = raise_alarm(
                self._cluster, mark.namespace, mark.target, mark, limit_s=mark.limit_s, now=now
            )
            self._log.warning(
                "another target is late",
                late_target=mark.target,
                last_pass=mark.ended.isoformat(),
                alert=alert or "there already",
            )
