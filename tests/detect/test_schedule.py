"""When passes run, by a clock that the test moves: no test here waits."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from osdetect.detect.schedule import LONGEST_PAUSE_S, Ended, PassStopped, Schedule, keep_passing
from osdetect.errors import ClusterRefused, ClusterUnavailable, UsageError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class World(msgspec.Struct):
    """A clock, a stop and a detector whose passes take their time and fail as planned."""

    passes_until_stop: int
    take_s: float = 1.0
    fail: Callable[[int], Exception | None] = lambda _number: None
    now: datetime = NOON
    begun: list[float] = msgspec.field(default_factory=list)
    pauses: list[float] = msgspec.field(default_factory=list)
    ended: list[float] = msgspec.field(default_factory=list)
    asked: bool = False
    in_part: frozenset[int] = frozenset()
    """Passes for a part of which the cluster is away."""
    leased: dict[int, float] = msgspec.field(default_factory=dict)
    """By passes how long the lease of another worker lasts that they met."""

    def wait(self, seconds: float) -> bool:
        self.now += timedelta(seconds=seconds)
        return self.asked

    def make_pass(self) -> str:
        self.begun.append((self.now - NOON).total_seconds())
        self.now += timedelta(seconds=self.take_s)
        self.asked = len(self.begun) >= self.passes_until_stop
        failure = self.fail(len(self.begun))
        if failure:
            raise failure
        return "report"

    def pass_started(self) -> None: ...

    def pass_ended(self, report: str, seconds: float) -> None:
        assert (report, seconds) == ("report", self.take_s)
        self.ended.append((self.now - NOON).total_seconds())

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        assert error.transient
        assert seconds == self.take_s
        self.pauses.append(pause_s)

    def run(self, schedule: Schedule, chance: float = 0.5) -> Ended:
        return keep_passing(
            schedule,
            self.make_pass,
            watcher=self,
            stop=self,
            clock=lambda: self.now,
            chance=lambda: chance,
            again_soon=lambda _report: len(self.begun) in self.in_part,
            look_again_s=lambda _report: self.leased.get(len(self.begun)),
        )


def test_the_first_pass_is_at_once_and_the_others_a_period_apart_however_long_each_takes() -> None:
    world = World(4, take_s=7)
    assert world.run(Schedule(every_s=30)) == Ended(4, unfinished=False)
    assert world.begun == [0, 30, 60, 90]


def test_ticks_that_go_by_during_a_long_pass_become_one() -> None:
    world = World(3, take_s=95)
    world.run(Schedule(every_s=30))
    assert world.begun == [0, 120, 240]


def test_cron_names_the_times_in_utc_and_the_first_pass_waits_for_one() -> None:
    world = World(3, now=NOON + timedelta(seconds=61))
    world.run(Schedule(cron="*/5 * * * *"))
    assert world.begun == [300, 600, 900]


def test_jitter_puts_a_pass_off_and_shifts_none_after_it() -> None:
    world = World(3)
    world.run(Schedule(every_s=30, jitter_s=10), chance=0.7)
    assert world.begun == [7, 37, 67]


def test_a_cluster_that_is_away_is_asked_with_growing_pauses_and_the_catch_up_follows_at_once() -> None:
    away = ClusterUnavailable("away")
    world = World(12, take_s=0, fail=lambda number: away if 1 < number < 11 else None)
    assert world.run(Schedule(every_s=3600), chance=1.0) == Ended(3, unfinished=False)
    assert world.pauses == [1, 2, 4, 8, 15, 15, 15, 15, 15]
    assert max(world.pauses) == LONGEST_PAUSE_S
    assert world.begun[10] == 3600 + sum(world.pauses), "the pass that catches up does not wait for its tick"
    assert world.begun[11] == 7200, "and the ticks are where they were"


def test_a_pass_that_the_cluster_was_away_for_in_part_is_followed_soon_by_another() -> None:
    world = World(7, take_s=0, in_part=frozenset({2, 3, 4}))
    assert world.run(Schedule(every_s=60), chance=1.0) == Ended(7, unfinished=False)
    assert world.begun == [0, 60, 61, 63, 67, 120, 180]
    world = World(3, take_s=0, in_part=frozenset({1, 2, 3}))
    world.run(Schedule(every_s=1), chance=1.0)
    assert world.begun == [0, 1, 2], "a pass that is due before does not wait"
    world = World(9, take_s=0, in_part=frozenset(range(1, 9)))
    world.run(Schedule(every_s=100), chance=1.0)
    assert world.begun == [0, 1, 3, 7, 15, 31, 63, 100, 200], "the pauses grow up to the schedule's own"


def test_a_pass_follows_when_the_lease_of_another_worker_is_over() -> None:
    world = World(5, take_s=0, leased={1: 30.0, 3: 90.0})
    world.run(Schedule(every_s=60))
    assert world.begun == [0, 30, 60, 120, 180]


def test_pauses_differ_by_chance() -> None:
    low, high = (
        World(4, fail=lambda number: ClusterUnavailable("away") if number < 4 else None) for _ in "ab"
    )
    low.run(Schedule(every_s=30), chance=0.0)
    high.run(Schedule(every_s=30), chance=1.0)
    assert [two * 2 for two in low.pauses] == high.pauses


def test_a_stop_during_an_outage_is_told_as_one() -> None:
    world = World(2, fail=lambda _number: ClusterUnavailable("away"))
    assert world.run(Schedule(every_s=30)) == Ended(0, unfinished=True)


def test_a_pass_that_ends_early_ends_the_schedule_and_is_not_counted() -> None:
    world = World(9, fail=lambda number: PassStopped() if number == 3 else None)
    assert world.run(Schedule(every_s=30)) == Ended(2, unfinished=True)
    assert len(world.ended) == 2


def test_a_cluster_that_refuses_ends_the_schedule() -> None:
    world = World(9, fail=lambda number: ClusterRefused("no") if number == 2 else None)
    with pytest.raises(ClusterRefused):
        world.run(Schedule(every_s=30))
    assert (len(world.begun), world.pauses) == (2, [])


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "* * * *",
        "61 * * * *",
        "* * * * * *",
        "0 0 31 2 *",
        "",
        "0 0 * * 8",
        "0 0 * * fri-mon",
        "0 0 * * */0",
    ],
)
def test_what_names_no_time_is_no_schedule(text: str) -> None:
    with pytest.raises(UsageError, match="not a cron expression"):
        Schedule(cron=text).check(NOON)


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        (Schedule(every_s=30), 30),
        (Schedule(cron="*/5 * * * *"), 300),
        (Schedule(cron="0 8,20 * * *"), 43_200),
        (Schedule(cron="0 8,9 * * *"), 3_600),
        (Schedule(cron="*/5 8-18 * * *"), 300),
    ],
)
def test_how_often_it_is_meant_to_pass_is_known(schedule: Schedule, gap: int) -> None:
    assert schedule.gap_s(NOON) == gap


@pytest.mark.parametrize(
    ("schedule", "wait"),
    [
        (Schedule(every_s=30), 30),
        (Schedule(every_s=30, jitter_s=600), 630),
        (Schedule(cron="*/5 8-18 * * *"), 300),
        (Schedule(cron="0 8 * * *", jitter_s=10), 20 * 3_600 + 10),
    ],
)
def test_how_long_it_is_to_the_next_pass_is_known(schedule: Schedule, wait: int) -> None:
    assert schedule.wait_s(NOON) == wait


def test_a_clock_that_is_set_back_stops_no_passes() -> None:
    hour = timedelta(hours=1)
    assert Schedule(every_s=30).after(NOON, NOON - hour) == NOON - hour + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 6 * * 0", "Sun 15, Sun 22"),
        ("0 6 * * 7", "Sun 15, Sun 22"),
        ("0 6 * * 1-5", "Mon 09, Tue 10"),
        ("0 6 * * 6-7", "Sat 14, Sun 15"),
        ("0 6 * * sun", "Sun 15, Sun 22"),
        ("0 6 13 * 5", "Fri 13, Fri 20"),
        ("0 6 13 * 3", "Wed 11, Fri 13"),
        ("0 6 */13 * 3", "Wed 01, Wed 27"),
    ],
)
def test_days_are_those_of_crontab(text: str, days: str) -> None:
    found, now = [], datetime(2026, 3, 8, 12, tzinfo=UTC)
    for _ in range(2):
        tick = Schedule(cron=text).after(now, now)
        assert tick is not None
        found.append(tick.strftime("%a %d"))
        now = tick
    assert ", ".join(found) == days
