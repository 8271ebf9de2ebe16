"""The table of ordinary work: who calls what, and how often."""

import msgspec

from osdetect.scenario.call import Call, JsonObject
from osdetect.scenario.cast import (
    CI_DEPLOYER,
    CONFIG_ROLE,
    DANA_CLI,
    LENA_CONSOLE,
    OMAR_CLI,
    OMAR_CONSOLE,
    ORDERS_AGENT,
    ORDERS_APP,
    PLATFORM_ENGINEER,
    REPORT_FUNCTION,
    Actor,
    service,
)


class Activity(msgspec.Struct, frozen=True):
    """A kind of ordinary work. One of its actors makes one of its calls."""

    weight: int
    """How often, against the weights of the others."""
    actors: tuple[Actor, ...]
    calls: tuple[Call, ...]
    is_global: bool = False
    """True for services that are recorded in one region only."""


def _read(service_name: str, name: str, parameters: JsonObject | None = None, error: str = "") -> Call:
    return Call(service_name, name, parameters=parameters, read_only=True, error=error)


def _object(name: str, *, read_only: bool) -> Call:
    return Call(
        "s3",
        name,
        parameters={
            "bucketName": "{bucket}",
            "Host": "{bucket}.s3.{region}.amazonaws.com",
            "key": "{object}",
        },
        read_only=read_only,
        data_event=True,
        extra={
            "additionalEventData": {
                "SignatureVersion": "SigV4",
                "AuthenticationMethod": "AuthHeader",
                "SSEApplied": "Default_SSE_S3",
            },
            "resources": [
                {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::{bucket}/{object}"},
                {"accountId": "{account}", "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::{bucket}"},
            ],
        },
    )


def _bucket(name: str, subresource: str, error: str = "") -> Call:
    host = "{bucket}.s3.{region}.amazonaws.com"
    return _read("s3", name, {"bucketName": "{bucket}", "Host": host, subresource: ""}, error)


_KEY_RESOURCE = {
    "resources": [
        {
            "accountId": "{account}",
            "type": "AWS::KMS::Key",
            "ARN": "arn:aws:kms:{region}:{account}:key/{uuid}",
        }
    ]
}
_ASSUME_ROLE = Call(
    "sts",
    "AssumeRole",
    parameters={"roleArn": "arn:aws:iam::{account}:role/{role}", "roleSessionName": "session-{number}"},
    response={
        "credentials": {"accessKeyId": "{session_key}", "expiration": "Mar 2, 2026, 6:00:00 PM"},
        "assumedRoleUser": {"arn": "arn:aws:sts::{account}:assumed-role/{role}/session-{number}"},
    },
    read_only=True,
    extra={
        "resources": [
            {"accountId": "{account}", "type": "AWS::IAM::Role", "ARN": "arn:aws:iam::{account}:role/{role}"}
        ]
    },
)
_SIGN_IN = Call(
    "signin",
    "ConsoleLogin",
    response={"ConsoleLogin": "Success"},
    extra={
        "additionalEventData": {
            "LoginTo": "https://console.aws.amazon.com/console/home",
            "MobileVersion": "No",
            "MFAIdentifier": "arn:aws:iam::{account}:mfa/phone-{number}",
            "MFAUsed": "Yes",
        }
    },
)
_LOG_STREAM = Call(
    "logs",
    "CreateLogStream",
    parameters={"logGroupName": "{log_group}", "logStreamName": "2026/03/{uuid}"},
)
_WORKLOADS = (
    service("ec2.amazonaws.com"),
    service("lambda.amazonaws.com"),
    service("ecs-tasks.amazonaws.com"),
    service("autoscaling.amazonaws.com"),
    service("config.amazonaws.com"),
)
_KEY_USERS = (
    service("secretsmanager.amazonaws.com"),
    service("dynamodb.amazonaws.com"),
    service("rds.amazonaws.com"),
    service("cloudtrail.amazonaws.com"),
)
_PEOPLE = (OMAR_CONSOLE, LENA_CONSOLE, PLATFORM_ENGINEER)
_COMMAND_LINES = (DANA_CLI, OMAR_CLI)

ROUTINE: tuple[Activity, ...] = (
    Activity(260, _WORKLOADS, (_ASSUME_ROLE,)),
    Activity(
        170,
        _KEY_USERS,
        (
            Call(
                "kms",
                "Decrypt",
                parameters={
                    "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
                    "encryptionContext": {
                        "aws:resource": "arn:aws:dynamodb:{region}:{account}:table/{table}"
                    },
                },
                read_only=True,
                extra=_KEY_RESOURCE,
            ),
            Call(
                "kms",
                "GenerateDataKey",
                parameters={"keySpec": "AES_256", "keyId": "arn:aws:kms:{region}:{account}:key/{uuid}"},
                read_only=True,
                extra=_KEY_RESOURCE,
            ),
        ),
    ),
    Activity(
        120,
        (CONFIG_ROLE,),
        (
            _read("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
            _read("ec2", "DescribeSecurityGroups", {"securityGroupSet": {}, "maxResults": 1000}),
            _read("rds", "DescribeDBInstances"),
            _read("lambda", "ListFunctions20150331", {"maxItems": 50}),
            _bucket("GetBucketAcl", "acl"),
            _bucket("GetBucketVersioning", "versioning"),
            _bucket("GetBucketPolicyStatus", "policyStatus", "NoSuchBucketPolicy"),
        ),
    ),
    Activity(
        110,
        (ORDERS_APP,),
        (
            _read("secretsmanager", "GetSecretValue", {"secretId": "{secret}"}),
            _read("ssm", "GetParameter", {"name": "{parameter}", "withDecryption": True}),
            _read("dynamodb", "DescribeTable", {"tableName": "{table}"}),
            _object("GetObject", read_only=True),
            _object("PutObject", read_only=False),
        ),
    ),
    Activity(
        90,
        (ORDERS_AGENT,),
        (
            Call(
                "ssm",
                "UpdateInstanceInformation",
                parameters={
                    "instanceId": "i-0f3a9c1d2e4b5a687",
                    "agentStatus": "Active",
                    "platformName": "Amazon Linux",
                },
            ),
            _read("ssm", "ListInstanceAssociations", {"instanceId": "i-0f3a9c1d2e4b5a687", "maxResults": 20}),
        ),
    ),
    Activity(
        80,
        (REPORT_FUNCTION,),
        (
            _LOG_STREAM,
            _object("GetObject", read_only=True),
            _object("PutObject", read_only=False),
            _read("dynamodb", "DescribeTable", {"tableName": "{table}"}, "ThrottlingException"),
        ),
    ),
    Activity(
        95,
        _PEOPLE,
        (
            _read("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
            _read("ec2", "DescribeVolumes", {"volumeSet": {}, "filterSet": {}}),
            _read(
                "ec2",
                "DescribeSubnets",
                {"subnetSet": {"items": [{"subnetId": "{subnet}"}]}, "filterSet": {}},
            ),
            _read("monitoring", "DescribeAlarms", {"maxRecords": 100}),
            _read("logs", "DescribeLogGroups", {"limit": 50}),
            _read("logs", "StartQuery", {"logGroupName": "{log_group}", "limit": 1000}),
            _read("lambda", "GetFunction20150331v2", {"functionName": "{function}"}),
            _read("rds", "DescribeDBSnapshots", {"maxRecords": 100}),
            _read("cloudtrail", "LookupEvents", {"maxResults": 50}),
            _read("health", "DescribeEventAggregates", {"aggregateField": "eventTypeCategory"}),
        ),
    ),
    Activity(
        70,
        _COMMAND_LINES,
        (
            _read("sts", "GetCallerIdentity"),
            _read("s3", "ListBuckets", {"Host": "s3.amazonaws.com"}),
            _read("ec2", "DescribeInstances", {"instancesSet": {"items": [{"instanceId": "{instance}"}]}}),
            _read(
                "ec2",
                "DescribeInstances",
                {"instancesSet": {"items": [{"instanceId": "{instance}"}]}},
                "Client.InvalidInstanceID.NotFound",
            ),
            _read(
                "ec2",
                "DescribeNetworkInterfaces",
                {"networkInterfaceIdSet": {}},
                "Client.UnauthorizedOperation",
            ),
            _read("ecr", "DescribeRepositories"),
            _read("ssm", "GetParameter", {"name": "{parameter}", "withDecryption": False}),
            _bucket("GetBucketLocation", "location"),
        ),
    ),
    Activity(
        75,
        (CI_DEPLOYER,),
        (
            _read("iam", "GetRole", {"roleName": "{role}"}),
            _read(
                "iam",
                "GetRolePolicy",
                {"roleName": "{role}", "policyName": "inline"},
                "NoSuchEntityException",
            ),
            _read("iam", "ListAttachedRolePolicies", {"roleName": "{role}"}),
        ),
        is_global=True,
    ),
    Activity(
        60,
        (CI_DEPLOYER,),
        (
            Call(
                "lambda",
                "UpdateFunctionCode20150331v2",
                parameters={"functionName": "{function}", "publish": True, "dryRun": False},
                response={"functionName": "{function}", "runtime": "python3.12"},
            ),
            Call(
                "lambda",
                "UpdateFunctionConfiguration20150331v2",
                parameters={"functionName": "{function}", "environment": {}},
                response={"functionName": "{function}", "runtime": "python3.12"},
            ),
            Call(
                "ec2",
                "CreateTags",
                parameters={
                    "resourcesSet": {"items": [{"resourceId": "{instance}"}]},
                    "tagSet": {"items": [{"key": "release", "value": "{number}"}]},
                },
                response={"requestId": "{uuid}", "_return": True},
            ),
            Call(
                "ec2",
                "AuthorizeSecurityGroupIngress",
                parameters={
                    "groupId": "{security_group}",
                    "ipPermissions": {
                        "items": [
                            {
                                "ipProtocol": "tcp",
                                "fromPort": 443,
                                "toPort": 443,
                                "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0", "description": "public web"}]},
                            }
                        ]
                    },
                },
                response={"requestId": "{uuid}", "_return": True},
            ),
            _bucket("GetBucketEncryption", "encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ),
    ),
    Activity(
        30,
        (service("autoscaling.amazonaws.com"), CI_DEPLOYER),
        (
            Call(
                "ec2",
                "RunInstances",
                parameters={
                    "instancesSet": {
                        "items": [{"imageId": "ami-0f1e2d3c4b5a69788", "minCount": 1, "maxCount": 1}]
                    },
                    "instanceType": "{instance_type}",
                    "monitoring": {"enabled": True},
                },
                response={"reservationId": "r-{number}", "ownerId": "{account}"},
            ),
            Call(
                "ec2",
                "TerminateInstances",
                parameters={"instancesSet": {"items": [{"instanceId": "{instance}"}]}},
                response={"instancesSet": {"items": [{"instanceId": "{instance}"}]}},
            ),
            Call(
                "ec2",
                "CreateSnapshot",
                parameters={"volumeId": "{volume}", "description": "nightly"},
                response={"snapshotId": "{snapshot}", "status": "pending"},
            ),
        ),
    ),
    Activity(
        14,
        (PLATFORM_ENGINEER,),
        (
            _read("eks", "ListClusters", {"maxResults": 100}),
            _read("ecs", "DescribeServices", {"cluster": "shop", "services": ["web"]}),
            Call("cloudwatch", "PutDashboard", parameters={"dashboardName": "shop"}),
            _read("iam", "ListUsers"),
        ),
    ),
    Activity(12, (OMAR_CONSOLE, LENA_CONSOLE), (_SIGN_IN,), is_global=True),
)
