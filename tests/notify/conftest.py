"""A clean node with the templates, receivers on this machine, and channels that send to them."""

from collections.abc import Iterator

import pytest

from osdetect.cluster import Cluster
from osdetect.deploy.mappings import install
from tests.cli.conftest import nowhere, osdetect
from tests.faults.material import connect
from tests.notify.receiver import Receiver

__all__ = ["nowhere", "osdetect"]


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        install(made)
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made
