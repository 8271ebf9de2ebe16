"""When passes run: by a period or a cron expression, until told to stop.

Only the times come from APScheduler's triggers. One loop makes the passes, so two never run at once, and ticks that go
by during a long pass become one: the next pass judges all that came meanwhile, so a tick may be skipped and an event may
not. The clock and the waiting are arguments: nothing here reads the time.

A cluster that is away is asked again after a growing pause with jitter, and the first pass that it answers follows at
once, not at the next tick: it catches up. A cluster that refuses ends the schedule.
"""

import math
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import msgspec

from osdetect.detect.crontab import crontab, untyped
from osdetect.errors import ClusterUnavailable, UsageError

Clock = Callable[[], datetime]
FIRST_PAUSE_S = 1.0
_TICKS = 20
LONGEST_PAUSE_S = 15.0
"""Between two attempts at a cluster that is away; each pause is up to half shorter, by chance."""

Report = TypeVar("Report")
Told_contra = TypeVar("Told_contra", contravariant=True)


class PassStopped(Exception):
    """A pass ended early because it was asked to: the batch is finished and the cursor stands behind it."""


class Stop(Protocol):
    """Whether to end, and a way to wait that ends with it."""

    @property
    def asked(self) -> bool:
        """Whether somebody asked for the end."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the end is asked for; whether it is."""
        ...


class Schedule(msgspec.Struct, frozen=True):
    """When passes are due."""

    every_s: int = 0
    """Seconds from one pass to the next; the first is due at once. 0: by `cron`."""
    cron: str = ""
    """Five fields as in crontab, in UTC; the first pass is due at the first time that they name (`osdetect.detect.crontab`)."""
    jitter_s: float = 0.0
    """Each pass is put off by up to so many seconds, by chance, so that many workers do not ask all at once."""

    def check(self, now: datetime) -> None:
        """Refuse what gives no times.

        Raises:
            UsageError: the cron expression is none, or it names no time that ever comes.
        """
        if not self.every_s and self.after(now, now) is None:
            raise _no_cron(self.cron, "it names no time that ever comes")

    def first(self, now: datetime) -> datetime | None:
        """When the first pass is due."""
        return now if self.every_s else self.after(now, now)

    def after(self, begun: datetime, now: datetime) -> datetime | None:
        """The first tick after `now`; those that went by are not made up for. None: there is none.

        Args:
            begun: when the schedule began; periods are counted from there, so a slow pass shifts nothing.
            now: the present.

        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> str(Schedule(every_s=30).after(noon, noon + timedelta(seconds=95)))
        '2026-03-01 12:02:00+00:00'
        >>> str(Schedule(cron="*/5 * * * *").after(noon, noon + timedelta(seconds=1)))
        '2026-03-01 12:05:00+00:00'
        """
        from apscheduler.triggers.interval import IntervalTrigger  # noqa: PLC0415  # a single pass needs none

        just_after = now + timedelta(microseconds=1)
        if self.every_s:
            # A clock that was set back is behind the begin: the next period is one from now, and not when that comes again.
            trigger: Any = untyped(IntervalTrigger)(
                seconds=self.every_s, start_date=min(begun, now), timezone=begun.tzinfo
            )
        else:
            try:
                trigger = crontab(self.cron, begun.tzinfo)
            except ValueError as error:
                raise _no_cron(self.cron, str(error)) from None
        found: datetime | None = trigger.get_next_fire_time(None, just_after)
        return found

    def wait_s(self, now: datetime) -> float:
        """How long it is from `now` to the begin of the next pass, at most."""
        if self.every_s:
            return self.every_s + self.jitter_s
        due = self.after(now, now)
        return (due - now).total_seconds() + self.jitter_s if due is not None else 0.0

    def gap_s(self, now: datetime) -> float:
        """The shortest time from one tick to the next among the next few: how often it is meant to pass."""
        if self.every_s:
            return float(self.every_s)
        ticks: list[datetime] = []
        while len(ticks) < _TICKS and (tick := self.after(now, ticks[-1] if ticks else now)) is not None:
            ticks.append(tick)
        gaps = [(late - early).total_seconds() for early, late in pairwise(ticks)]
        return min(gaps, default=0.0)


class Ended(msgspec.Struct, frozen=True):
    """How a schedule came to its end: it was asked to stop."""

    passes: int
    """Passes that were made to their end."""
    unfinished: bool
    """The last pass was ended early, behind a finished batch or by a cluster that was away."""


class Watcher(Protocol[Told_contra]):
    """Is told what happens, as it happens."""

    def pass_started(self) -> None:
        """A pass begins."""

    def pass_ended(self, report: Told_contra, seconds: float) -> None:
        """A pass was made to its end."""

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        """The cluster went away; the next attempt is after the pause."""


def keep_passing(
    schedule: Schedule,
    make_pass: Callable[[], Report],
    *,
    watcher: Watcher[Report],
    stop: Stop,
    clock: Clock,
    chance: Callable[[], float] = random.random,
    again_soon: Callable[[Report], bool] = lambda _report: False,
    look_again_s: Callable[[Report], float | None] = lambda _report: None,
) -> Ended:
    """Make passes when they are due, until asked to stop.

    Args:
        schedule: when.
        make_pass: one pass; raises `PassStopped` when it was asked to end early.
        watcher: is told of each.
        stop: ends it all: no pass begins any more, and a pause ends at once.
        clock: gives the time, in UTC.
        chance: gives numbers from 0 to 1, for jitter.
        again_soon: whether a part of the target did not answer: the next pass is made after a pause, if none is due before. The pause
            grows up to the schedule's own while that goes on.
        look_again_s: seconds after which the next pass is made, if none is due before; None: when it is due.

    Raises:
        ClusterRefused: asking again would give the same answer.
    """
    begun = clock()
    due, passes, failures = schedule.first(begun), 0, 0
    while due is not None:
        jitter = schedule.jitter_s * chance() if not failures else 0.0
        if stop.wait(max(0.0, (due - clock()).total_seconds()) + jitter):
            return Ended(passes, unfinished=failures > 0)
        started = clock()
        watcher.pass_started()
        try:
            report = make_pass()
        except PassStopped:
            return Ended(passes, unfinished=True)
        except ClusterUnavailable as error:
            failures += 1
            pause = pause_s(failures, chance)
            watcher.pass_failed(error, (clock() - started).total_seconds(), pause)
            due = clock() + timedelta(seconds=pause)
            continue
        passes += 1
        watcher.pass_ended(report, (clock() - started).total_seconds())
        due = schedule.after(begun, clock())
        failures = failures + 1 if again_soon(report) else 0
        if due is not None:
            soon = (look_again_s(report), pause_s(failures, chance, math.inf) if failures else None)
            due = min([due, *(clock() + timedelta(seconds=one) for one in soon if one is not None)])
    return Ended(passes, unfinished=False)


def pause_s(
    failures: int, chance: Callable[[], float] = random.random, longest: float = LONGEST_PAUSE_S
) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, and never all workers at once.

    Args:
        failures: at least one.
        chance: gives numbers from 0 to 1.
        longest: the longest pause.
    """
    return min(longest, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16)) * (0.5 + chance() / 2)


def _no_cron(text: str, cause: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a cron expression",
        cause=cause,
        cure="write minute, hour, day of the month, month, day of the week, in UTC: '*/5 * * * *'",
    )
