"""Whatever happens to workers, node and requests: each acknowledged event has each of its alerts, once."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.ground import Ground
from tests.harness.lanes import episodes, summary
from tests.harness.plan import Plan, Stroke, harsh, plan
from tests.harness.variants import HIGHEST_VISIBLE, MOVED_FIRST, OWN_IDS
from tests.harness.verdict import Verdict

EPISODES = 50
"""In every run of the tests; the wrong detectors in the long one."""


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="osdetect-faults-"))
    folder.chmod(0o755)
    with Ground(folder) as made:
        yield made
    shutil.rmtree(folder)


@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_nothing_is_missed_and_nothing_doubled(ground: Ground) -> None:
    began = time.monotonic()
    outcomes = list(episodes(ground, map(plan, range(1, EPISODES + 1))))
    told = summary(outcomes, time.monotonic() - began)
    broken = [one.told() for one in outcomes if not one.verdict.kept]
    assert not broken, "\n".join((*broken, told))
    assert len(outcomes) == EPISODES
    assert all(one.pairs >= one.events * 0.5 > 0 for one in outcomes)
    assert sum(one.verdict.withheld for one in outcomes) > 10 * EPISODES
    done = {kind for one in outcomes for kind, times in one.done.items() if times}
    assert {kind for kind in done if kind.startswith(Stroke.KILL)}, told
    assert {kind for kind in done if kind.startswith(Stroke.PAUSE)}, told
    assert {"cut after the write", "429", "503 in a burst", "node killed and started"} <= done, told


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("variant", "planned", "seeds", "lanes", "wrong"),
    [
        # Alone on the node: each lane's restart would excuse what the others' indices lose.
        (HIGHEST_VISIBLE, harsh, 3, 1, lambda found: found.missed and not found.behind),
        (MOVED_FIRST, plan, 12, 3, lambda found: found.missed and not found.behind),
        (OWN_IDS, plan, 12, 3, lambda found: found.doubled),
    ],
)
def test_a_detector_that_is_wrong_on_purpose_is_caught(
    ground: Ground,
    variant: str,
    planned: Callable[[int], Plan],
    seeds: int,
    lanes: int,
    wrong: Callable[[Verdict], bool],
) -> None:
    outcomes = episodes(ground, map(planned, range(1, seeds + 1)), variant=variant, lanes=lanes)
    try:
        assert any(wrong(one.verdict) for one in outcomes)
    finally:
        outcomes.close()  # type: ignore[attr-defined]  # ends the episodes that are being played


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_detector_as_it_is_stands_what_the_wrong_ones_fail_by(ground: Ground) -> None:
    for outcome in episodes(ground, map(harsh, (1, 2)), lanes=1):
        assert outcome.verdict.kept, outcome.told()
        assert outcome.done["node killed and started"]
