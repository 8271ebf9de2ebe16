"""Indices that an older osdetect made, brought to the schema of this one; real mappings of then, on a real node."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cluster import Cluster, create_action
from osdetect.deploy.mappings import install, schemas
from osdetect.deploy.rewriting import SPARE
from osdetect.deploy.schema import STEPS
from osdetect.documents.event import event_document
from osdetect.errors import ClusterError, ClusterRefused
from osdetect.resources import folder
from tests.faults.material import connect
from tests.faults.proxy import Asked, Cut, Fault, FaultProxy

pytestmark = pytest.mark.node
OLD = Path(__file__).with_name("schemas")
EVENTS = "osdetect-cloudtrail-t-2024.05"
ALERTS = "osdetect-alerts-t-2024.05"
RUNS = "osdetect-runs-2024.05"
LONG = "x" * 9_000


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        yield made


def _record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "eventTime": f"2024-05-01T00:{number % 60:02}:00Z",
        "eventID": f"e{number}",
        "eventName": "CreateThing",
        "eventSource": "things.amazonaws.com",
        "recipientAccountId": "111122223333",
        **more,
    }


def _documents() -> dict[str, dict[str, Any]]:
    records = [_record(number) for number in range(40)]
    records.append(_record(40, requestParameters={"deep": [{"text": LONG}]}))
    made = [
        event_document(
            orjson.dumps(one), one, namespace="t", by_day=False, ingested="2024-05-02T00:00:00.000Z"
        )
        for one in records
    ]
    sources = {one.id: orjson.loads(one.source) for one in made}
    for source in sources.values():
        source.pop("osdetect", None)  # schema 1 did not say whether a text is long
    return sources


def _made_by_an_older_one(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Templates and indices of schema 1, filled; the events."""
    for file in OLD.glob("*.template.json"):
        body = orjson.loads(file.read_bytes())
        body["_meta"] = {**body["_meta"], "owner": "osdetect", "digest": "0" * 16}
        name = file.name.partition("-1.")[0]
        cluster.request("PUT", f"/_index_template/osdetect-{name}", body=body)
    events = _documents()
    alert = {"@timestamp": "2024-05-01T00:00:00.000Z", "rule": {"id": "r"}, "osdetect": {"status": "open"}}
    run = {"@timestamp": "2024-05-01T00:00:00.000Z", "run": {"id": "x", "events": 3}}
    actions = [create_action(EVENTS, doc_id, source) for doc_id, source in events.items()]
    actions += [create_action(ALERTS, "a", alert), create_action(RUNS, "r", run)]
    outcomes = cluster.bulk(actions, params={"pipeline": "_none", "refresh": "true"})
    assert all(one.created for one in outcomes), outcomes
    return events


def _version(cluster: Cluster, index: str) -> int:
    meta = cluster.request("GET", f"/{index}/_mapping")[index]["mappings"]["_meta"]
    assert meta["owner"] == "osdetect"
    return int(meta["version"])


def _hits(cluster: Cluster, index: str, query: dict[str, Any]) -> list[str]:
    reply = cluster.request("POST", f"/{index}/_search", body={"query": query, "size": 100})
    return sorted(hit["_id"] for hit in reply["hits"]["hits"])


def _is_current(cluster: Cluster, events: dict[str, dict[str, Any]]) -> None:
    assert {_version(cluster, EVENTS), _version(cluster, ALERTS), _version(cluster, RUNS)} == {2}
    assert _hits(cluster, EVENTS, {"match_all": {}}) == sorted(events)
    long = "111122223333-e40"
    assert _hits(cluster, EVENTS, {"term": {"osdetect.long_text": True}}) == [long]
    for doc_id, source in events.items():
        found = cluster.read_document(EVENTS, doc_id)
        assert found
        marked = {**source, "osdetect": {"long_text": True}} if doc_id == long else source
        assert found.source == marked
    mapping = cluster.request("GET", f"/{EVENTS}/_mapping")[EVENTS]["mappings"]["properties"]
    assert mapping["eventID"]["doc_values"] is False
    settings = cluster.request("GET", f"/{EVENTS}/_settings", params={"flat_settings": "true"})[EVENTS][
        "settings"
    ]
    assert "index.blocks.write" not in settings
    assert settings["index.default_pipeline"] == "osdetect-cloudtrail"
    assert cluster.request("GET", f"/{SPARE}*/_alias") == {}


def test_every_older_index_is_brought_to_this_schema(cluster: Cluster) -> None:
    events = _made_by_an_older_one(cluster)
    closed = {"osdetect": {"closed_as": "fp", "history": [{"change": "closed"}]}}
    refused = cluster.request("POST", f"/{ALERTS}/_update/a", body={"doc": closed}, accept=(400,))
    assert "error" in refused  # the mapping of then is strict
    installed = install(cluster)
    assert {"osdetect-events", "osdetect-alerts", "osdetect-runs"} <= set(installed)
    _is_current(cluster, events)
    assert "error" not in cluster.request("POST", f"/{ALERTS}/_update/a", body={"doc": closed})
    run = {"@timestamp": "2024-05-01T00:00:00.000Z", "run": {"gathered": 1}}
    assert cluster.create_document(RUNS, "r2", run) is not None
    assert (
        cluster.create_document(EVENTS, "111122223333-e1", _record(1)) is None
    )  # the same event is the same document
    again = [create_action(EVENTS, "new", {**_record(99), "event": {"ingested": "2024-05-02T00:00:00.000Z"}})]
    assert all(one.created for one in cluster.bulk(again, params={"pipeline": "_none"}))
    assert install(cluster) == ()


def test_an_older_index_that_comes_back_is_brought_to_this_schema_too(cluster: Cluster) -> None:
    """From a snapshot, for example: the templates are current, the index is not."""
    install(cluster)
    body = orjson.loads((OLD / "runs-1.template.json").read_bytes())["template"]
    cluster.request(
        "PUT",
        f"/{RUNS}",
        body={"mappings": {**body["mappings"], "_meta": {"owner": "osdetect", "version": 1}}},
    )
    assert install(cluster) == ("osdetect-runs",)
    assert _version(cluster, RUNS) == 2


@pytest.mark.parametrize("after", [False, True], ids=["before it was done", "when it was done"])
def test_killed_at_any_request_the_next_deploy_goes_on(fresh_cluster: str, *, after: bool) -> None:
    """Each writing request in turn is the one that never gets its answer; then the same is run again."""
    number, done = 0, False
    while not done:
        with connect(fresh_cluster) as cluster:
            for index in cluster.request("GET", "/osdetect-*/_alias"):
                cluster.request("DELETE", f"/{index}")
            events = _made_by_an_older_one(cluster)
            done = _cut_at(fresh_cluster, number, after=after)
            there = cluster.request("GET", "/osdetect-*/_alias")
            assert EVENTS in there or SPARE + EVENTS in there
            install(cluster)
            _is_current(cluster, events)
        number += 1
    assert number > 12


def _cut_at(url: str, number: int, *, after: bool) -> bool:
    """Install with the `number`th write cut off; true if there were fewer."""
    left = [number]

    def choose(asked: Asked) -> Fault | None:
        if asked.method == "GET" or asked.path.endswith("_refresh"):
            return None
        left[0] -= 1
        return Cut(after=after) if left[0] < 0 else None

    with FaultProxy(url, choose) as proxy, connect(proxy.url, retry_for_s=0) as cluster:
        try:
            install(cluster)
        except ClusterError:
            return False
    return True


@pytest.mark.parametrize("kind", ["index", "template"])
def test_a_newer_schema_is_left_alone(cluster: Cluster, kind: str) -> None:
    _made_by_an_older_one(cluster)
    if kind == "index":
        cluster.request("PUT", f"/{ALERTS}/_mapping", body={"_meta": {"owner": "osdetect", "version": 99}})
    else:
        body = cluster.request("GET", "/_index_template/osdetect-alerts")["index_templates"][0][
            "index_template"
        ]
        cluster.request(
            "PUT",
            "/_index_template/osdetect-alerts",
            body={**body, "_meta": {**body["_meta"], "version": 99}},
        )
    with pytest.raises(
        ClusterRefused, match=f"the {kind} osdetect-alerts.* has schema 99; this osdetect knows 2"
    ) as refused:
        install(cluster)
    assert "later" in refused.value.cure
    assert _version(cluster, EVENTS) == 1  # nothing was changed


def test_what_others_made_is_left_alone(cluster: Cluster) -> None:
    cluster.request("PUT", "/osdetect-runs-theirs", body={"mappings": {"_meta": {"owner": "somebody"}}})
    install(cluster)
    mapping = cluster.request("GET", "/osdetect-runs-theirs/_mapping")["osdetect-runs-theirs"]["mappings"]
    assert mapping["_meta"] == {"owner": "somebody"}
    assert "run" not in mapping.get("properties", {})


def test_each_version_of_a_schema_has_its_step() -> None:
    for schema in schemas():
        assert schema.version == 1 + len(STEPS.get(schema.name, ())), (
            f"write the step to {schema.name} {schema.version}"
        )
        assert [step.to for step in STEPS.get(schema.name, ())] == list(range(2, schema.version + 1))
    scripts = {step.script for steps in STEPS.values() for step in steps if step.script}
    assert scripts == {file.name for file in (folder("mappings") / "migrations").iterdir()}
