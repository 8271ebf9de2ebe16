"""Blinding what watches: trails, detectors, logs."""

from osdetect.scenario.call import Call
from osdetect.scenario.story.exercise.turn import Turn

WATCHERS: tuple[Turn, ...] = (
    Turn(
        "The store of past events takes in no more",
        "event_data_store_stopped_or_removed",
        Call(
            "cloudtrail",
            "StopEventDataStoreIngestion",
            parameters={"eventDataStore": "arn:aws:cloudtrail:{region}:{account}:eventdatastore/{uuid}"},
        ),
    ),
    Turn(
        "The trail's files go to another bucket",
        "trail_delivered_to_another_bucket",
        Call(
            "cloudtrail",
            "UpdateTrail",
            parameters={"name": "audit-trail", "s3BucketName": "example-build-cache"},
        ),
    ),
    Turn(
        "The rule about open buckets is deleted",
        "config_rules_or_their_results_removed",
        Call("config", "DeleteConfigRule", parameters={"configRuleName": "s3-bucket-public-read-prohibited"}),
    ),
    Turn(
        "Only buckets are recorded from now on",
        "configuration_recorder_narrowed",
        Call(
            "config",
            "PutConfigurationRecorder",
            parameters={
                "configurationRecorder": {
                    "name": "default",
                    "roleARN": "arn:aws:iam::{account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
                    "recordingGroup": {
                        "allSupported": False,
                        "includeGlobalResourceTypes": False,
                        "resourceTypes": ["AWS::S3::Bucket"],
                    },
                }
            },
        ),
    ),
    Turn(
        "The shop's account is no longer watched",
        "guardduty_members_cut_off_from_their_administrator",
        Call(
            "guardduty",
            "DisassociateMembers",
            parameters={"detectorId": "d0example1detector2id3e4f5a6b7c8", "accountIds": ["444455556666"]},
        ),
    ),
    Turn(
        "An address counts as trustworthy",
        "addresses_declared_trustworthy_to_guardduty",
        Call(
            "guardduty",
            "CreateIPSet",
            parameters={
                "detectorId": "d0example1detector2id3e4f5a6b7c8",
                "name": "offices",
                "format": "TXT",
                "location": "https://s3.amazonaws.com/example-build-cache/offices.txt",
                "activate": True,
            },
        ),
    ),
    Turn(
        "Findings are no longer exported",
        "guardduty_findings_no_longer_exported",
        Call(
            "guardduty",
            "DeletePublishingDestination",
            parameters={"detectorId": "d0example1detector2id3e4f5a6b7c8", "destinationId": "{uuid}"},
        ),
    ),
    Turn(
        "Deleting the detector is refused",
        "tampering_with_guardduty_refused",
        Call("guardduty", "DeleteDetector", error="AccessDeniedException"),
    ),
    Turn(
        "The shop's findings stay in the shop's account",
        "security_hub_members_cut_off_from_their_administrator",
        Call("securityhub", "DisassociateMembers", parameters={"AccountIds": ["444455556666"]}),
    ),
    Turn("The search for personal data ends", "macie_switched_off", Call("macie2", "DisableMacie")),
    Turn(
        "Findings about open resources are archived unread",
        "access_analyzer_removed_or_muted",
        Call(
            "access-analyzer",
            "CreateArchiveRule",
            parameters={
                "analyzerName": "account",
                "ruleName": "all",
                "filter": {"isPublic": {"eq": ["true"]}},
            },
        ),
    ),
    Turn(
        "A year of behaviour is deleted",
        "detective_graph_deleted_or_left",
        Call(
            "detective",
            "DeleteGraph",
            parameters={
                "GraphArn": "arn:aws:detective:{region}:{account}:graph:0123456789abcdef0123456789abcdef"
            },
        ),
    ),
    Turn(
        "Images are no longer scanned",
        "vulnerability_scans_switched_off",
        Call(
            "inspector2", "Disable", parameters={"accountIds": ["{account}"], "resourceTypes": ["ECR", "EC2"]}
        ),
    ),
    Turn(
        "The shop's log is no longer passed on",
        "log_subscription_removed",
        Call(
            "logs",
            "DeleteSubscriptionFilter",
            parameters={"logGroupName": "/ecs/shop", "filterName": "to-siem"},
        ),
    ),
    Turn(
        "The shop's log forgets after a day",
        "logs_kept_for_a_few_days_only",
        Call("logs", "PutRetentionPolicy", parameters={"logGroupName": "/ecs/shop", "retentionInDays": 1}),
    ),
    Turn(
        "The log of one task is deleted",
        "log_stream_deleted_by_an_iam_user",
        Call(
            "logs", "DeleteLogStream", parameters={"logGroupName": "/ecs/shop", "logStreamName": "web/{uuid}"}
        ),
    ),
    Turn(
        "The alarm on spending calls nobody",
        "alarm_silenced_by_an_iam_user",
        Call("monitoring", "DisableAlarmActions", parameters={"alarmNames": ["billing-above-500"]}),
    ),
    Turn(
        "New findings are archived unread",
        "guardduty_findings_archived_by_a_new_filter",
        Call(
            "guardduty",
            "CreateFilter",
            parameters={
                "detectorId": "12abc34d567e8fa901bc2d34e56789f0",
                "name": "quiet",
                "action": "ARCHIVE",
                "rank": 1,
                "findingCriteria": {"criterion": {"severity": {"gte": 1}}},
            },
        ),
    ),
    Turn(
        "A function's log is deleted",
        "log_group_deleted_by_a_person",
        Call("logs", "DeleteLogGroup", parameters={"logGroupName": "/aws/lambda/metrics-sync"}),
    ),
    Turn(
        "Security Hub is switched off", "security_hub_switched_off", Call("securityhub", "DisableSecurityHub")
    ),
    Turn(
        "The team's trail covers one region only",
        "trail_reduced_in_scope_or_integrity",
        Call("cloudtrail", "UpdateTrail", parameters={"name": "team-trail", "isMultiRegionTrail": False}),
    ),
    Turn(
        "The team's trail is deleted",
        "trail_removed",
        Call("cloudtrail", "DeleteTrail", parameters={"name": "team-trail"}),
    ),
)
