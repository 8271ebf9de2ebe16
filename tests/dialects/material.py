"""CloudTrail records as other shippers store them: one writer for each dialect, written from what those shippers do.

ecs     the Elastic Agent's ingest pipeline, with what it drops, and Filebeat's where the two agree
camel   the samples of the OpenSearch catalog
snake   the names that OpenSearch Security Analytics gives CloudTrail's fields
ocsf    OCSF's examples for CloudTrail 1.1 and 1.5, as Amazon Security Lake stores them: objects as JSON text
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]
Writer = Callable[[Record], Record]

_FLATTENED = 32_766
"""Characters of an object's text from which the Elastic Agent's pipeline keeps the text alone."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?")


def raw(record: Record) -> Record:
    """As AWS delivers it."""
    return dict(record)


def camel(record: Record) -> Record:
    """Below `aws.cloudtrail`, the names as they are."""
    return {**_stamped(record), "cloud": {"provider": "aws"}, "aws": {"cloudtrail": dict(record)}}


def ecs(record: Record) -> Record:
    """In the Elastic Common Schema. What has no place there is gone."""
    kept = _without_empty(record) or {}
    made: Record = {
        "cloud": {"provider": "aws"},
        "event": {"kind": "event", "module": "aws"},
        **_stamped(kept),
    }
    for path, target in _ECS.items():
        _move(kept, path, made, target)
    issuer = _at(kept, "userIdentity.sessionContext.sessionIssuer.userName")
    if issuer is not None and _at(made, "user.name") is None:
        _put(made, "user.name", issuer)
    for name, target in _ECS_OBJECTS.items():
        if name in kept:
            text = _java_text(kept[name])
            _put(made, f"aws.cloudtrail.{target}", text)
            if len(text) < _FLATTENED:
                _put(made, f"aws.cloudtrail.flattened.{target}", kept[name])
    if _is_ip(address := _at(made, "source.address")):
        _put(made, "source.ip", address)
    resources = kept.get("resources")
    if isinstance(resources, list):
        names = {"ARN": "arn", "accountId": "account_id"}
        listed = [
            {names.get(key, key): value for key, value in one.items()}
            for one in resources
            if isinstance(one, Mapping)
        ]
        _put(made, "aws.cloudtrail.resources", listed)
    return made


_ECS = {
    "apiVersion": "aws.cloudtrail.api_version",
    "awsRegion": "cloud.region",
    "errorCode": "aws.cloudtrail.error_code",
    "errorMessage": "aws.cloudtrail.error_message",
    "eventCategory": "aws.cloudtrail.event_category",
    "eventID": "event.id",
    "eventName": "event.action",
    "eventSource": "event.provider",
    "eventType": "aws.cloudtrail.event_type",
    "eventVersion": "aws.cloudtrail.event_version",
    "managementEvent": "aws.cloudtrail.management_event",
    "readOnly": "aws.cloudtrail.read_only",
    "recipientAccountId": "aws.cloudtrail.recipient_account_id",
    "requestID": "aws.cloudtrail.request_id",
    "sourceIPAddress": "source.address",
    "userAgent": "user_agent.original",
    "userIdentity.accessKeyId": "aws.cloudtrail.user_identity.access_key_id",
    "userIdentity.accountId": "cloud.account.id",
    "userIdentity.arn": "aws.cloudtrail.user_identity.arn",
    "userIdentity.invokedBy": "aws.cloudtrail.user_identity.invoked_by",
    "userIdentity.principalId": "user.id",
    "userIdentity.sessionContext.attributes.mfaAuthenticated": (
        "aws.cloudtrail.user_identity.session_context.mfa_authenticated"
    ),
    "userIdentity.sessionContext.sessionIssuer.accountId": (
        "aws.cloudtrail.user_identity.session_context.session_issuer.account_id"
    ),
    "userIdentity.sessionContext.sessionIssuer.arn": (
        "aws.cloudtrail.user_identity.session_context.session_issuer.arn"
    ),
    "userIdentity.sessionContext.sessionIssuer.principalId": (
        "aws.cloudtrail.user_identity.session_context.session_issuer.principal_id"
    ),
    "userIdentity.sessionContext.sessionIssuer.type": (
        "aws.cloudtrail.user_identity.session_context.session_issuer.type"
    ),
    "userIdentity.type": "aws.cloudtrail.user_identity.type",
    "userIdentity.userName": "user.name",
    "vpcEndpointId": "aws.cloudtrail.vpc_endpoint_id",
}
_ECS_OBJECTS = {
    "additionalEventData": "additional_eventdata",
    "requestParameters": "request_parameters",
    "responseElements": "response_elements",
    "serviceEventDetails": "service_event_details",
}


def snake(record: Record) -> Record:
    """Below `aws.cloudtrail`, the names in snake case, or as the table of Security Analytics has them."""
    made = {
        _SNAKE.get(name, _snake_case(name)): value for name, value in record.items() if name != "eventTime"
    }
    identity = made.get("user_identity")
    if isinstance(identity, Mapping):
        made["user_identity"] = _renamed(
            identity,
            {
                "sessionContext": "session_context",
                "webIdFederationData": "web_id_federation_data",
                "sessionIssuer": "session_issuer",
            },
        )
    if isinstance(asked := made.get("request_parameters"), Mapping):
        names = {"userName": "username", "containerDefinitions": "container_definitions"}
        made["request_parameters"] = {names.get(key, key): value for key, value in asked.items()}
    if isinstance(told := made.get("additional_event_data"), Mapping):
        names = {"LoginTo": "loginTo", "MFAUsed": "mfaUsed"}
        made["additional_event_data"] = {names.get(key, key): value for key, value in told.items()}
    answered = made.get("response_elements")
    if isinstance(answered, Mapping):
        names = {
            "publiclyAccessible": "publicly_accessible",
            "pendingModifiedValues": "pending_modified_values",
            "masterUserPassword": "master_user_password",
        }
        made["response_elements"] = {"text": _json_text(answered), **_renamed(answered, names)}
    stamp = {"timestamp": record["eventTime"]} if "eventTime" in record else {}
    return {**_stamped(record), **stamp, "aws": {"cloudtrail": made}}


_SNAKE = {
    "sourceIPAddress": "source_ip_address",
    "eventID": "event_id",
    "requestID": "request_id",
    "sharedEventID": "shared_event_id",
}


def ocsf(record: Record) -> Record:
    """As an API Activity of OCSF 1.1; the rest is below `unmapped`, by its path, as text."""
    made: Record = {
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "metadata": {"product": {"name": "CloudTrail", "vendor_name": "AWS"}, "version": "1.1.0"},
        "cloud": {"provider": "AWS"},
    }
    left = dict(_flat(record, ""))
    if (moment := _moment(record)) is not None:
        made["time"], made["time_dt"] = int(moment.timestamp() * 1000), moment.isoformat()
        left.pop("eventTime")
    for path, target in _OCSF.items():
        if (value := left.pop(path, None)) is not None:
            _put(made, target, value)
    for name, target in (
        ("requestParameters", "api.request.data"),
        ("responseElements", "api.response.data"),
    ):
        left = {path: value for path, value in left.items() if not f"{path}.".startswith(f"{name}.")}
        if record.get(name) is not None:
            value = record[name]
            _put(made, target, value if isinstance(value, str) else _json_text(value))
    if (address := left.pop("sourceIPAddress", None)) is not None:
        _put(made, "src_endpoint.ip" if _is_ip(address) else "src_endpoint.domain", address)
    if isinstance(used := left.pop("additionalEventData.MFAUsed", None), str):
        made["is_mfa"] = used.lower() == "yes"
    if (with_mfa := left.pop("userIdentity.sessionContext.attributes.mfaAuthenticated", None)) is not None:
        _put(made, "actor.session.is_mfa", str(with_mfa).lower() == "true")
    if isinstance(resources := left.pop("resources", None), list):
        names = {"ARN": "uid", "type": "type"}
        made["resources"] = [
            {names[key]: value for key, value in one.items() if key in names}
            for one in resources
            if isinstance(one, Mapping)
        ]
    made["unmapped"] = {
        path: value if isinstance(value, str) else _json_text(value)
        for path, value in left.items()
        if value is not None
    }
    return {**_stamped(record), **made}


_OCSF = {
    "additionalEventData.LoginTo": "dst_endpoint.svc_name",
    "apiVersion": "api.version",
    "awsRegion": "cloud.region",
    "errorCode": "api.response.error",
    "errorMessage": "api.response.message",
    "eventCategory": "metadata.product.feature.name",
    "eventID": "metadata.uid",
    "eventName": "api.operation",
    "eventSource": "api.service.name",
    "eventType": "metadata.event_code",
    "eventVersion": "metadata.product.version",
    "recipientAccountId": "cloud.account.uid",
    "requestID": "api.request.uid",
    "userAgent": "http_request.user_agent",
    "userIdentity.accessKeyId": "actor.user.credential_uid",
    "userIdentity.accountId": "actor.user.account.uid",
    "userIdentity.arn": "actor.user.uid",
    "userIdentity.identityProvider": "actor.idp.name",
    "userIdentity.invokedBy": "actor.invoked_by",
    "userIdentity.principalId": "actor.user.uid_alt",
    "userIdentity.sessionContext.attributes.creationDate": "actor.session.created_time_dt",
    "userIdentity.sessionContext.sessionIssuer.arn": "actor.session.issuer",
    "userIdentity.type": "actor.user.type",
    "userIdentity.userName": "actor.user.name",
    "userIdentity.webIdFederationData.federatedProvider": "actor.idp.name",
    "vpcEndpointId": "src_endpoint.uid",
}

WRITERS: Mapping[str, Writer] = {
    "cloudtrail-raw": raw,
    "cloudtrail-ecs": ecs,
    "cloudtrail-catalog-camel": camel,
    "cloudtrail-catalog-snake": snake,
    "cloudtrail-ocsf": ocsf,
}
"""For each shipped pipeline, who writes the events that it is for."""


def _moment(record: Mapping[str, Any]) -> datetime | None:
    said = record.get("eventTime")
    if not isinstance(said, str) or not _TIME.fullmatch(said):
        return None
    read = datetime.fromisoformat(said)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _stamped(record: Mapping[str, Any]) -> Record:
    moment = _moment(record)
    if moment is None:
        return {}
    return {"@timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _without_empty(value: Any) -> Any:
    """What the Elastic Agent's pipeline leaves of a value: no null, no empty text, object or list; None if nothing."""
    if isinstance(value, dict):
        return {k: kept for k, v in value.items() if (kept := _without_empty(v)) is not None} or None
    if isinstance(value, list):
        return [kept for one in value if (kept := _without_empty(one)) is not None] or None
    return None if value == "" else value


def _java_text(value: Any) -> str:
    """What Java's `toString` makes of a map: no JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_java_text, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _json_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _flat(value: Mapping[str, Any], before: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, inner in value.items():
        found += _flat(inner, f"{before}{key}.") if isinstance(inner, dict) else [(before + key, inner)]
    return found


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(inner, names) for key, inner in value.items()}
    return value


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _is_ip(value: Any) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return isinstance(value, str)


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _put(made: Record, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for key in outer:
        made = made.setdefault(key, {})
    made[last] = value


def _move(source: Record, path: str, made: Record, target: str) -> None:
    value = _at(source, path)
    if value is not None:
        _put(made, target, value)
