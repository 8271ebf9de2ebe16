"""What is, and what is not, said about fields, values and events of CloudTrail rules."""

import gzip
from pathlib import Path

import orjson
import pytest

from osdetect.check.api import shipped, some_name_fits, some_source_fits
from osdetect.resources import folder
from tests.check.material import codes, found, rule, selection

GOOD = (
    "eventName|startswith: UpdateFunctionCode",
    "eventName: UpdateFunctionCode20150331v2",
    "eventName: Create*Us?r",
    "eventName: CONSOLElogin",
    "eventName|re: ^(Create|Delete)[A-Z]",
    "eventSource|endswith: .amazonaws.com",
    "eventSource: kms.amazonaws.com.cn",
    "eventSource: qldb.amazonaws.com",
    "awsRegion: us-gov-east-1",
    "awsRegion|startswith: eu-",
    "errorCode: Client.UnauthorizedOperation",
    "errorCode: ''",
    "eventType: awsapicall",
    "eventVersion: '1.11'",
    "readOnly: false",
    "readOnly: 'False'",
    "managementEvent: true",
    "recipientAccountId: 123456789012",
    "sourceIPAddress: 10.1.2.3",
    "sourceIPAddress: 2001:db8::1",
    "sourceIPAddress: cloudformation.amazonaws.com",
    "sourceIPAddress: AWS Internal",
    "sourceIPAddress|cidr: 10.0.0.0/8",
    "sourceIPAddress: 10.*.1",
    "sourceIPAddress|contains: 192.168.",
    "userIdentity.type|contains: Role",
    "userIdentity.sessionContext.attributes.mfaAuthenticated: 'false'",
    "userIdentity.sessionContext.sessionIssuer.userName: admin",
    "userIdentity.onBehalfOf.userId|exists: true",
    "userIdentity.arn|fieldref: responseElements.user.arn",
    "requestParameters.anything.atAll: x",
    "requestParameters|contains: ' two blanks '",
    "resources.ARN|contains: key/",
    "tlsDetails.tlsVersion: TLSv1",
    "additionalEventData.MFAUsed: 'No'",
    "userAgent: ''",
)
BAD = (
    ("eventName: Create User", "OSD207"),
    ("eventName: Describe*Nothing*", "OSD202"),
    ("eventName|startswith: Creat3", "OSD202"),
    ("eventSource|startswith: aim.", "OSD201"),
    ("eventType: AwsApi", "OSD207"),
    ("eventType|contains: SignOn", "OSD207"),
    ("eventCategory: Write", "OSD207"),
    ("eventVersion: v1", "OSD207"),
    ("awsRegion: Frankfurt", "OSD207"),
    ("errorCode: Access denied", "OSD207"),
    ("readOnly: 'no'", "OSD207"),
    ("recipientAccountId: 12345", "OSD207"),
    ("sourceIPAddress: 10.0.0.0/8", "OSD207"),
    ("sourceIPAddress: 10.1.2.300", "OSD207"),
    ("userIdentity.type: Role*X", "OSD207"),
    ("eventname: CreateUser", "OSD206"),
    ("UserIdentity.type: Root", "OSD206"),
    ("userIdentity.sessionContext.attributes.MfaAuthenticated: 'false'", "OSD206"),
    ("userIdentity.name: bob", "OSD205"),
    ("eventName.value: CreateUser", "OSD205"),
    ("source.ip: 10.1.2.3", "OSD205"),
    ("userIdentity.arn|fieldref: responseElement.user", "OSD205"),
    ("requestParameters.userName: ' bob'", "OSD208"),
)
NEVER = (
    "userIdentity.type: Root\nuserIdentity.type|contains: Role",
    "eventName: CreateUser\nawsRegion: eu-west-1\nawsRegion|startswith: us-",
    "errorCode: AccessDenied\nerrorCode|exists: false",
    "requestParameters.userName: bob\nrequestParameters.userName|exists: false",
    "eventName|contains|all: [Create, Delete]\neventName|endswith: eUser\neventName: CreateUser",
)


@pytest.mark.parametrize("fields", GOOD)
def test_nothing_is_said_about_what_can_occur(fields: str, tmp_path: Path) -> None:
    assert found(tmp_path, selection(fields)) == ()


@pytest.mark.parametrize(("fields", "code"), BAD)
def test_what_cannot_occur_is_told_once(fields: str, code: str, tmp_path: Path) -> None:
    assert codes(found(tmp_path, selection(fields))) == [code]


@pytest.mark.parametrize("fields", NEVER)
def test_tests_that_exclude_each_other_are_told(fields: str, tmp_path: Path) -> None:
    assert "OSD301" in codes(found(tmp_path, selection(fields)))


def test_a_list_may_hold_two_values_at_once(tmp_path: Path) -> None:
    fields = "resources.type|contains|all: [Key, Bucket]\nresources.type: 'AWS::KMS::Key'"
    assert found(tmp_path, selection(fields)) == ()


def test_an_exclusion_that_covers_all_leaves_nothing(tmp_path: Path) -> None:
    text = rule(
        "    selection:\n        eventName: [CreateUser, CreateRole]\n"
        "    filter:\n        eventName|startswith: Create\n    condition: selection and not filter"
    )
    assert codes(found(tmp_path, text)) == ["OSD301"]


def test_the_source_may_stand_in_another_selection(tmp_path: Path) -> None:
    text = rule(
        "    service:\n        eventSource: iam.amazonaws.com\n"
        "    call:\n        eventName:\n            - CreateUser\n            - CreateTrail\n"
        "    condition: service and call"
    )
    findings = found(tmp_path, text)
    assert codes(findings) == ["OSD203"]
    assert findings[0].where.excerpt.strip() == "- CreateTrail"
    assert "cloudtrail.amazonaws.com" in findings[0].cure


def test_alternatives_of_source_and_name_are_judged_each_by_itself(tmp_path: Path) -> None:
    text = rule(
        "    one:\n        eventSource: iam.amazonaws.com\n        eventName: CreateUser\n"
        "    two:\n        eventSource: cloudtrail.amazonaws.com\n        eventName: StopLogging\n"
        "    condition: 1 of *"
    )
    assert found(tmp_path, text) == ()


def test_many_names_of_other_sources_are_told_together(tmp_path: Path) -> None:
    names = "[ListBuckets, ListTopics, StopLogging, DeleteTrail, ListUsers]"
    findings = found(tmp_path, selection(f"eventSource: iam.amazonaws.com\neventName: {names}"))
    assert codes(findings) == ["OSD203"]
    assert "4 events" in findings[0].cause


def test_a_name_that_is_written_in_both_forms_is_right(tmp_path: Path) -> None:
    lambdas = "eventSource: lambda.amazonaws.com\neventName"
    assert codes(found(tmp_path, selection(f"{lambdas}: CreateFunction"))) == ["OSD204"]
    assert found(tmp_path, selection(f"{lambdas}: [CreateFunction, CreateFunction20150331]")) == ()


def test_other_log_sources_are_left_alone(tmp_path: Path) -> None:
    fields = (
        "    selection:\n        Image|endswith: \\a.exe\n        status: success\n    condition: selection"
    )
    assert found(tmp_path, rule(fields, logsource="{product: windows, category: process_creation}")) == ()


def test_every_event_of_a_genuine_account_is_known(shared: Path) -> None:
    seen: set[tuple[str, str]] = set()
    for file in sorted((shared / "data" / "cloudtrail" / "invictus").rglob("*.json.gz")):
        records = orjson.loads(gzip.decompress(file.read_bytes()))["Records"]
        seen.update((record["eventSource"], record["eventName"]) for record in records)
    assert len(seen) > 200
    api = shipped()
    assert {pair for pair in seen if not api.knows_source(pair[0]) or not api.knows(*pair)} == set()


def test_the_table_is_sorted_and_small() -> None:
    file = folder("mappings") / "cloudtrail-api.json"
    table = orjson.loads(file.read_bytes())
    assert file.stat().st_size < 400_000
    assert list(table["sources"]) == sorted(table["sources"])
    assert all(list(verbs) == sorted(verbs) for verbs in table["sources"].values())
    api = shipped()
    assert len(api.sources) > 380
    assert len(api.everything) > 15_000
    assert api.sources["iam.amazonaws.com"]["createuser"] == "CreateUser"
    assert api.nearest_source("cloudwatch.amazonaws.com") == "monitoring.amazonaws.com"
    assert api.nearest_source("kmz.amazonaws.com") == "kms.amazonaws.com"


@pytest.mark.timeout(5)
def test_a_hostile_pattern_takes_no_time() -> None:
    assert not some_name_fits("*a" * 2_000 + "*9z")
    assert not some_source_fits("?*" * 2_000 + "9z")
