"""Cursor and lease against a real node: who may take a shard, and what a worker that lost one can still do."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.documents.state import DETECT, Owed
from osdetect.follow import Follower, Held, Shard, Waiting, shards_of
from osdetect.vocabulary import STATE_INDEX
from tests.faults.material import ask, connect
from tests.faults.proxy import Asked, Cut, Fault, FaultProxy

INDEX = "followed"
LENGTH_S = 10.0


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


def follower(
    cluster: Cluster, worker: str, clock: Clock | None = None, lease_s: float = LENGTH_S
) -> Follower:
    clock = clock or Clock()
    return Follower(
        cluster,
        purpose=DETECT,
        namespace="t",
        worker=worker,
        lease_s=lease_s,
        clock=clock.now,
        monotonic=clock.monotonic,
    )


@pytest.fixture
def shard(cluster: Cluster) -> Shard:
    ask(cluster.url, "DELETE", f"/{INDEX}", accept=(404,))
    ask(cluster.url, "PUT", f"/{INDEX}", {"settings": {"index.number_of_shards": 1}})
    for number in range(5):
        ask(cluster.url, "PUT", f"/{INDEX}/_doc/{number}", {"number": number})
    (found,) = shards_of(cluster, INDEX)
    assert found.checkpoint == 4
    return found


def look(one: Follower, shard: Shard) -> Waiting:
    (found,) = one.look([shard])
    return found


def held(one: Follower, shard: Shard) -> Held:
    taken = one.take(look(one, shard))
    assert taken is not None
    return taken


def stored(cluster: Cluster, waiting: Waiting) -> dict[str, Any]:
    source: dict[str, Any] = ask(cluster.url, "GET", f"/{STATE_INDEX}/_doc/{waiting.cursor.id}")["_source"]
    return source


def test_of_two_that_saw_the_same_only_one_takes_the_shard(cluster: Cluster, shard: Shard) -> None:
    first, second = follower(cluster, "a"), follower(cluster, "b")
    seen = look(first, shard), look(second, shard)
    assert seen[0].behind == 5
    assert first.take(seen[0]) is not None
    assert second.take(seen[1]) is None
    assert second.take(look(second, shard)) is None


def test_a_released_shard_goes_on_with_another_worker_where_it_stands(cluster: Cluster, shard: Shard) -> None:
    first, second = follower(cluster, "a"), follower(cluster, "b")
    mine = held(first, shard)
    owed = (Owed(("noisy",), 0, 3),)
    assert mine.move(3, owed=owed)
    assert mine.release()
    theirs = held(second, shard)
    assert (theirs.cursor.seq_no, theirs.cursor.owed) == (3, owed)
    assert theirs.cursor.lease is not None
    assert theirs.cursor.lease.worker == "b"


def test_a_lease_expires_for_who_saw_it_unchanged_for_its_length(cluster: Cluster, shard: Shard) -> None:
    clock = Clock()
    mine = held(follower(cluster, "a", clock), shard)
    other = follower(cluster, "b", clock)
    assert other.take(look(other, shard)) is None
    clock.seconds += LENGTH_S - 1
    assert other.take(look(other, shard)) is None
    assert mine.renew()
    clock.seconds += LENGTH_S - 1  # longer than its length since it was first seen, not since it was renewed
    assert other.take(look(other, shard)) is None
    clock.seconds += LENGTH_S
    assert other.take(look(other, shard)) is not None


def test_who_looks_only_once_waits_for_two_lengths_of_both_clocks(cluster: Cluster, shard: Shard) -> None:
    clock = Clock()
    held(follower(cluster, "a", clock), shard)
    clock.seconds += 2 * LENGTH_S - 1
    assert follower(cluster, "b", clock).take(look(follower(cluster, "b", clock), shard)) is None
    clock.seconds += 1
    assert held(follower(cluster, "b", clock), shard).cursor.seq_no == -1


def test_a_clock_that_is_ahead_takes_no_lease_from_who_goes_on(cluster: Cluster, shard: Shard) -> None:
    clock, ahead = Clock(), Clock()
    other = follower(cluster, "b", ahead)
    assert other.expiring_s([look(other, shard).cursor.id]) is None
    mine = held(follower(cluster, "a", clock), shard)
    ahead.seconds += 3 * LENGTH_S
    seen = look(other, shard)
    assert other.take(seen) is None, "its clock says that the lease is over, but it renews"
    assert other.expiring_s([seen.cursor.id]) == LENGTH_S
    ahead.seconds += LENGTH_S - 1
    assert other.expiring_s([seen.cursor.id]) == 1
    assert mine.renew()
    ahead.seconds += 1
    assert other.take(look(other, shard)) is None
    ahead.seconds += LENGTH_S
    assert other.take(look(other, shard)) is not None


def test_a_worker_takes_its_own_lease_up_again(cluster: Cluster, shard: Shard) -> None:
    assert held(follower(cluster, "a"), shard).move(2)
    assert held(follower(cluster, "a"), shard).cursor.seq_no == 2


@pytest.mark.parametrize("amid", [True, False])
def test_work_that_was_broken_off_is_taken_up_at_once_and_known_to_be_amid_a_batch(
    cluster: Cluster, shard: Shard, *, amid: bool
) -> None:
    clock = Clock()
    first, second = follower(cluster, "a", clock), follower(cluster, "b", clock)

    def fail(mine: Held) -> None:
        assert not mine.interrupted
        assert mine.move(2)
        if amid:
            mine.begin()
        raise KeyError

    with pytest.raises(KeyError):
        first.hold(look(first, shard), fail)
    clock.seconds += 0.1
    theirs = held(second, shard)
    assert (theirs.interrupted, theirs.cursor.seq_no) == (amid, 2)
    assert theirs.release()
    assert not held(first, shard).interrupted


def test_shards_that_are_no_more_are_found_when_their_worker_is_gone(cluster: Cluster, shard: Shard) -> None:
    clock = Clock()
    other = follower(cluster, "b", clock)
    assert other.left_behind([shard]) == ()
    assert held(follower(cluster, "a", clock), shard).move(3)
    assert other.left_behind([shard]) == ()
    assert other.left_behind([]) == ()  # it may be at it
    clock.seconds += LENGTH_S
    assert other.left_behind([]) == ()  # it is there: another target's, whose events somebody judges again
    ask(cluster.url, "DELETE", f"/{INDEX}")
    clock.seconds += LENGTH_S
    (left,) = other.left_behind([])
    assert (left.shard.index, left.cursor.seq_no) == (INDEX, 3)
    taken: list[Held] = []
    assert other.hold(left, taken.append)
    assert taken[0].interrupted
    assert other.left_behind([]) == ()


def test_a_worker_that_wakes_up_late_changes_nothing(cluster: Cluster, shard: Shard) -> None:
    clock = Clock()
    late = held(follower(cluster, "a", clock), shard)
    assert late.move(1)
    clock.seconds += 2 * LENGTH_S
    other = follower(cluster, "b", clock)
    theirs = held(other, shard)
    assert theirs.move(2)
    before = stored(cluster, look(other, shard))
    assert not late.move(4)
    assert late.lost
    assert not late.renew()
    assert not late.release()
    assert stored(cluster, look(other, shard)) == before
    assert theirs.move(3)


def test_a_shard_whose_state_was_deleted_is_lost(cluster: Cluster, shard: Shard) -> None:
    mine = held(follower(cluster, "a"), shard)
    ask(cluster.url, "DELETE", f"/{STATE_INDEX}")
    assert not mine.move(4)
    assert mine.lost


def test_a_long_page_is_worked_on_under_a_lease_that_is_renewed(cluster: Cluster, shard: Shard) -> None:
    def real(worker: str) -> Follower:
        return Follower(
            cluster,
            purpose=DETECT,
            namespace="t",
            worker=worker,
            lease_s=1.5,
            clock=lambda: datetime.now(UTC),
        )

    mine, other = held(real("a"), shard), real("b")
    with mine.renewing():
        ends = time.monotonic() + 4.0
        while time.monotonic() < ends:
            assert other.take(look(other, shard)) is None
            time.sleep(0.3)
        assert mine.move(4)
    assert mine.unrenewed is None
    assert mine.release()
    assert not look(other, shard).has_work


@pytest.mark.parametrize("verb", ["_create", "_doc"])
def test_a_write_whose_answer_is_lost_was_made(
    cluster: Cluster, proxy: FaultProxy, shard: Shard, verb: str
) -> None:
    if verb == "_doc":
        assert held(follower(cluster, "a"), shard).release()
    cuts = [Cut(after=True)]

    def choose(asked: Asked) -> Fault | None:
        return (
            cuts.pop() if cuts and f"/{STATE_INDEX}/{verb}/" in asked.path and asked.method == "PUT" else None
        )

    proxy.choose = choose
    with connect(proxy.url) as cut:
        mine = held(follower(cut, "a"), shard)
        assert not cuts
        assert mine.move(4)
    assert look(follower(cluster, "b"), shard).cursor.seq_no == 4


_LEASE = {"worker": "a", "length_s": 10.0, "at": "2026-03-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    "damage",
    [
        {"cursor": 5},
        {"cursor": {"seq_no": "7", "owed": []}},
        {"cursor": {"seq_no": -9, "owed": []}},
        {"cursor": {"seq_no": 3, "owed": ["noisy"]}},
        {"cursor": {"owed": []}},
        {},
    ],
)
def test_a_damaged_cursor_begins_again_at_the_beginning(
    cluster: Cluster, shard: Shard, damage: dict[str, Any]
) -> None:
    one = follower(cluster, "a")
    name = look(one, shard).cursor.id
    ask(cluster.url, "PUT", f"/{STATE_INDEX}", {"mappings": {"dynamic": False}})
    ask(cluster.url, "PUT", f"/{STATE_INDEX}/_doc/{name}", damage)
    mine = held(one, shard)
    assert mine.cursor.seq_no == -1
    assert mine.move(4)
    assert look(one, shard).behind == 0


@pytest.mark.parametrize(
    "lease",
    [
        "mine",
        {**_LEASE, "worker": 1},
        {**_LEASE, "at": "yesterday"},
        {**_LEASE, "length_s": "long"},
        {**_LEASE, "length_s": 1e300},
        {**_LEASE, "length_s": -1},
        {**_LEASE, "at": "9999-12-31T23:59:59+00:00", "length_s": 10.0},
    ],
)
def test_a_damaged_lease_keeps_nobody_away_for_ever(
    cluster: Cluster, shard: Shard, lease: dict[str, Any] | str
) -> None:
    clock = Clock()
    one = follower(cluster, "b", clock)
    name = look(one, shard).cursor.id
    ask(cluster.url, "PUT", f"/{STATE_INDEX}", {"mappings": {"dynamic": False}})
    ask(
        cluster.url,
        "PUT",
        f"/{STATE_INDEX}/_doc/{name}",
        {"cursor": {"seq_no": 2, "owed": [], "lease": lease}},
    )
    one.take(look(one, shard))
    clock.seconds += 3600.0
    assert held(one, shard).cursor.seq_no == 2


def test_a_worker_counts_the_leases_that_it_had_and_those_that_it_lost(
    cluster: Cluster, shard: Shard
) -> None:
    first, second = follower(cluster, "a"), follower(cluster, "b")
    assert first.hold(look(first, shard), lambda _held: None)
    assert (first.taken, first.lost) == (1, 0)

    def overtaken(held: Held) -> None:
        ask(cluster.url, "DELETE", f"/{STATE_INDEX}/_doc/{held.cursor.id}")
        assert second.take(look(second, shard)) is not None
        assert not held.move(3)

    assert not first.hold(look(first, shard), overtaken)
    assert (first.taken, first.lost) == (2, 1)
