"""What is read of a shard is the shard's, whatever becomes of its index meanwhile."""

import pytest

from osdetect.cluster import Cluster
from osdetect.errors import ClusterUnavailable
from osdetect.follow import Wanted, make_visible, pages, shards_of
from tests.faults.material import ask, connect
from tests.faults.proxy import FaultProxy, Reply, on

INDEX = "followed"


def _made(cluster: Cluster, documents: int) -> None:
    ask(cluster.url, "DELETE", f"/{INDEX}", accept=(404,))
    ask(cluster.url, "PUT", f"/{INDEX}", {"settings": {"index.number_of_shards": 1}})
    for number in range(documents):
        ask(cluster.url, "PUT", f"/{INDEX}/_doc/{number}", {"number": number})


def test_pages_are_of_the_range_and_in_order(cluster: Cluster) -> None:
    _made(cluster, 7)
    ask(cluster.url, "DELETE", f"/{INDEX}/_doc/3")
    (shard,) = shards_of(cluster, INDEX)
    make_visible(cluster, [shard])
    assert shard.checkpoint == 7
    found = [one.at.seq_no for page in pages(cluster, Wanted(shard, 1, 5)) for one in page]
    assert found == [2, 4, 5]


def test_an_index_made_again_under_its_name_is_another_one(cluster: Cluster) -> None:
    _made(cluster, 5)
    (shard,) = shards_of(cluster, INDEX)
    _made(cluster, 5)
    (new,) = shards_of(cluster, INDEX)
    make_visible(cluster, [new])
    assert new.index_uuid != shard.index_uuid
    assert list(pages(cluster, Wanted(shard, -1, shard.checkpoint))) == []
    assert [len(page) for page in pages(cluster, Wanted(new, -1, new.checkpoint))] == [5]


def test_an_index_that_is_gone_has_no_pages(cluster: Cluster) -> None:
    _made(cluster, 5)
    (shard,) = shards_of(cluster, INDEX)
    ask(cluster.url, "DELETE", f"/{INDEX}")
    make_visible(cluster, [shard])
    assert list(pages(cluster, Wanted(shard, -1, shard.checkpoint))) == []


def test_a_refresh_that_missed_a_shard_is_no_refresh(cluster: Cluster, proxy: FaultProxy) -> None:
    _made(cluster, 1)
    failure = {"shard": 0, "reason": {"type": "engine_exception"}}
    answer = {"_shards": {"total": 1, "successful": 0, "failed": 1, "failures": [failure]}}
    proxy.choose = on("/_refresh", [Reply(200, answer)])
    shards = shards_of(cluster, INDEX)
    with connect(proxy.url) as half:
        with pytest.raises(ClusterUnavailable, match="could be refreshed"):
            make_visible(half, shards)
        make_visible(half, shards)
