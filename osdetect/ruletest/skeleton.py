"""A plain CloudTrail record to start from, and records with one field another."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from osdetect.ruletest.samples import ABSENT
from osdetect.sigma.record_changes import NoSuchPlace, changed, without

Record = dict[str, Any]
_NAMES = UUID("6e1f3a56-8f0b-5d2e-9a41-20c7d9f1b3a8")
"""Namespace of the ids in made records (RFC 9562, version 5): the same rule has the same record each time."""
ACCOUNT = "111122223333"
"""One of AWS's placeholder accounts."""


def skeleton(name: str) -> Record:
    """A whole record of an unremarkable call. Ids are functions of the name.

    Fields: AWS CloudTrail user guide, "CloudTrail record contents for management, data, and network activity events".
    """
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLEEXAMPLE01",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/example-user",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "example-user",
        },
        "eventTime": "2026-03-02T10:15:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeRegions",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.24",
        "userAgent": "aws-cli/2.15.30 Python/3.11.8 Linux/6.1 botocore/2.4.5",
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid5(_NAMES, f"{name}/request")),
        "eventID": str(uuid5(_NAMES, f"{name}/event")),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def with_value(record: Mapping[str, Any], path: str, value: Any) -> Record | None:
    """The record with the value at the path, or without it if it is `ABSENT`; None where the path leads nowhere."""
    try:
        if value is ABSENT:
            return without(record, (path,))
        return changed(record, {path: value})
    except NoSuchPlace:
        return dict(record) if value is ABSENT else None
