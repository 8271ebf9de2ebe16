"""One pass over a target: for each shard, judge what is new, store the alerts, and only then move the cursor.

Killed anywhere, the next pass begins at the cursor: it may judge events again, whose alerts are there already
(`create`, 409), and it never skips one.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from osdetect.cluster import Cluster, ItemOutcome, create_action
from osdetect.cluster.background import in_background
from osdetect.detect.judge import Alert, judge
from osdetect.detect.losses import RefusedAlert, store_dead_letters
from osdetect.detect.percolate import Percolator
from osdetect.detect.release import Release, live_release
from osdetect.detect.report import Counts, RunReport
from osdetect.documents.alert import RunReference
from osdetect.documents.state import DETECT
from osdetect.errors import ClusterRefused, ClusterUnavailable
from osdetect.follow import (
    Follower,
    Held,
    StoredEvent,
    Waiting,
    make_visible,
    pages,
    reached,
    shards_of,
    this_worker,
)
from osdetect.vocabulary import DEFAULT_NAMESPACE, EVENTS_PREFIX, RUNS_PREFIX

Clock = Callable[[], datetime]
Progress = Callable[[int, int], None]

_ALERT_BATCH = 1_000
_SENDERS = 2
"""Bulk requests of a page's alerts under way at once."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """What a detector watches, and where its alerts go."""

    namespace: str = DEFAULT_NAMESPACE
    """Names the alerts' indices and the detector's cursors."""
    target: str = ""
    """Index, pattern or alias to watch; empty: the events that `osdetect load` stored in the namespace."""
    worker: str = ""
    """This detector's own name; empty: this process's. No two that run at once may share it."""
    lease_s: float = 30.0
    """How long a shard stays with a worker that says nothing more, in seconds."""

    def watched(self) -> str:
        """The target, or the default one."""
        return self.target or f"{EVENTS_PREFIX}{self.namespace}-*"


@dataclass(frozen=True, slots=True)
class _Run:
    """What every step of a run needs."""

    id: str
    cluster: Cluster
    options: DetectOptions
    release: Release
    percolator: Percolator
    clock: Clock


def detect_once(
    cluster: Cluster, options: DetectOptions, *, run_id: str, clock: Clock, on_progress: Progress
) -> RunReport:
    """Judge every event that is new since the last pass.

    Args:
        cluster: where.
        options: which events, which namespace.
        run_id: the run's name; it goes into its alerts.
        clock: gives the time, in UTC.
        on_progress: called with sequence numbers passed and sequence numbers to pass, over all shards.

    Raises:
        ClusterRefused: nothing is deployed, or a right is missing.
        ClusterUnavailable: the cluster went away; what was done stays done, the rest is for the next run.
    """
    release = live_release(cluster)
    run = _Run(run_id, cluster, options, release, Percolator(cluster, release), clock)
    _require_templates(cluster)
    started = clock()
    shards = shards_of(cluster, options.watched())
    make_visible(cluster, shards)
    follower = Follower(
        cluster,
        purpose=DETECT,
        namespace=options.namespace,
        worker=options.worker or this_worker(),
        lease_s=options.lease_s,
        clock=clock,
    )
    work = [one for one in follower.look(shards) if one.has_work]
    progress = _Progress(on_progress, sum(one.behind for one in work))
    counts, left_to_others = Counts(), 0
    for one in work:
        done, ours = _judge_waiting(run, follower, one, progress)
        counts += done
        left_to_others += not ours
    progress.finish()
    report = RunReport(
        id=run_id,
        ruleset=run.release.name,
        rules=len(run.release.rules),
        unreadable=run.release.unreadable,
        shards=len(shards),
        left_to_others=left_to_others,
        counts=counts,
    )
    _store_run(run, report, started)
    return report


class _Progress:
    """Adds up what the shards pass."""

    def __init__(self, tell: Progress, total: int) -> None:
        self._tell, self._total, self._passed = tell, total, 0

    def add(self, passed: int) -> None:
        self._passed += passed
        self._tell(self._passed, self._total)

    def finish(self) -> None:
        self._tell(self._total, self._total)


def _require_templates(cluster: Cluster) -> None:
    """Alerts must never be written into an index that OpenSearch maps by guessing."""
    reply = cluster.request("GET", "/_index_template/osdetect-alerts", accept=(404,))
    if "index_templates" not in reply:
        raise ClusterRefused("the alerts template is not installed", cure="install it: osdetect deploy")


def _judge_waiting(
    run: _Run, follower: Follower, waiting: Waiting, progress: _Progress
) -> tuple[Counts, bool]:
    """What was done in the shard, and whether it was ours to the end."""
    held = follower.take(waiting)
    if held is None:
        return Counts(), False
    try:
        with held.renewing():
            counts = _judge_shard(run, held, progress)
    except ClusterUnavailable:
        raise  # the lease expires by itself: a cluster that is away takes no release either
    except BaseException:
        held.release()
        raise
    return counts, held.release()


def _judge_shard(run: _Run, held: Held, progress: _Progress) -> Counts:
    counts, shard = Counts(), held.shard
    for page in pages(run.cluster, shard, held.cursor.seq_no, shard.checkpoint):
        reached("page-read")
        counts += _judge_page(run, page)
        if not _move(held, page[-1].at.seq_no, progress):
            return counts
    _move(held, shard.checkpoint, progress)  # the last numbers may be of documents that are deleted
    return counts


def _move(held: Held, seq_no: int, progress: _Progress) -> bool:
    passed = seq_no - held.cursor.seq_no
    if passed == 0:
        return True
    reached("before-move")
    if not held.move(seq_no):
        return False
    reached("after-move")
    progress.add(passed)
    return True


def _judge_page(run: _Run, page: Sequence[StoredEvent]) -> Counts:
    """Judge the events of a page and store what follows from it. Raising leaves the cursor before the page."""
    dialect = run.release.dialect
    if dialect.json_text:
        page = [replace(event, source=dialect.opened(event.source)) for event in page]
    alone_before = run.percolator.evaluated_alone
    pairs = run.percolator.candidates(page)
    reached("candidates-found")
    reference = RunReference(run.id, run.clock())
    seen, alerts, unjudged = judge(pairs, run.release, run.options.namespace, reference)
    outcomes = _store_alerts(run.cluster, alerts)
    reached("alerts-stored")
    refused = [(alert, outcome) for alert, outcome in zip(alerts, outcomes, strict=True) if outcome.failed]
    _require_alert_space(refused)
    store_dead_letters(run.cluster, run.options.namespace, refused, unjudged, run.clock())
    lost = {one.candidate[0].at.seq_no for one in unjudged}
    lost |= {alert.source["osdetect"]["source"]["seq_no"] for alert, _ in refused}
    return Counts(
        events=len(page),
        judged=len(page) - len(lost),
        deadlettered=len(lost),
        evaluated_alone=run.percolator.evaluated_alone - alone_before,
        candidates=seen,
        matches=len(alerts),
        alerts_created=sum(outcome.created for outcome in outcomes),
        alerts_there=sum(outcome.exists for outcome in outcomes),
    )


def _store_alerts(cluster: Cluster, alerts: Sequence[Alert]) -> list[ItemOutcome]:
    """Store the alerts; all requests are answered when this returns. The outcomes are in the same order."""
    if not alerts:
        return []

    def send(start: int) -> tuple[ItemOutcome, ...]:
        batch = alerts[start : start + _ALERT_BATCH]
        return cluster.bulk([create_action(alert.index, alert.id, alert.source) for alert in batch])

    outcomes: list[ItemOutcome] = []
    under_way: deque[Future[tuple[ItemOutcome, ...]]] = deque()
    for start in range(0, len(alerts), _ALERT_BATCH):
        if len(under_way) == _SENDERS:
            outcomes += under_way.popleft().result()
        under_way.append(in_background(partial(send, start)))
    for sent in under_way:
        outcomes += sent.result()
    return outcomes


def _require_alert_space(refused: Sequence[RefusedAlert]) -> None:
    """A refusal that is not for what the alert holds would hit all later alerts too: they must not become dead letters.

    Raises:
        ClusterRefused: there is one.
    """
    for alert, outcome in refused:
        if not outcome.blames_document:
            raise ClusterRefused(
                f"the cluster does not take alerts into {alert.index}",
                cause=f"{outcome.error_type}: {outcome.reason}",
                cure="run the command again when that is mended: it goes on from the same place",
            )


def _store_run(run: _Run, report: RunReport, started: datetime) -> None:
    """Keep what the run did; an idle run that found all in order is not kept."""
    if not report.counts.events and not report.unreadable:
        return
    ended = run.clock()
    source = {
        "@timestamp": ended.isoformat(),
        "run": {
            "id": run.id,
            "namespace": run.options.namespace,
            "target": run.options.watched(),
            "ruleset": report.ruleset,
            "started": started.isoformat(),
            "ended": ended.isoformat(),
            "outcome": "loss" if report.counts.deadlettered or report.unreadable else "complete",
            "rules": report.rules,
            "rules_unreadable": len(report.unreadable),
            "shards": report.shards,
            **report.counts.to_json(),
        },
    }
    run.cluster.create_document(f"{RUNS_PREFIX}{ended.strftime('%Y.%m')}", run.id, source)
