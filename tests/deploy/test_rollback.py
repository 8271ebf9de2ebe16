"""Going back with many rules, and releases that somebody damaged while they were live."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from osdetect.cluster import Cluster
from osdetect.deploy.drift import find_drift
from osdetect.deploy.plan import Fate
from osdetect.deploy.releases import PAGE, require_live
from osdetect.deploy.rollback import planned_rollback, roll_back
from osdetect.detect.release import previous_index
from tests.faults.material import ask, connect, deployed, documents, rule_id

MANY = 800


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        yield made


def test_a_rollback_of_many_rules_brings_back_just_those(cluster: Cluster, tmp_path: Path) -> None:
    names = [f"{{eventName: Name{number}}}" for number in range(MANY)]
    old = deployed(cluster, tmp_path, *names)
    assert old.rules == MANY > 3 * PAGE
    before = ask(cluster.url, "GET", f"/{old.index}/_search?size=10000&seq_no_primary_term=true")["hits"][
        "hits"
    ]
    changed = ["{eventName: Other}" if number % 100 == 7 else name for number, name in enumerate(names)]
    new = deployed(cluster, tmp_path, *changed[:-3])
    assert set(new.removed) == {rule_id(number) for number in (798, 799, 800)}
    plan = planned_rollback(cluster)
    assert require_live(cluster).index == new.index
    done = roll_back(cluster)
    assert done == plan
    assert (done.old.index, done.new.index) == (new.index, old.index)
    fates = {fate: {one.id for one in done.rules if one.fate is fate} for fate in Fate}
    assert fates == {
        Fate.ADDED: set(new.removed),
        Fate.CHANGED: {rule_id(number) for number in range(8, MANY, 100)},
        Fate.REMOVED: set(),
    }
    assert done.unchanged == MANY - 3 - 8
    assert require_live(cluster).index == old.index
    after = ask(cluster.url, "GET", "/osdetect-rules/_search?size=10000&seq_no_primary_term=true")["hits"][
        "hits"
    ]
    assert sorted(after, key=str) == sorted(before, key=str), "not one was written again"


def test_what_was_live_before_is_told_by_the_release_also_when_an_old_one_is_deployed_again(
    cluster: Cluster, tmp_path: Path
) -> None:
    first = deployed(cluster, tmp_path, "{eventName: A}")
    second = deployed(cluster, tmp_path, "{eventName: B}")
    assert previous_index(cluster, second.index) == first.index
    assert deployed(cluster, tmp_path, "{eventName: A}").index == first.index
    assert previous_index(cluster, first.index) == second.index
    assert roll_back(cluster).new.index == second.index


def test_a_live_release_that_says_it_is_unfinished_is_mended_and_never_deleted(
    cluster: Cluster, tmp_path: Path
) -> None:
    live = deployed(cluster, tmp_path, "{eventName: A}", "{eventName: B}").index
    meta = ask(cluster.url, "GET", f"/{live}/_mapping")[live]["mappings"]["_meta"]
    ask(cluster.url, "PUT", f"/{live}/_mapping", {"_meta": {**meta, "complete": False}})
    ask(cluster.url, "DELETE", f"/{live}/_doc/{rule_id(2)}?refresh=true")
    uuid = ask(cluster.url, "GET", f"/{live}/_settings")[live]["settings"]["index"]["uuid"]
    assert {one.name for one in find_drift(cluster)} == {live, rule_id(2)}
    report = deployed(cluster, tmp_path, "{eventName: A}", "{eventName: B}")
    assert report.repaired == (rule_id(2),)
    assert find_drift(cluster) == ()
    assert ask(cluster.url, "GET", f"/{live}/_settings")[live]["settings"]["index"]["uuid"] == uuid
    assert set(documents(cluster.url, "osdetect-rules")) == {rule_id(1), rule_id(2)}
