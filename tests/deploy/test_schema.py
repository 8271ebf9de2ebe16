"""Indices that an older osdetect made, brought to the schema of this one; real mappings of then, on a real node."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cluster import Cluster, create_action
from osdetect.deploy.mappings import install, schemas, shipped
from osdetect.deploy.rewriting import SPARE
from osdetect.deploy.schema import SCRIPTS, STEPS
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
    """Events as they are stored today, by id."""
    records = [_record(number) for number in range(40)]
    records.append(_record(40, requestParameters={"deep": [{"text": LONG}]}))
    records.append(_record(41, errorCode=None))
    records.append(_record(42, errorCode=None, userAgent=LONG))
    made = [
        event_document(
            orjson.dumps(one), one, namespace="t", by_day=False, ingested="2024-05-02T00:00:00.000Z"
        )
        for one in records
    ]
    return {one.id: orjson.loads(one.source) for one in made}


def _made_by_an_older_one(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Templates and indices of schema 1, filled with events that say nothing of themselves; the events as they are to be."""
    for file in OLD.glob("*.template.json"):
        body = orjson.loads(file.read_bytes())
        body["_meta"] = {**body["_meta"], "owner": "osdetect", "digest": "0" * 16}
        name = file.name.partition("-1.")[0]
        cluster.request("PUT", f"/_index_template/osdetect-{name}", body=body)
    events = _documents()
    alert = {"@timestamp": "2024-05-01T00:00:00.000Z", "rule": {"id": "r"}, "osdetect": {"status": "open"}}
    run = {"@timestamp": "2024-05-01T00:00:00.000Z", "run": {"id": "x", "events": 3}}
    actions = [create_action(EVENTS, doc_id, _plain(source)) for doc_id, source in events.items()]
    actions += [create_action(ALERTS, "a", alert), create_action(RUNS, "r", run)]
    outcomes = cluster.bulk(actions, params={"pipeline": "_none", "refresh": "true"})
    assert all(one.created for one in outcomes), outcomes
    return events


def _plain(source: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name != "osdetect"}


def _version(cluster: Cluster, index: str) -> int:
    meta = cluster.request("GET", f"/{index}/_mapping")[index]["mappings"]["_meta"]
    assert meta["owner"] == "osdetect"
    return int(meta["version"])


def _hits(cluster: Cluster, index: str, query: dict[str, Any]) -> list[str]:
    reply = cluster.request("POST", f"/{index}/_search", body={"query": query, "size": 100})
    return sorted(hit["_id"] for hit in reply["hits"]["hits"])


def _holds(cluster: Cluster, events: dict[str, dict[str, Any]]) -> None:
    for doc_id, source in events.items():
        found = cluster.read_document(EVENTS, doc_id)
        assert found
        assert found.source == source
    meta = cluster.request("GET", f"/{EVENTS}/_mapping")[EVENTS]["mappings"]["_meta"]
    template = next(one.template for one in schemas(shipped()) if one.name == "events")
    assert meta == template["mappings"]["_meta"]


def _is_current(cluster: Cluster, events: dict[str, dict[str, Any]]) -> None:
    wanted = {one.name: one.version for one in schemas(shipped())}
    assert [_version(cluster, name) for name in (EVENTS, ALERTS, RUNS)] == [
        wanted[k] for k in ("events", "alerts", "runs")
    ]
    assert _hits(cluster, EVENTS, {"match_all": {}}) == sorted(events)
    long = ["111122223333-e40", "111122223333-e42"]
    assert _hits(cluster, EVENTS, {"term": {"osdetect.long_text": True}}) == long
    _holds(cluster, events)
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


Chooses = Callable[[Asked], bool]


def _cut(url: str, chooses: Chooses, *, after: bool) -> bool:
    """Install until the request that never gets its answer; false if there was none."""

    reached: list[Asked] = []

    def choose(asked: Asked) -> Fault | None:
        if not reached and not chooses(asked):
            return None
        reached.append(asked)
        return Cut(after=after)

    with FaultProxy(url, choose) as proxy, connect(url) as plain:
        cluster = connect(proxy.url, retry_for_s=0)
        with cluster, contextlib.suppress(ClusterError):
            install(cluster)
        there = plain.request("GET", "/osdetect-*/_alias")
        assert EVENTS in there or SPARE + EVENTS in there
    return bool(reached)


def _on(method: str, path: str) -> Chooses:
    return lambda asked: asked.method == method and asked.path.startswith(path)


@pytest.mark.parametrize(
    "chooses",
    [
        _on("PUT", f"/{SPARE}{EVENTS}/_mapping"),
        _on("DELETE", f"/{EVENTS}"),
        _on("POST", f"/{SPARE}{EVENTS}/_clone"),
        _on("DELETE", f"/{SPARE}{EVENTS}"),
    ],
    ids=["called whole", "the old one deleted", "cloned", "the spare deleted"],
)
def test_killed_where_it_matters_the_next_deploy_goes_on(cluster: Cluster, chooses: Chooses) -> None:
    events = _made_by_an_older_one(cluster)
    assert _cut(cluster.url, chooses, after=True)
    install(cluster)
    _is_current(cluster, events)


@pytest.mark.long
@pytest.mark.parametrize("after", [False, True], ids=["before it was done", "when it was done"])
def test_killed_at_any_request_the_next_deploy_goes_on(cluster: Cluster, *, after: bool) -> None:
    """Each writing request in turn is the one that never gets its answer; then the same is run again."""
    number, more = 0, True
    while more:
        for index in cluster.request("GET", "/osdetect-*/_alias"):
            cluster.request("DELETE", f"/{index}")
        events = _made_by_an_older_one(cluster)
        left = itertools.count(number, -1)
        more = _cut(cluster.url, lambda asked, left=left: _writes(asked) and next(left) == 0, after=after)  # type: ignore[misc]  # a default that mypy cannot infer
        install(cluster)
        _is_current(cluster, events)
        number += 1
    assert number > 12


def _writes(asked: Asked) -> bool:
    return asked.method != "GET" and not asked.path.endswith("_refresh")


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


def test_events_that_lack_only_a_word_are_given_it_in_place(cluster: Cluster) -> None:
    install(cluster)
    events = _documents()
    second = {"owner": "osdetect", "version": 2}
    cluster.request("PUT", f"/{EVENTS}", body={"mappings": {"_meta": second}})
    long = {"osdetect": {"long_text": True}}
    actions = [
        create_action(EVENTS, doc_id, {**_plain(source), **(long if LONG in str(source) else {})})
        for doc_id, source in events.items()
    ]
    assert all(one.created for one in cluster.bulk(actions, params={"pipeline": "_none"}))
    before = cluster.request("GET", f"/{EVENTS}/_settings")[EVENTS]["settings"]["index"]["uuid"]
    assert install(cluster) == ("osdetect-events",)
    cluster.request("POST", f"/{EVENTS}/_refresh")
    _holds(cluster, events)
    assert cluster.request("GET", f"/{EVENTS}/_settings")[EVENTS]["settings"]["index"]["uuid"] == before
    assert _hits(cluster, EVENTS, {"term": {"osdetect.hollow": "errorCode"}}) == [
        "111122223333-e41",
        "111122223333-e42",
    ]
    reply = cluster.request("POST", f"/{EVENTS}/_search", body={"version": True, "size": 100})
    touched = {hit["_id"] for hit in reply["hits"]["hits"] if hit["_version"] > 1}
    assert touched == {"111122223333-e41", "111122223333-e42"}  # the others were left as they are


def test_what_others_made_is_left_alone(cluster: Cluster) -> None:
    cluster.request("PUT", "/osdetect-runs-theirs", body={"mappings": {"_meta": {"owner": "somebody"}}})
    install(cluster)
    mapping = cluster.request("GET", "/osdetect-runs-theirs/_mapping")["osdetect-runs-theirs"]["mappings"]
    assert mapping["_meta"] == {"owner": "somebody"}
    assert "run" not in mapping.get("properties", {})


def test_each_version_of_a_schema_has_its_step() -> None:
    for schema in schemas(shipped()):
        assert schema.version == 1 + len(STEPS.get(schema.name, ())), (
            f"write the step to {schema.name} {schema.version}"
        )
        assert [step.to for step in STEPS.get(schema.name, ())] == list(range(2, schema.version + 1))
    assert set(SCRIPTS.values()) == {file.name for file in (folder("mappings") / "migrations").iterdir()}
