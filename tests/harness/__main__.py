"""Play episodes: `python -m tests.harness --episodes 1000`, or one again: `python -m tests.harness --seed 17`.

Ctrl-C ends it behind the episodes that are being played.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.harness.episode import Outcome
from tests.harness.ground import Ground
from tests.harness.lanes import LANES, episodes, summary
from tests.harness.plan import harsh, plan
from tests.harness.variants import VARIANTS
from tests.in_memory import keep_data_in_memory


def main() -> int:
    """The number of episodes that broke the promise becomes the exit status; 130 if it was interrupted."""
    parser = argparse.ArgumentParser(prog="tests.harness", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--lanes", type=int, default=LANES, help="episodes at once")
    parser.add_argument(
        "--variant", default="", choices=sorted(VARIANTS), help="a detector that is wrong on purpose"
    )
    parser.add_argument(
        "--harsh", action="store_true", help="kill the node in each, let it lose writes, do no other harm"
    )
    given = parser.parse_args()
    keep_data_in_memory()
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.episodes)
    folder = Path(tempfile.mkdtemp(prefix="osdetect-faults-"))
    folder.chmod(0o755)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    node_s, interrupted = 0.0, False
    try:
        with Ground(folder) as ground:
            plans = [harsh(seed) if given.harsh else plan(seed) for seed in seeds]
            try:
                for outcome in episodes(
                    ground, plans, variant=given.variant, lanes=min(given.lanes, len(seeds))
                ):
                    outcomes.append(outcome)
                    sys.stdout.write(outcome.told() + "\n")
                    sys.stdout.flush()
            except KeyboardInterrupt:
                interrupted = True
            node_s = ground.cpu_s()
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(summary(outcomes, time.monotonic() - began))
    here = os.times()
    used = here.user + here.system + here.children_user + here.children_system
    sys.stdout.write(
        f"processor seconds: harness and workers {used:.0f}, the node since its last start {node_s:.0f}\n"
    )
    return 130 if interrupted else min(99, sum(not one.verdict.kept for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
