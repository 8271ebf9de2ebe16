"""The event mapping on a real node: what it takes, what it refuses, what can be searched."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.deploy.mappings import install

pytestmark = pytest.mark.node
INDEX = "osdetect-cloudtrail-mapped-2024.01"


@pytest.fixture
def cluster(fresh_cluster: str) -> Iterator[Cluster]:
    connected = Cluster.connect(Connection(url=fresh_cluster))
    install(connected)
    yield connected
    connected.close()


def put(cluster: Cluster, *raws: bytes) -> list[str]:
    """Store the documents; the error types, "" for stored."""
    actions = [b'{"create":{"_index":"%b"}}\n%b\n' % (INDEX.encode(), raw) for raw in raws]
    outcomes = cluster.bulk(actions, params={"pipeline": "_none", "refresh": "true"})
    return [outcome.error_type for outcome in outcomes]


def hits(cluster: Cluster, query: dict[str, Any]) -> int:
    found: int = cluster.request("POST", f"/{INDEX}/_count", body={"query": query})["count"]
    return found


def test_no_shared_record_is_refused_by_the_mapping(cluster: Cluster, shared: Path) -> None:
    with gzip.open(shared / "data" / "oracle" / "corpus.ndjson.gz") as lines:
        raws = [orjson.dumps(orjson.loads(line)["event"]) for line in lines]
    assert set(put(cluster, *raws)) == {""}


@pytest.mark.parametrize(
    "name", ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "unknown"]
)
def test_free_form_fields_take_any_shape(cluster: Cluster, name: str) -> None:
    shapes = (
        b'"s"',
        b"null",
        b"true",
        b"5",
        b"{}",
        b"[]",
        b'[1,{"a":2},"x",[[]]]',
        b'{"":1,".":2,"a.b":3,"a":{"b":4},"..":5}',
        b'"' + b"x" * 400_000 + b'"',
        b"[" * 90 + b"]" * 90,
        b'{"' + b"k" * 40_000 + b'":1}',
        b"12345678901234567890123",
    )
    assert set(put(cluster, *(b'{"%b":%b}' % (name.encode(), shape) for shape in shapes))) == {""}
    assert put(cluster, b'{"%b.dotted":1}' % name.encode()) == [""]


@pytest.mark.parametrize(
    "shape", [b'"s"', b"5", b"1.5e300", b"true", b"null", b"[]", b'["a",null,[5]]', b'""']
)
def test_leaves_take_every_shape_but_an_object(cluster: Cluster, shape: bytes) -> None:
    leaves = (b"eventName", b"userAgent", b"sourceIPAddress", b"readOnly", b"sessionCredentialFromConsole")
    assert set(put(cluster, *(b'{"%b":%b}' % (leaf, shape) for leaf in leaves))) == {""}


def test_what_is_refused_is_refused_aloud(cluster: Cluster) -> None:
    refused = (b'{"eventName":{"a":1}}', b'{"userIdentity":"me"}', b'{"tlsDetails":5}', b'{"resources":"x"}')
    twice = (b'{"a":1,"a":2}', b'{"requestParameters":{"a":1,"a":2}}')
    empty = (b'{"":1}', b'{".":1}', b'{"userIdentity":{"":1}}')
    assert set(put(cluster, *refused, *twice, *empty)) == {"mapper_parsing_exception"}


def test_values_are_found_whatever_their_case_and_however_long_their_neighbours(cluster: Cluster) -> None:
    long = b"A" * 40_000
    assert put(
        cluster, b'{"eventName":"CreateUser","userAgent":"%b","errorMessage":"%b"}' % (long, long)
    ) == [""]
    assert hits(cluster, {"term": {"eventName": "createuser"}}) == 1
    assert hits(cluster, {"term": {"eventName": "CREATEUSER"}}) == 1
    assert (
        hits(cluster, {"exists": {"field": "userAgent"}}) == 0
    )  # beyond ignore_above: in the source, not the index


def test_the_longest_indexed_value_fits_whatever_its_characters(cluster: Cluster) -> None:
    for character in ("a", "\u00e9", "\u0800", "\U0001f600", "\u0130"):
        assert put(
            cluster, orjson.dumps({"userAgent": character * 8191, "errorMessage": character * 4095})
        ) == [""]


def test_addresses_are_searched_as_networks_and_service_names_as_text(cluster: Cluster) -> None:
    names = (b'"198.51.100.7"', b'"2001:db8::7"', b'"cloudtrail.amazonaws.com"')
    assert put(cluster, *(b'{"sourceIPAddress":%b}' % name for name in names)) == ["", "", ""]
    assert hits(cluster, {"term": {"sourceIPAddress.ip": "198.51.100.0/24"}}) == 1
    assert hits(cluster, {"term": {"sourceIPAddress.ip": "2001:db8::/32"}}) == 1
    assert hits(cluster, {"term": {"sourceIPAddress": "CloudTrail.amazonaws.com"}}) == 1


def test_no_field_is_added_by_a_record(cluster: Cluster) -> None:
    put(cluster, b'{"eventName":"x"}')
    path = f"/{INDEX}/_mapping"
    before = cluster.request("GET", path)
    put(cluster, b'{"new":1,"userIdentity":{"new":{"x":1}},"requestParameters":{"y":1}}')
    assert cluster.request("GET", path) == before


def test_free_form_fields_are_searchable_without_being_indexed(cluster: Cluster) -> None:
    put(
        cluster,
        b'{"eventName":"PutObject","requestParameters":{"bucketName":"logs","tags":[{"key":"team"},{"key":"x"}]}}',
        b'{"eventName":"PutObject","requestParameters":"bucketName=logs","responseElements":{"a":{"b":true}}}',
        b'{"eventName":"ListBuckets","requestParameters":null}',
    )
    assert hits(cluster, {"term": {"request": "bucketName=logs"}}) == 1
    assert hits(cluster, {"term": {"request": "tags.key=x"}}) == 1
    assert hits(cluster, {"wildcard": {"request": "bucketName=*"}}) == 1
    assert hits(cluster, {"term": {"response": "a.b=true"}}) == 1
