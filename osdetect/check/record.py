"""What a CloudTrail record holds: its fields, and the values that some of them are limited to.

Sources: AWS CloudTrail User Guide, "CloudTrail record contents for management, data, and network activity events",
"CloudTrail record contents for Insights events", "CloudTrail userIdentity element".
"""

import ipaddress
import re
from collections.abc import Callable, Mapping

import msgspec

OPEN: Mapping[str, object] = {}
"""Stands for an object whose fields depend on the event."""

_IDENTITY: Mapping[str, object] = {
    **dict.fromkeys(("accessKeyId", "accountId", "arn", "credentialId", "identityProvider", "invokedBy")),
    **dict.fromkeys(("principalId", "sessionName", "type", "userName")),
    "inScopeOf": OPEN,
    "onBehalfOf": {"userId": None, "identityStoreArn": None},
    "sessionContext": {
        "assumedRoot": None,
        "attributes": {"creationDate": None, "mfaAuthenticated": None},
        "ec2RoleDelivery": None,
        "sessionIssuer": dict.fromkeys(("accountId", "arn", "principalId", "type", "userName")),
        "sourceIdentity": None,
        "webIdFederationData": {"attributes": OPEN, "federatedProvider": None},
    },
}
FIELDS: Mapping[str, object] = {
    **dict.fromkeys(("annotation", "apiVersion", "awsRegion", "errorCode", "errorMessage", "eventCategory")),
    **dict.fromkeys(("eventID", "eventName", "eventSource", "eventTime", "eventType", "eventVersion")),
    **dict.fromkeys(("managementEvent", "readOnly", "recipientAccountId", "requestID", "sharedEventID")),
    **dict.fromkeys(("sessionCredentialFromConsole", "sourceIPAddress", "userAgent", "vpcEndpointAccountId")),
    "vpcEndpointId": None,
    "addendum": OPEN,
    "additionalEventData": OPEN,
    "edgeDeviceDetails": OPEN,
    "eventContext": OPEN,
    "insightDetails": OPEN,
    "requestParameters": OPEN,
    "resources": dict.fromkeys(("accountId", "ARN", "ARNPrefix", "arn", "resourceName", "type")),
    "responseElements": OPEN,
    "serviceEventDetails": OPEN,
    "tlsDetails": dict.fromkeys(("cipherSuite", "clientProvidedHostHeader", "keyExchange", "tlsVersion")),
    "userIdentity": _IDENTITY,
    # What osdetect puts beside the record when it stores the event (mappings/events.template.json).
    "@timestamp": None,
    "event": OPEN,
    "osdetect": OPEN,
}
"""Each field of a record: None for a value, a map for an object, `OPEN` for an object of any content."""

SINGLE = frozenset(name for name, inside in FIELDS.items() if inside is None) | {
    f"userIdentity.{name}" for name, inside in _IDENTITY.items() if inside is None
}
"""Paths that hold one value and never a list."""


class Domain(msgspec.Struct, frozen=True):
    """The values that a field may have."""

    words: tuple[str, ...] = ()
    """All of them, when they are few."""
    fits: Callable[[str], bool] | None = None
    """Whether a value has the form, when they are many."""
    said: str = ""
    """The form in words."""


def _form(pattern: str, said: str) -> Domain:
    compiled = re.compile(pattern, re.IGNORECASE)
    return Domain(fits=lambda text: compiled.fullmatch(text) is not None, said=said)


def _is_source_address(text: str) -> bool:
    """An address, a service's name, or one of the words that stand there instead of an address."""
    if text.lower() in _NO_ADDRESS or _HOST.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_NO_ADDRESS = frozenset({"aws internal", "hidden_due_to_security_reasons", "internal", ""})
_HOST = re.compile(r"(?=.*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_TRUTH = Domain(("true", "false"))
_ACCOUNT = _form(
    r"\d{12}|anonymous|ANONYMOUS_PRINCIPAL|HIDDEN_DUE_TO_SECURITY_REASONS", "an account id has 12 digits"
)

DOMAINS: Mapping[str, Domain] = {
    "awsRegion": _form(r"[a-z]+(-[a-z]+)+-\d+[a-z]?|[a-z]+-global", "a region is written like eu-west-1"),
    "errorCode": _form(r"\S*", "an error code is one word; sentences stand in errorMessage"),
    "eventCategory": Domain(("Management", "Data", "NetworkActivity", "Insight")),
    "eventID": _form(r"[0-9a-f-]{36}", "an eventID is a UUID"),
    "eventName": _form(r"\S*", "an eventName is one word"),
    "eventSource": _form(r"[a-z0-9.:-]*", "an eventSource is written like iam.amazonaws.com"),
    "eventType": Domain(
        (
            "AwsApiCall",
            "AwsServiceEvent",
            "AwsConsoleAction",
            "AwsConsoleSignIn",
            "AwsVpceEvent",
            "AwsCloudTrailInsight",
        )
    ),
    "eventVersion": _form(r"\d\.\d{1,2}", "an eventVersion is written like 1.08"),
    "managementEvent": _TRUTH,
    "readOnly": _TRUTH,
    "recipientAccountId": _ACCOUNT,
    "sessionCredentialFromConsole": _TRUTH,
    "sourceIPAddress": Domain(
        fits=_is_source_address, said="it is an address, or the name of an AWS service; networks need |cidr"
    ),
    "userIdentity.accountId": _ACCOUNT,
    "userIdentity.sessionContext.attributes.mfaAuthenticated": _TRUTH,
    "userIdentity.type": Domain(
        (
            "Root",
            "IAMUser",
            "AssumedRole",
            "Role",
            "FederatedUser",
            "Directory",
            "AWSAccount",
            "AWSService",
            "IdentityCenterUser",
            "SAMLUser",
            "WebIdentityUser",
            "Unknown",
        )
    ),
}
"""Limits of values. Anything may stand in the other fields."""
