"""Secrets and passwords: reading them, and being refused."""

from osdetect.scenario.call import Call
from osdetect.scenario.cast import TESTER_AS_NOBODY, TESTER_ASSERTION, TESTER_CONSOLE
from osdetect.scenario.story.exercise.turn import Turn

CREDENTIALS: tuple[Turn, ...] = (
    Turn(
        "A name is tried that nobody has",
        "console_sign_in_with_a_name_that_no_user_has",
        Call(
            "signin",
            "ConsoleLogin",
            response={"ConsoleLogin": "Failure"},
            message="No username found in supplied account",
            extra={
                "additionalEventData": {
                    "LoginTo": "https://console.aws.amazon.com/console/home",
                    "MobileVersion": "No",
                    "MFAUsed": "No",
                }
            },
        ),
        TESTER_AS_NOBODY,
    ),
    Turn(
        "A colleague's password is right, the code is not",
        "second_factor_refused_after_a_right_password",
        Call(
            "signin",
            "ConsoleLogin",
            response={"ConsoleLogin": "Failure"},
            message="Failed authentication",
            extra={
                "additionalEventData": {
                    "LoginTo": "https://console.aws.amazon.com/console/home",
                    "MobileVersion": "No",
                    "MFAIdentifier": "arn:aws:iam::{account}:mfa/phone-{number}",
                    "MFAUsed": "Yes",
                }
            },
        ),
        TESTER_CONSOLE,
    ),
    Turn(
        "An assertion with an old signature is tried",
        "role_refused_to_a_saml_assertion",
        Call(
            "sts",
            "AssumeRoleWithSAML",
            parameters={
                "roleArn": "arn:aws:iam::{account}:role/console-admin",
                "principalArn": "arn:aws:iam::{account}:saml-provider/company-login",
            },
            read_only=True,
            error="InvalidIdentityToken",
            message="Response signature invalid",
        ),
        TESTER_ASSERTION,
    ),
    Turn(
        "The payment provider's secret is refused",
        "reading_of_a_secret_refused",
        Call("secretsmanager", "GetSecretValue", read_only=True, error="AccessDeniedException"),
    ),
    Turn(
        "All parameters under the root are refused",
        "reading_of_parameters_refused",
        Call("ssm", "GetParametersByPath", read_only=True, error="AccessDeniedException"),
    ),
    Turn(
        "The start-up script of the order server is read",
        "user_data_of_a_machine_read",
        Call(
            "ec2",
            "DescribeInstanceAttribute",
            parameters={"instanceId": "i-0f3a9c1d2e4b5a687", "attribute": "userData"},
            read_only=True,
        ),
    ),
    Turn(
        "The start-up script of the jump host is refused",
        "reading_of_a_machine_s_user_data_refused",
        Call(
            "ec2",
            "DescribeInstanceAttribute",
            parameters={"instanceId": "i-0b1c2d3e4f5a69788", "attribute": "userData"},
            read_only=True,
            error="Client.UnauthorizedOperation",
        ),
    ),
    Turn(
        "The shop's certificate and key are exported",
        "certificate_exported_with_its_private_key",
        Call(
            "acm",
            "ExportCertificate",
            parameters={
                "certificateArn": "arn:aws:acm:{region}:{account}:certificate/{uuid}",
                "passphrase": "HIDDEN_DUE_TO_SECURITY_REASONS",
            },
        ),
    ),
    Turn(
        "The company's own authority signs a certificate",
        "certificate_issued_by_a_private_authority_for_a_user",
        Call(
            "acm-pca",
            "IssueCertificate",
            parameters={
                "certificateAuthorityArn": "arn:aws:acm-pca:{region}:{account}:certificate-authority/{uuid}",
                "signingAlgorithm": "SHA256WITHRSA",
                "validity": {"value": 3650, "type": "DAYS"},
            },
        ),
    ),
    Turn(
        "A password for the data warehouse is fetched",
        "database_credentials_of_a_warehouse_taken_by_a_user",
        Call(
            "redshift",
            "GetClusterCredentials",
            parameters={
                "clusterIdentifier": "reports",
                "dbUser": "admin",
                "dbName": "sales",
                "autoCreate": False,
                "durationSeconds": 3600,
            },
            read_only=True,
        ),
    ),
    Turn(
        "The key that opens every Lightsail machine is downloaded",
        "access_details_of_a_lightsail_machine_taken",
        Call("lightsail", "DownloadDefaultKeyPair", read_only=True),
    ),
    Turn(
        "A task sends its own role's credentials away",
        "container_told_to_read_its_own_credentials",
        Call(
            "ecs",
            "RegisterTaskDefinition",
            parameters={
                "family": "metrics",
                "containerDefinitions": [
                    {
                        "name": "metrics",
                        "image": "public.ecr.aws/docker/library/alpine:3",
                        "command": [
                            "sh",
                            "-c",
                            "wget -qO- 169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                        ],
                    }
                ],
            },
        ),
    ),
    Turn(
        "A function at the edge reads the visitors' cookies",
        "function_published_at_the_edge",
        Call(
            "cloudfront",
            "PublishFunction2020_05_31",
            parameters={"name": "headers", "ifMatch": "ETVPDKIKX0DER"},
        ),
    ),
    Turn(
        "The database's master password is set anew",
        "database_master_password_reset",
        Call(
            "rds",
            "ModifyDBInstance",
            parameters={
                "dBInstanceIdentifier": "orders",
                "masterUserPassword": "****",
                "applyImmediately": True,
            },
        ),
    ),
    Turn(
        "The order server's metadata is open again to simple requests",
        "instance_metadata_token_requirement_dropped",
        Call(
            "ec2",
            "ModifyInstanceMetadataOptions",
            parameters={
                "ModifyInstanceMetadataOptionsRequest": {
                    "InstanceId": "i-0f3a9c1d2e4b5a687",
                    "HttpTokens": "optional",
                }
            },
        ),
    ),
    Turn(
        "The database's secret is read",
        "secret_read_by_a_user_from_the_command_line",
        Call(
            "secretsmanager",
            "GetSecretValue",
            parameters={"secretId": "prod/orders/database"},
            read_only=True,
        ),
    ),
)
