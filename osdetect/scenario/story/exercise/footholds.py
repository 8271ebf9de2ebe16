"""Ways to run code and to come back."""

from osdetect.scenario.call import Call
from osdetect.scenario.cast import TESTER_CONSOLE, TESTER_IN_ROOT_SESSION
from osdetect.scenario.story.exercise.turn import Turn

FOOTHOLDS: tuple[Turn, ...] = (
    Turn(
        "A door into the private subnet is made",
        "way_into_a_private_network_made",
        Call(
            "ec2",
            "CreateInstanceConnectEndpoint",
            parameters={
                "CreateInstanceConnectEndpointRequest": {
                    "SubnetId": "{subnet}",
                    "PreserveClientIp": False,
                    "ClientToken": "{uuid}",
                }
            },
        ),
    ),
    Turn(
        "A customer's password is set",
        "password_of_an_application_s_user_set_by_a_person",
        Call(
            "cognito-idp",
            "AdminSetUserPassword",
            parameters={
                "userPoolId": "us-east-1_Example01",
                "username": "HIDDEN_DUE_TO_SECURITY_REASONS",
                "permanent": True,
            },
        ),
    ),
    Turn(
        "The thumbnailer gets other code",
        "function_code_replaced_by_an_iam_user",
        Call(
            "lambda",
            "UpdateFunctionCode20150331v2",
            parameters={"functionName": "thumbnailer", "publish": True, "dryRun": False},
            response={"functionName": "thumbnailer", "runtime": "python3.12"},
        ),
    ),
    Turn(
        "A build runs with foreign instructions",
        "build_started_with_instructions_of_its_own",
        Call(
            "codebuild",
            "StartBuild",
            parameters={
                "projectName": "shop-web",
                "buildspecOverride": "version: 0.2\nphases:\n  build:\n    commands:\n      - env",
            },
        ),
    ),
    Turn(
        "A shell is opened in the browser",
        "shell_in_the_browser_started",
        Call("cloudshell", "CreateEnvironment"),
        TESTER_CONSOLE,
    ),
    Turn(
        "A cluster for foreign containers is made",
        "containers_started_with_a_long_lived_key",
        Call("ecs", "CreateCluster", parameters={"clusterName": "metrics"}),
    ),
    Turn(
        "A command to all machines is refused",
        "shell_command_to_instances_refused",
        Call("ssm", "SendCommand", error="AccessDeniedException"),
    ),
    Turn(
        "Every notebook runs a script at its start",
        "start_up_script_of_notebooks_made_or_changed",
        Call(
            "sagemaker",
            "UpdateNotebookInstanceLifecycleConfig",
            parameters={
                "notebookInstanceLifecycleConfigName": "install-packages",
                "onStart": [{"content": "Y3VybA=="}],
            },
        ),
    ),
    Turn(
        "A stack brings its own role",
        "stack_that_makes_roles_created_with_a_long_lived_key",
        Call(
            "cloudformation",
            "CreateStack",
            parameters={
                "stackName": "metrics",
                "capabilities": ["CAPABILITY_NAMED_IAM"],
                "templateURL": "https://example-build-cache.s3.amazonaws.com/metrics.yml",
            },
        ),
    ),
    Turn(
        "The root user gets an access key",
        "root_access_key_created",
        Call(
            "iam",
            "CreateAccessKey",
            response={"accessKey": {"accessKeyId": "AKIAEXAMPLEROOTKEY01", "status": "Active"}},
        ),
        TESTER_IN_ROOT_SESSION,
    ),
    Turn(
        "A retired key works again",
        "disabled_access_key_activated_again",
        Call(
            "iam",
            "UpdateAccessKey",
            parameters={
                "userName": "lena.fischer",
                "accessKeyId": "AKIAEXAMPLELENAFIS03",
                "status": "Active",
            },
        ),
    ),
    Turn(
        "A key for language models is made for a colleague",
        "service_credential_made_for_a_user",
        Call(
            "iam",
            "CreateServiceSpecificCredential",
            parameters={"userName": "omar.haddad", "serviceName": "bedrock.amazonaws.com"},
        ),
    ),
    Turn(
        "A colleague gets a second SSH key",
        "ssh_key_or_signing_certificate_added_to_a_user",
        Call(
            "iam",
            "UploadSSHPublicKey",
            parameters={
                "userName": "omar.haddad",
                "sSHPublicKeyBody": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABexample",
            },
        ),
    ),
    Turn(
        "The tokens of a stranger's issuer are trusted",
        "openid_connect_provider_added_or_changed",
        Call(
            "iam",
            "CreateOpenIDConnectProvider",
            parameters={"url": "https://login.example.net", "clientIDList": ["sts.amazonaws.com"]},
        ),
    ),
    Turn(
        "A colleague's user gets a foreign second factor",
        "mfa_device_enrolled_with_a_long_lived_key",
        Call(
            "iam",
            "EnableMFADevice",
            parameters={
                "userName": "omar.haddad",
                "serialNumber": "arn:aws:iam::{account}:mfa/omar.haddad-2",
            },
        ),
    ),
    Turn(
        "Making a user is refused",
        "making_of_a_user_refused",
        Call("iam", "CreateUser", error="AccessDenied"),
    ),
    Turn(
        "A foreign key for new machines is stored",
        "ssh_key_pair_imported_by_an_iam_user",
        Call(
            "ec2",
            "ImportKeyPair",
            parameters={"keyName": "ops-2", "publicKeyMaterial": "c3NoLXJzYQ=="},
            response={"keyName": "ops-2", "keyPairId": "key-0a1b2c3d4e5f60718"},
        ),
    ),
    Turn(
        "A person gets access to the shop's account",
        "account_access_given_in_identity_center",
        Call(
            "sso",
            "CreateAccountAssignment",
            parameters={
                "instanceArn": "arn:aws:sso:::instance/ssoins-0123456789abcdef",
                "targetId": "444455556666",
                "targetType": "AWS_ACCOUNT",
                "principalType": "USER",
                "principalId": "{uuid}",
                "permissionSetArn": "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef",
            },
        ),
    ),
    Turn(
        "People come from another identity provider",
        "source_of_identities_of_identity_center_changed",
        Call(
            "sso-directory",
            "EnableExternalIdPConfigurationForDirectory",
            parameters={"directoryId": "d-1234567890", "externalIdPConfigurationId": "{uuid}"},
        ),
    ),
    Turn(
        "A person without a contract is made",
        "person_made_in_identity_center",
        Call(
            "identitystore",
            "CreateUser",
            parameters={"identityStoreId": "d-1234567890", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        ),
    ),
    Turn(
        "The shop's account becomes administrator of a service",
        "delegated_administrator_appointed",
        Call(
            "organizations",
            "RegisterDelegatedAdministrator",
            parameters={
                "accountId": "444455556666",
                "servicePrincipal": "member.org.stacksets.cloudformation.amazonaws.com",
            },
        ),
    ),
    Turn(
        "Something runs every hour",
        "schedule_created_by_an_iam_user",
        Call(
            "events",
            "PutRule",
            parameters={"name": "metrics-hourly", "scheduleExpression": "rate(1 hour)", "state": "ENABLED"},
            response={"ruleArn": "arn:aws:events:{region}:{account}:rule/metrics-hourly"},
        ),
    ),
    Turn(
        "A function reads along with the orders",
        "event_source_tied_to_a_function_by_an_iam_user",
        Call(
            "lambda",
            "CreateEventSourceMapping20150331",
            parameters={
                "functionName": "metrics-sync",
                "eventSourceArn": "arn:aws:sqs:{region}:{account}:orders",
                "batchSize": 10,
            },
        ),
    ),
    Turn(
        "Another image stands under the shop's tag",
        "container_image_pushed_by_an_iam_user",
        Call("ecr", "PutImage", parameters={"repositoryName": "shop/web", "imageTag": "latest"}),
    ),
    Turn(
        "A user may sign in to the cluster",
        "way_into_a_cluster_given_by_an_access_entry",
        Call(
            "eks",
            "CreateAccessEntry",
            parameters={
                "name": "shop",
                "principalArn": "arn:aws:iam::{account}:user/tess.okafor",
                "type": "STANDARD",
            },
        ),
    ),
    Turn(
        "A session is taken that outlives its key",
        "session_taken_for_a_permanent_key_without_a_second_factor",
        Call("sts", "GetSessionToken", parameters={"durationSeconds": 129600}, read_only=True),
    ),
    Turn(
        "A user becomes administrator of the cluster",
        "cluster_administrator_access_granted",
        Call(
            "eks",
            "AssociateAccessPolicy",
            parameters={
                "name": "shop",
                "principalArn": "arn%3Aaws%3Aiam%3A%3A111122223333%3Auser%2Ftess.okafor",
                "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                "accessScope": {"type": "cluster"},
            },
        ),
    ),
    Turn(
        "A shell runs inside of a container",
        "command_run_inside_a_container",
        Call(
            "ecs",
            "ExecuteCommand",
            parameters={
                "cluster": "shop",
                "container": "web",
                "command": "/bin/sh",
                "interactive": True,
                "task": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            },
        ),
    ),
    Turn(
        "The order server gets another start-up script",
        "instance_user_data_replaced",
        Call(
            "ec2",
            "ModifyInstanceAttribute",
            parameters={"instanceId": "i-0f3a9c1d2e4b5a687", "userData": "<sensitiveDataRemoved>"},
            response={"_return": True},
        ),
    ),
    Turn(
        "A foreign layer is put under the report builder",
        "layer_added_to_a_function_by_a_person",
        Call(
            "lambda",
            "UpdateFunctionConfiguration20150331v2",
            parameters={
                "functionName": "report-builder",
                "layers": ["arn:aws:lambda:us-east-1:777788889999:layer:trace:1"],
            },
        ),
    ),
    Turn(
        "The company's sign-in takes another key",
        "saml_identity_provider_added_or_replaced",
        Call(
            "iam",
            "UpdateSAMLProvider",
            parameters={
                "sAMLProviderArn": "arn:aws:iam::111122223333:saml-provider/staff",
                "sAMLMetadataDocument": "<EntityDescriptor/>",
            },
        ),
    ),
)
