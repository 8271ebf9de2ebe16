"""A clean node with one rule deployed, and the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from osdetect.cluster import Cluster
from tests.cli.conftest import osdetect  # noqa: F401  # the fixture, for the tests here
from tests.faults.material import connect, deployed


@pytest.fixture
def cluster(fresh_cluster: str, tmp_path: Path) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        deployed(made, tmp_path, "{eventName: CreateThing}")
        yield made
