"""A raw record sent through the ingest pipeline becomes the document that `osdetect load` makes of it."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect import resources
from osdetect.cluster import Cluster, Connection
from osdetect.deploy.mappings import install
from osdetect.documents.event import NO_ID, NO_TIME, canonical, event_document
from osdetect.errors import RecordError

pytestmark = pytest.mark.node

IDENTITIES: tuple[Any, ...] = (
    {"accountId": "444455556666"},
    {"accountId": "c-d"},
    {"accountId": 5},
    [],
    "text",
    None,
)
HOSTILE: tuple[dict[str, Any], ...] = (
    {},
    *({"eventID": bad} for bad in ("", 5, None, "a b", "\u00e9", "x" * 257, ["x"], {"a": 1}, True)),
    {"eventID": "x" * 256},
    {"eventID": "long", "userAgent": "x" * 8_191},
    {"eventID": "longer", "requestParameters": {"a": ["x", {"b": "x" * 8_192}]}},
    {"eventID": "wide", "userAgent": ["\U0001f600" * 4_096]},
    {"eventID": "not so wide", "userAgent": "\U0001f600" * 4_095, "z": "x" * 8_000},
    {"eventID": "null", "errorCode": None, "errorMessage": None},
    {"eventID": "hollow", "errorCode": [], "errorMessage": [None, [[]]]},
    {"eventID": "not hollow", "errorCode": ["a", None], "errorMessage": [[""]]},
    {"eventID": "both", "eventTime": "", "x" * 9_000: "y" * 9_000},
    {"eventID": 'q"\\', "recipientAccountId": "1"},
    {
        "a": {"z": 1, "a": [1, 2.5, -0.0, 1e300, None, True, False, 'q"\\']},
        "\uffff": 2,
        "\U0001f600": 1,
        "": {"": []},
    },
    {
        "a.b": 1,
        "a": {"b": 2},
        "f": 0.1,
        "g": 1e-7,
        "h": 5e-324,
        "i": 1.7976931348623157e308,
        "j": 100.0,
        "k": 2**53 + 1,
    },
    {"requestParameters": "s", "responseElements": [1, {"": {".": 2}}]},
    *(
        {"eventID": "t", "eventTime": time}
        for time in (
            "2023-02-29T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "2024-02-29 00:00:00.1",
            "2024-02-29T23:59:59.123456789Z",
            "2024-02-29T23:59:59.1234567890Z",
            "2024-02-29T23:59:59.Z",
            "2024-02-29T23:59:59ZZ",
            "2024-02-29T24:00:00Z",
            "2024-02-29T23:60:00Z",
            "2024-02-29T23:59:60Z",
            "2024-00-10T00:00:00Z",
            "2024-13-10T00:00:00Z",
            "2024-04-31T00:00:00Z",
            "2100-02-28T00:00:00Z",
            "2005-12-31T23:59:59Z",
            "2006-01-01T00:00:00Z",
            "2024-02-29t00:00:00Z",
            "2024-02-29T00:00:00z",
            "2024-02-29T00:00:00\n",
            "2024-02-29T00:00:00+00:00",
            "2024-1a-29T00:00:00Z",
            "\u0662\u0660\u0662\u0664-01-01T00:00:00Z",
            "",
            "Z",
            "...",
            None,
            17,
            ["2024-02-29T00:00:00Z"],
        )
    ),
    *(
        {"eventID": "a", "recipientAccountId": account, "userIdentity": identity}
        for account in ("111122223333", "a-b", "", "x" * 64, "x" * 65, 5, None)
        for identity in IDENTITIES
    ),
)


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    connected = Cluster.connect(Connection(url=fresh_cluster))
    install(connected)
    yield connected
    connected.close()


def expected(raw: bytes, *, by_day: bool = False) -> tuple[str, str, Any]:
    document = event_document(
        raw, orjson.loads(raw), namespace="shipped", by_day=by_day, ingested="2024-05-01T00:00:00.000Z"
    )
    return document.index, document.id, exact(orjson.loads(document.source))


def exact(source: dict[str, Any]) -> str:
    """All of a document but when it was stored; tells 1 from true and from 1.0."""
    assert set(source["event"]) == {"ingested"}
    return canonical({**source, "event": None})


def simulated(cluster: Cluster, raws: Sequence[bytes], index: str) -> list[tuple[str, str, Any]]:
    docs = b",".join(b'{"_index":"%b","_source":%b}' % (index.encode(), raw) for raw in raws)
    reply = cluster.request(
        "POST", "/_ingest/pipeline/osdetect-cloudtrail/_simulate", body=b'{"docs":[%b]}' % docs
    )
    made = [entry["doc"] for entry in reply["docs"]]
    return [(doc["_index"], doc["_id"], exact(doc["_source"])) for doc in made]


@pytest.mark.parametrize("by_day", [False, True], ids=["month", "day"])
def test_hostile_records_become_the_same_document_either_way(cluster: Cluster, by_day: bool) -> None:
    raws = [json.dumps(record).encode() for record in HOSTILE]
    raws += [
        b'{"a":1E2,"b":-0,"c":1.0,"d":0.30000000000000004,"e":9223372036854775807,"f":-9223372036854775808}'
    ]
    index = "osdetect-cloudtrail-shipped" + "-day" * by_day
    assert simulated(cluster, raws, index) == [expected(raw, by_day=by_day) for raw in raws]


def test_every_shared_record_becomes_the_same_document_either_way(cluster: Cluster, shared: Path) -> None:
    with gzip.open(shared / "data" / "oracle" / "corpus.ndjson.gz") as lines:
        raws = [orjson.dumps(orjson.loads(line)["event"]) for line in lines]
    assert len(raws) > 4000
    for start in range(0, len(raws), 500):
        some = raws[start : start + 500]
        assert simulated(cluster, some, "osdetect-cloudtrail-shipped") == [expected(raw) for raw in some]


def test_a_shipper_writes_through_the_template_s_default_pipeline(cluster: Cluster) -> None:
    records = [
        {"eventID": "e1", "eventTime": "2024-02-29T10:00:00Z", "recipientAccountId": "111122223333"},
        {"eventName": "NoId", "a": {"big": 2**62, "f": 0.1}},
    ]
    raws = [json.dumps(record).encode() for record in records]
    head = b'{"create":{"_index":"osdetect-cloudtrail-shipped"}}\n'
    for status in (201, 409):
        outcomes = cluster.bulk([head + raw + b"\n" for raw in raws], params={"refresh": "true"})
        assert [outcome.status for outcome in outcomes] == [status, status]
    found = cluster.request("POST", "/osdetect-cloudtrail-*/_search", body={})["hits"]["hits"]
    assert {(hit["_index"], hit["_id"]) for hit in found} == {expected(raw)[:2] for raw in raws}
    assert {exact(hit["_source"]) for hit in found} == {expected(raw)[2] for raw in raws}


def test_a_whole_number_beyond_64_bits_is_refused_aloud_by_pipelines(cluster: Cluster) -> None:
    """A limit of OpenSearch's ingest documents, told in docs/loading.md; `osdetect load` stores such a record."""
    action = b'{"create":{"_index":"osdetect-cloudtrail-shipped"}}\n{"a":18446744073709551616}\n'
    (outcome,) = cluster.bulk([action])
    assert (outcome.status, outcome.error_type) == (400, "illegal_argument_exception")
    assert "BigInteger" in outcome.reason


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"@timestamp": "2024-01-01", "eventID": "x"}, "@timestamp"),
        ({"event.original": "x"}, "event.original"),
        ({"osdetect": {}}, "osdetect"),
        ({"_id.x": 1}, "_id.x"),
        ({"a": json.loads("[" * 100 + "]" * 100)}, "nested deeper"),
    ],
)
def test_what_the_loader_refuses_the_pipeline_makes_a_dead_letter_of(
    cluster: Cluster, record: dict[str, Any], why: str
) -> None:
    raw = json.dumps(record).encode()
    if "nested" not in why:  # of depth, the reader of files judges
        with pytest.raises(RecordError):
            expected(raw)
    action = b'{"create":{"_index":"osdetect-cloudtrail-shipped-day"}}\n' + raw + b"\n"
    (outcome,) = cluster.bulk([action], params={"refresh": "true"})
    assert outcome.created
    (hit,) = cluster.request("POST", "/osdetect-*/_search", body={})["hits"]["hits"]
    assert hit["_index"] == "osdetect-deadletter-shipped"
    assert hit["_source"]["record"] == record
    assert why in hit["_source"]["reason"]


def test_the_data_files_hold_the_scripts_that_people_read() -> None:
    mappings = resources.folder("mappings")
    pipeline = json.loads((mappings / "cloudtrail.pipeline.json").read_text("utf-8"))
    scripts = [step["script"]["source"] for step in pipeline["processors"] if "script" in step]
    assert scripts == [(mappings / "cloudtrail.painless").read_text("utf-8")]
    letters = [step["script"]["source"] for step in pipeline["on_failure"] if "script" in step]
    assert letters == [(mappings / "deadletter.painless").read_text("utf-8")]
    events = json.loads((mappings / "events.template.json").read_text("utf-8"))
    derived = events["template"]["mappings"]["derived"]
    parameters = (mappings / "parameters.painless").read_text("utf-8")
    for name, field in (("request", "requestParameters"), ("response", "responseElements")):
        assert derived[name]["script"]["source"] == parameters.replace("FIELD", field)
    assert all(f"'{problem}'" in scripts[0] for problem in (NO_TIME, NO_ID))
