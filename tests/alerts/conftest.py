"""A clean node with the alerts' template, and the program."""

from collections.abc import Iterator

import pytest

from osdetect.cluster import Cluster
from osdetect.deploy.mappings import install
from tests.cli.conftest import nowhere, osdetect
from tests.faults.material import connect
from tests.faults.proxy import FaultProxy

__all__ = ["nowhere", "osdetect"]


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        install(made)
        yield made


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster.url, lambda _asked: None) as made:
        yield made
