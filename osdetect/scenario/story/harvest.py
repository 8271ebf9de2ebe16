"""Act three, the next day: into the shop's account, out with its data, and a demand for money."""

from osdetect.scenario.call import Call
from osdetect.scenario.cast import (
    FOREIGN_ACCOUNT,
    MAIN_ACCOUNT,
    PLANTED_USER,
    SHOP_ACCOUNT,
    SHOP_ADMIN,
    SHOP_COPIER,
)
from osdetect.scenario.records import Place
from osdetect.scenario.story.step import Step, second_day

_SHOP = Place(SHOP_ACCOUNT, "us-east-1")
_IRELAND = Place(SHOP_ACCOUNT, "eu-west-1")
_SYDNEY = Place(MAIN_ACCOUNT, "ap-southeast-2")
_ARCHIVE = "example-orders-archive"
_HOST = f"{_ARCHIVE}.s3.us-east-1.amazonaws.com"
_ROLE = f"arn:aws:iam::{SHOP_ACCOUNT}:role/OrganizationAccountAccessRole"
_RESOURCES = [
    {"type": "AWS::S3::Object", "ARNPrefix": f"arn:aws:s3:::{_ARCHIVE}/"},
    {"accountId": SHOP_ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{_ARCHIVE}"},
]


def _object_call(name: str, key: str, *, read_only: bool, customer_key: bool = False) -> Call:
    """A data event on an object of the archive bucket."""
    request = {"bucketName": _ARCHIVE, "Host": _HOST, "key": key}
    details = {
        "SignatureVersion": "SigV4",
        "AuthenticationMethod": "AuthHeader",
        "SSEApplied": "Default_SSE_S3",
    }
    if customer_key:
        request |= {
            "x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-copy-source": f"{_ARCHIVE}/{key}",
        }
        details |= {"SSEApplied": "SSE_C"}
    return Call(
        "s3",
        name,
        parameters=request,
        read_only=read_only,
        data_event=True,
        extra={"additionalEventData": details, "resources": _RESOURCES},
    )


_THEFT: tuple[Step, ...] = (
    Step(
        "The planted user steps over into the shop's account",
        second_day("02:14:09"),
        PLANTED_USER,
        Call(
            "sts",
            "AssumeRole",
            parameters={"roleArn": _ROLE, "roleSessionName": "sync"},
            response={
                "credentials": {
                    "accessKeyId": "ASIAEXAMPLEORGACCES1",
                    "expiration": "Mar 3, 2026, 3:14:09 AM",
                },
                "assumedRoleUser": {
                    "arn": f"arn:aws:sts::{SHOP_ACCOUNT}:assumed-role/OrganizationAccountAccessRole/sync"
                },
            },
            read_only=True,
        ),
        "organization_access_role_assumed_by_a_user",
    ),
    Step(
        "The parameters of the main account are read in clear",
        second_day("02:16:44"),
        PLANTED_USER,
        Call(
            "ssm",
            "GetParametersByPath",
            parameters={"path": "/", "recursive": True, "withDecryption": True},
            read_only=True,
        ),
        "parameters_decrypted_from_the_command_line",
    ),
    Step(
        "The shop's secrets are fetched in one call",
        second_day("02:21:30"),
        SHOP_ADMIN,
        Call(
            "secretsmanager",
            "BatchGetSecretValue",
            parameters={"filters": [{"key": "name", "values": ["prod/"]}], "maxResults": 20},
            read_only=True,
        ),
        "secrets_retrieved_in_bulk",
        _SHOP,
    ),
    Step(
        "A disk snapshot is shared with the intruder's account",
        second_day("02:33:51"),
        SHOP_ADMIN,
        Call(
            "ec2",
            "ModifySnapshotAttribute",
            parameters={
                "snapshotId": "snap-0c1d2e3f4a5b69780",
                "createVolumePermission": {"add": {"items": [{"userId": FOREIGN_ACCOUNT}]}},
                "attributeType": "CREATE_VOLUME_PERMISSION",
            },
            response={"requestId": "{uuid}", "_return": True},
        ),
        "ebs_snapshot_shared_with_an_account",
        _SHOP,
    ),
    Step(
        "A database snapshot is shared with the intruder's account",
        second_day("02:38:12"),
        SHOP_ADMIN,
        Call(
            "rds",
            "ModifyDBSnapshotAttribute",
            parameters={
                "dBSnapshotIdentifier": "orders-nightly-2026-03-02",
                "attributeName": "restore",
                "valuesToAdd": [FOREIGN_ACCOUNT],
            },
        ),
        "database_snapshot_shared",
        _IRELAND,
    ),
    Step(
        "The archive bucket loses its public access block",
        second_day("02:47:27"),
        SHOP_ADMIN,
        Call(
            "s3",
            "DeleteBucketPublicAccessBlock",
            parameters={"bucketName": _ARCHIVE, "Host": _HOST, "publicAccessBlock": ""},
        ),
        "public_access_block_lifted",
        _SHOP,
    ),
    Step(
        "The archive bucket is opened to everyone",
        second_day("02:48:05"),
        SHOP_ADMIN,
        Call(
            "s3",
            "PutBucketPolicy",
            parameters={
                "bucketName": _ARCHIVE,
                "Host": _HOST,
                "policy": "",
                "bucketPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": "*",
                            "Action": ["s3:GetObject", "s3:ListBucket"],
                            "Resource": [f"arn:aws:s3:::{_ARCHIVE}", f"arn:aws:s3:::{_ARCHIVE}/*"],
                        }
                    ],
                },
            },
        ),
        "bucket_policy_opened_to_everyone",
        _SHOP,
    ),
    Step(
        "The customer export is copied out",
        second_day("02:55:40"),
        SHOP_COPIER,
        _object_call("GetObject", "exports/customers-2026-02.csv.gz", read_only=True),
        "object_read_with_a_bulk_transfer_client",
        _SHOP,
    ),
    Step(
        "The payment export is copied out",
        second_day("02:56:13"),
        SHOP_COPIER,
        _object_call("GetObject", "exports/payments-2026-02.csv.gz", read_only=True),
        "object_read_with_a_bulk_transfer_client",
        _SHOP,
    ),
)

_RANSOM: tuple[Step, ...] = (
    Step(
        "Older versions in the archive are no longer kept",
        second_day("03:20:18"),
        SHOP_ADMIN,
        Call(
            "s3",
            "PutBucketVersioning",
            parameters={
                "bucketName": _ARCHIVE,
                "Host": _HOST,
                "versioning": "",
                "VersioningConfiguration": {
                    "xmlns": "http://s3.amazonaws.com/doc/2006-03-01/",
                    "Status": "Suspended",
                },
            },
        ),
        "bucket_versioning_suspended",
        _SHOP,
    ),
    Step(
        "The database's recovery point is destroyed",
        second_day("03:26:02"),
        SHOP_ADMIN,
        Call(
            "backup",
            "DeleteRecoveryPoint",
            parameters={
                "backupVaultName": "Default",
                "recoveryPointArn": "arn:aws:rds:{region}:{account}:snapshot:awsbackup:job-{uuid}",
            },
        ),
        "backup_destroyed",
        _IRELAND,
    ),
    Step(
        "The customer export is encrypted with the intruder's key",
        second_day("03:31:44"),
        SHOP_ADMIN,
        _object_call("CopyObject", "exports/customers-2026-02.csv.gz", read_only=False, customer_key=True),
        "object_rewritten_with_a_customer_provided_key",
        _SHOP,
    ),
    Step(
        "A demand for money is left in the bucket",
        second_day("03:36:20"),
        SHOP_ADMIN,
        _object_call("PutObject", "HOW_TO_RECOVER_YOUR_FILES.txt", read_only=False),
        "ransom_note_written_to_a_bucket",
        _SHOP,
    ),
    Step(
        "The orders database is deleted, no snapshot kept",
        second_day("03:42:37"),
        SHOP_ADMIN,
        Call(
            "rds",
            "DeleteDBInstance",
            parameters={
                "dBInstanceIdentifier": "orders",
                "skipFinalSnapshot": True,
                "deleteAutomatedBackups": True,
            },
            response={"dBInstanceIdentifier": "orders", "dBInstanceStatus": "deleting"},
        ),
        "database_deleted_without_a_final_snapshot",
        _IRELAND,
    ),
    Step(
        "The key of the archive is scheduled for deletion",
        second_day("03:48:55"),
        SHOP_ADMIN,
        Call(
            "kms",
            "ScheduleKeyDeletion",
            parameters={"keyId": "1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "pendingWindowInDays": 7},
            response={"keyState": "PendingDeletion", "pendingWindowInDays": 7},
        ),
        "kms_key_deletion_scheduled",
        _SHOP,
    ),
    Step(
        "Machines with graphics processors are started far away",
        second_day("04:05:31"),
        PLANTED_USER,
        Call(
            "ec2",
            "RunInstances",
            parameters={
                "instancesSet": {
                    "items": [{"imageId": "ami-0a1b2c3d4e5f60718", "minCount": 4, "maxCount": 4}]
                },
                "instanceType": "p4d.24xlarge",
                "monitoring": {"enabled": False},
            },
            response={"reservationId": "r-0a1b2c3d4e5f60718", "ownerId": "{account}"},
        ),
        "accelerated_instance_started_by_a_person",
        _SYDNEY,
    ),
)

HARVEST: tuple[Step, ...] = (*_THEFT, *_RANSOM)
