"""Act one: a phished password, an own key, a look around, and refusals that show how far it reaches."""

from osdetect.scenario.call import Call
from osdetect.scenario.cast import (
    DANA_USER_ID,
    STOLEN_CONSOLE,
    STOLEN_INSTANCE,
    STOLEN_KEY,
    STOLEN_SHELL,
)
from osdetect.scenario.story.step import Step, first_day

_SIGN_IN_DETAILS = {
    "LoginTo": "https://console.aws.amazon.com/console/home?state=hashArgs%23&isauthcode=true",
    "MobileVersion": "No",
    "MFAUsed": "No",
}
_INSTANCE = "i-0f3a9c1d2e4b5a687"

ENTRY: tuple[Step, ...] = (
    Step(
        "The phished password is mistyped",
        first_day("13:41:07"),
        STOLEN_CONSOLE,
        Call(
            "signin",
            "ConsoleLogin",
            response={"ConsoleLogin": "Failure"},
            message="Failed authentication",
            extra={"additionalEventData": _SIGN_IN_DETAILS},
        ),
        "console_sign_in_failed_for_an_existing_user",
    ),
    Step(
        "The phished password opens the console, no second factor asked",
        first_day("13:41:52"),
        STOLEN_CONSOLE,
        Call(
            "signin",
            "ConsoleLogin",
            response={"ConsoleLogin": "Success"},
            extra={"additionalEventData": _SIGN_IN_DETAILS},
        ),
        "iam_user_console_sign_in_without_mfa",
    ),
    Step(
        "A second access key for dana.kim is made in CloudShell",
        first_day("13:46:30"),
        STOLEN_SHELL,
        Call(
            "iam",
            "CreateAccessKey",
            response={
                "accessKey": {
                    "userName": "dana.kim",
                    "accessKeyId": "AKIAEXAMPLEDANAKIM02",
                    "status": "Active",
                    "createDate": "Mar 2, 2026, 1:46:30 PM",
                }
            },
        ),
        "access_key_created_by_its_own_user_from_the_command_line",
    ),
    Step(
        "The key is tried from the intruder's own machine",
        first_day("13:58:11"),
        STOLEN_KEY,
        Call(
            "sts",
            "GetCallerIdentity",
            response={
                "userId": DANA_USER_ID,
                "account": "{account}",
                "arn": "arn:aws:iam::{account}:user/dana.kim",
            },
            read_only=True,
        ),
        "caller_identity_asked_by_an_attack_tool",
    ),
    Step(
        "Listing the users is refused",
        first_day("13:59:02"),
        STOLEN_KEY,
        Call("iam", "ListUsers", read_only=True, error="AccessDenied"),
        "iam_enumeration_denied",
    ),
    Step(
        "Listing the roles is refused",
        first_day("13:59:20"),
        STOLEN_KEY,
        Call("iam", "ListRoles", read_only=True, error="AccessDenied"),
        "iam_enumeration_denied",
    ),
    Step(
        "Reading the whole IAM configuration is refused",
        first_day("13:59:41"),
        STOLEN_KEY,
        Call("iam", "GetAccountAuthorizationDetails", read_only=True, error="AccessDenied"),
        "iam_enumeration_denied",
    ),
    Step(
        "A key for a colleague is refused",
        first_day("14:03:15"),
        STOLEN_KEY,
        Call("iam", "CreateAccessKey", error="AccessDenied"),
        "access_key_creation_denied",
    ),
    Step(
        "The deployment role is refused",
        first_day("14:05:48"),
        STOLEN_KEY,
        Call("sts", "AssumeRole", read_only=True, error="AccessDenied"),
        "role_assumption_denied_to_a_user",
    ),
    Step(
        "Stopping the trail is refused",
        first_day("14:08:30"),
        STOLEN_KEY,
        Call("cloudtrail", "StopLogging", error="AccessDenied"),
        "trail_tampering_refused",
    ),
    Step(
        "The Windows password of a jump host is refused",
        first_day("14:12:09"),
        STOLEN_KEY,
        Call(
            "ec2",
            "GetPasswordData",
            parameters={"instanceId": "i-0b1c2d3e4f5a69788"},
            read_only=True,
            error="Client.UnauthorizedOperation",
        ),
        "windows_administrator_password_retrieval",
    ),
    Step(
        "An API key for a GraphQL interface is refused",
        first_day("14:15:33"),
        STOLEN_KEY,
        Call("appsync", "CreateApiKey", error="AccessDenied"),
        "attempt_to_create_api_key",
    ),
    Step(
        "A language model is tried and refused",
        first_day("14:18:57"),
        STOLEN_KEY,
        Call(
            "bedrock",
            "InvokeModel",
            parameters={"modelId": "amazon.titan-text-express-v1"},
            read_only=True,
            error="AccessDenied",
        ),
        "model_access_probed_with_a_long_lived_key",
    ),
    Step(
        "A shell command runs on the order server",
        first_day("14:31:20"),
        STOLEN_KEY,
        Call(
            "ssm",
            "SendCommand",
            parameters={
                "instanceIds": [_INSTANCE],
                "documentName": "AWS-RunShellScript",
                "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS",
                "interactive": False,
            },
            response={
                "command": {"commandId": "{uuid}", "documentName": "AWS-RunShellScript", "status": "Pending"}
            },
        ),
        "shell_command_sent_to_instances",
    ),
    Step(
        "An interactive session is opened on the order server",
        first_day("14:36:44"),
        STOLEN_KEY,
        Call(
            "ssm",
            "StartSession",
            parameters={"target": _INSTANCE},
            response={
                "sessionId": "dana.kim-{number}",
                "tokenValue": "Value hidden due to security reasons.",
            },
        ),
        "interactive_session_started_on_an_instance",
    ),
    Step(
        "The order server's own credentials are used from outside",
        first_day("14:52:18"),
        STOLEN_INSTANCE,
        Call("sts", "GetCallerIdentity", read_only=True),
        "instance_role_used_for_reconnaissance_from_a_public_address",
    ),
    Step(
        "The stolen server credentials list the buckets",
        first_day("14:53:40"),
        STOLEN_INSTANCE,
        Call("s3", "ListBuckets", parameters={"Host": "s3.amazonaws.com"}, read_only=True),
        "instance_role_used_for_reconnaissance_from_a_public_address",
    ),
)
