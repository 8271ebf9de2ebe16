"""What any of several queries finds, asked by one request: each document once, none left out, or an error."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from osdetect.cluster import Cluster
from osdetect.errors import ClusterRefused, ClusterUnavailable
from osdetect.follow import Shard, Together, Wanted, make_visible, shards_of
from tests.faults.material import ask, connect
from tests.faults.proxy import FaultProxy, Reply, on

INDEX = "followed"
DOCUMENTS = 60


class Always(msgspec.Struct):
    """Asks for the same whatever there is, and keeps what it was told."""

    queries: list[dict[str, Any]]
    field: str = "name.keyword"
    told: frozenset[str] | None = None

    def of(self, values: frozenset[str] | None) -> list[dict[str, Any]]:
        self.told = values
        return self.queries


def _below(number: int) -> dict[str, Any]:
    return {"range": {"number": {"lt": number}}}


@pytest.fixture
def shard(cluster: Cluster) -> Iterator[Shard]:
    ask(cluster.url, "DELETE", f"/{INDEX}", accept=(404,))
    ask(cluster.url, "PUT", f"/{INDEX}", {"settings": {"index.number_of_shards": 1}})
    for number in range(DOCUMENTS):
        # Half of a surrogate pair is no Unicode: such a document's text cannot be kept as it is.
        name = "\ud800" if number == 41 else "plain"
        ask(cluster.url, "PUT", f"/{INDEX}/_doc/{number}", {"number": number, "name": name})
    (made,) = shards_of(cluster, INDEX)
    make_visible(cluster, [made])
    yield made
    ask(cluster.url, "DELETE", f"/{INDEX}", accept=(404,))


@pytest.mark.parametrize("page", [1, 7, 1_000])
def test_each_document_that_some_query_finds_comes_once(cluster: Cluster, shard: Shard, page: int) -> None:
    queries = [_below(30), {"term": {"number": 45}}, _below(20), _below(0)]
    searched = Together(cluster, Wanted(shard, 4, 49), Always(queries), page)
    assert searched.events() == 45
    found = [event.source["number"] for part in searched.pages() for event in part]
    assert sorted(found) == [*range(5, 30), 45]
    assert searched.seconds > 0


def test_the_documents_of_one_query_are_in_order(cluster: Cluster, shard: Shard) -> None:
    wanted = Wanted(shard, -1, DOCUMENTS, query=_below(50))
    pages = list(Together(cluster, wanted, Always([{"match_all": {}}]), 3).pages())
    numbers = [event.at.seq_no for page in pages for event in page]
    assert numbers == list(range(50))
    assert all(one < two for one, two in pairwise(numbers))


def test_a_page_is_no_more_than_a_page_whatever_documents_hold(cluster: Cluster, shard: Shard) -> None:
    searched = Together(cluster, Wanted(shard, -1, DOCUMENTS), Always([{"match_all": {}}]))
    events = [event for page in searched.pages() for event in page]
    assert len(events) == DOCUMENTS
    assert events[41].source == {"number": 41, "name": "�"}
    assert 50 <= searched.page <= 5_000


def test_an_index_that_is_gone_or_another_ones_gives_nothing(cluster: Cluster, shard: Shard) -> None:
    ask(cluster.url, "DELETE", f"/{INDEX}")
    gone = Together(cluster, Wanted(shard, -1, DOCUMENTS), Always([{"match_all": {}}]))
    assert (gone.events(), list(gone.pages())) == (0, [])
    ask(cluster.url, "PUT", f"/{INDEX}/_doc/0?refresh=true", {"number": 0})
    another = Together(cluster, Wanted(shard, -1, DOCUMENTS), Always([{"match_all": {}}]))
    assert (another.events(), list(another.pages())) == (0, [])


def test_a_search_that_fails_among_others_fails_all(
    cluster: Cluster, shard: Shard, proxy: FaultProxy
) -> None:
    wrong = Together(cluster, Wanted(shard, -1, DOCUMENTS), Always([_below(3), {"no_such_query": {}}]))
    with pytest.raises(ClusterRefused, match="no_such_query"):
        list(wrong.pages())
    busy = {"error": {"type": "circuit_breaking_exception", "reason": "Data too large"}, "status": 429}
    fine = {"hits": {"total": {"value": 60}, "hits": []}, "status": 200}
    for answers in ([fine, busy], [fine]):
        counted = Reply(200, {"responses": [{"hits": {"total": {"value": 60}, "hits": []}, "status": 200}]})
        proxy.choose = on("/_msearch", [counted, Reply(200, {"responses": answers})])
        with connect(proxy.url, retry_for_s=0) as half, pytest.raises(ClusterUnavailable):
            list(Together(half, Wanted(shard, -1, DOCUMENTS), Always([_below(3), _below(4)])).pages())


def test_who_asks_is_told_the_values_of_the_range_unless_they_are_too_many(
    cluster: Cluster, shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Always([_below(3)])
    assert Together(cluster, Wanted(shard, 39, DOCUMENTS), asked).events() == DOCUMENTS - 40
    assert set(asked.told or ()) == {"plain", "�"}
    wanted = Wanted(shard, -1, 9, query=_below(5))
    assert Together(cluster, wanted, asked).events() == 5
    assert set(asked.told or ()) == {"plain"}
    monkeypatch.setattr("osdetect.follow.together.MOST_VALUES", 1)
    many = Always([_below(3)], told=frozenset("x"))
    Together(cluster, Wanted(shard, 39, DOCUMENTS), many).events()
    assert many.told is None
    monkeypatch.undo()
    numbers = Always([_below(3)], "number", frozenset("x"))
    Together(cluster, Wanted(shard, -1, DOCUMENTS), numbers).events()
    assert numbers.told is None
