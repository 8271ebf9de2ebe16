"""What happens in an episode, drawn from a seed: the same seed gives the same plan."""

from collections import Counter
from enum import StrEnum
from random import Random

import msgspec
from msgspec.structs import replace

from osdetect.detect.costs import Method

WRITERS = 16
POINTS = (
    "lease-taken",
    "page-read",
    "candidates-found",
    "matches-stored",
    "alerts-stored",
    "before-move",
    "after-move",
    "owed-paid",
)
"""Named places of the loop at which a worker is killed or stopped (`osdetect.follow.points`)."""


class Asks(StrEnum):
    """The requests of a worker, told apart by what they are for."""

    ALERTS = "alerts"
    CURSOR = "cursor"
    LOOK = "look at the cursors"
    CHECKPOINT = "checkpoint"
    REFRESH = "refresh"
    PAGE = "page"
    PERCOLATE = "percolate"
    RULES = "rules"
    RUN = "run"


class Harm(StrEnum):
    """What the proxy does to a request."""

    CUT = "cut before the write"
    CUT_AFTER = "cut after the write"
    BUSY = "429"
    BUSY_ITEMS = "429 for items"
    AWAY = "503 in a burst"
    SLOW = "slow"
    HALF = "answered in part"


class Stroke(StrEnum):
    """What is done to a worker's process."""

    KILL = "SIGKILL"
    PAUSE = "SIGSTOP"


class Fault(msgspec.Struct, frozen=True):
    """Harm to the `nth` request of a kind, counted over all workers."""

    asks: Asks
    nth: int
    harm: Harm


class Blow(msgspec.Struct, frozen=True):
    """A stroke when a place is reached for the `nth` time, counted over all workers."""

    point: str
    nth: int
    stroke: Stroke


class Plan(msgspec.Struct, frozen=True):
    """An episode."""

    seed: int
    workers: int
    lease_s: int
    batches: int
    """Bulk requests of each of the writers."""
    largest: int
    """Bytes of the largest event."""
    shards: int
    replicas: int
    """1 on one node: a replica that is never assigned."""
    durability: str
    stream: bool
    """Roll a data stream over, else an alias with a write index."""
    reborn: bool
    """Delete an index in the middle and make it again under the same name."""
    method: str
    """How candidates are found; empty: as the detector chooses."""
    narrow: bool
    """Pages of a few events, and rules that match several of them are put off."""
    deploy: bool
    """Deploy another release in the middle."""
    restart: bool
    """Kill the node in the middle and start it again."""
    restart_after_s: float
    """How long workers go on before that into what is not written to the disk yet."""
    faults: tuple[Fault, ...]
    blows: tuple[Blow, ...]

    def planned(self) -> Counter[str]:
        """How often each thing is planned."""
        found = Counter(f"{fault.harm}" for fault in self.faults)
        found.update(f"{blow.stroke} at {blow.point}" for blow in self.blows)
        return found


METHODS = ("", "", *Method)
RESTART_EVERY = 25
"""Starting a node takes as long as an episode: this many episodes have one restart."""

_HARMS = {
    Asks.ALERTS: (Harm.CUT, Harm.CUT_AFTER, Harm.BUSY, Harm.BUSY_ITEMS, Harm.AWAY, Harm.SLOW),
    Asks.CURSOR: (Harm.CUT, Harm.CUT_AFTER, Harm.BUSY, Harm.AWAY, Harm.SLOW),
    Asks.LOOK: (Harm.CUT, Harm.AWAY),
    Asks.CHECKPOINT: (Harm.CUT, Harm.BUSY, Harm.SLOW),
    Asks.REFRESH: (Harm.CUT, Harm.CUT_AFTER, Harm.BUSY, Harm.SLOW, Harm.HALF),
    Asks.PAGE: (Harm.CUT, Harm.BUSY, Harm.AWAY, Harm.SLOW),
    Asks.PERCOLATE: (Harm.CUT, Harm.BUSY, Harm.AWAY, Harm.SLOW),
    Asks.RULES: (Harm.BUSY,),
    Asks.RUN: (Harm.CUT_AFTER,),
}


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    rng = Random(seed)
    return Plan(
        seed=seed,
        workers=rng.randint(1, 4),
        lease_s=rng.randint(1, 2),
        batches=rng.randint(4, 6),
        largest=rng.choice((4_000, 30_000, 100_000)),
        shards=rng.randint(1, 2),
        replicas=rng.randint(0, 1),
        durability=rng.choice(("request", "request", "async")),
        stream=rng.random() < 0.5,
        reborn=rng.random() < 0.6,
        method=rng.choice(METHODS),
        narrow=rng.random() < 0.3,
        deploy=rng.random() < 0.4,
        restart=seed % RESTART_EVERY == RESTART_EVERY - 1,
        restart_after_s=3.0,
        faults=tuple(_fault(rng) for _ in range(rng.randint(8, 16))),
        blows=tuple(_blow(rng) for _ in range(rng.randint(3, 6))),
    )


def harsh(seed: int) -> Plan:
    """The same for an index that acknowledges before it has written to the disk, on a node that is killed.

    What is lost then had sequence numbers, and other events get them. Nothing else is done to workers, so that they
    come to that index before, and writers go on long enough that much is written after.
    """
    return replace(
        plan(seed),
        restart=True,
        restart_after_s=10.0,
        durability="async",
        shards=1,
        largest=4_000,
        batches=50,
        faults=(),
        blows=(),
    )


def _fault(rng: Random) -> Fault:
    asks = rng.choice(tuple(_HARMS))
    return Fault(asks, rng.randint(1, 6), rng.choice(_HARMS[asks]))


def _blow(rng: Random) -> Blow:
    return Blow(rng.choice(POINTS), rng.randint(1, 6), rng.choice(tuple(Stroke)))
