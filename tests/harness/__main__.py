"""Play episodes: `python -m tests.harness --episodes 1000`, or one again: `python -m tests.harness --seed 17`."""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.harness.episode import Outcome, Stage
from tests.harness.ground import Ground
from tests.harness.plan import plan


def main() -> int:
    """The number of episodes that broke the promise becomes the exit status."""
    parser = argparse.ArgumentParser(prog="tests.harness", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--variant", default="", help="a wrong detector (tests/harness/variants.py)")
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.episodes)
    folder = Path(tempfile.mkdtemp(prefix="osdetect-faults-"))
    folder.chmod(0o755)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    try:
        with Ground(folder) as ground, Stage.on(ground, given.variant) as stage:
            for seed in seeds:
                outcome = stage.play(plan(seed))
                outcomes.append(outcome)
                if not outcome.verdict.kept:
                    sys.stdout.write(outcome.told() + "\n")
                else:
                    sys.stdout.write(
                        f"seed {seed}: kept, {outcome.events} events, {outcome.pairs} alerts, "
                        f"{outcome.done.total()} faults, {outcome.workers} workers, {outcome.seconds:.1f} s\n"
                    )
                sys.stdout.flush()
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(summary(outcomes, time.monotonic() - began))
    return min(99, sum(not one.verdict.kept for one in outcomes))


def summary(outcomes: list[Outcome], seconds: float) -> str:
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


if __name__ == "__main__":
    sys.exit(main())
