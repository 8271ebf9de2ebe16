"""Deleting, locking out, and running up costs."""

from osdetect.scenario.call import Call
from osdetect.scenario.story.exercise.turn import Turn

DAMAGE: tuple[Turn, ...] = (
    Turn(
        "Hundreds of machines are asked for",
        "machines_refused_by_a_limit",
        Call(
            "ec2",
            "RunInstances",
            parameters={
                "instancesSet": {
                    "items": [{"imageId": "ami-0f1e2d3c4b5a69788", "minCount": 200, "maxCount": 200}]
                },
                "instanceType": "c6i.32xlarge",
            },
            error="Client.VcpuLimitExceeded",
            message="You have requested more vCPU capacity than your current vCPU limit allows for the instance bucket that the specified instance type belongs to.",
        ),
    ),
    Turn(
        "A machine of the shop is terminated",
        "machines_ended_with_a_long_lived_key",
        Call(
            "ec2",
            "TerminateInstances",
            parameters={"instancesSet": {"items": [{"instanceId": "{instance}"}]}},
        ),
    ),
    Turn(
        "A snapshot of the order server is deleted",
        "disks_or_snapshots_deleted_with_a_long_lived_key",
        Call("ec2", "DeleteSnapshot", parameters={"snapshotId": "{snapshot}"}),
    ),
    Turn(
        "More processors are asked for",
        "higher_quota_asked_by_an_iam_user",
        Call(
            "servicequotas",
            "RequestServiceQuotaIncrease",
            parameters={"serviceCode": "ec2", "quotaCode": "L-417A185B", "desiredValue": 512},
        ),
    ),
    Turn(
        "A group keeps foreign machines alive",
        "group_of_machines_made_by_an_iam_user",
        Call(
            "autoscaling",
            "CreateAutoScalingGroup",
            parameters={
                "autoScalingGroupName": "metrics",
                "minSize": 14,
                "maxSize": 140,
                "vPCZoneIdentifier": "{subnet}",
            },
        ),
    ),
    Turn(
        "Machines are started where nobody looks",
        "lightsail_machines_made_with_a_long_lived_key",
        Call(
            "lightsail",
            "CreateInstances",
            parameters={
                "instanceNames": ["m-1", "m-2"],
                "availabilityZone": "{region}a",
                "blueprintId": "ubuntu_22_04",
                "bundleId": "2xlarge_3_0",
            },
        ),
    ),
    Turn(
        "The use of a language model is applied for",
        "access_to_foundation_models_asked_by_an_iam_user",
        Call("bedrock", "PutUseCaseForModelAccess", parameters={"formData": "***"}),
    ),
    Turn(
        "A text message goes to a foreign number",
        "text_message_sent_with_a_long_lived_key",
        Call(
            "sns",
            "Publish",
            parameters={
                "phoneNumber": "HIDDEN_DUE_TO_SECURITY_REASONS",
                "message": "HIDDEN_DUE_TO_SECURITY_REASONS",
            },
            data_event=True,
            extra={
                "resources": [
                    {
                        "accountId": "{account}",
                        "type": "AWS::SNS::PhoneNumber",
                        "ARN": "arn:aws:sns:{region}:{account}:*",
                    }
                ]
            },
        ),
    ),
    Turn(
        "A list of objects is deleted",
        "objects_deleted_in_bulk_with_a_long_lived_key",
        Call(
            "s3",
            "DeleteObjects",
            parameters={
                "bucketName": "example-reports",
                "Host": "example-reports.s3.{region}.amazonaws.com",
                "delete": "",
            },
            data_event=True,
            extra={"resources": [{"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::example-reports/"}]},
        ),
    ),
    Turn(
        "The material of an imported key is removed",
        "imported_key_material_removed",
        Call(
            "kms",
            "DeleteImportedKeyMaterial",
            parameters={"keyId": "arn:aws:kms:{region}:{account}:key/{uuid}"},
        ),
    ),
    Turn(
        "A backup of the orders is deleted",
        "table_or_its_backup_deleted_by_an_iam_user",
        Call(
            "dynamodb",
            "DeleteBackup",
            parameters={
                "backupArn": "arn:aws:dynamodb:{region}:{account}:table/orders/backup/01772000000000-a1b2c3d4"
            },
        ),
    ),
    Turn(
        "The orders cannot be set back any more",
        "point_in_time_recovery_of_a_table_turned_off",
        Call(
            "dynamodb",
            "UpdateContinuousBackups",
            parameters={
                "tableName": "orders",
                "pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": False},
            },
        ),
    ),
    Turn(
        "The last snapshot of the orders is deleted",
        "database_snapshot_deleted_by_a_person",
        Call("rds", "DeleteDBSnapshot", parameters={"dBSnapshotIdentifier": "orders-before-migration"}),
    ),
    Turn(
        "The orders' database may be deleted",
        "deletion_protection_taken_off_a_database",
        Call(
            "rds",
            "ModifyDBInstance",
            parameters={
                "dBInstanceIdentifier": "orders",
                "deletionProtection": False,
                "applyImmediately": True,
            },
        ),
    ),
    Turn(
        "The nightly backup plan is deleted",
        "backup_plan_or_its_selection_deleted",
        Call("backup", "DeleteBackupPlan", parameters={"backupPlanId": "{uuid}"}),
    ),
    Turn(
        "The mount target of the shared files is deleted",
        "file_system_deleted_by_an_iam_user",
        Call(
            "elasticfilesystem", "DeleteMountTarget", parameters={"mountTargetId": "fsmt-0a1b2c3d4e5f60718"}
        ),
    ),
    Turn(
        "The shop's images are deleted",
        "container_images_deleted_by_an_iam_user",
        Call("ecr", "DeleteRepository", parameters={"repositoryName": "shop/web", "force": True}),
    ),
    Turn(
        "A colleague can no longer sign in",
        "user_locked_out_of_the_console",
        Call("iam", "DeleteLoginProfile", parameters={"userName": "omar.haddad"}),
    ),
    Turn(
        "The waiting orders are thrown away",
        "queue_emptied_or_deleted_by_an_iam_user",
        Call(
            "sqs",
            "PurgeQueue",
            parameters={"queueUrl": "https://sqs.{region}.amazonaws.com/{account}/orders"},
        ),
    ),
    Turn(
        "A bucket is deleted from the terminal",
        "bucket_deleted_by_a_person",
        Call(
            "s3",
            "DeleteBucket",
            parameters={
                "bucketName": "example-orders-archive",
                "Host": "example-orders-archive.s3.us-east-1.amazonaws.com",
            },
        ),
    ),
    Turn(
        "The shop's domain may be moved away",
        "domain_transfer_prepared",
        Call("route53domains", "DisableDomainTransferLock", parameters={"domainName": "shop.example"}),
    ),
    Turn(
        "A key is disabled",
        "kms_key_disabled",
        Call("kms", "DisableKey", parameters={"keyId": "1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d"}),
    ),
    Turn(
        "A sender's address is added",
        "sender_identity_added_with_a_long_lived_key",
        Call("ses", "VerifyEmailIdentity", parameters={"emailAddress": "billing@shop.example"}),
    ),
)
