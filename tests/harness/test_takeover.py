"""Several workers on one target: the same alerts, and the shards of one that is killed go on within two lease lengths."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from osdetect.cluster import Cluster
from tests.faults.material import ask, connect, deployed, documents, put_records, record
from tests.harness.crew import Crew, Forker
from tests.harness.plan import Blow, Stroke, plan
from tests.harness.points import Points

INDEX = "osdetect-cloudtrail-t-2024.05"
EVENTS = 2_000
SHARDS = 8
LEASE_S = 6
ANY = "{eventSource: things.amazonaws.com}"


class Killed:
    """Notes which worker was struck, and when."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.pid, self.at = 0, 0.0
        self.done = threading.Event()

    def __call__(self, pid: int, stroke: Stroke) -> None:
        self._crew.struck(pid, stroke)
        self.pid, self.at = pid, time.monotonic()
        self.done.set()


def _cursors(url: str) -> list[dict[str, Any]]:
    uuid = ask(url, "GET", f"/{INDEX}/_settings")[INDEX]["settings"]["index"]["uuid"]
    names = [f"cursor:detect:t:{uuid}:{number}" for number in range(SHARDS)]
    body = {"docs": [{"_index": "osdetect-state", "_id": name} for name in names]}
    found = ask(url, "POST", "/_mget", body)["docs"]
    return [one["_source"]["cursor"] for one in found if one.get("found")]


def _wait(seconds: float, until: str, url: str, pid: int) -> float:
    """Wait until no cursor names the worker, or until all is judged; gives the moment."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        cursors = _cursors(url)
        theirs = [one for one in cursors if f"-{pid}-" in one.get("lease", {}).get("worker", "")]
        judged = sum(one["seq_no"] + 1 for one in cursors if not one["owed"])
        if (until == "taken" and not theirs) or (until == "judged" and judged == EVENTS):
            return time.monotonic()
        time.sleep(0.1)
    raise AssertionError(f"not {until} after {seconds} s: {_cursors(url)}")


@pytest.mark.parametrize("workers", [2, 8])
def test_the_shards_of_a_killed_worker_are_taken_over(fresh_cluster: str, folder: Path, workers: int) -> None:
    with connect(fresh_cluster) as cluster:
        deployed(cluster, folder, ANY)
        _fill(cluster)
    log = folder / "workers.log"
    log.touch()
    with Points(folder / "points") as points:
        forker = Forker({"OSDETECT_TEST_POINTS": str(points.path)})
        arguments = ("--every", "1s", "--lease", str(LEASE_S), "--namespace", "t", "--url", fresh_cluster)
        crew = Crew(forker, ("detect", *arguments), log, replace(plan(1), workers=workers, narrow=False))
        killed = Killed(crew)
        points.arm((Blow("page-read", 2, Stroke.KILL),), killed)
        try:
            assert killed.done.wait(60)
            taken = _wait(60, "taken", fresh_cluster, killed.pid)
            _wait(60, "judged", fresh_cluster, killed.pid)
        finally:
            crew.close()
            forker.close()
    assert LEASE_S / 2 < taken - killed.at <= 2 * LEASE_S  # the lower bound: it held a lease indeed
    assert not crew.by_itself
    found = documents(fresh_cluster, "osdetect-alerts-t-*")
    events = sorted(alert["osdetect"]["source"]["id"] for alert in found.values())
    assert len(events) == len(set(events)) == EVENTS


def _fill(cluster: Cluster) -> None:
    ask(cluster.url, "PUT", f"/{INDEX}", {"settings": {"index.number_of_shards": SHARDS}})
    put_records(cluster, INDEX, [record(number) for number in range(EVENTS)])
