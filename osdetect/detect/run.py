"""A detector: passes over a target, one after another, by what is deployed at each one's beginning.

Killed anywhere, the next pass begins at the cursors: it may judge events again, whose alerts are there already
(`create`, 409), and it never skips one.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from osdetect.cluster import Cluster, refresh
from osdetect.cluster.background import in_background
from osdetect.detect.lanes import Pass, Progress, Work
from osdetect.detect.methods import Finder
from osdetect.detect.options import DetectOptions
from osdetect.detect.release import Release, live_shards, read_release
from osdetect.detect.report import RunReport
from osdetect.detect.run_document import RunDocument
from osdetect.detect.turns import Turns
from osdetect.detect.watched import Target
from osdetect.documents.state import DETECT
from osdetect.documents.told import RunReference
from osdetect.errors import ClusterError, ClusterRefused
from osdetect.follow import Shard

Clock = Callable[[], datetime]
Tell = Callable[[int, int], None]


class Detector:
    """Makes passes; keeps the rules and what was learned of their costs while the same release is live."""

    def __init__(self, cluster: Cluster, options: DetectOptions, clock: Clock) -> None:
        """See the class.

        Args:
            cluster: where.
            options: which events, which namespace.
            clock: gives the time, in UTC.
        """
        self._cluster, self._options, self._clock = cluster, options, clock
        self._follower = options.follower(cluster, DETECT, clock)
        self._turns = Turns(self._follower.worker)
        self._live: tuple[tuple[Shard, ...], Release, Finder] | None = None

    def make_pass(
        self, run_id: str, on_progress: Tell, on_unfinished: Callable[[RunReport], object] = bool
    ) -> RunReport:
        """Judge every event that is new since the last pass.

        Args:
            run_id: the run's name; it goes into its alerts.
            on_progress: called with sequence numbers passed and sequence numbers to pass, over all shards.
            on_unfinished: told what was done by a pass that an error, or whatever `on_progress` raises, ends before its end.

        Raises:
            ClusterRefused: nothing is deployed, or a right is missing.
            ClusterUnavailable: the cluster went away; what was done stays done, the rest is for the next run.
        """
        checked = in_background(partial(require_templates, self._cluster))
        target = Target.look(self._cluster, self._options.watched())
        release, finder = self._rules()
        checked.result()
        started = self._clock()
        work = Work(
            cluster=self._cluster,
            options=self._options,
            release=release,
            finder=finder,
            run=RunReference(run_id, started),
            clock=self._clock,
            progress=Progress(on_progress),
        )
        taken, lost = self._follower.taken, self._follower.lost
        made = Pass(work, self._follower, self._turns)
        document = RunDocument(self._cluster, self._options, DETECT, started, self._clock)
        try:
            made.make(target, self._stands)
        except BaseException as error:
            report = self._report(work, made, taken, lost)
            on_unfinished(report)
            document.store_cut_short(report, error)
            raise
        report = self._report(work, made, taken, lost)
        try:
            document.store(report)
        except ClusterError:
            on_unfinished(report)
            raise
        return report

    def _report(self, work: Work, made: Pass, taken: int, lost: int) -> RunReport:
        """What the pass did; `taken` and `lost` are the leases before it."""
        release = work.release
        return RunReport(
            id=work.run.id,
            ruleset=release.name,
            rules=len(release.rules),
            rules_off=len(release.switched_off),
            unreadable=release.unreadable,
            shards=made.shards,
            left_to_others=len(made.left_to_others),
            leases_taken=self._follower.taken - taken,
            leases_lost=self._follower.lost - lost,
            put_off=tuple(sorted(made.put_off)),
            counts=made.counts,
            passed_over=made.passed_over,
            not_judged=made.not_judged,
            again_soon=made.again_soon,
            look_again_s=self._follower.expiring_s(made.left_to_others),
        )

    def _rules(self) -> tuple[Release, Finder]:
        """The live release, read again only when another is live or the index was written to."""
        stands = live_shards(self._cluster)
        if self._live is None or self._live[0] != stands:
            # A deploy that mends the live release may have written to it and not made that visible yet.
            refresh(self._cluster, stands[0].index)
            release = read_release(self._cluster, stands[0].index)
            self._live = stands, release, Finder(self._cluster, release, self._options.method)
        return self._live[1], self._live[2]

    def _stands(self) -> bool:
        """Whether the release that was read last is live and was not written to since."""
        return self._live is not None and self._live[0] == live_shards(self._cluster)


def detect_once(
    cluster: Cluster, options: DetectOptions, *, run_id: str, clock: Clock, on_progress: Tell
) -> RunReport:
    """One pass of a detector that makes no other; see `Detector.make_pass`."""
    return Detector(cluster, options, clock).make_pass(run_id, on_progress)


def require_templates(cluster: Cluster) -> None:
    """Alerts must never be written into an index that OpenSearch maps by guessing.

    Raises:
        ClusterRefused: the alerts template is not installed.
    """
    reply = cluster.request("GET", "/_index_template/osdetect-alerts", accept=(404,))
    if "index_templates" not in reply:
        raise ClusterRefused("the alerts template is not installed", cure="install it: osdetect deploy")
