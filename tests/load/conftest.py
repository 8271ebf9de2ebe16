"""A cluster that is ready to be loaded into, and a folder to load from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.deploy.mappings import install
from tests.load.material import Folder


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    connected = Cluster.connect(Connection(url=fresh_cluster))
    install(connected)
    yield connected
    connected.close()


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "files")
