"""A clean node, a connection to it, and a proxy before it."""

from collections.abc import Iterator

import pytest

from osdetect.cluster import Cluster
from tests.faults.material import connect
from tests.faults.proxy import FaultProxy


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        yield made


@pytest.fixture
def proxy(fresh_cluster: str) -> Iterator[FaultProxy]:
    with FaultProxy(fresh_cluster, lambda _asked: None) as made:
        yield made
