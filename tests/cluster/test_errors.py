"""Failures of a cluster, each injected between us and a real node, and what they are translated to."""

import time
from collections.abc import Iterator

import pytest

from osdetect.cluster import Cluster
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable
from tests.faults.material import connect
from tests.faults.proxy import TOO_MANY, Cut, Delay, FaultProxy, Reply, always, on, refusal

HEALTH = "/_cluster/health"


@pytest.fixture
def proxy(node_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(node_url, lambda _asked: None) as made:
        yield made


@pytest.fixture
def cluster(proxy: FaultProxy) -> Iterator[Cluster]:
    with connect(proxy.url) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "kind", "said", "cure"),
    [
        (
            refusal(401, "security_exception", "who are you"),
            ClusterRefused,
            "who this is",
            "OSDETECT_PASSWORD_FILE",
        ),
        (
            refusal(403, "security_exception", "no permissions for [indices:data/read/search]"),
            ClusterRefused,
            "lacks the right indices:data/read",
            "osdetect security apply",
        ),
        (
            refusal(404, "index_not_found_exception", "no such index [x]"),
            ClusterRefused,
            "does not have this",
            "",
        ),
        (Reply(413, b""), ClusterRefused, "413", "http.max_content_length"),
        (refusal(400, "parsing_exception", "unknown query [x]"), ClusterRefused, "400", ""),
        (Reply(500, b"Internal Server Error", "text/plain"), ClusterRefused, "500", ""),
        (TOO_MANY, ClusterUnavailable, "too busy", "overloaded"),
        (refusal(503, "cluster_block_exception", "no master"), ClusterUnavailable, "503", ""),
        (Reply(502, b"<html>Bad gateway</html>", "text/html"), ClusterUnavailable, "502", ""),
        (Reply(504, b""), ClusterUnavailable, "504", ""),
        (Reply(408, b""), ClusterUnavailable, "408", ""),
        (Cut(), ClusterUnavailable, "cannot be reached", "osdetect node status"),
    ],
)
def test_each_failure_has_one_meaning(
    proxy: FaultProxy,
    cluster: Cluster,
    fault: Reply | Cut,
    kind: type[ClusterError],
    said: str,
    cure: str,
) -> None:
    proxy.choose = always(HEALTH, fault)
    with pytest.raises(ClusterError) as refused:
        cluster.request("GET", HEALTH, repeat=False)
    assert type(refused.value) is kind
    assert said in refused.value.what
    assert cure in refused.value.cure
    if isinstance(fault, Reply) and isinstance(fault.body, dict):
        assert fault.body["error"]["reason"] in refused.value.cause
        assert HEALTH in refused.value.what
    assert proxy.count(HEALTH) == 1


def test_a_refusal_is_not_repeated(proxy: FaultProxy, cluster: Cluster) -> None:
    proxy.choose = always(HEALTH, refusal(403, "security_exception", "no"))
    with pytest.raises(ClusterRefused):
        cluster.request("GET", HEALTH)
    assert proxy.count(HEALTH) == 1


def test_an_accepted_status_gives_its_reply(proxy: FaultProxy, cluster: Cluster) -> None:
    proxy.choose = always(HEALTH, refusal(404, "not_found", "gone"))
    assert cluster.request("GET", HEALTH, accept=(404,))["error"]["reason"] == "gone"


def test_what_fails_in_passing_is_repeated_until_it_succeeds(proxy: FaultProxy, cluster: Cluster) -> None:
    proxy.choose = on(HEALTH, [TOO_MANY, Cut(), Reply(503, b""), Cut(after=True)])
    assert cluster.request("GET", HEALTH)["status"] in ("green", "yellow")
    assert proxy.count(HEALTH) == 5


def test_repeating_ends_in_time(proxy: FaultProxy) -> None:
    proxy.choose = always(HEALTH, TOO_MANY)
    with connect(proxy.url, retry_for_s=1.0) as cluster:
        began = time.monotonic()
        with pytest.raises(ClusterUnavailable, match="too busy"):
            cluster.request("GET", HEALTH)
        assert time.monotonic() - began < 2.5
    assert proxy.count(HEALTH) > 1


def test_without_patience_nothing_is_repeated(proxy: FaultProxy) -> None:
    proxy.choose = always(HEALTH, TOO_MANY)
    with connect(proxy.url, retry_for_s=0) as cluster, pytest.raises(ClusterUnavailable):
        cluster.request("GET", HEALTH)
    assert proxy.count(HEALTH) == 1


def test_a_cluster_that_does_not_answer_is_given_up_after_the_time_out(
    proxy: FaultProxy, cluster: Cluster
) -> None:
    proxy.choose = always(HEALTH, Delay(1.5))
    with pytest.raises(ClusterUnavailable, match="in time") as refused:
        cluster.request("GET", HEALTH, timeout_s=0.2, repeat=False)
    assert "OSDETECT_TIMEOUT_S" in refused.value.cure


def test_text_that_is_no_unicode_in_a_stored_document_can_be_read(fresh_cluster: str) -> None:
    with connect(fresh_cluster) as cluster:
        body = b'{"create":{"_index":"osdetect-odd","_id":"1"}}\n{"a":"x\\ud800y","b":"\\ud83d\\ude00"}\n'
        (outcome,) = cluster.bulk([body])
        assert outcome.created
        found = cluster.read_document("osdetect-odd", "1")
    assert found is not None
    assert found.source == {"a": "x\ufffdy", "b": "\U0001f600"}


def test_a_cluster_without_the_percolator_is_told(proxy: FaultProxy, cluster: Cluster) -> None:
    reason = "No handler for type [percolator] declared on field [query]"
    proxy.choose = always("/_simulate", refusal(400, "mapper_parsing_exception", reason))
    with pytest.raises(ClusterRefused, match="no percolator") as refused:
        cluster.require_percolator()
    assert reason in refused.value.cause
    assert "percolator module" in refused.value.cure
