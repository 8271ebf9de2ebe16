"""Getting more rights than one was given."""

from osdetect.scenario.call import Call
from osdetect.scenario.story.exercise.turn import Turn

RIGHTS: tuple[Turn, ...] = (
    Turn(
        "An older, wider version of a policy counts again",
        "older_version_of_a_policy_made_the_default",
        Call(
            "iam",
            "SetDefaultPolicyVersion",
            parameters={"policyArn": "arn:aws:iam::{account}:policy/team-analytics", "versionId": "v1"},
        ),
    ),
    Turn(
        "Making oneself an administrator is refused",
        "giving_of_rights_refused",
        Call("iam", "AttachUserPolicy", error="AccessDenied"),
    ),
    Turn(
        "A function with a strong role is refused",
        "passing_of_a_role_refused",
        Call(
            "lambda",
            "CreateFunction20150331",
            error="AccessDeniedException",
            message="User: arn:aws:iam::111122223333:user/tess.okafor is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/account-admin because no identity-based policy allows the iam:PassRole action",
        ),
    ),
    Turn(
        "The order server gets the administrator's role",
        "role_of_a_running_machine_exchanged",
        Call(
            "ec2",
            "AssociateIamInstanceProfile",
            parameters={
                "AssociateIamInstanceProfileRequest": {
                    "InstanceId": "i-0f3a9c1d2e4b5a687",
                    "IamInstanceProfile": {"Name": "account-admin"},
                }
            },
        ),
    ),
    Turn(
        "The readers' permission set allows everything",
        "administrator_policy_put_into_a_permission_set",
        Call(
            "sso",
            "AttachManagedPolicyToPermissionSet",
            parameters={
                "instanceArn": "arn:aws:sso:::instance/ssoins-0123456789abcdef",
                "permissionSetArn": "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef",
                "managedPolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
            },
        ),
    ),
    Turn(
        "A development endpoint borrows a strong role",
        "development_endpoint_or_job_with_a_role_made_by_an_iam_user",
        Call(
            "glue",
            "CreateDevEndpoint",
            parameters={
                "endpointName": "metrics",
                "roleArn": "arn:aws:iam::{account}:role/account-admin",
                "publicKey": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABexample",
            },
        ),
    ),
    Turn(
        "A user may do everything by an inline policy",
        "inline_policy_allowing_every_action",
        Call(
            "iam",
            "PutUserPolicy",
            parameters={
                "userName": "tess.okafor",
                "policyName": "inline",
                "policyDocument": '{\n  "Version": "2012-10-17",\n  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]\n}',
            },
        ),
    ),
    Turn(
        "A user joins the administrators",
        "user_added_to_an_administrative_group",
        Call("iam", "AddUserToGroup", parameters={"userName": "tess.okafor", "groupName": "Administrators"}),
    ),
)
