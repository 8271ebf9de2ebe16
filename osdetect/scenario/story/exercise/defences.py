"""Taking down what protects, and the records that services keep: firewalls, limits, locks."""

from osdetect.scenario.call import Call
from osdetect.scenario.story.exercise.turn import Turn

DEFENCES: tuple[Turn, ...] = (
    Turn(
        "Six characters are enough for a password",
        "password_policy_weakened_or_removed",
        Call(
            "iam",
            "UpdateAccountPasswordPolicy",
            parameters={
                "minimumPasswordLength": 6,
                "requireSymbols": False,
                "requireNumbers": False,
                "allowUsersToChangePassword": True,
            },
        ),
    ),
    Turn(
        "Findings no longer reach the people on call",
        "rule_that_reacts_to_events_switched_off_by_an_iam_user",
        Call("events", "DisableRule", parameters={"name": "guardduty-to-pager"}),
    ),
    Turn(
        "The archive no longer writes down its readers",
        "access_logging_of_a_bucket_turned_off",
        Call(
            "s3",
            "PutBucketLogging",
            parameters={
                "bucketName": "example-orders-archive",
                "Host": "example-orders-archive.s3.{region}.amazonaws.com",
                "logging": "",
                "BucketLoggingStatus": {"xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"},
            },
        ),
    ),
    Turn(
        "The shop's firewall keeps no record",
        "logging_of_a_firewall_removed",
        Call(
            "wafv2",
            "DeleteLoggingConfiguration",
            parameters={"resourceArn": "arn:aws:wafv2:{region}:{account}:regional/webacl/shop/{uuid}"},
        ),
    ),
    Turn(
        "Names of bad hosts can be looked up again",
        "network_firewall_or_dns_firewall_taken_away",
        Call(
            "route53resolver",
            "DisassociateFirewallRuleGroup",
            parameters={"firewallRuleGroupAssociationId": "rslvr-frgassoc-0123456789abcdef"},
        ),
    ),
    Turn(
        "The subnet's access list lets everybody in",
        "network_acl_opened_to_the_internet",
        Call(
            "ec2",
            "CreateNetworkAclEntry",
            parameters={
                "networkAclId": "acl-0a1b2c3d4e5f60718",
                "ruleNumber": 90,
                "egress": False,
                "ruleAction": "allow",
                "aclProtocol": "-1",
                "cidrBlock": "0.0.0.0/0",
                "icmpTypeCode": {},
                "portRange": {},
            },
        ),
    ),
    Turn(
        "Snapshots may be made public",
        "block_on_public_images_or_snapshots_lifted",
        Call(
            "ec2",
            "DisableSnapshotBlockPublicAccess",
            parameters={"DisableSnapshotBlockPublicAccessRequest": ""},
        ),
    ),
    Turn(
        "The order server can be terminated",
        "termination_protection_taken_off_a_machine",
        Call(
            "ec2",
            "ModifyInstanceAttribute",
            parameters={"instanceId": "i-0f3a9c1d2e4b5a687", "disableApiTermination": {"value": False}},
        ),
    ),
    Turn(
        "Shell sessions are no longer recorded",
        "recording_of_shell_sessions_changed",
        Call(
            "ssm",
            "UpdateDocument",
            parameters={
                "name": "SSM-SessionManagerRunShell",
                "documentVersion": "$LATEST",
                "documentFormat": "JSON",
                "content": "{}",
            },
        ),
    ),
    Turn(
        "The cluster writes no audit log",
        "control_plane_log_of_a_cluster_turned_off",
        Call(
            "eks",
            "UpdateClusterConfig",
            parameters={
                "name": "shop",
                "clientRequestToken": "{uuid}",
                "logging": {"clusterLogging": [{"types": ["audit", "authenticator"], "enabled": False}]},
            },
        ),
    ),
    Turn(
        "The warehouse records no statements",
        "audit_log_of_a_warehouse_turned_off",
        Call(
            "redshift",
            "DisableLogging",
            parameters={"clusterIdentifier": "reports"},
            response={"loggingEnabled": False},
        ),
    ),
    Turn(
        "The stream of statements is stopped",
        "activity_stream_of_a_database_stopped",
        Call(
            "rds",
            "StopActivityStream",
            parameters={
                "resourceArn": "arn:aws:rds:{region}:{account}:cluster:orders",
                "applyImmediately": True,
            },
        ),
    ),
    Turn(
        "Nobody checks the callers of the shop's interface",
        "authorizer_of_an_api_removed",
        Call(
            "apigateway", "DeleteAuthorizer", parameters={"restApiId": "a1example2", "authorizerId": "b2cd3e"}
        ),
    ),
    Turn(
        "New images are not scanned",
        "scan_on_push_turned_off",
        Call(
            "ecr",
            "PutImageScanningConfiguration",
            parameters={"repositoryName": "shop/web", "imageScanningConfiguration": {"scanOnPush": False}},
        ),
    ),
    Turn(
        "The organisation lets the shop's account go",
        "account_removed_from_the_organisation",
        Call("organizations", "RemoveAccountFromOrganization", parameters={"accountId": "444455556666"}),
    ),
    Turn(
        "The account tries to leave its organisation",
        "account_leaving_its_organization",
        Call(
            "organizations",
            "LeaveOrganization",
            error="AccessDenied",
            message="User: arn:aws:iam::111122223333:user/tess.okafor is not authorized to perform: organizations:LeaveOrganization because no identity-based policy allows the organizations:LeaveOrganization action",
        ),
    ),
    Turn(
        "The port of SSH is opened to the internet",
        "administration_port_opened_to_the_internet",
        Call(
            "ec2",
            "AuthorizeSecurityGroupIngress",
            parameters={
                "groupId": "sg-0a1b2c3d4e5f60718",
                "ipPermissions": {
                    "items": [
                        {
                            "ipProtocol": "tcp",
                            "fromPort": 22,
                            "toPort": 22,
                            "groups": {},
                            "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
                            "ipv6Ranges": {},
                            "prefixListIds": {},
                        }
                    ]
                },
            },
            response={"_return": True},
        ),
    ),
    Turn(
        "New disks are no longer encrypted",
        "default_disk_encryption_turned_off",
        Call("ec2", "DisableEbsEncryptionByDefault", parameters={"DisableEbsEncryptionByDefaultRequest": ""}),
    ),
    Turn(
        "Name look-ups are no longer recorded",
        "dns_query_logging_removed",
        Call(
            "route53resolver",
            "DeleteResolverQueryLogConfig",
            parameters={"resolverQueryLogConfigId": "rqlc-0a1b2c3d4e5f6071"},
        ),
    ),
    Turn(
        "The bucket of the trail empties itself after a day",
        "log_bucket_emptied_by_a_lifecycle_rule",
        Call(
            "s3",
            "PutBucketLifecycle",
            parameters={
                "bucketName": "example-org-trail",
                "Host": "example-orders-archive.s3.us-east-1.amazonaws.com",
                "lifecycle": "",
                "LifecycleConfiguration": {
                    "Rule": {
                        "ID": "tidy",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "Expiration": {"Days": 1},
                    }
                },
            },
        ),
    ),
    Turn(
        "A colleague loses the second factor",
        "mfa_device_taken_from_a_user",
        Call(
            "iam",
            "DeactivateMFADevice",
            parameters={"userName": "omar.haddad", "serialNumber": "arn:aws:iam::111122223333:mfa/phone"},
        ),
    ),
    Turn(
        "Prompts are no longer recorded",
        "model_invocation_logging_deleted",
        Call("bedrock", "DeleteModelInvocationLoggingConfiguration"),
    ),
    Turn(
        "A region that nobody uses is switched on",
        "region_enabled",
        Call("account", "EnableRegion", parameters={"RegionName": "af-south-1"}),
    ),
    Turn(
        "The shop's guard rail is taken off",
        "service_control_policy_detached",
        Call(
            "organizations",
            "DetachPolicy",
            parameters={"policyId": "p-examplepolicy1", "targetId": "444455556666"},
        ),
    ),
    Turn(
        "The shop stands without its firewall",
        "web_acl_taken_away",
        Call(
            "wafv2",
            "DisassociateWebACL",
            parameters={
                "resourceArn": "arn:aws:elasticloadbalancing:us-east-1:444455556666:loadbalancer/app/shop/50dc6c495c0c9188"
            },
        ),
    ),
)
