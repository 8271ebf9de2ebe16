"""Looking around: what there is, what it may do, and who watches."""

from osdetect.scenario.call import Call
from osdetect.scenario.story.exercise.turn import Turn

DISCOVERY: tuple[Turn, ...] = (
    Turn(
        "The mail limits are looked up",
        "sending_limits_of_the_mail_service_asked_with_a_long_lived_key",
        Call("ses", "GetSendQuota", read_only=True),
    ),
    Turn(
        "The limits for text messages are looked up",
        "text_message_settings_asked_with_a_long_lived_key",
        Call("sns", "GetSMSAttributes", parameters={"attributes": ["MonthlySpendLimit"]}, read_only=True),
    ),
    Turn(
        "The limits on machines are looked up",
        "service_quotas_listed_with_a_long_lived_key",
        Call(
            "servicequotas",
            "ListServiceQuotas",
            parameters={"serviceCode": "ec2", "maxResults": 100},
            read_only=True,
        ),
    ),
    Turn(
        "The bill is read",
        "costs_looked_up_with_a_long_lived_key",
        Call(
            "ce",
            "GetCostAndUsage",
            parameters={
                "timePeriod": {"start": "2026-02-01", "end": "2026-03-01"},
                "granularity": "MONTHLY",
                "metrics": ["UnblendedCost"],
            },
            read_only=True,
        ),
    ),
    Turn(
        "Everything in all regions is searched for at once",
        "account_searched_by_resource_explorer_with_a_long_lived_key",
        Call(
            "resource-explorer-2",
            "Search",
            parameters={"queryString": "service:ec2 service:rds", "maxResults": 1000},
            read_only=True,
        ),
    ),
    Turn(
        "The organisation's accounts are listed",
        "accounts_of_the_organisation_listed_with_a_long_lived_key",
        Call("organizations", "ListAccounts", read_only=True),
    ),
    Turn(
        "The organisation's policies are not for this user",
        "survey_of_the_organisation_refused",
        Call(
            "organizations",
            "ListPolicies",
            parameters={"filter": "SERVICE_CONTROL_POLICY"},
            read_only=True,
            error="AccessDeniedException",
        ),
    ),
    Turn(
        "What the user may do is simulated",
        "rights_tried_out_in_the_policy_simulator_with_a_long_lived_key",
        Call(
            "iam",
            "SimulatePrincipalPolicy",
            parameters={
                "policySourceArn": "arn:aws:iam::{account}:user/tess.okafor",
                "actionNames": ["iam:CreateUser", "s3:GetObject"],
            },
            read_only=True,
        ),
    ),
    Turn(
        "Starting a machine is tried without starting it",
        "rights_tried_out_by_a_dry_run_with_a_long_lived_key",
        Call(
            "ec2",
            "RunInstances",
            parameters={
                "instancesSet": {
                    "items": [{"imageId": "ami-0f1e2d3c4b5a69788", "minCount": 1, "maxCount": 1}]
                },
                "instanceType": "t3.micro",
            },
            error="Client.DryRunOperation",
            message="Request would have succeeded, but DryRun flag is set.",
        ),
    ),
    Turn(
        "The list of snapshots is refused",
        "survey_of_machines_and_networks_refused",
        Call(
            "ec2",
            "DescribeSnapshots",
            parameters={"maxResults": 1000, "ownersSet": {"items": [{"owner": "self"}]}},
            read_only=True,
            error="Client.UnauthorizedOperation",
        ),
    ),
    Turn(
        "Whether GuardDuty watches is looked up",
        "state_of_guardduty_asked_with_a_long_lived_key",
        Call("guardduty", "ListDetectors", parameters={"maxResults": 50}, read_only=True),
    ),
    Turn(
        "What the trails have seen is looked up",
        "own_traces_looked_up_with_a_long_lived_key",
        Call("cloudtrail", "LookupEvents", parameters={"maxResults": 50}, read_only=True),
    ),
    Turn(
        "The language models are listed",
        "foundation_models_listed_with_a_long_lived_key",
        Call("bedrock", "ListFoundationModels", read_only=True),
    ),
    Turn(
        "Whether prompts are recorded is looked up",
        "recording_of_prompts_looked_up_with_a_long_lived_key",
        Call("bedrock", "GetModelInvocationLoggingConfiguration", read_only=True),
    ),
    Turn(
        "The names of the secrets are listed",
        "secrets_listed_with_a_long_lived_key",
        Call("secretsmanager", "ListSecrets", parameters={"maxResults": 100}, read_only=True),
    ),
)
