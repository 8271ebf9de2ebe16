"""A clean node with the templates, receivers on this machine, and channels that send to them."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from osdetect.cluster import Cluster
from osdetect.deploy.mappings import install
from tests.cli.conftest import nowhere, osdetect
from tests.faults.material import connect
from tests.notify.certificate import certificate
from tests.notify.mailbox import Mailbox
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


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate(tmp_path))
    return made
