"""Whatever happens to workers, node and requests: each acknowledged event has each of its alerts, once."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.ground import Ground
from tests.harness.lanes import episodes, summary

EPISODES = 10


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="osdetect-faults-"))
    folder.chmod(0o755)
    with Ground(folder) as made:
        yield made
    shutil.rmtree(folder)


@pytest.mark.timeout(900)
def test_nothing_is_missed_and_nothing_doubled(ground: Ground) -> None:
    began = time.monotonic()
    outcomes = list(episodes(ground, range(1, EPISODES + 1)))
    told = summary(outcomes, time.monotonic() - began)
    broken = [one.told() for one in outcomes if not one.verdict.kept]
    assert not broken, "\n".join((*broken, told))
    assert len(outcomes) == EPISODES
    assert all(one.pairs >= one.events > 0 for one in outcomes)  # one rule matches every event
