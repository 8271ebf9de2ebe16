"""Sequence numbers that several documents share, and numbers that begin anew under the same uuid."""

import sys
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from osdetect.cluster import Cluster, create_action
from osdetect.documents.state import Cursor, Owed
from osdetect.follow import Follower, Shard, Together, Wanted, make_visible, pages, shards_of
from tests.faults.material import ask
from tests.follow.test_together import Always

MANY, FEW = "numbers-many", "numbers-few"
SHARDS, DOCUMENTS = 3, 60


SIZES = (1, 2, 4, 7, 1_000)


@pytest.fixture
def shrunk(cluster: Cluster) -> Shard:
    """The one shard of an index that was shrunk from three: nearly each number is of three documents."""
    for index in (MANY, FEW):
        ask(cluster.url, "DELETE", f"/{index}", accept=(404,))
    ask(
        cluster.url,
        "PUT",
        f"/{MANY}",
        {"settings": {"index.number_of_shards": SHARDS, "index.number_of_replicas": 0}},
    )
    sources = ({"number": number, "name": "plain"} for number in range(DOCUMENTS))
    assert all(
        one.created for one in cluster.bulk([create_action(MANY, str(one["number"]), one) for one in sources])
    )
    ask(cluster.url, "PUT", f"/{MANY}/_settings", {"index.blocks.write": True})
    body = {
        "settings": {"index.number_of_shards": 1, "index.number_of_replicas": 0, "index.blocks.write": None}
    }
    ask(cluster.url, "POST", f"/{MANY}/_shrink/{FEW}?wait_for_active_shards=1", body)
    ask(cluster.url, "GET", f"/_cluster/health/{FEW}?wait_for_status=green&timeout=30s")
    (shard,) = shards_of(cluster, FEW)
    make_visible(cluster, [shard])
    assert shard.checkpoint < DOCUMENTS - 1, "numbers are shared"
    return shard


def test_pages_have_every_document_of_a_number(
    cluster: Cluster, shrunk: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["osdetect.follow.pages"]
    monkeypatch.setattr(module, "SMALLEST_PAGE", 1)
    for size in SIZES:
        monkeypatch.setattr(module, "FIRST_PAGE", size)
        wanted = Wanted(shrunk, -1, shrunk.checkpoint)
        found = [event.source["number"] for page in pages(cluster, wanted) for event in page]
        assert searched_once(found), size


def test_searches_have_every_document_of_a_number(cluster: Cluster, shrunk: Shard) -> None:
    queries = [{"range": {"number": {"lt": 40}}}, {"range": {"number": {"gte": 20}}}]
    for size in SIZES:
        searched = Together(cluster, Wanted(shrunk, -1, shrunk.checkpoint), Always(queries), size)
        found = [event.source["number"] for page in searched.pages() for event in page]
        assert searched_once(found), size


def searched_once(found: list[int]) -> bool:
    """Whether each document is there, and once."""
    return sorted(found) == list(range(DOCUMENTS))


def test_numbers_of_another_history_begin_anew(cluster: Cluster, shrunk: Shard) -> None:
    assert shrunk.history
    follower = Follower(
        cluster, purpose="p", namespace="t", worker="w", lease_s=30, clock=lambda: datetime.now(UTC)
    )
    (waiting,) = follower.look([shrunk])
    held = follower.take(waiting)
    assert held is not None
    assert held.move(shrunk.checkpoint, owed=(Owed(("r",), 1, 2),), last=True)
    (same,) = follower.look([shrunk])
    assert (same.behind, same.cursor.owed) == (0, (Owed(("r",), 1, 2),))
    (other,) = follower.look([replace(shrunk, history="another", checkpoint=5)])
    assert (other.behind, other.cursor.owed, other.version) == (6, (), same.version)
    taken = follower.take(other)
    assert taken is not None
    assert taken.move(5, last=True)
    (again,) = follower.look([replace(shrunk, history="another", checkpoint=5)])
    assert again.behind == 0


def test_a_cursor_without_a_history_takes_the_one_there_is() -> None:
    cursor = Cursor("p", "t", "uuid", 0, seq_no=7)
    assert cursor.of_history("h") == replace(cursor, history="h")
    assert cursor.of_history("") is cursor
    said = replace(cursor, history="h").to_source(datetime.now(UTC))
    assert Cursor.named(said) == replace(cursor, history="h")
