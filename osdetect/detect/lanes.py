"""The two lanes of a pass: what is new, for all rules; then what rules were put off for, while nothing new waits."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.cluster.background import in_background
from osdetect.detect.beginning import last_before
from osdetect.detect.flood import Flood
from osdetect.detect.in_process import Candidate
from osdetect.detect.interrupted import Interrupted, go_on
from osdetect.detect.judge import Alert, Withheld, judge
from osdetect.detect.methods import SMALLEST_WINDOW, Batch, Finder
from osdetect.detect.options import DetectOptions
from osdetect.detect.release import Release
from osdetect.detect.report import Counts
from osdetect.detect.schedule import LONGEST_PAUSE_S
from osdetect.detect.storing import Storing
from osdetect.detect.turns import Turns
from osdetect.detect.watched import Target, require_some
from osdetect.documents.state import Owed
from osdetect.documents.told import RunReference
from osdetect.errors import ClusterError, ClusterUnavailable, IndexAway, IndexRefused
from osdetect.follow import (
    Follower,
    Held,
    Shard,
    Waiting,
    Wanted,
    reached,
)

LIVE_S = 2.0
"""What is owed is paid for so long at most before it is seen whether something new came."""


class Progress:
    """Adds up the sequence numbers that are passed."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell, self._total, self._passed = tell, 0, 0

    def more(self, numbers: int) -> None:
        """So many more are to be passed."""
        self._total += numbers

    def add(self, passed: int) -> None:
        """So many were passed; none, to say that it goes on."""
        self._passed += passed
        self._tell(min(self._passed, self._total), self._total)

    def finish(self) -> None:
        """All are."""
        self._tell(self._total, self._total)


class Work(msgspec.Struct, frozen=True):
    """What every step of a pass needs."""

    cluster: Cluster
    options: DetectOptions
    release: Release
    finder: Finder
    run: RunReference
    clock: Callable[[], datetime]
    progress: Progress


def judge_batch(work: Work, held: Held, batch: Batch, flood: Flood | None) -> Counts:
    """Judge a batch and store all that follows from it, as alerts and dead letters.

    Args:
        work: the rules, and where alerts go.
        held: the shard of the events; it is under way until its cursor is moved.
        batch: the events and their candidates.
        flood: which rules are put off; None: none is.

    Raises:
        IndexAway: something cannot be stored now: nothing may move behind the batch.
        ClusterError: something cannot be stored; the same.
    """
    held.begin()
    alone_before = work.finder.evaluated_alone
    storing = Storing(work.cluster, work.options.namespace, work.clock)
    candidates: Iterator[Candidate] = iter(batch.candidates)
    if flood is not None:
        candidates = (pair for pair in candidates if not flood.puts_off(pair[1]))
    for verdict in judge(candidates, work.release, work.options.namespace, work.run):
        if flood is not None and isinstance(verdict, (Alert, Withheld)):
            flood.matched(verdict.rule_id)
        storing.add(verdict)
    reached("candidates-found")
    counts = storing.finish(batch.events)
    reached("alerts-stored")
    return replace(counts, evaluated_alone=work.finder.evaluated_alone - alone_before)


class Pass:
    """One pass over the target; counts what it did."""

    def __init__(self, work: Work, follower: Follower, turns: Turns) -> None:
        self._work, self._follower, self._turns = work, follower, turns
        self._parts: dict[frozenset[str], Work] = {}
        self.counts = Counts()
        self.shards = 0
        self.left_to_others: set[str] = set()
        """Ids of cursors of shards that another worker holds, or took from this one."""
        self._flooded = False
        self.put_off: set[str] = set()
        """Rules that were put off."""
        self.passed_over = 0
        """Sequence numbers before `DetectOptions.since`."""
        self._hidden: dict[str, ClusterError] = {}
        """Indices that cannot be read, and why."""
        self._away: dict[str, tuple[Shard, IndexAway]] = {}
        """Indices that did not answer, or whose alerts' did not, a shard of each, and why; they are left alone in this pass."""
        self._away_since = 0.0
        self._unfinished: dict[str, ClusterError] = {}
        """By the ids of their cursors shards that are no more and could not be finished, and why."""

    @property
    def not_judged(self) -> tuple[ClusterError, ...]:
        """What was the matter with indices of which not all could be done."""
        away = (
            ClusterUnavailable(f"{index} cannot be judged now", cause=str(error), cure=error.cure)
            for index, (_, error) in self._away.items()
        )
        return (*self._hidden.values(), *away, *self._unfinished.values())

    @property
    def again_soon(self) -> bool:
        """Whether a part may be had again at any time."""
        return any(isinstance(error, ClusterUnavailable) for error in self.not_judged)

    def make(self, first: Target, stands: Callable[[], bool]) -> None:
        """Judge what is new; pay what is owed; between, look for what is new again.

        An event that came after a deploy meets what was deployed.

        Args:
            first: the target as it was before the rules were read.
            stands: whether those rules are live yet; if not, what is new and what is owed yet are for the next pass.

        Raises:
            ClusterUnavailable: the cluster is away, or every index of the target; the next pass goes on from there.
            ClusterError: the cluster could not be asked; what was done stays done.
        """
        try:
            self._make(first, stands)
        except ClusterUnavailable:
            self._away.clear()  # an outage is no loss: the next pass judges all of it
            raise

    def _make(self, first: Target, stands: Callable[[], bool]) -> None:
        target, owing = first, self._live(first)
        while owing and self._pay_each(owing) and not self._is_to_end():
            target = Target.look(self._work.cluster, self._work.options.watched())
            if not stands():
                break
            owing = self._live(target)
        self._turns.ended(shard.index_uuid for shard, _ in self._away.values())
        if self._away and self._away.keys() | self._hidden.keys() >= {one.index for one in target.shards}:
            raise next(iter(self._away.values()))[1]
        self._work.progress.finish()

    def _is_to_end(self) -> bool:
        """Whether to leave the rest to the next pass: an index that did not answer was left alone for long enough."""
        return bool(self._away) and time.monotonic() - self._away_since > LONGEST_PAUSE_S

    def _live(self, target: Target) -> tuple[Waiting, ...]:
        """Judge what is new in each shard; those that owe something then."""
        shards = self._turns.turned(target.shards)
        left = in_background(partial(self._follower.left_behind, shards))
        looked = self._follower.look(shards)
        self._hidden = target.hidden.result()
        self.shards = len(shards)
        work = [one for one in looked if one.has_work and self._may_be_read(one)]
        partly_kept = self._work.finder.readable.partial(one.shard for one in work)
        self._hidden |= partly_kept
        as_made = {index for index, why in partly_kept.items() if isinstance(why, IndexRefused)}
        work = [one for one in work if self._may_be_read(one)]
        self._flooded = False
        self._work.progress.more(sum(one.behind for one in work))
        self._each((one for one in work if one.behind), self._judge)
        self._finish_each(left.result())
        require_some(shards, self._hidden, as_made)
        if not (self._flooded or any(one.cursor.owed for one in work)):
            return ()
        looked = self._follower.look(shards)
        return tuple(one for one in looked if one.cursor.owed and self._may_be_read(one))

    def _may_be_read(self, one: Waiting) -> bool:
        """Whether nothing in this pass spoke against it."""
        return one.shard.index not in self._hidden and one.shard.index not in self._away

    def _each(self, shards: Iterable[Waiting], do: Callable[[Waiting], bool]) -> bool:
        """Do it for each; whether it was done for any. An index that does not answer keeps no other from being judged.

        Args:
            shards: some.
            do: what; whether it was done.

        Raises:
            ClusterUnavailable: it is the cluster that does not answer.
        """
        any_done = False
        for one in shards:
            if not self._may_be_read(one):
                continue
            try:
                self._turns.require(self._work.cluster, one.shard)
                any_done = do(one) or any_done
            except IndexRefused as error:
                self._hidden[one.shard.index] = error
            except IndexAway as error:
                self._away_since = time.monotonic()
                self._away[one.shard.index] = one.shard, error
                self._work.progress.add(0)
        return any_done

    def _judge(self, one: Waiting) -> bool:
        """Judge what is new in a shard; whether it was ours to the end."""
        if one.version is not None and not one.cursor.owed and self._follower.may_take(one):
            # While the lease is taken: mostly nobody else wants it.
            self._work.finder.begin(Wanted(one.shard, one.cursor.seq_no, one.shard.checkpoint))
        return self._hold(one, self._judge_new)

    def _finish_each(self, left: Iterable[Waiting]) -> None:
        """Do what is left to do for shards that are no more; what cannot be done now is tried again, and holds up nothing."""
        for one in left:
            try:
                self._follower.hold(one, self._finish)
            except ClusterError as error:
                self._unfinished[one.cursor.id] = error
                if isinstance(error, ClusterUnavailable):
                    return
            else:
                self._unfinished.pop(one.cursor.id, None)

    def _hold(self, waiting: Waiting, work: Callable[[Held], None]) -> bool:
        """Do the work on the shard if it can be had and its index can be read; whether it was ours to the end."""
        ours = self._follower.hold(waiting, partial(self._go_on, work))
        if ours:
            self.left_to_others.discard(waiting.cursor.id)
        else:
            self.left_to_others.add(waiting.cursor.id)
        return ours

    def _go_on(self, work: Callable[[Held], None], held: Held) -> None:
        """Do the work, and what the last worker at the shard may have left half done."""
        settled = go_on(self._work.cluster, self._work.options.namespace, held, work, clock=self._work.clock)
        self.counts += settled

    def _finish(self, held: Held) -> None:
        """Do what is left to do for a shard that is no more."""
        namespace, clock = self._work.options.namespace, self._work.clock
        self.counts += Interrupted(self._work.cluster, namespace, held, clock).settle()

    def _judge_new(self, held: Held) -> None:
        flood = Flood(held.cursor.owed)
        after: int | None = self._beginning(held)
        while after is not None and after < held.shard.checkpoint:
            after = self._judge_until_flood(held, flood, after)
        self.put_off |= flood.rules
        self._flooded = self._flooded or bool(flood.rules)

    def _judge_until_flood(self, held: Held, flood: Flood, after: int) -> int | None:
        """Judge behind `after` until one more rule is put off, or to the end.

        What is put off is not looked for any more either: a search that finds every event would fetch every event.

        Returns:
            The sequence number dealt with; None when the shard is not held any more.
        """
        put_off, end = flood.rules, held.shard.checkpoint
        work = self._work if not put_off else self._by(frozenset(self._work.release.rules) - put_off)
        for batch in work.finder.batches(Wanted(held.shard, after, end)):
            flood.begin(after)
            self.counts += judge_batch(work, held, batch, flood)
            flood.end(batch.upto, batch.events)
            last = batch.upto >= end
            if not self._move(held, batch.upto, flood.owed(batch.upto), last=last):
                return None
            after = batch.upto
            if flood.rules != put_off:
                return after
        # The last numbers may be of documents that are deleted.
        return end if self._move(held, end, flood.owed(end)) else None

    def _beginning(self, held: Held) -> int:
        """The sequence number to judge behind; that of a shard that was never judged follows from the options.

        That a shard has a cursor says nothing: it is stored with the lease, before the begin is known.
        """
        since, after = self._work.options.since, held.cursor.seq_no
        if since is None or after >= 0 or held.cursor.owed:
            return after
        begin = last_before(self._work.cluster, held.shard, since)
        if begin > after:
            self.passed_over += begin - after
            self._move(held, begin, held.cursor.owed)
        return begin

    def _move(self, held: Held, seq_no: int, owed: tuple[Owed, ...], *, last: bool = False) -> bool:
        passed = seq_no - held.cursor.seq_no
        if passed == 0:
            return True
        reached("before-move")
        if not held.move(seq_no, owed=owed, last=last):
            return False
        reached("after-move")
        self._work.progress.add(passed)
        return True

    def _pay_each(self, owing: Iterable[Waiting]) -> bool:
        """Judge what is owed, for a while; whether something was paid."""
        until = time.monotonic() + LIVE_S

        def pay(held: Held) -> None:
            while held.cursor.owed and not held.lost and time.monotonic() < until:
                self._pay_first(held, until)

        def pay_of(one: Waiting) -> bool:
            if time.monotonic() >= until:
                return False
            self._work.progress.more(sum(owed.upto - owed.after for owed in one.cursor.owed))
            return self._hold(one, pay)

        return self._each(owing, pay_of)

    def _by(self, rules: frozenset[str]) -> Work:
        """The work by these rules only, in small batches at first: they may all match. Rules that are in no release are owed nothing."""
        if rules not in self._parts:
            work = self._work
            left = {key: rule for key, rule in work.release.rules.items() if key in rules}
            release = replace(work.release, rules=left)
            finder = Finder(work.cluster, release, work.options.method, SMALLEST_WINDOW)
            self._parts[rules] = replace(work, release=release, finder=finder)
        return self._parts[rules]

    def _pay_first(self, held: Held, until: float) -> None:
        owed, *later = held.cursor.owed
        part = self._by(frozenset(owed.rules))
        if part.release.rules:
            for batch in part.finder.batches(Wanted(held.shard, owed.after, owed.upto)):
                self.counts += judge_batch(part, held, batch, None).of_owed()
                left = replace(owed, after=batch.upto)
                if not held.move(held.cursor.seq_no, owed=(left, *later)):
                    return
                reached("owed-paid")
                self._work.progress.add(batch.upto - owed.after)
                owed = left
                if time.monotonic() >= until:
                    return
        self._work.progress.add(owed.upto - owed.after)
        held.move(held.cursor.seq_no, owed=tuple(later))
