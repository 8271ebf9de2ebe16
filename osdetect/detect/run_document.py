"""What a run did, kept in the cluster."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import msgspec

from osdetect.cluster import Cluster
from osdetect.cluster.background import in_background
from osdetect.detect.options import DetectOptions
from osdetect.detect.report import RunReport
from osdetect.errors import ClusterError, ClusterUnavailable
from osdetect.follow import AT_ONCE_S
from osdetect.vocabulary import RUNS_PREFIX


class RunDocument(msgspec.Struct, frozen=True):
    """The document of one run that is under way."""

    cluster: Cluster
    options: DetectOptions
    """What is watched."""
    purpose: str
    """`detect` or `backfill`."""
    started: datetime
    clock: Callable[[], datetime]

    def store(self, report: RunReport, *, finished: bool = True) -> None:
        """Keep what the run did, which ends now; an idle run that found all in order is not kept.

        Args:
            report: what it did.
            finished: whether it came to its end.

        Raises:
            ClusterError: it could not be stored.
        """
        if report.idle:
            return
        ended = self.clock()
        source = {
            "@timestamp": ended.isoformat(),
            "run": {
                "id": report.id,
                "purpose": self.purpose,
                "namespace": self.options.namespace,
                "target": self.options.watched(),
                "ruleset": report.ruleset,
                "started": self.started.isoformat(),
                "ended": ended.isoformat(),
                "outcome": "loss" if report.lossy else "complete" if finished else "interrupted",
                "rules": report.rules,
                "rules_off": report.rules_off,
                "rules_unreadable": len(report.unreadable),
                "rules_put_off": len(report.put_off),
                "passed_over": report.passed_over,
                "shards_not_judged": len(report.not_judged),
                "shards": report.shards,
                **report.counts.to_json(),
            },
        }
        self.cluster.create_document(f"{RUNS_PREFIX}{ended.strftime('%Y.%m')}", report.id, source)

    def store_cut_short(self, report: RunReport, error: BaseException) -> None:
        """Keep what was done by a run that the error ends, if it can be kept: the error is what is told.

        A cluster that is away takes no run, and whoever ends at once waits a second for it.
        """
        if isinstance(error, ClusterUnavailable):
            return
        storing = in_background(partial(self.store, report, finished=False))
        with suppress(ClusterError, TimeoutError):
            storing.result(None if isinstance(error, Exception) else AT_ONCE_S)
