"""Every way of finding candidates gives the same alerts; a rule that floods is put off and owed, and keeps nobody waiting."""

from pathlib import Path
from typing import Any

import pytest

from osdetect import scenario
from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.deploy import deploy
from osdetect.detect import Method
from osdetect.detect.costs import Costs
from osdetect.detect.factored import clauses
from tests.faults.material import ask, connect, cursors, deployed, detected, documents, put_records, record
from tests.faults.proxy import Asked, FaultProxy, Reply, refusal

INDEX = "osdetect-cloudtrail-t-2024.05"
PLAIN = "plain-trail"


def _alerts(url: str, namespace: str) -> dict[str, Any]:
    found = documents(url, f"osdetect-alerts-{namespace}-*")
    for alert in found.values():
        for name in ("run_id", "lag_ms"):
            alert["osdetect"].pop(name, None)
        alert["event"].pop("created")
    return found


def test_every_way_gives_the_same_alerts(cluster: Cluster) -> None:
    deploy(cluster, compile_rules([]).compiled, on_progress=lambda *_: None)
    odd: list[dict[str, Any]] = [
        record(1, userAgent="x" * 40_000, eventName="DeleteTrail", eventSource="cloudtrail.amazonaws.com"),
        record(2, requestParameters={"text": "two\nlines \ud800"}),
    ]
    records = [*scenario.iter_records(background_count=300), *odd]
    put_records(cluster, INDEX, records)
    made: dict[str, Any] = {}
    for method in (None, *Method):
        name = (method or "auto").replace("-", "")
        report = detected(cluster, namespace=name, target="osdetect-cloudtrail-t-*", method=method)
        assert (report.counts.events, report.counts.judged) == (len(records), len(records)), method
        made[name] = _alerts(cluster.url, name)
    assert len(made["auto"]) > 50
    assert all(alerts == made["auto"] for alerts in made.values())


def test_an_index_that_is_not_ours_is_read_and_not_searched(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, "{userAgent|contains: needle}")
    ask(cluster.url, "PUT", f"/{PLAIN}", {"mappings": {"enabled": False}})
    try:
        put_records(cluster, PLAIN, [record(1, userAgent="a needle"), record(2)])
        counts = detected(cluster, target=PLAIN, method=Method.SEARCH).counts
        assert (counts.events, counts.alerts_created) == (2, 1)
    finally:
        ask(cluster.url, "DELETE", f"/{PLAIN}")


def test_events_that_osdetect_did_not_stamp_are_found_by_search_too(cluster: Cluster, tmp_path: Path) -> None:
    """A text too long for a term, in an event without the mark that says so."""
    deployed(cluster, tmp_path, "{userAgent|contains: needle}")
    long = record(1, userAgent="x" * 9_000 + "needle")
    path = f"/{INDEX}/_doc/a?refresh=true&pipeline=_none"
    ask(cluster.url, "PUT", path, long)
    assert detected(cluster, method=Method.SEARCH).counts.alerts_created == 1


@pytest.mark.parametrize("hollow", [None, [], [None, []]])
def test_a_field_that_is_there_without_a_value_is_found_by_search_too(
    cluster: Cluster, tmp_path: Path, hollow: object
) -> None:
    deployed(cluster, tmp_path, "{errorCode|exists: true}")
    put_records(cluster, INDEX, [record(1, errorCode=hollow), record(2, errorCode="x" * 9_000), record(3)])
    counts = detected(cluster, method=Method.SEARCH).counts
    assert (counts.events, counts.candidates, counts.alerts_created) == (3, 2, 2)


def test_an_index_of_an_earlier_template_is_read_and_not_searched(cluster: Cluster, tmp_path: Path) -> None:
    """Its events do not say which fields they have without a value."""
    deployed(cluster, tmp_path, "{errorCode|exists: true}")
    ask(cluster.url, "PUT", f"/{INDEX}", {"mappings": {"_meta": {"owner": "osdetect", "version": 2}}})
    ask(cluster.url, "PUT", f"/{INDEX}/_mapping", {"_meta": {"owner": "osdetect", "version": 2}})
    path = f"/{INDEX}/_doc/a?refresh=true&pipeline=_none"
    ask(
        cluster.url, "PUT", path, {**record(1, errorCode=None), "event": {"ingested": "2024-05-01T00:00:00Z"}}
    )
    assert detected(cluster, method=Method.SEARCH).counts.alerts_created == 1


def test_a_cluster_that_refuses_the_searches_is_read_instead(proxy: FaultProxy, tmp_path: Path) -> None:
    def refuse(asked: Asked) -> Reply | None:
        searches = asked.path.endswith("/_msearch") and b"_seq_no" in asked.body
        return refusal(400, "too_many_clauses", "maxClauseCount is set to 10") if searches else None

    with connect(proxy.url) as cluster:
        deployed(cluster, tmp_path, "{eventName: DeleteThing}")
        put_records(cluster, INDEX, [record(1, eventName="DeleteThing"), record(2)])
        proxy.choose = refuse
        counts = detected(cluster, method=Method.SEARCH).counts
    assert (counts.events, counts.judged, counts.alerts_created) == (2, 2, 1)


def test_a_rule_that_matches_everything_is_put_off_and_paid(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, "{awsRegion: eu-west-1}", "{eventName: DeleteThing}")
    records = [record(n, eventName="DeleteThing" if n % 100 == 0 else "CreateThing") for n in range(1, 6_001)]
    put_records(cluster, INDEX, records)
    report = detected(cluster)
    assert len(report.put_off) == 1
    counts = report.counts
    assert (counts.events, counts.judged) == (6_000, 6_000)
    assert counts.alerts_created == 6_060
    assert counts.matches == counts.alerts_created + counts.alerts_there
    (cursor,) = cursors(cluster.url).values()
    assert (cursor["cursor"]["seq_no"], cursor["cursor"]["owed"]) == (5_999, [])
    ask(cluster.url, "POST", "/osdetect-alerts-t-*/_refresh")
    assert ask(cluster.url, "GET", "/osdetect-alerts-t-*/_count")["count"] == 6_060


def test_what_is_owed_is_paid_by_the_next_pass_and_what_is_owed_for_no_rule_is_dropped(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, "{eventName: DeleteThing}")
    put_records(cluster, INDEX, [record(n, eventName="DeleteThing") for n in range(1, 11)])
    detected(cluster)
    ((name, state),) = cursors(cluster.url).items()
    ask(cluster.url, "POST", "/osdetect-alerts-t-*/_refresh")
    ask(
        cluster.url,
        "POST",
        "/osdetect-alerts-t-*/_delete_by_query?refresh=true",
        {"query": {"match_all": {}}},
    )
    rule = "00000000-0000-4000-8000-000000000001"
    state["cursor"]["owed"] = [
        {"rules": [rule], "after": 3, "upto": 9},
        {"rules": ["gone"], "after": -1, "upto": 9},
    ]
    ask(cluster.url, "PUT", f"/osdetect-state/_doc/{name}?refresh=true", state)
    counts = detected(cluster).counts
    assert (counts.events, counts.matches, counts.alerts_created) == (0, 6, 6)
    (state,) = cursors(cluster.url).values()
    assert state["cursor"]["owed"] == []


def test_the_cheapest_way_follows_the_size_and_what_was_measured() -> None:
    costs = Costs(rules=500)
    assert costs.of_batch(1, engine_ready=False) is Method.PERCOLATE_EACH
    assert costs.of_batch(5_000, engine_ready=False) is Method.IN_PROCESS
    for _ in range(20):
        costs.took(Method.IN_PROCESS, 1_000, 10.0)
    assert costs.of_batch(1_000, engine_ready=True) is Method.PERCOLATE
    costs = Costs(rules=500)
    assert costs.searches(100_000)
    for _ in range(20):
        costs.searched(10_000, hits=9_500, seconds=1.0)
    assert not costs.searches(100_000)


def test_a_rules_index_of_several_shards_gives_the_same_alerts(cluster: Cluster) -> None:
    compiled = compile_rules([]).compiled
    names = []
    for shards in (1, 3):
        report = deploy(cluster, compiled, on_progress=lambda *_: None, shards=shards)
        if shards == 1:
            put_records(cluster, INDEX, list(scenario.iter_records(background_count=300)))
        names.append(report.index)
        detected(cluster, namespace=f"s{shards}", target="osdetect-cloudtrail-t-*", method=Method.PERCOLATE)
    assert len(set(names)) == 2
    one, three = _alerts(cluster.url, "s1"), _alerts(cluster.url, "s3")
    assert len(one) > 50
    for alert in (*one.values(), *three.values()):
        alert["rule"].pop("ruleset")
    assert one == three


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ({"term": {"a": 1}}, 1),
        ({"bool": {"must_not": {"term": {"a": 1}}}}, 2),
        ({"bool": {"should": [{"terms": {"a": [1, 2, 3]}}, {"exists": {"field": "b"}}]}}, 3),
    ],
)
def test_clauses_are_counted_as_lucene_counts_them_or_more(query: dict[str, Any], most: int) -> None:
    assert clauses(query) == most
