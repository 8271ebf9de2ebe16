"""Many episodes: several at once on one node, because an episode is mostly waiting."""

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    waiting = deque(sorted(plans, key=lambda plan: plan.restart))
    ended: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
    enough = threading.Event()

    def run(stage: Stage, take: Callable[[], Plan]) -> None:
        try:
            while not enough.is_set() and (plan := _next(take)) is not None:
                ended.put(stage.play(plan))
        except BaseException as error:  # noqa: BLE001  # raised again by who asks for outcomes
            ended.put(error)
        else:
            ended.put(None)

    with ExitStack() as stack:
        stages = [stack.enter_context(Stage.on(ground, f"lane{n}x", variant)) for n in range(lanes)]
        takes = [waiting.pop, *[waiting.popleft] * (lanes - 1)]
        threads = [threading.Thread(target=run, args=each) for each in zip(stages, takes, strict=True)]
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


def _next(take: Callable[[], Plan]) -> Plan | None:
    try:
        return take()
    except IndexError:  # there is none left
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
