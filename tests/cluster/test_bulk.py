"""Bulk requests and single writes when the way to the cluster is bad: nothing is lost, nothing is there twice."""

from collections.abc import Iterator

import orjson
import pytest

from osdetect.cluster import Cluster
from osdetect.errors import ClusterRefused, ClusterUnavailable
from tests.faults.material import ask, connect, documents
from tests.faults.proxy import BusyItems, Cut, FaultProxy, Reply, always, on, refusal

INDEX = "osdetect-bulk-test"


@pytest.fixture
def proxy(fresh_cluster: str) -> Iterator[FaultProxy]:
    with FaultProxy(fresh_cluster, lambda _asked: None) as made:
        yield made


@pytest.fixture
def cluster(proxy: FaultProxy) -> Iterator[Cluster]:
    with connect(proxy.url) as made:
        yield made


def _create(number: int, source: object = None) -> bytes:
    action = {"create": {"_index": INDEX, "_id": str(number)}}
    return orjson.dumps(action) + b"\n" + orjson.dumps(source or {"n": number}) + b"\n"


def test_items_are_told_apart(cluster: Cluster) -> None:
    first = cluster.bulk([_create(1), _create(2)])
    assert [outcome.created for outcome in first] == [True, True]
    created, exists, failed = cluster.bulk([_create(3), _create(1), _create(4, {"n": {"not": "a number"}})])
    assert (created.created, created.exists, created.failed) == (True, False, False)
    assert (exists.created, exists.exists, exists.failed) == (False, True, False)
    assert (failed.created, failed.exists, failed.failed) == (False, False, True)
    assert failed.error_type == "mapper_parsing_exception"
    assert "[n]" in failed.reason


def test_no_action_asks_nothing(proxy: FaultProxy, cluster: Cluster) -> None:
    assert cluster.bulk([]) == ()
    assert proxy.count("/_bulk") == 0


def test_only_the_busy_items_are_sent_again_and_outcomes_keep_their_order(
    proxy: FaultProxy, cluster: Cluster
) -> None:
    cluster.bulk([_create(3)])
    proxy.asked.clear()
    proxy.choose = on("/_bulk", [BusyItems(frozenset({1, 3})), BusyItems(frozenset({0}))])
    outcomes = cluster.bulk([_create(number) for number in range(5)])
    assert [outcome.status for outcome in outcomes] == [201, 201, 201, 409, 201]
    sent = [
        [orjson.loads(line)["create"]["_id"] for line in asked.body.splitlines()[::2]]
        for asked in proxy.asked
        if asked.path == "/_bulk"
    ]
    assert sent == [["0", "1", "2", "3", "4"], ["1", "3"], ["1"]]
    assert len(documents(proxy.url, INDEX)) == 5


def test_items_that_stay_busy_are_given_up_in_time(proxy: FaultProxy) -> None:
    proxy.choose = always("/_bulk", BusyItems(frozenset({0})))
    with connect(proxy.url, retry_for_s=0.5) as impatient:
        with pytest.raises(ClusterUnavailable, match="too busy for 1 of 2 documents") as refused:
            impatient.bulk([_create(1), _create(2)])
        assert "not stored twice" in refused.value.cure
    assert set(documents(proxy.url, INDEX)) == {"2"}


def test_an_answer_lost_after_the_write_shows_as_there_already(proxy: FaultProxy, cluster: Cluster) -> None:
    proxy.choose = on("/_bulk", [Cut(after=True)])
    outcomes = cluster.bulk([_create(1), _create(2)])
    assert [outcome.exists for outcome in outcomes] == [True, True]
    assert not any(outcome.failed for outcome in outcomes)
    assert documents(proxy.url, INDEX) == {"1": {"n": 1}, "2": {"n": 2}}


def test_a_bulk_request_refused_as_a_whole_is_no_outcome(proxy: FaultProxy, cluster: Cluster) -> None:
    proxy.choose = always("/_bulk", refusal(413, "too_large", "content length exceeded"))
    with pytest.raises(ClusterRefused, match="413"):
        cluster.bulk([_create(1)])


@pytest.mark.parametrize("body", [{"items": []}, {}, []])
def test_an_answer_without_the_items_is_no_success(proxy: FaultProxy, cluster: Cluster, body: object) -> None:
    proxy.choose = always("/_bulk", Reply(200, body))
    with pytest.raises(ClusterUnavailable, match="0 of 1 bulk items"):
        cluster.bulk([_create(1)])


def test_a_document_is_created_once(cluster: Cluster) -> None:
    made = cluster.create_document(INDEX, "a:b/c", {"n": 1})
    assert made is not None
    assert cluster.create_document(INDEX, "a:b/c", {"n": 2}) is None
    read = cluster.read_document(INDEX, "a:b/c")
    assert read is not None
    assert (read.source, read.version) == ({"n": 1}, made)
    assert cluster.read_document(INDEX, "absent") is None
    assert cluster.read_document("osdetect-absent", "1") is None


def test_a_create_whose_answer_is_lost_reports_that_the_id_is_taken(
    proxy: FaultProxy, cluster: Cluster
) -> None:
    proxy.choose = on("/1", [Cut(after=True)], method="PUT")
    assert cluster.create_document(INDEX, "1", {"n": 1}) is None
    assert documents(proxy.url, INDEX) == {"1": {"n": 1}}


def test_compare_and_set_loses_against_a_later_write(cluster: Cluster) -> None:
    first = cluster.create_document(INDEX, "1", {"n": 1})
    assert first is not None
    second = cluster.replace_document(INDEX, "1", {"n": 2}, first)
    assert second is not None
    assert cluster.replace_document(INDEX, "1", {"n": 3}, first) is None
    read = cluster.read_document(INDEX, "1")
    assert read is not None
    assert read.source == {"n": 2}


def test_an_index_is_made_once_and_a_bad_one_is_refused(cluster: Cluster, proxy: FaultProxy) -> None:
    assert cluster.create_index(INDEX, {})
    assert not cluster.create_index(INDEX, {})
    with pytest.raises(ClusterRefused, match="PUT /osdetect-other"):
        cluster.create_index("osdetect-other", {"mappings": {"properties": {"a": {"type": "no-such-type"}}}})
    assert ask(proxy.url, "GET", "/_cat/indices/osdetect-*?format=json&h=index") == [{"index": INDEX}]
