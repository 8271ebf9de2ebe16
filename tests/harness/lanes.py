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

    Those that kill the node come first: Java has warmed up nothing yet that would be lost, and no lane waits for them at the end.
    """
    waiting: queue.SimpleQueue[Plan] = queue.SimpleQueue()
    ended: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
    enough = threading.Event()
    for plan in sorted(plans, key=lambda plan: not plan.restart):
        waiting.put(plan)

    def run(stage: Stage) -> None:
        try:
            while not enough.is_set():
                ended.put(stage.play(waiting.get_nowait()))
        except queue.Empty:
            ended.put(None)
        except BaseException as error:  # noqa: BLE001  # raised again by who asks for outcomes
            ended.put(error)
        else:
            ended.put(None)

    with ExitStack() as stack:
        stages = [stack.enter_context(Stage.on(ground, f"lane{n}x", variant)) for n in range(lanes)]
        threads = [threading.Thread(target=run, args=(stage,)) for stage in stages]
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
