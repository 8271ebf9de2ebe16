"""One deploy at a time: a second one says so, one that died hinders nobody, and one that lost its lock changes nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.deploy import DeployReport, deploy
from osdetect.deploy.lock import LOCK_ID, Holder, deploy_lock
from osdetect.deploy.releases import aliased
from osdetect.errors import ClusterBusy
from osdetect.vocabulary import STATE_INDEX
from tests.faults.material import ask, compiled, connect, deployed
from tests.faults.proxy import Asked, Delay, FaultProxy, on

TAKE = """
import sys, time
from osdetect.deploy.lock import deploy_lock
from tests.faults.material import connect
with connect(sys.argv[1]) as cluster, deploy_lock(cluster):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        yield made


def _stored(cluster: Cluster) -> Any:
    found = cluster.read_document(STATE_INDEX, LOCK_ID)
    return found.source["lock"] if found else None


def _silent(cluster: Cluster, **said: object) -> None:
    """A lock that somebody holds elsewhere and does not renew."""
    lock = {
        "token": "t",
        "by": "casey@far",
        "place": "elsewhere",
        "process": 1,
        "since": "2026-01-01T00:00:00Z",
        "length_s": 0.5,
    }
    ask(cluster.url, "PUT", f"/{STATE_INDEX}/_doc/{LOCK_ID}", {"kind": "lock", "lock": {**lock, **said}})


def test_the_lock_is_held_renewed_and_let_go(cluster: Cluster) -> None:
    with deploy_lock(cluster, length_s=0.6) as lock:
        first = cluster.read_document(STATE_INDEX, LOCK_ID)
        assert first is not None
        holder = Holder.stored(first.source)
        assert holder is not None
        assert holder.process == os.getpid()
        assert "@" in holder.by
        with connect(cluster.url) as other, pytest.raises(ClusterBusy) as busy, deploy_lock(other):
            pass
        assert holder.by in busy.value.cause
        assert holder.since in busy.value.cause
        now = cluster.read_document(STATE_INDEX, LOCK_ID)
        assert now is not None
        assert now.version.seq_no > first.version.seq_no, "renewed meanwhile"
        lock.require()
    assert _stored(cluster) is None
    with deploy_lock(cluster) as again:
        assert again.taken_over == ""


def test_a_holder_elsewhere_that_renews_nothing_is_dead_after_its_length(cluster: Cluster) -> None:
    _silent(cluster)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(seconds)

    with deploy_lock(cluster, pause=wait) as lock:
        assert lock.taken_over == "casey@far"
    assert sum(waited) >= 0.4


@pytest.mark.parametrize("damaged", [{"process": "x"}, {"process": -1}, {"length_s": None}])
def test_a_lock_that_cannot_be_read_is_watched_too(cluster: Cluster, damaged: dict[str, object]) -> None:
    _silent(cluster, **damaged)
    source = cluster.read_document(STATE_INDEX, LOCK_ID)
    assert source is not None
    holder = Holder.stored(source.source)
    assert holder is not None
    assert not holder.gone
    assert holder.length_s == 6.0


def test_one_that_was_killed_on_this_machine_is_known_to_be_gone_at_once(cluster: Cluster) -> None:
    process = subprocess.Popen([sys.executable, "-c", TAKE, cluster.url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ClusterBusy), deploy_lock(cluster):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()

    def no_pause(_seconds: float) -> None:
        raise AssertionError("nobody need be watched")

    with deploy_lock(cluster, pause=no_pause) as lock:
        assert "@" in lock.taken_over


def test_who_lost_the_lock_makes_nothing_live(cluster: Cluster) -> None:
    with deploy_lock(cluster, length_s=30.0) as lock:
        _silent(cluster)
        with pytest.raises(ClusterBusy, match="taken over"):
            lock.require()
        with pytest.raises(ClusterBusy, match="taken over"):
            lock.require()
    assert _stored(cluster)["by"] == "casey@far", "not let go by who does not hold it"


def test_of_two_deploys_at_once_one_wins_and_the_other_says_so(cluster: Cluster, tmp_path: Path) -> None:
    old = deployed(cluster, tmp_path, "{eventName: Old}")
    rules = compiled(tmp_path, "{eventName: New}").compiled
    reports: list[DeployReport] = []

    def run(url: str) -> None:
        with connect(url) as own:
            reports.append(deploy(own, rules, on_progress=lambda _done, _total: None))

    with FaultProxy(cluster.url, on("_bulk", [Delay(4.0)])) as proxy:
        thread = threading.Thread(target=run, args=(proxy.url,))
        thread.start()
        while not proxy.count("_bulk"):
            assert thread.is_alive()
            time.sleep(0.02)
        with pytest.raises(ClusterBusy, match="another deploy is under way") as busy:
            deployed(cluster, tmp_path, "{eventName: Other}")
        assert "holds the lock since" in busy.value.cause
        assert aliased(cluster) == (old.index,)
        unchanged = deployed(cluster, tmp_path, "{eventName: Old}")
        assert not unchanged.changed, "who has nothing to do need not wait"
        thread.join()
    (report,) = reports
    assert aliased(cluster) == (report.index,)
    assert report.removed == {}


def test_a_deploy_whose_lock_is_taken_over_meanwhile_leaves_the_old_release_live(
    cluster: Cluster, tmp_path: Path
) -> None:
    old = deployed(cluster, tmp_path, "{eventName: Old}")

    def choose(asked: Asked) -> None:
        if asked.path.endswith("_bulk"):
            _silent(cluster, token="another")

    with (
        FaultProxy(cluster.url, choose) as proxy,
        connect(proxy.url) as own,
        pytest.raises(ClusterBusy, match="taken over"),
    ):
        deployed(own, tmp_path, "{eventName: New}")
    assert aliased(cluster) == (old.index,)
