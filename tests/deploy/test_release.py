"""Releases on a real node: what a deploy writes, what it leaves alone, and what a reader can see meanwhile."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.compiler.compiled_file import CompiledRule
from osdetect.deploy import DeployReport, deploy, refusals, release
from osdetect.deploy.mappings import shipped
from osdetect.deploy.release import KEPT
from osdetect.deploy.releases import release_index
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable
from osdetect.vocabulary import OWNER, RULES_ALIAS
from tests.faults.material import ask, compiled, connect, deployed, documents, rule_id
from tests.faults.proxy import BusyItems, Cut, FaultProxy, on, refusal

ONE = "{eventName: CreateThing}"
TWO = "{eventName: DeleteThing}"


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        yield made


@pytest.fixture
def proxy(fresh_cluster: str) -> Iterator[FaultProxy]:
    with FaultProxy(fresh_cluster, lambda _asked: None) as made:
        yield made


def _deploy(cluster: Cluster, rules: tuple[CompiledRule, ...]) -> DeployReport:
    return deploy(cluster, rules, on_progress=lambda _done, _total: None)


def _live(url: str) -> str:
    (index,) = ask(url, "GET", f"/_alias/{RULES_ALIAS}")
    return str(index)


def _refused_by_cluster(one: CompiledRule) -> CompiledRule:
    document = {**orjson.loads(one.document), "query": {"no_such_query": {}}}
    return replace(one, kept=replace(one.kept, document=orjson.dumps(document)))


def test_the_first_deploy_installs_all_and_the_second_changes_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    rules = compiled(tmp_path, ONE, TWO).compiled
    first = deploy(cluster, rules, on_progress=lambda done, total: told.append((done, total)))
    assert first.changed
    assert (first.rules, first.refused, first.deleted) == (2, (), ())
    assert set(first.installed) == {resource.name for resource in shipped()}
    assert told[-1] == (2, 2)
    assert _live(cluster.url) == first.index
    assert set(documents(cluster.url, RULES_ALIAS)) == {rule_id(1), rule_id(2)}
    meta = ask(cluster.url, "GET", f"/{first.index}/_mapping")[first.index]["mappings"]["_meta"]
    assert (meta["owner"], meta["complete"], meta["refused"]) == (OWNER, True, {})

    before = ask(cluster.url, "GET", f"/{first.index}/_stats/indexing,docs")["indices"]
    second = _deploy(cluster, rules)
    assert not second.changed
    assert (second.installed, second.deleted, second.refused) == ((), (), ())
    assert (second.index, second.rules) == (first.index, 2)
    after = ask(cluster.url, "GET", f"/{first.index}/_stats/indexing,docs")["indices"]
    assert after[first.index]["uuid"] == before[first.index]["uuid"]
    assert after[first.index]["total"]["indexing"]["index_total"] == 2


def test_a_second_deploy_reads_and_writes_nothing(proxy: FaultProxy, tmp_path: Path) -> None:
    rules = compiled(tmp_path, ONE).compiled
    with connect(proxy.url) as cluster:
        _deploy(cluster, rules)
        proxy.asked.clear()
        _deploy(cluster, rules)
    written = [
        asked
        for asked in proxy.asked
        if asked.method != "GET" and not asked.path.endswith(("_simulate", "/_search"))
    ]
    assert written == []


def test_the_name_of_a_release_depends_on_the_rules_alone(cluster: Cluster, tmp_path: Path) -> None:
    first = deployed(cluster, tmp_path, ONE, TWO)
    other = deployed(cluster, tmp_path, ONE)
    again = _deploy(cluster, tuple(reversed(compiled(tmp_path, ONE, TWO).compiled)))
    assert first.index == again.index != other.index
    assert again.changed, "it was not live"
    assert _live(cluster.url) == first.index


def test_documents_are_stored_as_they_were_compiled_in_requests_of_bounded_size(
    proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "BATCH_BYTES", 8_000)
    monkeypatch.setattr(release, "BATCH", 4)
    large = f"{{eventName: [{', '.join(f'Create{number}' for number in range(900))}]}}"
    rules = compiled(tmp_path, ONE, TWO, ONE, TWO, ONE, large, TWO).compiled
    assert [len(one.document) > 8_000 for one in rules] == [False] * 5 + [True, False]
    told: list[tuple[int, int]] = []
    with connect(proxy.url) as cluster:
        report = deploy(cluster, rules, on_progress=lambda *now: told.append(now))
        assert report.rules == 7
        stored = documents(cluster.url, report.index)
    assert stored == {one.id: orjson.loads(one.document) for one in rules}
    assert told == [(4, 7), (5, 7), (6, 7), (7, 7)]
    assert sum(asked.path.startswith("/_bulk") for asked in proxy.asked) == 4


def test_what_was_kept_and_what_is_compiled_are_the_same_release(tmp_path: Path) -> None:
    kept = compiled(tmp_path, ONE, TWO).compiled
    made = tuple(one.compiled for one in kept)
    assert release_index(kept) == release_index(made)
    assert [one.columns for one in kept] == [one.columns for one in made] == [("eventName",)] * 2


def test_what_was_changed_by_hand_is_installed_again(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, ONE)
    ask(cluster.url, "DELETE", "/_index_template/osdetect-alerts")
    (pipeline,) = (one for one in shipped() if ".pipeline" in one.path or "/_ingest/" in one.path)
    body = {"description": "older [osdetect 0000]", "processors": []}
    ask(cluster.url, "PUT", pipeline.path, body)
    report = deployed(cluster, tmp_path, ONE)
    assert set(report.installed) == {"osdetect-alerts", pipeline.name}
    assert report.changed


def test_indices_that_an_older_template_made_get_what_the_new_one_adds(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, ONE)
    path = "/_index_template/osdetect-runs"
    (found,) = ask(cluster.url, "GET", path)["index_templates"]
    older = found["index_template"]
    older["_meta"]["digest"] = "of an older version"
    del older["template"]["mappings"]["properties"]["run"]["properties"]["evaluated_alone"]
    ask(cluster.url, "PUT", path, older)
    run = {"@timestamp": "2026-01-01T00:00:00Z", "run": {"id": "a"}}
    ask(cluster.url, "PUT", "/osdetect-runs-2026.01/_doc/a", run)
    newer = {**run, "run": {"id": "b", "evaluated_alone": 1}}
    assert "error" in ask(cluster.url, "PUT", "/osdetect-runs-2026.01/_doc/b", newer, accept=(400,))
    before = ask(cluster.url, "GET", "/osdetect-runs-2026.01/_mapping")["osdetect-runs-2026.01"]["mappings"][
        "_meta"
    ]
    assert _deploy(cluster, compiled(tmp_path, ONE).compiled).installed == ("osdetect-runs",)
    assert "error" not in ask(cluster.url, "PUT", "/osdetect-runs-2026.01/_doc/b", newer)
    after = ask(cluster.url, "GET", "/osdetect-runs-2026.01/_mapping")["osdetect-runs-2026.01"]["mappings"][
        "_meta"
    ]
    assert after == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_index_template/osdetect-state", {"index_patterns": ["mine-*"], "priority": 7}),
        (
            "/_index_template/osdetect-state",
            {"index_patterns": ["mine-*"], "priority": 7, "_meta": {"owner": "x"}},
        ),
        ("/_ingest/pipeline/osdetect-cloudtrail", {"description": "mine", "processors": []}),
        ("/_ingest/pipeline/osdetect-cloudtrail", {"processors": []}),
    ],
)
def test_a_foreign_template_or_pipeline_of_our_name_is_left_alone(
    cluster: Cluster, tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    ask(cluster.url, "PUT", path, body)
    before = ask(cluster.url, "GET", path)
    with pytest.raises(ClusterRefused, match="did not make it") as refused:
        deployed(cluster, tmp_path, ONE)
    assert path in refused.value.what
    assert f"DELETE {path}" in refused.value.cure
    assert ask(cluster.url, "GET", path) == before
    assert ask(cluster.url, "GET", f"/_alias/{RULES_ALIAS}", accept=(404,))["status"] == 404


def test_a_foreign_index_of_a_releases_name_is_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    first = deployed(cluster, tmp_path, ONE)
    ask(cluster.url, "DELETE", f"/{first.index}")
    ask(cluster.url, "DELETE", "/_index_template/osdetect-rules")
    ask(cluster.url, "PUT", f"/{first.index}/_doc/mine?refresh=true", {"a": 1})
    with pytest.raises(ClusterRefused, match="did not make it"):
        deployed(cluster, tmp_path, ONE)
    assert documents(cluster.url, first.index) == {"mine": {"a": 1}}


def test_a_reader_of_the_alias_sees_one_complete_release_at_every_moment(
    cluster: Cluster, tmp_path: Path
) -> None:
    sets = [compiled(tmp_path, ONE, TWO).compiled, compiled(tmp_path, TWO, ONE, ONE).compiled]
    whole = [frozenset(one.id for one in rules) for rules in sets]
    _deploy(cluster, sets[0])
    ended = threading.Event()
    seen: list[frozenset[str]] = []

    def read() -> None:
        with connect(cluster.url) as reader:
            while not ended.is_set():
                body = {"size": 100, "_source": False}
                hits = reader.request("POST", f"/{RULES_ALIAS}/_search", body=body)["hits"]["hits"]
                assert len({hit["_index"] for hit in hits}) == 1
                seen.append(frozenset(hit["_id"] for hit in hits))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for turn in range(1, 7):
            assert _deploy(cluster, sets[turn % 2]).changed
    finally:
        ended.set()
        thread.join()
    assert len(seen) > 10
    assert set(seen) == set(whole)


def test_old_releases_go_and_others_indices_stay(cluster: Cluster, tmp_path: Path) -> None:
    ask(cluster.url, "PUT", "/osdetect-rules-before", {})
    first = deployed(cluster, tmp_path, "{eventName: Number0}")
    ask(cluster.url, "PUT", "/osdetect-rules-copy", {})  # the template marks it as it marks a release
    indices = [first.index]
    for number in range(1, KEPT):
        report = deployed(cluster, tmp_path, f"{{eventName: Number{number}}}")
        assert report.deleted == ()
        indices.append(report.index)
    report = deployed(cluster, tmp_path, "{eventName: OneMore}")
    assert report.deleted == (first.index,)
    names = {one["index"] for one in ask(cluster.url, "GET", "/_cat/indices/osdetect-rules-*?format=json")}
    assert names == {*indices[1:], report.index, "osdetect-rules-before", "osdetect-rules-copy"}
    assert _live(cluster.url) == report.index


def test_a_rule_that_the_cluster_refuses_is_told_each_time_and_the_others_are_live(
    cluster: Cluster, tmp_path: Path
) -> None:
    good, bad = compiled(tmp_path, ONE, TWO).compiled
    rules = (good, _refused_by_cluster(bad))
    for changed in (True, False):
        report = _deploy(cluster, rules)
        assert (report.changed, report.rules) == (changed, 1)
        (refused,) = report.refused
        assert refused.rule_id == bad.id
        assert "no_such_query" in refused.reason
        (error,) = refusals(report)
        assert bad.id in error.what
        assert "no_such_query" in error.cause
    assert set(documents(cluster.url, RULES_ALIAS)) == {good.id}


def test_when_every_rule_is_refused_the_old_release_stays(cluster: Cluster, tmp_path: Path) -> None:
    old = deployed(cluster, tmp_path, ONE)
    rules = tuple(map(_refused_by_cluster, compiled(tmp_path, TWO).compiled))
    with pytest.raises(ClusterRefused, match="every rule") as refused:
        _deploy(cluster, rules)
    assert "no_such_query" in refused.value.cause
    assert _live(cluster.url) == old.index
    assert len(ask(cluster.url, "GET", "/_cat/indices/osdetect-rules-*?format=json")) == 1


def test_a_cluster_without_the_percolator_gets_nothing_installed(proxy: FaultProxy, tmp_path: Path) -> None:
    reason = "No handler for type [percolator] declared on field [query]"
    proxy.choose = on("/_simulate", [refusal(400, "mapper_parsing_exception", reason)])
    with connect(proxy.url) as cluster, pytest.raises(ClusterRefused, match="no percolator") as refused:
        deployed(cluster, tmp_path, ONE)
    assert reason in refused.value.cause
    assert ask(proxy.url, "GET", "/_index_template/osdetect*", accept=(404,))["index_templates"] == []


def test_lost_answers_and_busy_items_do_not_disturb_a_deploy(proxy: FaultProxy, tmp_path: Path) -> None:
    rules = compiled(tmp_path, ONE, TWO).compiled
    lost = {"PUT": 0, "POST": 0}

    def choose(asked: Any) -> Cut | BusyItems | None:
        """The answer to every second write is lost after the cluster did it; one bulk item is busy."""
        if asked.path.endswith("_bulk") and lost["POST"] == 0:
            lost["POST"] += 1
            return BusyItems(frozenset({1}))
        if asked.method not in lost:
            return None
        lost[asked.method] += 1
        return Cut(after=True) if lost[asked.method] % 2 else None

    proxy.choose = choose
    with connect(proxy.url, retry_for_s=20.0) as cluster:
        report = _deploy(cluster, rules)
    assert (report.rules, report.refused) == (2, ())
    assert set(documents(proxy.upstream_url, RULES_ALIAS)) == {rule_id(1), rule_id(2)}
    assert _live(proxy.upstream_url) == report.index


def test_a_cluster_that_goes_away_leaves_the_old_release_live(proxy: FaultProxy, tmp_path: Path) -> None:
    with connect(proxy.url) as cluster:
        old = deployed(cluster, tmp_path, ONE)
    gone = threading.Event()

    def choose(asked: Any) -> Cut | None:
        if asked.path.endswith("_bulk"):
            gone.set()
        return Cut() if gone.is_set() else None

    proxy.choose = choose
    with connect(proxy.url, retry_for_s=0.3) as cluster, pytest.raises(ClusterUnavailable):
        deployed(cluster, tmp_path, TWO)
    assert _live(proxy.upstream_url) == old.index
    with connect(proxy.upstream_url) as cluster:
        assert deployed(cluster, tmp_path, TWO).rules == 1


def test_an_index_deleted_by_another_deploy_while_it_is_filled_is_never_made_live(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    with connect(proxy.url) as cluster:
        old = deployed(cluster, tmp_path, ONE)

        def choose(asked: Any) -> None:
            if asked.path.endswith("_bulk"):
                proxy.choose = lambda _asked: None
                found = ask(proxy.upstream_url, "GET", "/_cat/indices/osdetect-rules-*?format=json")
                (filled,) = {one["index"] for one in found} - {old.index}
                ask(proxy.upstream_url, "DELETE", f"/{filled}")

        proxy.choose = choose
        with pytest.raises(ClusterError) as failed:
            deployed(cluster, tmp_path, TWO, ONE)
        assert "every rule" in failed.value.what or "run the command again" in failed.value.cure
        assert _live(proxy.url) == old.index
        report = deployed(cluster, tmp_path, TWO, ONE)
    assert (report.rules, report.refused) == (2, ())
    assert _live(proxy.url) == report.index


def test_two_deploys_of_the_same_rules_at_once_end_with_the_whole_set_live(
    cluster: Cluster, tmp_path: Path
) -> None:
    rules = compiled(tmp_path, ONE, TWO).compiled
    outcomes: list[object] = []

    def run() -> None:
        with connect(cluster.url) as own:
            try:
                outcomes.append(_deploy(own, rules))
            except ClusterError as error:
                outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert not isinstance(outcome, DeployReport) or outcome.refused == ()
    final = _deploy(cluster, rules)
    assert (final.rules, final.refused) == (2, ())
    assert set(documents(cluster.url, RULES_ALIAS)) == {rule_id(1), rule_id(2)}
