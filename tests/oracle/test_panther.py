"""Panther's labelled events asked of the Sigma rules about the same activity; docs/public-rules.md tells each difference.

Panther's rules are Python with events and labels. A twin is a public Sigma rule (or a few together) whose subject is the
same, chosen by hand; it may ask for more or less, and then a label differs for a reason that is in the rules' texts.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.expr import evaluate
from osdetect.sigma import Rule, read_rules

DOCUMENT = Path(__file__).parents[2] / "docs" / "public-rules.md"

TWINS: Mapping[str, tuple[str, ...]] = {
    "AWS.CloudTrail.AMIModifiedForPublicAccess": ("ccea56fb-fcff-542e-a290-0cfd48d7e907",),
    "AWS.Potential.Backdoor.Lambda": ("64ad5de1-1c5d-5d0b-a5c9-766bd4d5dd79",),
    "AWS.CloudTrail.AttemptToLeaveOrg": ("430b4b64-8df3-5e12-96cf-4c500b2dccc0",),
    "AWS.CloudTrail.PasswordSpraying": ("978c15f1-3468-42b2-bf0f-bb29ae6168cc",),
    "AWS.CloudTrail.EnableRegion": ("a5ffb6ea-c784-4e01-b30a-deb6e58ca2ab",),
    "AWS.CloudTrail.SES.CheckIdentityVerifications": ("84e423cc-315a-5fee-b203-7805177b461c",),
    "AWS.CloudTrail.SES.CheckSendQuota": ("86fa572f-8418-55bc-8770-f880689c2297",),
    "AWS.CloudTrail.Stopped": (
        "da90c11e-e3d4-411e-aaf7-06d02e0c5c23",
        "fa5c25ee-9c78-4af4-916f-52a81d1d16e6",
    ),
    "AWS.Unsuccessful.MFA.attempt": ("978c15f1-3468-42b2-bf0f-bb29ae6168cc",),
    "AWS.Console.GetSigninToken.Abuse": ("f8103686-e3e8-46f3-be72-65f7fcb4aa53",),
    "AWS.Console.LoginWithoutMFA": ("77caf516-34e5-4df9-b4db-20744fea0a60",),
    "AWS.Console.RootLoginFailed": ("978c15f1-3468-42b2-bf0f-bb29ae6168cc",),
    "AWS.EC2.EBS.Encryption.Disabled": ("16124c2d-e40b-4fcc-8f2c-5ab7870a2223",),
    "AWS.EC2.ManualSecurityGroupChange": ("6fb77778-040f-4015-9440-572aa9b6b580",),
    "AWS.EC2.NetworkACLModified": ("e1f7febb-7b94-4234-b5c6-00fb8500f5dd",),
    "AWS.EC2.RouteTableModified": ("c803b2ce-c4a2-4836-beae-b112010390b1",),
    "AWS.EC2.Startup.Script.Change": ("1ab3c5ed-5baf-417b-bb6b-78ca33f6c3df",),
    "AWS.EC2.Traffic.Mirroring": (
        "d08194a4-c4ee-53ef-9b8e-dd683e995ba2",
        "54a3d6ff-10fd-5d3e-be54-a708dc2ca2a8",
        "c6af5443-3e16-51db-9fb9-0926526ac2a8",
        "e248f07b-578d-5b14-ae74-a4935781c2ec",
    ),
    "AWS.IAM.AttachAdminRolePolicy": ("0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d",),
    "AWS.IAM.AttachAdminUserPolicy": ("0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d",),
    "AWS.IAM.BackdoorRole": ("74702dab-4c11-59af-900b-68a00913b5ec",),
    "AWS.IAM.CreateRole": ("d5360922-d26b-5185-852a-a550773643e2",),
    "AWS.CloudTrail.IAMEntityCreatedWithoutCloudFormation": ("8f3a7b2c-1d4e-5f6a-9b0c-2e3d4f5a6b7c",),
    "AWS.IAM.Backdoor.User.Keys": ("0a5177f4-6ca9-44c2-aacf-d3f3d8b6e4d2",),
    "AWS.CloudTrail.IMDSCredentialExfiltration": ("352a918a-34d8-4882-8470-44830c507aa3",),
    "AWS.Lambda.UpdateFunctionCode": ("5ef12e89-dbab-56a6-9777-ddaa5c079342",),
    "AWS.Lambda.UpdateFunctionConfiguration": ("97fbabf8-8e1b-47a2-b7d5-a418d2b95e3d",),
    "AWS.RDS.InstanceDeletion": ("457cc9ac-d8e6-4d1d-8c0e-251d0f11a74c",),
    "AWS.RDS.MasterPasswordUpdated": ("8a63cdd4-6207-414a-85bc-7e032bd3c1a2",),
    "AWS.RDS.PublicRestore": ("c3f265c7-ff03-4056-8ab2-d486227b4599",),
    "AWS.RDS.SecurityGroupIngressAuthorized": ("14f3f1c8-02d5-43a2-a191-91ffb52d3015",),
    "AWS.RDS.SnapshotEnumeration": ("70b0e927-e0b5-51a7-8c64-3441884ae6e9",),
    "AWS.RDS.SnapshotExport": ("8e69913a-4877-50a3-a2e5-2f5958330506",),
    "AWS.S3.BucketDeleted": ("39c9f26d-6e3b-4dbb-9c7a-4154b0281112",),
    "AWS.S3.DeleteObject": ("30a08ff1-925e-5c54-91ff-afb58a6939d5",),
    "AWS.S3.SuspendVersioning": ("a136ac98-b2bc-4189-a14d-f0d0388e57a7",),
    "AWS.S3.SecurityControlDisabling": (
        "a136ac98-b2bc-4189-a14d-f0d0388e57a7",
        "78b3756a-7804-4ef7-8555-7b9024a02e2d",
    ),
    "AWS.Suspicious.SAML.Activity": ("f43f5d2f-3f2a-4cc8-b1af-81fde7dbaf0e",),
    "AWS.CloudTrail.SecurityConfigurationChange": ("fa5c25ee-9c78-4af4-916f-52a81d1d16e6",),
    "AWS.SecurityHub.Finding.Evasion": ("a607e1fe-74bf-4440-a3ec-b059b9103157",),
    "AWS.CloudTrail.SnapshotMadePublic": ("abae8fec-57bd-4f87-aff6-6e3db989843d",),
    "AWS.SSM.DecryptSSMParams": ("c01e4875-e4db-504c-bd2a-47e71e8a4ec3",),
    "AWS.STS.GetCallerIdentity.TruffleHog": ("9b1b8e9b-0a5d-4af1-9d2f-4c4b6e7c2c9d",),
    "AWS.STS.GetSessionToken.Misuse": ("b45ab1d2-712f-4f01-a751-df3826969807",),
    "AWS.User.Login.Profile.Modified": ("055fb148-60f8-462d-ad16-26926ce050f1",),
    "AWS.SecretsManager.RetrieveSecrets": ("e7cbe027-482f-5e97-b991-1e6e088fe303",),
    "Standard.NewAWSAccountCreated": ("cb1b7579-6c26-5b0c-b12c-73df95505278",),
    "Standard.BruteForceByIP": ("978c15f1-3468-42b2-bf0f-bb29ae6168cc",),
}
"""Panther's rule, and the ids of its Sigma twin: an event matches if one of them does."""

Labelled = Mapping[str, Any]


@pytest.fixture(scope="module")
def labelled(shared: Path) -> tuple[Labelled, ...]:
    """The labelled events of the rules that have a twin."""
    lines = (shared / "data/oracle/panther_tests.ndjson").read_bytes().splitlines()
    return tuple(one for one in map(orjson.loads, lines) if one["rule_id"] in TWINS)


@pytest.fixture(scope="module")
def rules(shared: Path) -> dict[str, Rule]:
    """The public rules for CloudTrail, by id."""
    folders = ("sigmahq/rules/cloud/aws", "suzaku/suzaku/aws")
    return {rule.id: rule for rule in read_rules([shared / "data/rules" / one for one in folders]).rules}


def _matches(rules: Mapping[str, Rule], one: Labelled) -> bool:
    return any(evaluate(rules[twin].tree, one["event"]) for twin in TWINS[one["rule_id"]])


def test_every_twin_is_a_rule_and_every_rule_with_a_twin_has_events(
    labelled: tuple[Labelled, ...], rules: Mapping[str, Rule]
) -> None:
    assert {twin for twins in TWINS.values() for twin in twins} <= set(rules)
    assert {one["rule_id"] for one in labelled} == set(TWINS)
    assert {one["expected"] for one in labelled} == {True, False}


def test_the_twins_agree_with_as_many_labels_as_the_document_says(
    labelled: tuple[Labelled, ...], rules: Mapping[str, Rule]
) -> None:
    agreed = sum(_matches(rules, one) == one["expected"] for one in labelled)
    text = DOCUMENT.read_text(encoding="utf-8")
    assert f"{len(TWINS)} of them have a twin" in text
    assert f"**{agreed} of {len(labelled)}**" in text
    assert f"The other {len(labelled) - agreed} " in text


def test_the_document_tells_each_difference_and_no_other(
    labelled: tuple[Labelled, ...], rules: Mapping[str, Rule]
) -> None:
    row = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| (alert|no alert) \| ([^|]+) \|$", re.MULTILINE)
    rows = row.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert all(len(reason.split()) > 4 for *_, reason in rows)
    assert sorted((rule, test, label) for rule, test, label, _ in rows) == sorted(
        (one["rule_id"], one["test"], "alert" if one["expected"] else "no alert")
        for one in labelled
        if _matches(rules, one) != one["expected"]
    )
