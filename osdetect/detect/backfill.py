"""History judged by deployed rules, beside the live loop: the same alerts with the same ids, from cursors of its own.

A job is what is judged by which rules. Its cursors are its own, so it goes on where it was interrupted, several workers share
it as they share the live loop, and the live cursors never move. It is done when all that was stored when it began is judged, by
whichever worker: each ends then, and not before. It waits while a live worker is at work.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.detect.by_search import UNSTAMPED, in_time, searchable
from osdetect.detect.factored import Query
from osdetect.detect.hunt import Span, in_span, readable_shards
from osdetect.detect.interrupted import go_on
from osdetect.detect.lanes import Progress, Work, judge_batch
from osdetect.detect.methods import Finder
from osdetect.detect.options import DetectOptions
from osdetect.detect.release import Release, live_index, previous_index, read_release
from osdetect.detect.report import Counts, RunReport
from osdetect.detect.run import require_templates
from osdetect.detect.run_document import RunDocument
from osdetect.documents.state import DETECT
from osdetect.documents.told import RunReference
from osdetect.errors import ClusterBusy, ClusterError, IndexAway, IndexRefused, UsageError
from osdetect.follow import Held, Shard, Waiting, Wanted, number_of, shards_of

_LOOK_S = 2.0
"""How often it is seen whether a live worker is at work."""
_WAIT_S = 0.5
"""Between two looks at a live worker, or at shards that other workers of the job hold."""
_SHARE = "leave out --again to share its work"
_LONGEST_WAIT_S = 60.0
"""Waiting for a live worker ends after this; the next batch waits again."""


class BackfillOptions(msgspec.Struct, frozen=True):
    """What is judged again, and how fast."""

    start: datetime | None = None
    """Only events at this time or later; None: from the first."""
    end: datetime | None = None
    """Only events before this time; None: to the last."""
    rules: tuple[str, ...] = ()
    """Ids or titles of the rules to judge by; empty: all."""
    new_rules: bool = False
    """Only the rules that the release before the live one did not have, or had otherwise."""
    events_per_s: float = 0.0
    """At most so many events a second by this worker; 0: as fast as it goes."""
    again: bool = False
    """Judge also what the job has judged before: it begins anew."""

    @property
    def span(self) -> Span:
        """The events' own times."""
        return Span(self.start, self.end)

    def query(self) -> Query | None:
        """A query for the events of that time, and of no known time, in an index with our mapping; None for all."""
        bounds = self.span.bounds()
        return in_time(["@timestamp"], bounds, UNSTAMPED) if bounds else None


class Backfill:
    """One job."""

    def __init__(
        self,
        cluster: Cluster,
        detect: DetectOptions,
        options: BackfillOptions,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """See the class.

        Args:
            cluster: where.
            detect: which events, which namespace, which worker.
            options: which of them, by which rules.
            clock: gives the time, in UTC.
            sleep: waits so many seconds.

        Raises:
            UsageError: a rule is not deployed, or there is no release to compare with.
            ClusterError: the deployed rules cannot be read.
        """
        self._cluster, self._detect, self._options = cluster, detect, options
        self._clock, self._sleep = clock, sleep
        self.release = _chosen(cluster, options)
        self.job = _job_name(self.release, detect, options)
        self._follower = detect.follower(cluster, f"backfill-{self.job}", clock)
        self._live = detect.follower(cluster, DETECT, clock)
        self._finder = Finder(cluster, self.release, detect.method)
        self._looked = -_LOOK_S
        self._counts = Counts()
        self._others: set[str] = set()
        """Ids of cursors of shards that other workers of the job ended."""
        self._refused: dict[str, ClusterError] = {}
        """Indices that the cluster does not let be read, or that do not answer, and why."""
        self.waited_s = 0.0
        """How long the live loop was let go first, in seconds."""

    def run(
        self,
        run_id: str,
        on_progress: Callable[[int, int], None],
        on_unfinished: Callable[[RunReport], object] = bool,
    ) -> RunReport:
        """Judge what the job has not judged yet, and wait for what other workers of the job are at.

        Args:
            run_id: the run's name; it goes into its alerts.
            on_progress: called with sequence numbers passed and sequence numbers to pass, over all shards.
            on_unfinished: told what was done by a run that an error or a signal ends before its end.

        Raises:
            ClusterBusy: the job is to begin anew while another worker is at it.
            ClusterError: the cluster could not be asked; run it again, it goes on from the same place.
        """
        require_templates(self._cluster)
        started = self._clock()
        shards, not_judged = readable_shards(self._cluster, self._detect.watched())
        work = Work(
            cluster=self._cluster,
            options=self._detect,
            release=self.release,
            finder=self._finder,
            run=RunReference(run_id, started),
            clock=self._clock,
            progress=Progress(on_progress),
        )
        document = RunDocument(self._cluster, self._detect, "backfill", started, self._clock)
        self._counts, self._others, self._refused = Counts(), set(), {}
        try:
            if self._options.again:
                self._begin_anew(shards)
            self._to_the_end(work, shards)
        except BaseException as error:
            report = self._report(run_id, shards, not_judged)
            on_unfinished(report)
            document.store_cut_short(report, error)
            raise
        report = self._report(run_id, shards, not_judged)
        document.store(report)
        return report

    def _report(
        self, run_id: str, shards: Sequence[Shard], not_judged: tuple[ClusterError, ...]
    ) -> RunReport:
        return RunReport(
            id=run_id,
            ruleset=self.release.name,
            rules=len(self.release.rules),
            rules_off=len(self.release.switched_off),
            unreadable=self.release.unreadable,
            shards=len(shards),
            left_to_others=len(self._others),
            put_off=(),
            counts=self._counts,
            not_judged=(*not_judged, *self._refused.values()),
        )

    def _begin_anew(self, shards: tuple[Shard, ...]) -> None:
        """Put the job's cursors before the first event, and do what their last workers left half done.

        Raises:
            ClusterBusy: another worker is at the job.
        """
        begun = [one for one in self._follower.look(shards) if one.version is not None]

        def put_back(held: Held) -> None:
            held.move(-1)

        absent = self._follower.elsewhere(shards)
        for one in (*begun, *absent):  # before any is touched
            self._refuse_if_busy(one)
        for one in absent:  # they are judged from their beginning as well, when they are there again
            if not self._follower.put_back(one):
                raise ClusterBusy("another worker is at this job: it cannot begin anew", cure=_SHARE)
        for one in begun:
            try:
                if not self._follower.hold(one, partial(self._go_on, put_back)):
                    self._refuse_if_busy(*self._follower.look([one.shard]))
            except (IndexRefused, IndexAway):  # that it cannot be read is met and named again
                self._follower.put_back(*self._follower.look([one.shard]))

    def _refuse_if_busy(self, waiting: Waiting) -> None:
        lease = waiting.cursor.lease
        if lease is not None and not self._follower.may_take(waiting):
            raise ClusterBusy(
                f"{lease.worker} is at this job: it cannot begin anew",
                cause=f"it holds shard {waiting.shard.number} of {waiting.shard.index}",
                cure=f"{_SHARE}; if it was killed, wait until its lease is over (twice --lease)",
            )

    def _to_the_end(self, work: Work, shards: tuple[Shard, ...]) -> None:
        """Judge what no other worker judges, until all is judged that can be read.

        Raises:
            IndexRefused: nothing can.
            IndexAway: the same.
            ClusterUnavailable: the cluster is away.
        """
        judge = partial(self._go_on, partial(self._judge, work))

        def ours_to_the_end(one: Waiting) -> bool:
            if one.shard.index in self._refused:
                return False
            try:
                return self._follower.hold(one, judge)
            except (IndexRefused, IndexAway) as error:
                self._refused[one.shard.index] = error
                if self._refused.keys() >= {shard.index for shard in shards}:
                    raise
                return False

        work.progress.more(sum(one.behind for one in self._follower.look(shards)))
        while waiting := self._behind([shard for shard in shards if shard.index not in self._refused]):
            ours = {one.cursor.id for one in waiting if ours_to_the_end(one)}
            theirs = {one.cursor.id for one in waiting if one.shard.index not in self._refused}
            self._others = (self._others | theirs) - ours
            if not ours:
                self._sleep(_WAIT_S)
        work.progress.finish()

    def _go_on(self, work: Callable[[Held], None], held: Held) -> None:
        """Do the work, and what the last worker at the shard may have left half done."""
        settled = go_on(self._cluster, self._detect.namespace, held, work, clock=self._clock)
        self._counts += settled

    def _behind(self, shards: Sequence[Shard]) -> list[Waiting]:
        """Those that are not judged as far as they were written when the job was begun by this worker."""
        return [one for one in self._follower.look(shards) if one.behind]

    def _judge(self, work: Work, held: Held) -> None:
        dialect = self.release.dialect
        for wanted in self._parts(held):
            self._let_live_go_first()
            began, judged = time.monotonic(), 0
            for batch in self._finder.batches(wanted):
                candidates = in_span(batch.candidates, self._options.span, dialect)
                self._counts += judge_batch(work, held, replace(batch, candidates=candidates), None)
                if not self._move(work, held, batch.upto):
                    return
                judged += batch.events
                self._slow_down(judged, began)
                self._let_live_go_first()
            if not self._move(work, held, wanted.upto):
                return

    def _parts(self, held: Held) -> Iterator[Wanted]:
        """What is to be judged of the shard; with a rate, a second's worth of events at a time: a batch may be far more."""
        shard = held.shard
        query = self._options.query() if searchable(self._cluster, shard.index) else None
        left = Wanted(shard, held.cursor.seq_no, shard.checkpoint, query)
        rate = self._options.events_per_s
        while left.after < left.upto:
            upto = number_of(self._cluster, left, max(1, int(rate))) if rate else left.upto
            yield replace(left, upto=upto)
            left = replace(left, after=upto)

    def _move(self, work: Work, held: Held, seq_no: int) -> bool:
        passed = seq_no - held.cursor.seq_no
        if passed and not held.move(seq_no):
            return False
        work.progress.add(passed)
        return True

    def _slow_down(self, judged: int, began: float) -> None:
        if self._options.events_per_s:
            ahead = judged / self._options.events_per_s - (time.monotonic() - began)
            if ahead > 0:
                self._sleep(ahead)

    def _let_live_go_first(self) -> None:
        """Wait while a live worker holds a shard that has something new."""
        if time.monotonic() - self._looked < _LOOK_S:
            return
        until = time.monotonic() + _LONGEST_WAIT_S
        while time.monotonic() < until and self._live_is_at_work():
            self._sleep(_WAIT_S)
            self.waited_s += _WAIT_S
        self._looked = time.monotonic()

    def _live_is_at_work(self) -> bool:
        shards: tuple[Shard, ...] = shards_of(self._cluster, self._detect.watched())
        return any(
            one.behind and one.cursor.lease is not None and not self._live.may_take(one)
            for one in self._live.look(shards)
        )


def _chosen(cluster: Cluster, options: BackfillOptions) -> Release:
    """The live release with just the rules to judge by."""
    index = live_index(cluster)
    release = read_release(cluster, index)
    rules = release.rules
    if options.new_rules:
        before = previous_index(cluster, index)
        if before is None:
            raise UsageError(
                "there is no earlier release to compare the live one with",
                cure="leave out --new-rules to judge by every rule, or name some with --rules",
            )
        old = {rule.id: rule.hash for rule in read_release(cluster, before).rules.values()}
        rules = {name: rule for name, rule in rules.items() if old.get(name) != rule.hash}
    if options.rules:
        rules = _named(rules, options.rules)
    return replace(release, rules=rules)


def _named(rules: Any, names: tuple[str, ...]) -> dict[str, Any]:
    found = {
        key: rule for key, rule in rules.items() if key in names or rule.words["rule"].get("name") in names
    }
    called = {word for key, rule in found.items() for word in (key, rule.words["rule"].get("name"))}
    unknown = [name for name in names if name not in called]
    if unknown:
        raise UsageError(
            f"no deployed rule has the id or title {unknown[0][:100]!r}",
            cure="deploy it first; or see the deployed ones in the index osdetect-rules",
        )
    return found


def _job_name(release: Release, detect: DetectOptions, options: BackfillOptions) -> str:
    """The same events and the same rules are the same job."""
    said = [
        detect.watched(),
        str(options.start and options.start.astimezone(UTC)),
        str(options.end and options.end.astimezone(UTC)),
        *sorted(f"{rule.id}:{rule.hash}" for rule in release.rules.values()),
    ]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:12]
