"""Collecting data and carrying it out."""

from osdetect.scenario.call import Call
from osdetect.scenario.cast import TESTER_CONSOLE, service
from osdetect.scenario.story.exercise.turn import Turn

THEFT: tuple[Turn, ...] = (
    Turn(
        "The screen of the jump host is looked at",
        "screen_of_a_machine_looked_at",
        Call(
            "ec2",
            "GetConsoleScreenshot",
            parameters={"instanceId": "i-0b1c2d3e4f5a69788", "wakeUp": False},
            read_only=True,
        ),
    ),
    Turn(
        "A snapshot is read block by block",
        "snapshot_read_block_by_block",
        Call("ebs", "ListSnapshotBlocks", parameters={"snapshotId": "{snapshot}"}, read_only=True),
    ),
    Turn(
        "The access logs are queried",
        "query_results_fetched_with_a_long_lived_key",
        Call(
            "athena",
            "StartQueryExecution",
            parameters={
                "queryString": "***OMITTED***",
                "workGroup": "primary",
                "resultConfiguration": {"outputLocation": "s3://example-build-cache/q/"},
            },
        ),
    ),
    Turn(
        "The orders' snapshot is exported as files",
        "snapshot_exported_to_a_bucket_by_an_iam_user",
        Call(
            "rds",
            "StartExportTask",
            parameters={
                "exportTaskIdentifier": "orders-export",
                "sourceArn": "arn:aws:rds:{region}:{account}:snapshot:orders-nightly",
                "s3BucketName": "example-build-cache",
                "iamRoleArn": "arn:aws:iam::{account}:role/export",
                "kmsKeyId": "{uuid}",
            },
        ),
    ),
    Turn(
        "AWS tells that the shared snapshot was copied",
        "shared_snapshot_taken_up_by_another_account",
        Call(
            "ec2",
            "SharedSnapshotCopyInitiated",
            extra={
                "serviceEventDetails": {
                    "snapshotId": "snap-0c1d2e3f4a5b69780",
                    "snapshotOwnerId": "{account}",
                    "accountId": "777788889999",
                }
            },
            told_by_service=True,
        ),
        service("ec2.amazonaws.com"),
    ),
    Turn(
        "An image of the order server is written to a bucket",
        "machine_or_image_exported_to_a_bucket",
        Call(
            "ec2",
            "CreateStoreImageTask",
            parameters={
                "CreateStoreImageTaskRequest": {
                    "ImageId": "ami-0f1e2d3c4b5a69788",
                    "Bucket": "example-build-cache",
                }
            },
        ),
    ),
    Turn(
        "The warehouse's snapshot is shared",
        "warehouse_snapshot_shared",
        Call(
            "redshift",
            "AuthorizeSnapshotAccess",
            parameters={
                "snapshotIdentifier": "reports-2026-03-01",
                "accountWithRestoreAccess": "777788889999",
            },
        ),
    ),
    Turn(
        "The installation script is shared with everybody",
        "document_shared_with_everybody",
        Call(
            "ssm",
            "ModifyDocumentPermission",
            parameters={
                "name": "install-order-server",
                "permissionType": "Share",
                "accountIdsToAdd": ["all"],
            },
        ),
    ),
    Turn(
        "Everybody may read the queue of orders",
        "queue_opened_to_everyone",
        Call(
            "sqs",
            "SetQueueAttributes",
            parameters={
                "queueUrl": "https://sqs.{region}.amazonaws.com/{account}/orders",
                "attributes": {
                    "Policy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}'
                },
            },
        ),
    ),
    Turn(
        "Notices go to an outside address too",
        "topic_subscribed_to_an_address_by_an_iam_user",
        Call(
            "sns",
            "Subscribe",
            parameters={
                "topicArn": "arn:aws:sns:{region}:{account}:orders",
                "protocol": "email",
                "endpoint": "HIDDEN_DUE_TO_SECURITY_REASONS",
            },
            response={"subscriptionArn": "pending confirmation"},
        ),
    ),
    Turn(
        "The build logs are public",
        "build_project_made_public",
        Call(
            "codebuild",
            "UpdateProjectVisibility",
            parameters={
                "projectArn": "arn:aws:codebuild:{region}:{account}:project/shop-web",
                "projectVisibility": "PUBLIC_READ",
            },
        ),
    ),
    Turn(
        "A transfer server stands before the archive",
        "file_transfer_server_made_with_a_long_lived_key",
        Call(
            "transfer",
            "CreateServer",
            parameters={
                "protocols": ["SFTP"],
                "endpointType": "PUBLIC",
                "identityProviderType": "SERVICE_MANAGED",
            },
        ),
    ),
    Turn(
        "A foreign bucket becomes a place to copy to",
        "place_to_copy_data_to_made_by_an_iam_user",
        Call(
            "datasync",
            "CreateLocationS3",
            parameters={
                "s3BucketArn": "arn:aws:s3:::example-collected",
                "s3Config": {"bucketAccessRoleArn": "arn:aws:iam::{account}:role/export"},
            },
        ),
    ),
    Turn(
        "The collected file is downloaded",
        "file_carried_out_of_the_browser_s_shell",
        Call(
            "cloudshell",
            "GetFileDownloadUrls",
            parameters={"environmentId": "{uuid}", "fileDownloadPath": "out.tgz"},
        ),
        TESTER_CONSOLE,
    ),
    Turn(
        "Opening the reports is refused",
        "opening_of_a_bucket_refused",
        Call(
            "s3",
            "PutBucketPolicy",
            parameters={
                "bucketName": "example-reports",
                "Host": "example-reports.s3.{region}.amazonaws.com",
                "policy": "",
            },
            error="AccessDenied",
        ),
    ),
    Turn(
        "Sharing a snapshot is refused",
        "sharing_of_snapshots_or_images_refused",
        Call(
            "ec2",
            "ModifySnapshotAttribute",
            parameters={
                "snapshotId": "{snapshot}",
                "createVolumePermission": {"add": {"items": [{"userId": "777788889999"}]}},
                "attributeType": "CREATE_VOLUME_PERMISSION",
            },
            error="Client.UnauthorizedOperation",
        ),
    ),
    Turn(
        "The archive's access list lets everyone read",
        "bucket_acl_opened_to_everyone",
        Call(
            "s3",
            "PutBucketAcl",
            parameters={
                "bucketName": "example-orders-archive",
                "Host": "example-orders-archive.s3.us-east-1.amazonaws.com",
                "acl": "",
                "x-amz-acl": "public-read",
            },
        ),
    ),
    Turn(
        "The archive is copied to another bucket as it grows",
        "bucket_content_replicated_to_another_bucket",
        Call(
            "s3",
            "PutBucketReplication",
            parameters={
                "bucketName": "example-orders-archive",
                "Host": "example-orders-archive.s3.us-east-1.amazonaws.com",
                "replication": "",
                "ReplicationConfiguration": {
                    "Role": "arn:aws:iam::444455556666:role/copy",
                    "Rule": {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::elsewhere-copy"}},
                },
            },
        ),
    ),
    Turn(
        "The archive is shared with the testers' account",
        "bucket_shared_with_another_account_by_policy",
        Call(
            "s3",
            "PutBucketPolicy",
            parameters={
                "bucketName": "example-orders-archive",
                "Host": "example-orders-archive.s3.us-east-1.amazonaws.com",
                "policy": "",
                "bucketPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": "arn:aws:iam::777788889999:root"},
                            "Action": ["s3:GetObject", "s3:ListBucket"],
                            "Resource": ["arn:aws:s3:::example-orders-archive/*"],
                        }
                    ],
                },
            },
        ),
    ),
    Turn(
        "The database gets a public address",
        "database_made_reachable_from_the_internet",
        Call(
            "rds",
            "ModifyDBInstance",
            parameters={
                "dBInstanceIdentifier": "orders",
                "publiclyAccessible": True,
                "applyImmediately": True,
            },
        ),
    ),
    Turn(
        "A snapshot is made public",
        "ebs_snapshot_made_public",
        Call(
            "ec2",
            "ModifySnapshotAttribute",
            parameters={
                "snapshotId": "snap-0c1d2e3f4a5b69780",
                "createVolumePermission": {"add": {"items": [{"group": "all"}]}},
                "attributeType": "CREATE_VOLUME_PERMISSION",
            },
        ),
    ),
    Turn(
        "Everybody may pull the shop's images",
        "image_repository_opened_to_everyone",
        Call(
            "ecr",
            "SetRepositoryPolicy",
            parameters={
                "force": False,
                "repositoryName": "shop",
                "policyText": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}',
            },
        ),
    ),
    Turn(
        "An image is shared with the testers' account",
        "machine_image_shared_outside_the_account",
        Call(
            "ec2",
            "ModifyImageAttribute",
            parameters={
                "imageId": "ami-0a1b2c3d4e5f60718",
                "launchPermission": {"add": {"items": [{"userId": "777788889999"}]}},
                "attributeType": "launchPermission",
            },
        ),
    ),
    Turn(
        "The table of orders is exported",
        "table_exported_to_a_bucket",
        Call(
            "dynamodb",
            "ExportTableToPointInTime",
            parameters={
                "tableArn": "arn:aws:dynamodb:us-east-1:111122223333:table/orders",
                "s3Bucket": "example-build-cache",
                "exportFormat": "DYNAMODB_JSON",
            },
        ),
    ),
    Turn(
        "The order server's traffic is mirrored",
        "traffic_mirror_session_created",
        Call(
            "ec2",
            "CreateTrafficMirrorSession",
            parameters={
                "CreateTrafficMirrorSessionRequest": {
                    "NetworkInterfaceId": "eni-0a1b2c3d4e5f60718",
                    "SessionNumber": 1,
                }
            },
        ),
    ),
)
