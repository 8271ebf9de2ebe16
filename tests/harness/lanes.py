"""Many episodes: several at once on one node, because an episode is mostly waiting."""

import queue
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from tests.harness.episode import Outcome, Stage
from tests.harness.ground import Ground
from tests.harness.plan import Plan

LANES = 5


def episodes(
    ground: Ground, plans: Iterable[Plan], *, variant: str = "", lanes: int = LANES
) -> Iterator[Outcome]:
    """Play the plans' episodes; gives each outcome as it comes. Whoever stops asking ends it behind those at hand.

    Those that kill the node are the first lane's, one after another, as long as the others have something else: all that are
    being played meet each kill, and were there two lanes of them or more, the node would hardly ever be up.
    """
    plans = tuple(plans)
    harsh, others = (
        _queue(plan for plan in plans if plan.restart),
        _queue(plan for plan in plans if not plan.restart),
    )
    ended: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
    enough = threading.Event()

    def run(stage: Stage, *waiting: "queue.SimpleQueue[Plan]") -> None:
        try:
            while not enough.is_set() and (plan := _next(waiting)) is not None:
                ended.put(stage.play(plan))
        except BaseException as error:  # noqa: BLE001  # raised again by who asks for outcomes
            ended.put(error)
        else:
            ended.put(None)

    with ExitStack() as stack:
        stages = [stack.enter_context(Stage.on(ground, f"lane{n}x", variant)) for n in range(lanes)]
        orders = [(harsh, others), *[(others, harsh)] * (lanes - 1)]
        threads = [
            threading.Thread(target=run, args=(stage, *order))
            for stage, order in zip(stages, orders, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in threads:
                while (outcome := ended.get()) is not None:
                    if isinstance(outcome, BaseException):
                        raise outcome
                    yield outcome
        finally:
            enough.set()
            for thread in threads:
                thread.join()


def _queue(plans: Iterable[Plan]) -> "queue.SimpleQueue[Plan]":
    filled: queue.SimpleQueue[Plan] = queue.SimpleQueue()
    for plan in plans:
        filled.put(plan)
    return filled


def _next(waiting: Iterable["queue.SimpleQueue[Plan]"]) -> Plan | None:
    """The next of the first that has one."""
    for one in waiting:
        try:
            return one.get_nowait()
        except queue.Empty:
            continue
    return None


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """The figures of all episodes."""
    done: Counter[str] = Counter()
    for one in outcomes:
        done += one.done
    kinds = "\n".join(f"  {times:6}  {kind}" for kind, times in sorted(done.items()))
    return (
        f"{len(outcomes)} episodes in {seconds:.0f} s, {sum(one.events for one in outcomes):,} events, "
        f"{sum(one.pairs for one in outcomes):,} alerts that had to be there; "
        f"missed {sum(len(one.verdict.missed) for one in outcomes)}, "
        f"doubled {sum(len(one.verdict.doubled) for one in outcomes)}, "
        f"broken {sum(not one.verdict.kept for one in outcomes)}\n{kinds}\n"
    )
