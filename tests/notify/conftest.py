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
def cluster(node_url: str) -> Iterator[Cluster]:
    """The templates stay from test to test, which saves most of the time; what is stored does not."""
    with connect(node_url) as made:
        found = made.request("GET", "/_cat/indices/osdetect-*", params={"format": "json", "h": "index"})
        if found:
            made.request("DELETE", "/" + ",".join(one["index"] for one in found))
        install(made)
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made
