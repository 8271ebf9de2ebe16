"""What a dialect says of an event, and which dialect an index is in."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from osdetect.documents.alert import alert_document
from osdetect.documents.dialect import FACTS, RAW, Dialect, telling_paths
from osdetect.documents.event import event_identity
from osdetect.documents.told import EventReference, RunReference, event_key, told
from osdetect.errors import UsageError
from osdetect.scenario import iter_records
from osdetect.schema.dialects import detect_dialect
from osdetect.sigma.pipelines import load_pipelines, shipped_pipelines
from tests.dialects.material import WRITERS

RUN = RunReference("run-1", datetime(2026, 1, 1, tzinfo=UTC))
ELSEWHERE = EventReference("somebody-elses", "uuid", "a", 0, 0)
OPENING = Dialect("opening", {}, ("api.data", "text"))


def dialect(name: str) -> Dialect:
    pipeline = load_pipelines([name])
    return Dialect(name, pipeline.paths(FACTS), pipeline.json_text)


DIALECTS = {name: dialect(name) for name in shipped_pipelines()}


def alert(name: str, record: dict[str, Any]) -> tuple[str | None, str, dict[str, Any]]:
    """The identity of the record's event in a dialect, the index of its alerts, and such an alert's common part."""
    known = DIALECTS[name]
    event = known.opened(WRITERS[name](record))
    words = {"rule": {"id": "r", "author": "An Author"}}
    said = told(event, ELSEWHERE, RUN, known)
    made = alert_document(words, said, (), RUN, "id")
    del made["osdetect"]
    return event_identity(event, known), said.index("n"), made


def test_raw_records_are_their_own_dialect() -> None:
    assert DIALECTS["cloudtrail-raw"] == RAW


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_record_gives_the_same_alert_in_every_dialect(name: str) -> None:
    for record in iter_records(background_count=300):
        assert alert(name, record) == alert("cloudtrail-raw", record)


@pytest.mark.parametrize("name", sorted(WRITERS))
@pytest.mark.parametrize(
    "change",
    [
        {"errorCode": "AccessDenied", "errorMessage": "no"},
        {"responseElements": {"ConsoleLogin": "Failure"}},
        {"sourceIPAddress": "cloudtrail.amazonaws.com"},
        {"recipientAccountId": None},
        {"userIdentity": {"type": "Root", "userName": "x", "accountId": "111122223333"}},
        {"userIdentity": {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"userName": "admin"}}}},
        {"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}},
        {"userIdentity": None},
    ],
)
def test_what_alerts_are_made_of_survives_in_every_dialect(name: str, change: dict[str, Any]) -> None:
    record = {**next(iter(iter_records(background_count=1))), **change}
    if name == "cloudtrail-ocsf" and "sessionIssuer" in str(change):
        assert alert(name, record)[2]["user"]["name"] == "admin"
    assert alert(name, record) == alert("cloudtrail-raw", record)


def test_the_author_stays_with_the_alert_in_every_dialect() -> None:
    record = next(iter(iter_records(background_count=1)))
    assert {alert(name, record)[2]["rule"]["author"] for name in WRITERS} == {"An Author"}


def test_an_event_is_known_by_account_and_event_id_wherever_it_stands() -> None:
    event = {"eventID": "e1", "recipientAccountId": "123456789012"}
    identity = event_identity(event, RAW)
    assert identity == "123456789012-e1"
    assert event_key(event, ELSEWHERE, RAW) == identity
    assert event_identity({"eventID": "e1"}, RAW) == "unknown-e1"
    assert event_identity({"eventID": "with space", "recipientAccountId": "1"}, RAW) is None
    assert event_identity({"eventID": ["e1", "e2"]}, RAW) is None
    assert event_key({}, ELSEWHERE, RAW) == "uuid/a"
    routed = EventReference("trail", "uuid", "a", 0, 0, routing="b")
    assert event_key({}, routed, RAW) != event_key({}, EventReference("trail", "uuid", "a?b", 0, 0), RAW)
    assert event_key({}, routed, RAW) != event_key({}, EventReference("trail", "uuid", "a", 0, 0, "b/"), RAW)
    ours = EventReference("osdetect-cloudtrail-default-2024.05", "uuid", "123456789012-e1~abc", 0, 0)
    assert event_key(event, ours, RAW) == ours.id


@pytest.mark.parametrize(
    ("event", "opened"),
    [
        ({"api": {"data": '{"a":[1]}', "x": 1}}, {"api": {"data": {"a": [1]}, "x": 1}}),
        ({"text": ' [{"a":1}]'}, {"text": [{"a": 1}]}),
        ({"text": r'{"a":"\ud800","b":1}'}, {"text": {"a": "\N{REPLACEMENT CHARACTER}", "b": 1}}),
        ({"text": '{"a":1e999,"b":1}'}, {"text": {"a": "1e999", "b": 1}}),
        ({"text": '{"a":'}, {"text": '{"a":'}),
        ({"text": '"a"'}, {"text": '"a"'}),
        ({"text": "[" * 5_000}, {"text": "[" * 5_000}),
        ({"api": "x", "text": {"a": "{}"}}, {"api": "x", "text": {"a": "{}"}}),
        ({}, {}),
    ],
)
def test_objects_that_stand_as_json_text_are_read(event: dict[str, Any], opened: dict[str, Any]) -> None:
    before = repr(event)
    assert OPENING.opened(event) == opened
    assert repr(event) == before


def test_a_dialect_is_read_back_as_it_was_written() -> None:
    for one in DIALECTS.values():
        assert Dialect.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        {},
        {"name": "x"},
        {"name": 1, "paths": {}, "json_text": []},
        {"name": "x", "paths": {"eventName": "action"}, "json_text": []},
        {"name": "x", "paths": {}, "json_text": "a"},
    ],
)
def test_anything_else_is_no_dialect(stored: object) -> None:
    assert Dialect.from_json(stored) is None


def fields_of(event: Mapping[str, Any], before: str = "") -> list[str]:
    """The fields that OpenSearch would list for an index of such events."""
    return [
        path
        for key, value in event.items()
        for path in (
            f"{before}{key}",
            *(fields_of(value, f"{before}{key}.") if isinstance(value, dict) else ()),
        )
    ]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_the_fields_of_an_index_tell_its_dialect(name: str) -> None:
    record = next(iter(iter_records(background_count=1)))
    fields = fields_of(WRITERS[name](record))
    telling = telling_paths(DIALECTS.values())
    assert detect_dialect(fields, telling, target="t") == name
    assert detect_dialect([f"{field}.keyword" for field in fields], telling, target="t") == name


def test_an_index_of_several_dialects_or_none_is_refused_with_the_reason() -> None:
    telling = telling_paths(DIALECTS.values())
    both = [*telling["cloudtrail-ecs"], *telling["cloudtrail-raw"]]
    with pytest.raises(UsageError, match="several dialects: cloudtrail-ecs, cloudtrail-raw") as refused:
        detect_dialect(both, telling, target="t")
    assert "--pipeline cloudtrail-ecs" in refused.value.cure
    with pytest.raises(UsageError, match="in no dialect of CloudTrail") as refused:
        detect_dialect(["eventName", "message", "_id"], telling, target="t")
    assert refused.value.cause == "its fields are eventName, message"
    assert all(name in refused.value.cure for name in WRITERS)
    with pytest.raises(UsageError, match="in no dialect") as refused:
        detect_dialect([], telling, target="t")
    assert refused.value.cause == "its mapping lists no fields"
