"""Act two: to administrator rights, out of sight, and with several ways back."""

from osdetect.scenario.call import Call
from osdetect.scenario.cast import (
    FOREIGN_ACCOUNT,
    MAIN_ACCOUNT,
    PLANTED_FUNCTION,
    PLANTED_TOKEN,
    PLANTED_USER,
    STOLEN_KEY,
)
from osdetect.scenario.records import Place
from osdetect.scenario.story.step import Step, first_day

_FUNCTION = "metrics-sync"
_FUNCTION_ARN = f"arn:aws:lambda:us-east-1:{MAIN_ACCOUNT}:function:{_FUNCTION}"
_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'
    f'{FOREIGN_ACCOUNT}:root"}},"Action":"sts:AssumeRole"}}]}}'
)
_IRELAND = Place(MAIN_ACCOUNT, "eu-west-1")

_RIGHTS: tuple[Step, ...] = (
    Step(
        "The team's own policy gets a version that allows more",
        first_day("15:20:12"),
        STOLEN_KEY,
        Call(
            "iam",
            "CreatePolicyVersion",
            parameters={
                "policyArn": f"arn:aws:iam::{MAIN_ACCOUNT}:policy/team-analytics",
                "policyDocument": (
                    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
                    '"Action":["iam:Get*","iam:List*","iam:PassRole","lambda:*"],"Resource":"*"}]}'
                ),
                "setAsDefault": True,
            },
            response={"policyVersion": {"versionId": "v4", "isDefaultVersion": True}},
        ),
        "policy_version_set_as_default_on_creation",
    ),
    Step(
        "The whole IAM configuration is read",
        first_day("15:24:55"),
        STOLEN_KEY,
        Call("iam", "GetAccountAuthorizationDetails", parameters={"maxItems": 1000}, read_only=True),
        "whole_iam_configuration_read_in_one_call",
    ),
    Step(
        "A function is made that runs as the account's administrator",
        first_day("15:41:03"),
        STOLEN_KEY,
        Call(
            "lambda",
            "CreateFunction20150331",
            parameters={
                "functionName": _FUNCTION,
                "runtime": "python3.12",
                "role": f"arn:aws:iam::{MAIN_ACCOUNT}:role/account-admin",
                "handler": "index.handler",
                "code": {},
                "publish": False,
            },
            response={"functionName": _FUNCTION, "functionArn": _FUNCTION_ARN, "state": "Pending"},
        ),
        "function_created_with_an_administrative_role",
    ),
    Step(
        "The function makes dana.kim an administrator",
        first_day("15:44:37"),
        PLANTED_FUNCTION,
        Call(
            "iam",
            "AttachUserPolicy",
            parameters={"userName": "dana.kim", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        "administrator_policy_attached",
    ),
    Step(
        "The function takes the boundary off dana.kim",
        first_day("15:44:52"),
        PLANTED_FUNCTION,
        Call("iam", "DeleteUserPermissionsBoundary", parameters={"userName": "dana.kim"}),
        "permissions_boundary_removed",
    ),
)

_COVER: tuple[Step, ...] = (
    Step(
        "The team's trail is stopped; the organisation's goes on",
        first_day("16:02:10"),
        STOLEN_KEY,
        Call(
            "cloudtrail",
            "StopLogging",
            parameters={"name": f"arn:aws:cloudtrail:us-east-1:{MAIN_ACCOUNT}:trail/team-trail"},
        ),
        "trail_logging_stopped",
    ),
    Step(
        "A second trail is left with read events only",
        first_day("16:04:26"),
        STOLEN_KEY,
        Call(
            "cloudtrail",
            "PutEventSelectors",
            parameters={
                "trailName": "audit-trail",
                "eventSelectors": [
                    {
                        "readWriteType": "ReadOnly",
                        "includeManagementEvents": False,
                        "dataResources": [],
                        "excludeManagementEventSources": [],
                    }
                ],
            },
        ),
        "trail_event_selectors_narrowed",
        _IRELAND,
    ),
    Step(
        "GuardDuty is suspended",
        first_day("16:07:39"),
        STOLEN_KEY,
        Call(
            "guardduty",
            "UpdateDetector",
            parameters={"detectorId": "12abc34d567e8fa901bc2d34e56789f0", "enable": False},
        ),
        "guardduty_detector_disabled",
    ),
    Step(
        "The configuration recorder is stopped",
        first_day("16:09:14"),
        STOLEN_KEY,
        Call("config", "StopConfigurationRecorder", parameters={"configurationRecorderName": "default"}),
        "configuration_recorder_stopped",
    ),
    Step(
        "The flow logs of the main network are deleted",
        first_day("16:11:58"),
        STOLEN_KEY,
        Call(
            "ec2",
            "DeleteFlowLogs",
            parameters={
                "DeleteFlowLogsRequest": {"FlowLogId": {"tag": 1, "content": "fl-0a1b2c3d4e5f60718"}}
            },
            response={"DeleteFlowLogsResponse": {"unsuccessful": "", "requestId": "{uuid}"}},
        ),
        "flow_logs_removed",
    ),
)

_WAYS_BACK: tuple[Step, ...] = (
    Step(
        "A user that looks like a service is created",
        first_day("16:30:05"),
        STOLEN_KEY,
        Call(
            "iam",
            "CreateUser",
            parameters={"userName": "svc-metrics-sync"},
            response={
                "user": {"userName": "svc-metrics-sync", "userId": "AIDAEXAMPLEMETRSYNC1", "path": "/"}
            },
        ),
        "iam_user_created_with_a_long_lived_key",
    ),
    Step(
        "The planted user gets a console password",
        first_day("16:31:17"),
        STOLEN_KEY,
        Call(
            "iam",
            "CreateLoginProfile",
            parameters={"userName": "svc-metrics-sync", "passwordResetRequired": False},
        ),
        "console_password_given_to_a_user",
    ),
    Step(
        "The planted user gets an access key",
        first_day("16:32:40"),
        STOLEN_KEY,
        Call(
            "iam",
            "CreateAccessKey",
            parameters={"userName": "svc-metrics-sync"},
            response={
                "accessKey": {
                    "userName": "svc-metrics-sync",
                    "accessKeyId": "AKIAEXAMPLEMETRSYNC1",
                    "status": "Active",
                }
            },
        ),
        "access_key_created_for_another_user",
    ),
    Step(
        "A colleague's console password is replaced",
        first_day("16:40:28"),
        STOLEN_KEY,
        Call(
            "iam",
            "UpdateLoginProfile",
            parameters={"userName": "omar.haddad", "passwordResetRequired": False},
        ),
        "console_password_of_a_user_replaced",
    ),
    Step(
        "A support role trusts the intruder's account",
        first_day("16:47:51"),
        STOLEN_KEY,
        Call(
            "iam",
            "UpdateAssumeRolePolicy",
            parameters={"roleName": "support-access", "policyDocument": _TRUST},
        ),
        "role_trust_opened_to_an_account_root_or_to_anyone",
    ),
    Step(
        "The intruder's certificate authority is trusted",
        first_day("16:55:09"),
        STOLEN_KEY,
        Call(
            "rolesanywhere",
            "CreateTrustAnchor",
            parameters={
                "enabled": True,
                "name": "build-agents",
                "source": {"sourceType": "CERTIFICATE_BUNDLE"},
            },
        ),
        "roles_anywhere_trust_anchor_created",
    ),
    Step(
        "The planted user takes a federation session",
        first_day("17:10:33"),
        PLANTED_USER,
        Call(
            "sts",
            "GetFederationToken",
            parameters={"name": "sync", "durationSeconds": 129600},
            response={
                "credentials": {
                    "accessKeyId": "ASIAEXAMPLEMETRSYNC2",
                    "expiration": "Mar 4, 2026, 5:10:33 AM",
                },
                "federatedUser": {"arn": "arn:aws:sts::{account}:federated-user/sync"},
            },
            read_only=True,
        ),
        "federation_session_requested_by_a_user",
    ),
    Step(
        "The federation session becomes a console session",
        first_day("17:11:20"),
        PLANTED_TOKEN,
        Call(
            "signin",
            "GetSigninToken",
            response={"GetSigninToken": "Success"},
            extra={"additionalEventData": {"MobileVersion": "No", "MFAUsed": "No"}},
        ),
        "console_session_minted_by_a_script",
    ),
    Step(
        "The planted function answers the whole internet",
        first_day("17:24:46"),
        STOLEN_KEY,
        Call(
            "lambda",
            "CreateFunctionUrlConfig",
            parameters={"functionName": _FUNCTION_ARN, "authType": "NONE"},
            response={"functionArn": _FUNCTION_ARN, "authType": "NONE"},
        ),
        "function_url_without_authentication",
    ),
    Step(
        "Everyone may invoke the planted function",
        first_day("17:25:30"),
        STOLEN_KEY,
        Call(
            "lambda",
            "AddPermission20150331v2",
            parameters={
                "functionName": _FUNCTION,
                "statementId": "invoke",
                "action": "lambda:InvokeFunction",
                "principal": "*",
            },
        ),
        "function_invocation_granted_to_everyone",
    ),
    Step(
        "An API key for the GraphQL interface is made",
        first_day("17:38:02"),
        STOLEN_KEY,
        Call(
            "appsync",
            "CreateApiKey",
            parameters={"apiId": "k3example7apiid2gsync5xyz", "expires": 1804204800},
            response={"apiKey": {"id": "***", "expires": 1804204800}},
        ),
        "api_key_created",
    ),
)

TAKEOVER: tuple[Step, ...] = (*_RIGHTS, *_COVER, *_WAYS_BACK)
