"""The records: whole, in CloudTrail's words, and a story that can be told in order."""

import re
import uuid
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest

from osdetect.scenario import STORY, iter_records
from osdetect.scenario.placeholders import fill, uuid4

_ALWAYS = frozenset({
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
    "userAgent", "requestParameters", "responseElements", "eventID", "readOnly", "eventType", "managementEvent",
    "recipientAccountId", "eventCategory",
})  # fmt: skip
_DOCUMENTATION = tuple(
    ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
_IDENTITY = {
    "IAMUser": {"principalId", "arn", "accountId", "userName"},
    "AssumedRole": {"principalId", "arn", "accountId", "accessKeyId", "sessionContext"},
    "FederatedUser": {"principalId", "arn", "accountId", "accessKeyId", "sessionContext"},
    "AWSService": {"invokedBy"},
    "Root": {"principalId", "arn", "accountId", "accessKeyId"},
    "WebIdentityUser": {"principalId", "userName", "identityProvider"},
    "SAMLUser": {"principalId", "userName", "identityProvider"},
}
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return list(iter_records())


def test_every_record_has_the_elements_that_cloudtrail_writes(records: list[dict[str, Any]]) -> None:
    for record in records:
        assert record.keys() >= _ALWAYS
        assert record["eventVersion"] == "1.11"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["eventTime"])
        assert uuid.UUID(record["eventID"]).version == 4
        assert ("requestID" in record) == (record["eventType"] == "AwsApiCall")


def test_every_identity_has_the_elements_of_its_type(records: list[dict[str, Any]]) -> None:
    assert {record["userIdentity"]["type"] for record in records} == set(_IDENTITY)
    for record in records:
        if record["userIdentity"].get("userName") != _HIDDEN:
            assert record["userIdentity"].keys() >= _IDENTITY[record["userIdentity"]["type"]]


def test_a_user_that_does_not_exist_has_neither_a_name_nor_an_arn(records: list[dict[str, Any]]) -> None:
    (nobody,) = (record for record in records if record["userIdentity"].get("userName") == _HIDDEN)
    assert nobody["responseElements"] == {"ConsoleLogin": "Failure"}
    assert nobody["userIdentity"].keys() == {"type", "accountId", "accessKeyId", "userName"}


def test_what_a_service_tells_by_itself_was_asked_by_nobody(records: list[dict[str, Any]]) -> None:
    (told,) = (record for record in records if record["eventType"] == "AwsServiceEvent")
    assert told["userIdentity"] == {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    assert told["requestParameters"] is None
    assert told["serviceEventDetails"]["accountId"] == "777788889999"


def test_an_error_has_both_a_code_and_a_message(records: list[dict[str, Any]]) -> None:
    failed = [record for record in records if "errorCode" in record]
    assert len(failed) > 50
    for record in failed:
        assert record["errorMessage"]


def test_addresses_are_documentation_addresses_or_names_of_services(records: list[dict[str, Any]]) -> None:
    for record in records:
        source = record["sourceIPAddress"]
        if source.endswith(".amazonaws.com"):
            assert "tlsDetails" not in record
            continue
        assert any(ip_address(source) in network for network in _DOCUMENTATION), source
        assert record["tlsDetails"]["clientProvidedHostHeader"].startswith(
            record["eventSource"].split(".")[0]
        )


def test_content_calls_are_data_events_and_name_their_resources(records: list[dict[str, Any]]) -> None:
    data = [record for record in records if record["eventCategory"] == "Data"]
    assert {record["eventName"] for record in data} == {
        "GetObject",
        "PutObject",
        "CopyObject",
        "DeleteObjects",
        "Publish",
    }
    for record in data:
        assert not record["managementEvent"]
        assert record["resources"]


def test_no_placeholder_is_left_in_a_record(records: list[dict[str, Any]]) -> None:
    for record in records:
        assert not re.search(r"\{[a-z_]+\}", repr(record))


def test_people_sign_in_with_a_second_factor_unless_they_are_the_intruder_or_the_tester(
    records: list[dict[str, Any]],
) -> None:
    sign_ins = [record for record in records if record["eventName"] == "ConsoleLogin"]
    without = {
        record["userIdentity"].get("userName", "root")
        for record in sign_ins
        if record["additionalEventData"]["MFAUsed"] == "No"
    }
    assert len(sign_ins) > 10
    assert without == {"dana.kim", "root", _HIDDEN}


def test_the_steps_of_the_story_are_in_order_and_each_has_its_own_title() -> None:
    assert [step.at for step in STORY] == sorted(step.at for step in STORY)
    assert len({step.title for step in STORY}) == len(STORY)


def test_a_made_up_uuid_is_one_of_version_four() -> None:
    rng = Random(3)
    for _ in range(500):
        made = uuid.UUID(uuid4(rng))
        assert made.version == 4
        assert made.variant == uuid.RFC_4122


def test_a_placeholder_has_one_value_in_one_call() -> None:
    filled = fill(
        {"request": "{instance}", "response": ["{instance}"], "where": "{region}"}, Random(1), {"region": "r"}
    )
    assert isinstance(filled, dict)
    assert filled["response"] == [filled["request"]]
    assert filled["where"] == "r"


def test_an_unknown_placeholder_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match="no_such_word"):
        fill("{no_such_word}", Random(1), {})
