"""Several documents at once: what could not be looked for is never taken for what is not there."""

from collections.abc import Iterator

import pytest

from osdetect.cluster import Cluster
from osdetect.errors import ClusterUnavailable
from tests.faults.material import connect

pytestmark = pytest.mark.node


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        made.create_document("osdetect-there", "a", {"n": 1})
        yield made


def test_they_come_in_the_order_asked_for_and_what_is_missing_is_not_found(cluster: Cluster) -> None:
    named = [
        ("osdetect-there", "b"),
        ("osdetect-nowhere", "a"),
        ("osdetect-there", "a"),
        ("osdetect-there", "a"),
    ]
    found = cluster.read_documents(named)
    assert [bool(one.get("found")) for one in found] == [False, False, True, True]
    assert found[2]["_source"] == {"n": 1}
    assert cluster.read_documents(()) == ()


def test_a_document_that_cannot_be_looked_for_is_an_error(cluster: Cluster) -> None:
    """OpenSearch answers 200, with the reason beside the document."""
    cluster.request("POST", "/osdetect-there/_close")
    with pytest.raises(
        ClusterUnavailable, match="the document a of osdetect-there cannot be read"
    ) as refused:
        cluster.read_documents([("osdetect-there", "a")])
    assert "closed" in refused.value.cause
