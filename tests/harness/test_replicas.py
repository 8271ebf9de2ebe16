"""A copy becomes the primary while events are written and judged: each acknowledged event has its alert, once."""

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from osdetect.cluster import create_action, every_page
from osdetect.errors import ClusterError
from tests.faults.material import ask, connect, deployed, record
from tests.harness.crew import Crew, Forker
from tests.harness.pair import Pair
from tests.harness.plan import plan

INDEX = "osdetect-cloudtrail-t-2024.05"
SHARDS = 2
WRITERS = 6
_PAUSE_S = 0.3
"""Between the requests of a writer: what one search returns is enough to compare."""
ANY = "{eventSource: things.amazonaws.com}"


class Writing:
    """Writers that send each event until it is acknowledged."""

    def __init__(self, url: str) -> None:
        self._cluster = connect(url, retry_for_s=0.1)
        self._numbers = count()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: set[str] = set()
        self.refused = 0
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                numbers = [next(self._numbers) for _ in range(20)]
            events = {f"e-{number}": record(number, eventID=f"e-{number}") for number in numbers}
            while events:
                for key in self._sent(events):
                    del events[key]
                    with self._lock:
                        self.acknowledged.add(key)
            time.sleep(_PAUSE_S)

    def _sent(self, events: dict[str, Any]) -> list[str]:
        actions = [create_action(INDEX, key, event) for key, event in events.items()]
        try:
            outcomes = self._cluster.bulk(actions, params={"pipeline": "_none", "timeout": "2s"})
        except ClusterError:
            self.refused += 1
            time.sleep(0.1)
            return []
        done = [key for key, one in zip(events, outcomes, strict=True) if not one.failed]
        self.refused += len(events) - len(done)
        return done

    def until(self, more: int) -> None:
        """Wait until so many more are acknowledged."""
        goal = len(self.acknowledged) + more
        ends = time.monotonic() + 60
        while len(self.acknowledged) < goal:
            assert time.monotonic() < ends, f"{len(self.acknowledged)} of {goal}"
            time.sleep(0.05)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        self._cluster.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair.of_nodes() as made:
        yield made


def _primaries(url: str) -> set[str]:
    shards = ask(url, "GET", f"/_cat/shards/{INDEX}?format=json&h=prirep,node,state")
    return {one["node"] for one in shards if one["prirep"] == "p"}


def _replicated(pair: Pair) -> None:
    """An index whose primaries are on the second node, and copies on the first."""
    there = {"index.routing.allocation.require._name": pair.second_name}
    settings = {
        "index.number_of_shards": SHARDS,
        "index.number_of_replicas": 0,
        "index.auto_expand_replicas": "false",
    }
    ask(pair.url, "PUT", f"/{INDEX}", {"settings": {**settings, **there}})
    pair.wait("wait_for_status=green")
    anywhere = {"index.routing.allocation.require._name": None, "index.number_of_replicas": 1}
    ask(pair.url, "PUT", f"/{INDEX}/_settings", anywhere)
    pair.wait("wait_for_status=green")
    assert _primaries(pair.url) == {pair.second_name}


def _alerted(url: str) -> list[str]:
    ask(url, "POST", "/osdetect-alerts-t-*/_refresh")
    body = {"size": 5_000, "_source": ["osdetect.source.id"], "sort": [{"osdetect.id": "asc"}]}
    with connect(url) as cluster:
        pages = list(every_page(cluster, "/osdetect-alerts-t-*/_search", body))
    return [hit["_source"]["osdetect"]["source"]["id"] for page in pages for hit in page]


def _stored(url: str, keys: Sequence[str]) -> set[str]:
    found = ask(url, "POST", f"/{INDEX}/_mget?_source=false", {"ids": keys})["docs"]
    return {one["_id"] for one in found if one["found"]}


def _wait_for_all(url: str, acknowledged: set[str]) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if set(_alerted(url)) >= acknowledged:
            return
        time.sleep(0.5)
    missed = acknowledged - set(_alerted(url))
    raise AssertionError(f"missed {len(missed)} of {len(acknowledged)}: {sorted(missed)[:5]}")


@pytest.mark.timeout(300)
def test_a_copy_that_becomes_the_primary_loses_and_doubles_nothing(pair: Pair, folder: Path) -> None:
    with connect(pair.url) as cluster:
        deployed(cluster, folder, ANY)
    _replicated(pair)
    log = folder / "workers.log"
    log.touch()
    forker = Forker({"OSDETECT_RETRY_FOR_S": "2", "OSDETECT_TIMEOUT_S": "20"})
    arguments = ("--every", "1s", "--lease", "2", "--namespace", "t", "--url", pair.url)
    crew = Crew(forker, ("detect", *arguments), log, replace(plan(1), workers=2, narrow=False))
    writing = Writing(pair.url)
    try:
        writing.until(400)
        pair.kill_second()
        writing.until(400)
        assert _primaries(pair.url).isdisjoint({pair.second_name})  # the copies were promoted
        pair.start_second()
        pair.wait("wait_for_status=green")
        writing.until(200)
        writing.end()
        _wait_for_all(pair.url, writing.acknowledged)
    finally:
        writing.end()
        crew.close()
        forker.close()
    alerted = _alerted(pair.url)
    assert len(alerted) == len(set(alerted))
    assert _stored(pair.url, sorted(writing.acknowledged)) == writing.acknowledged
    assert _stored(pair.url, alerted) == set(alerted)
