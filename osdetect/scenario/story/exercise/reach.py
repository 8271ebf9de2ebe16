"""Getting in and getting on: what is visible before and around a first foothold."""

from osdetect.scenario.call import Call
from osdetect.scenario.cast import TESTER_AS_ROOT, TESTER_WORKFLOW
from osdetect.scenario.story.exercise.turn import Turn

REACH: tuple[Turn, ...] = (
    Turn(
        "A trust policy names a user that another account may have",
        "names_of_principals_tried_out_in_a_trust_policy",
        Call(
            "iam",
            "UpdateAssumeRolePolicy",
            parameters={
                "roleName": "legacy-support",
                "policyDocument": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::777788889999:user/admin"},"Action":"sts:AssumeRole"}]}',
            },
            error="MalformedPolicyDocumentException",
            message='Invalid principal in policy: "AWS":"arn:aws:iam::777788889999:user/admin"',
        ),
    ),
    Turn(
        "A look-alike name of the shop is bought",
        "domain_registered_by_an_iam_user",
        Call(
            "route53domains",
            "RegisterDomain",
            parameters={
                "domainName": "example-shop-orders.example",
                "durationInYears": 1,
                "autoRenew": False,
            },
            response={"operationId": "{uuid}"},
        ),
    ),
    Turn(
        "An account that nobody asked for is opened",
        "member_account_created_by_an_iam_user",
        Call(
            "organizations",
            "CreateAccount",
            parameters={
                "email": "HIDDEN_DUE_TO_SECURITY_REASONS",
                "accountName": "****",
                "roleName": "OrganizationAccountAccessRole",
            },
            response={"createAccountStatus": {"id": "car-{uuid}", "state": "IN_PROGRESS"}},
        ),
    ),
    Turn(
        "A page that asks for passwords is put online",
        "website_put_online_with_a_long_lived_key",
        Call(
            "amplify",
            "CreateApp",
            parameters={"name": "secure-sign-in", "platform": "WEB"},
            response={"app": {"appId": "d1example2app", "defaultDomain": "d1example2app.amplifyapp.com"}},
        ),
    ),
    Turn(
        "The root password's recovery is asked for",
        "password_recovery_of_the_root_user_asked_for",
        Call("signin", "PasswordRecoveryRequested", response={"PasswordRecoveryRequested": "Success"}),
        TESTER_AS_ROOT,
    ),
    Turn(
        "A stranger's workflow asks for the deployment role",
        "role_refused_to_a_web_identity",
        Call(
            "sts",
            "AssumeRoleWithWebIdentity",
            parameters={
                "roleArn": "arn:aws:iam::{account}:role/ci-deployer",
                "roleSessionName": "GitHubActions",
            },
            read_only=True,
            error="AccessDenied",
            message="Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
        TESTER_WORKFLOW,
    ),
    Turn(
        "The shop's identity pool takes in guests",
        "identity_pool_opened_to_guests",
        Call(
            "cognito-identity",
            "UpdateIdentityPool",
            parameters={
                "identityPoolId": "us-east-1:{uuid}",
                "identityPoolName": "shop",
                "allowUnauthenticatedIdentities": True,
            },
        ),
    ),
    Turn(
        "The cluster's interface gets a public address",
        "cluster_endpoint_opened_to_the_internet",
        Call(
            "eks",
            "UpdateClusterConfig",
            parameters={
                "name": "shop",
                "clientRequestToken": "{uuid}",
                "resourcesVpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]},
            },
        ),
    ),
    Turn(
        "The database is reached through the order server",
        "port_forwarded_through_a_machine",
        Call(
            "ssm",
            "StartSession",
            parameters={
                "target": "i-0f3a9c1d2e4b5a687",
                "documentName": "AWS-StartPortForwardingSessionToRemoteHost",
                "parameters": {
                    "host": ["orders.internal.example"],
                    "portNumber": ["5432"],
                    "localPortNumber": ["5432"],
                },
            },
        ),
    ),
    Turn(
        "A machine from outside may join",
        "machine_from_outside_admitted_to_systems_manager",
        Call(
            "ssm",
            "CreateActivation",
            parameters={
                "iamRole": "service-role/AmazonEC2RunCommandRoleForManagedInstances",
                "registrationLimit": 10,
            },
        ),
    ),
    Turn(
        "A shell on the jump host is refused",
        "shell_session_on_an_instance_refused",
        Call("ssm", "StartSession", error="AccessDeniedException"),
    ),
    Turn(
        "A notebook with a strong role is opened",
        "notebook_opened_with_a_long_lived_key",
        Call(
            "sagemaker",
            "CreatePresignedNotebookInstanceUrl",
            parameters={"notebookInstanceName": "forecasts"},
        ),
    ),
    Turn(
        "The root user signs in with the password alone",
        "root_console_sign_in_without_mfa",
        Call(
            "signin",
            "ConsoleLogin",
            response={"ConsoleLogin": "Success"},
            extra={
                "additionalEventData": {
                    "LoginTo": "https://console.aws.amazon.com/console/home",
                    "MobileVersion": "No",
                    "MFAUsed": "No",
                }
            },
        ),
        TESTER_AS_ROOT,
    ),
    Turn(
        "Serial consoles are switched on",
        "serial_console_access_switched_on_for_the_account",
        Call("ec2", "EnableSerialConsoleAccess", parameters={"EnableSerialConsoleAccessRequest": ""}),
    ),
    Turn(
        "A key for a minute is pushed to the order server",
        "ssh_key_pushed_to_an_instance",
        Call(
            "ec2-instance-connect",
            "SendSSHPublicKey",
            parameters={
                "instanceId": "i-0f3a9c1d2e4b5a687",
                "instanceOSUser": "ec2-user",
                "sSHPublicKey": "ssh-ed25519 AAAAEXAMPLE",
            },
            response={"success": True},
        ),
    ),
)
