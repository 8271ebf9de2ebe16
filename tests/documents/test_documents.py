"""Stored documents: the alert and its mapping, cursors, and stored rules read back as the hostile input they are."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from msgspec.structs import replace

from osdetect.cluster import Cluster, Connection
from osdetect.compiler import compile_rule
from osdetect.deploy import deploy
from osdetect.documents.alert import alert_document, alert_id
from osdetect.documents.state import Cursor, Lease, Owed
from osdetect.documents.stored_rule import FORMAT, StoredRule
from osdetect.documents.told import MAX_VALUE, EventReference, RunReference, told
from osdetect.errors import RuleError, Where
from osdetect.expr import All, Equals, Evidence, Exists, Leaf, Not, evidence
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import LogSource, Rule
from osdetect.vocabulary import Level

NOW = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
RUN = RunReference("run-1", NOW)
AT = EventReference("osdetect-cloudtrail-default-2024.05", "uuid", "123456789012-e1", 2, 40)
EVENT: dict[str, Any] = {
    "@timestamp": "2024-05-06T07:08:09Z",
    "event": {"ingested": "2026-03-04T05:06:06.890Z"},
    "eventID": "e1",
    "eventName": "CreateAccessKey",
    "eventSource": "iam.amazonaws.com",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "2001:DB8::1",
    "userAgent": "x" * 5_000,
    "errorCode": "AccessDenied",
    "errorMessage": "not allowed",
    "recipientAccountId": "123456789012",
    "userIdentity": {
        "type": "IAMUser",
        "userName": "alice",
        "principalId": "AIDA1",
        "arn": "arn:aws:iam::1:user/alice",
    },
}
RULE = Rule(
    id=str(UUID(int=7)),
    name="",
    title="A rule",
    description="What it finds.",
    status="test",
    level=Level.HIGH,
    author="Somebody",
    license="DRL 1.1",
    date="2024-01-01",
    modified="",
    references=("https://example.org/",),
    falsepositives=("administrators",),
    tags=("attack.persistence", "attack.t1098.001"),
    logsource=LogSource("", "aws", "cloudtrail"),
    filters=(),
    tree=All((Leaf("userAgent", Exists()), Leaf("eventName", Equals("createaccesskey")))),
    where=Where("rule.yml", 1, 1),
)
STORED = compile_rule(RULE, EventFields.shipped())


def _alert(event: Mapping[str, Any], at: EventReference = AT) -> dict[str, Any]:
    words = {**STORED.stored.words, "rule": {**STORED.stored.words["rule"], "ruleset": "abc"}}
    return alert_document(words, told(event, at, RUN), evidence(RULE.tree, event) or (), RUN, "an-id")


def test_an_alert_says_who_did_what_where_and_why_it_was_raised() -> None:
    alert = _alert(EVENT)
    assert alert["@timestamp"] == "2024-05-06T07:08:09.000Z"
    assert alert["event"] == {
        "kind": "alert",
        "id": "e1",
        "action": "CreateAccessKey",
        "provider": "iam.amazonaws.com",
        "outcome": "failure",
        "created": "2026-03-04T05:06:07.890Z",
        "ingested": "2026-03-04T05:06:06.890Z",
    }
    assert alert["rule"]["author"] == "Somebody"
    assert alert["rule"]["level"] == "high"
    assert alert["threat"]["tactic"]["name"] == ["Persistence"]
    assert alert["source"] == {"ip": "2001:db8::1", "address": "2001:DB8::1"}
    assert alert["user"] == {"name": "alice", "id": "AIDA1"}
    assert alert["related"] == {
        "user": ["AIDA1", "alice", "arn:aws:iam::1:user/alice"],
        "ip": ["2001:db8::1"],
    }
    assert alert["osdetect"]["lag_ms"] == 1_000
    assert alert["osdetect"]["matched"] == ["eventName", "userAgent"]
    long, name = alert["osdetect"]["evidence"]
    assert (long["test"], len(long["value"]), long["characters_cut"]) == (
        "exists",
        MAX_VALUE,
        5_000 - MAX_VALUE,
    )
    assert name == {"field": "eventName", "test": 'is "createaccesskey"', "value": "CreateAccessKey"}


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"type": "Root"}, "root"),
        ({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"userName": "deployer"}}}, "deployer"),
        ({"type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/bob"}, "bob"),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com"),
    ],
)
def test_the_user_is_named_by_what_the_identity_has(identity: dict[str, Any], name: str) -> None:
    assert _alert({"userIdentity": identity})["user"]["name"] == name


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"userIdentity": None, "eventTime": None},
        {
            "userIdentity": "x",
            "event": [],
            "responseElements": 5,
            "sourceIPAddress": ["10.0.0.1"],
            "eventID": {},
        },
        {"@timestamp": "yesterday", "eventTime": "9999-99-99", "userAgent": {"a": 1}},
        {"@timestamp": "2024-05-06", "event": {"ingested": "never"}},
    ],
)
def test_an_alert_can_be_made_of_any_event(event: dict[str, Any]) -> None:
    alert = _alert(event)
    assert alert["@timestamp"]
    assert alert["osdetect"]["status"] == "open"
    orjson.dumps(alert)


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        ({}, "success"),
        ({"errorCode": "AccessDenied"}, "failure"),
        ({"errorMessage": "no"}, "failure"),
        ({"responseElements": {"ConsoleLogin": "Failure"}}, "failure"),
        ({"responseElements": {"ConsoleLogin": "Success"}}, "success"),
    ],
)
def test_the_outcome_is_the_outcome_of_the_call(event: dict[str, Any], outcome: str) -> None:
    assert _alert(event)["event"]["outcome"] == outcome


def test_the_identity_of_an_alert_is_rule_and_event() -> None:
    assert alert_id("r", AT.key) == alert_id("r", AT.key)
    assert (
        len({alert_id("r", AT.key), alert_id("s", AT.key), alert_id("r", "other"), alert_id("r\0", AT.key)})
        == 4
    )
    assert AT.key == replace(AT, index="osdetect-cloudtrail-default-2024.06", seq_no=9, shard=0).key
    assert replace(AT, index="logs-1").key == "uuid/123456789012-e1"


@pytest.mark.parametrize(
    ("event", "month"),
    [
        ({"@timestamp": "2024-05-31T23:30:00-02:00"}, "2024.06"),
        ({"eventTime": "2024-05-31T23:30:00Z"}, "2024.05"),
        ({"eventTime": "2006-01-01T00:30:00+02:00"}, "2005.12"),
        ({"eventTime": "2099-12-31T23:30:00-02:00"}, "2100.01"),
        ({"eventTime": "soon"}, "undated"),
        ({}, "undated"),
    ],
)
def test_an_alert_goes_into_the_month_of_its_event(event: dict[str, Any], month: str) -> None:
    assert told(event, AT, RUN).index("prod") == f"osdetect-alerts-prod-{month}"


def _mapped(properties: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, field in properties.items():
        if "properties" in field:
            yield from _mapped(field["properties"], f"{prefix}{name}.")
        else:
            yield prefix + name


def _written(document: Any, prefix: str = "") -> Iterator[str]:
    for one in document if isinstance(document, list) else [document]:
        if isinstance(one, dict):
            for name, value in one.items():
                yield from _written(value, f"{prefix}.{name}" if prefix else name)
        else:
            yield prefix


def test_every_field_of_a_rich_alert_is_mapped_and_every_mapped_field_is_written() -> None:
    template = orjson.loads((folder("mappings") / "alerts.template.json").read_bytes())["template"][
        "mappings"
    ]
    mapped = set(_mapped(template["properties"]))
    written = set(_written(_alert(EVENT)))
    assert template["dynamic"] == "strict"
    assert written <= mapped
    # What comes later: what people do with an alert, and how often its group was met again.
    assert {field.split(".")[1] for field in mapped - written} == {
        "assignee",
        "closed_as",
        "comments",
        "first_seq_no",
        "history",
        "suppression",
    }


@pytest.mark.node
def test_the_cluster_takes_alerts_and_refuses_what_is_not_mapped(fresh_cluster: str) -> None:
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        deploy(cluster, [STORED], on_progress=lambda *_: None)
        index = told(EVENT, AT, RUN).index("documents")
        sources = [_alert(EVENT), _alert({}), {**_alert(EVENT), "unheard": 1}]
        outcomes = cluster.bulk(
            [
                orjson.dumps({"create": {"_index": index, "_id": str(i)}})
                + b"\n"
                + orjson.dumps(source)
                + b"\n"
                for i, source in enumerate(sources)
            ]
        )
        stored = cluster.request("GET", f"/osdetect-rules/_doc/{RULE.id}")["_source"]
    assert [outcome.created for outcome in outcomes] == [True, True, False]
    assert outcomes[2].error_type == "strict_dynamic_mapping_exception"
    assert StoredRule.from_source(RULE.id, stored) == STORED.stored


def test_a_cursor_is_named_by_purpose_namespace_and_shard_and_read_back() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    cursor = Cursor("detect", "prod", "uuid", 3, index="logs")
    owed = (Owed(("rule",), 5, 40),)
    moved = replace(cursor.at(41), owed=owed, lease=Lease("worker", 30.0, now))
    assert moved.id == cursor.id == "cursor:detect:prod:uuid:3"
    assert cursor.stored(moved.to_source(now)) == moved
    assert cursor.stored(cursor.at(41).to_source(now)) == cursor.at(41)


@pytest.mark.parametrize(
    "damage",
    [{"seq_no": "41"}, {"seq_no": -5}, {"seq_no": None}, {"owed": None}, {"owed": [{"rules": []}]}],
    ids=str,
)
def test_a_damaged_cursor_stands_before_the_first_document(damage: dict[str, Any]) -> None:
    cursor = Cursor("detect", "prod", "uuid", 3)
    source = cursor.at(41).to_source(datetime(2026, 1, 1, tzinfo=UTC))
    assert cursor.stored({**source, "cursor": {**source["cursor"], **damage}}) == cursor
    assert cursor.stored({}) == cursor == cursor.stored({"cursor": []})


@pytest.mark.parametrize("lease", [7, {}, {"worker": "w", "length_s": 3, "at": "soon"}], ids=str)
def test_a_damaged_lease_is_none(lease: object) -> None:
    cursor = Cursor("detect", "prod", "uuid", 3)
    source = cursor.at(41).to_source(datetime(2026, 1, 1, tzinfo=UTC))
    assert cursor.stored({**source, "cursor": {**source["cursor"], "lease": lease}}) == cursor.at(41)


def test_a_stored_rule_leads_back_to_itself() -> None:
    assert StoredRule.from_source(RULE.id, orjson.loads(orjson.dumps(STORED.source))) == STORED.stored


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"detection": None}, "not a document that osdetect deploys"),
        ({"rule": "x"}, "not a document that osdetect deploys"),
        ({"detection": {"format": FORMAT + 1}}, f"it has format {FORMAT + 1}"),
        ({"detection": {**STORED.source["detection"], "tree": {"all": [{}]}}}, "is no node"),
        ({"detection": {**STORED.source["detection"], "tests": [{}]}}, "is no node"),
        (
            {"detection": {**STORED.source["detection"], "columns": {}}},
            "not a document that osdetect deploys",
        ),
    ],
)
def test_a_stored_rule_that_is_none_is_refused(change: dict[str, Any], cause: str) -> None:
    with pytest.raises(RuleError) as refused:
        StoredRule.from_source(RULE.id, {**STORED.source, **change})
    assert cause in str(refused.value)
    assert "osdetect deploy" in refused.value.cure


def test_evidence_names_each_field_once_and_nothing_under_not() -> None:
    tree = All((Leaf("a", Equals("x")), Leaf("a", Equals("x")), Not(Leaf("b", Exists()))))
    assert evidence(tree, {"a": ["y", "X"]}) == (Evidence("a", 'is "x"', "X"),)
