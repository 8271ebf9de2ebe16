"""What is built: the committed file, the validator that finds what is wrong, and the fields beside a real mapping."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from osdetect.alerts.links import PATTERN, dashboards_link
from osdetect.cluster import Cluster
from osdetect.dashboards.content import LINK_FIELD, SOURCES
from osdetect.dashboards.saved_objects import FILE, SavedObject, build, ndjson
from osdetect.dashboards.validate import parsed_lines, problems
from osdetect.deploy.mappings import install
from osdetect.resources import folder
from tests.faults.material import connect

BOARDS = {"overview", "triage", "entity", "attack", "rule-health", "ingest"}


def committed() -> tuple[SavedObject, ...]:
    return parsed_lines((folder("mappings") / FILE).read_bytes())


def test_what_is_committed_is_what_the_code_builds() -> None:
    assert (folder("mappings") / FILE).read_bytes() == ndjson(build()), "run: make dashboards"


def test_it_is_all_there_and_nothing_is_wrong_with_it() -> None:
    objects = committed()
    assert problems(objects) == ()
    assert {one["id"] for one in objects if one["type"] == "dashboard"} == {
        f"osdetect-{name}" for name in BOARDS
    }
    assert {one["id"] for one in objects if one["type"] == "index-pattern"} == {
        one.pattern for one in SOURCES
    }
    assert not any(one["type"] == "config" for one in objects)


def test_an_alert_leads_to_its_event_among_its_neighbours() -> None:
    alerts = next(one for one in committed() if one["id"] == "osdetect-alerts-*")
    [(field, format_)] = orjson.loads(alerts["attributes"]["fieldFormatMap"]).items()
    assert (field, format_["id"]) == (LINK_FIELD, "url")
    # as Dashboards fills it in: {{value}} is the value, percent-encoded
    opened = format_["params"]["urlTemplate"].replace("{{value}}", "111122223333-0e1f")
    assert opened == f"../app/discover#/context/{PATTERN}/111122223333-0e1f"
    alert = {"osdetect": {"source": {"index": "i", "id": "e"}}}
    linked = re.search("#/doc/([^/]+)/", dashboards_link("https://d.example.org", alert))
    patterns = {one["id"] for one in committed() if one["type"] == "index-pattern"}
    assert linked
    assert linked[1] in patterns
    shown = [one for one in committed() if one["type"] == "search" and field in one["attributes"]["columns"]]
    assert {one["id"] for one in shown} == {"osdetect-queue", "osdetect-alerts"}


Damage = Callable[[list[SavedObject]], None]


def _one(objects: list[SavedObject], name: str) -> SavedObject:
    return next(one for one in objects if one["id"] == name)


def _text(objects: list[SavedObject], name: str, attribute: str, old: str, new: str) -> None:
    attributes = _one(objects, name)["attributes"]
    assert old in attributes[attribute]
    attributes[attribute] = attributes[attribute].replace(old, new)


def _searched(objects: list[SavedObject], name: str, old: str, new: str) -> None:
    meta = _one(objects, name)["attributes"]["kibanaSavedObjectMeta"]
    assert old in meta["searchSourceJSON"]
    meta["searchSourceJSON"] = meta["searchSourceJSON"].replace(old, new)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a field that is not mapped": (
        lambda all_: _text(all_, "osdetect-regions", "visState", "cloud.region", "cloud.regoin"),
        "visualization osdetect-regions: the aggregation terms names the field cloud.regoin, which is not",
    ),
    "a field without values": (
        lambda all_: _text(all_, "osdetect-regions", "visState", "cloud.region", "osdetect.comments.text"),
        "of the field osdetect.comments.text, which has no values to group by",
    ),
    "a sum of words": (
        lambda all_: _text(
            all_, "osdetect-rules-noise", "visState", "osdetect.suppression.count", "rule.name"
        ),
        "the aggregation sum does not take the field rule.name: it is a string",
    ),
    "a histogram over something else than times": (
        lambda all_: _text(all_, "osdetect-levels-over-time", "visState", '"@timestamp"', '"user.name"'),
        "the aggregation date_histogram does not take the field user.name",
    ),
    "an aggregation that there is not": (
        lambda all_: _text(all_, "osdetect-regions", "visState", '"terms"', '"trems"'),
        "the aggregation trems is none that is known",
    ),
    "a column that is not mapped": (
        lambda all_: _one(all_, "osdetect-queue")["attributes"]["columns"].append("usr.name"),
        "search osdetect-queue: its column usr.name is not a field",
    ),
    "a query about a field that is not mapped": (
        lambda all_: _searched(all_, "osdetect-queue", "osdetect.status:", "osdetect.state:"),
        "its query names the field osdetect.state",
    ),
    "a sort by a text": (
        lambda all_: _one(all_, "osdetect-queue")["attributes"].update(
            sort=[["osdetect.comments.text", "desc"]]
        ),
        "it cannot be sorted by",
    ),
    "a reference that leads nowhere": (
        lambda all_: all_.remove(_one(all_, "osdetect-matches-*")),
        "leads to index-pattern osdetect-matches-*, which is not in the file",
    ),
    "a panel that leads nowhere": (
        lambda all_: all_.remove(_one(all_, "osdetect-queue")),
        "dashboard osdetect-triage: the reference panel_",
    ),
    "a reference that is not declared": (
        lambda all_: _one(all_, "osdetect-queue").update(references=[]),
        "it names the reference kibanaSavedObjectMeta.searchSourceJSON.index, which it does not have",
    ),
    "an attribute that the strict mapping lacks": (
        lambda all_: _one(all_, "osdetect-queue")["attributes"].update(timeRange={"from": "now-1d"}),
        "the attribute timeRange is not in the mapping of this type, which is strict",
    ),
    "a migration version": (
        lambda all_: _one(all_, "osdetect-queue").update(migrationVersion={"search": "99.0.0"}),
        "it names a migrationVersion",
    ),
    "an object without an id": (lambda all_: _one(all_, "osdetect-triage").pop("id"), "it has no id"),
    "an object of settings": (
        lambda all_: all_.append(
            {"type": "config", "id": "3.7.0", "attributes": {"title": "x"}, "references": []}
        ),
        "the type 'config' is not one that osdetect ships",
    ),
    "an index pattern without fields": (
        lambda all_: _one(all_, "osdetect-rules")["attributes"].update(fields="[]"),
        "index-pattern osdetect-rules: it ships no fields",
    ),
    "panels that lie over each other": (
        lambda all_: _text(all_, "osdetect-triage", "panelsJSON", '"x":16', '"x":15'),
        "lies over another",
    ),
    "a panel of a version that is migrated": (
        lambda all_: _text(all_, "osdetect-triage", "panelsJSON", '"7.3.0"', '"6.2.0"'),
        "migrations would scale it",
    ),
    "a Vega field that is not mapped": (
        lambda all_: _text(all_, "osdetect-attack-heat", "visState", "threat.tactic.id", "threat.tactics.id"),
        "its Vega specification names the field threat.tactics.id, which is not in osdetect-alerts-*",
    ),
    "a Vega data set that there is not": (
        lambda all_: _text(
            all_,
            "osdetect-attack-heat",
            "visState",
            '\\"source\\": \\"alerts\\"',
            '\\"source\\": \\"alarms\\"',
        ),
        "uses the data alarms, which it does not have",
    ),
    "a Vega text that is not JSON": (
        lambda all_: _text(all_, "osdetect-attack-heat", "visState", '\\"marks\\": [', '\\"marks\\": '),
        "is not a JSON object",
    ),
    "the same object twice": (
        lambda all_: all_.append(copy.deepcopy(_one(all_, "osdetect-queue"))),
        "search osdetect-queue: is there more than once",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_the_validator_finds(name: str) -> None:
    damage, said = DAMAGES[name]
    objects = list(copy.deepcopy(committed()))
    damage(objects)
    found = [str(one) for one in problems(objects)]
    assert any(said in one for one in found), found


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    with connect(fresh_cluster) as made:
        yield made


_KINDS = {"keyword": "string", "text": "string", "date": "date", "ip": "ip", "boolean": "boolean"}


@pytest.mark.node
def test_the_index_patterns_say_of_each_field_what_a_real_node_says(cluster: Cluster) -> None:
    install(cluster)
    compared = 0
    for source in SOURCES:
        index = source.pattern.replace("*", "t-2026.01") if "*" in source.pattern else f"{source.pattern}-t"
        cluster.request("PUT", f"/{index}")
        caps: dict[str, Any] = cluster.request("GET", f"/{index}/_field_caps", params={"fields": "*"})[
            "fields"
        ]
        pattern = _one(list(committed()), source.pattern)
        listed = {one["name"]: one for one in orjson.loads(pattern["attributes"]["fields"])}
        mapped = {
            name: next(iter(said.values()))
            for name, said in caps.items()
            if not name.startswith(("_", "query."))
        }
        shown = {name for name, said in mapped.items() if said["type"] in {*_KINDS, "long", "integer"}}
        derived = {"request", "response"} if source.template == "events" else set()  # made when asked for
        assert {name for name in listed if not name.startswith("_")} == shown - derived
        for name in shown - derived:
            said = mapped[name]
            entry = listed[name]
            assert entry["type"] == _KINDS.get(said["type"], "number"), name
            assert entry["esTypes"] == [said["type"]], name
            assert (entry["aggregatable"], entry["searchable"]) == (
                said["aggregatable"],
                said["searchable"],
            ), name
            compared += 1
    assert compared > 150
