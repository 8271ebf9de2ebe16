"""The alert document: what a match of a rule and an event is stored as.

Fields follow the Elastic Common Schema where it has the word; the rest is under `osdetect`.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from osdetect.expr import Evidence
from osdetect.vocabulary import ALERTS_PREFIX, UNDATED

_YEARS = range(2006, 2100)
"""Times outside of these are taken for none: made-up ones must not make an index each."""
MAX_VALUE = 2_048
"""Characters of a matched value that an alert keeps; more are cut, and the cut is counted in the alert."""


@dataclass(frozen=True, slots=True)
class EventReference:
    """Where the event stands that an alert is about."""

    index: str
    index_uuid: str
    id: str
    shard: int
    seq_no: int

    @property
    def key(self) -> str:
        """The event's identity: its id says account and event id if osdetect stored it; else index and id."""
        return self.id if self.index.startswith("osdetect-cloudtrail-") else f"{self.index_uuid}/{self.id}"


@dataclass(frozen=True, slots=True)
class RunReference:
    """The run that wrote an alert."""

    id: str
    now: datetime


def alert_id(rule_id: str, event_key: str) -> str:
    """The alert's id: the same rule and event always make the same alert."""
    return hashlib.sha256(f"{rule_id}\0{event_key}".encode(errors="surrogatepass")).hexdigest()[:40]


def alert_index(namespace: str, event: Mapping[str, Any]) -> str:
    """The index that the alert belongs into: by the month of its event."""
    happened = _timestamp(event)
    return f"{ALERTS_PREFIX}{namespace}-{happened.strftime('%Y.%m') if happened else UNDATED}"


def alert_document(
    words: Mapping[str, Any],
    event: Mapping[str, Any],
    at: EventReference,
    evidence: Iterable[Evidence],
    run: RunReference,
) -> dict[str, Any]:
    """The alert's `_source`.

    Args:
        words: the rule's `rule` and `threat` objects.
        event: the event's `_source`.
        at: where that event stands.
        evidence: the tests that held (`osdetect.expr.evidence`).
        run: the run that found it.
    """
    held = list(evidence)
    created = run.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    happened = _timestamp(event)
    user, address = _user(event), _text(event.get("sourceIPAddress"))
    ip = _ip(address)
    ingested = _instant(_text(_inner(event, "event").get("ingested")))
    document = {
        "@timestamp": _iso(happened or ingested or run.now),
        "event": _without_empty(
            {
                "kind": "alert",
                "id": _text(event.get("eventID")),
                "action": _text(event.get("eventName")),
                "provider": _text(event.get("eventSource")),
                "outcome": _outcome(event),
                "created": created,
                "ingested": _iso(ingested) if ingested else "",
            }
        ),
        **words,
        "cloud": _without_empty(
            {"account": _without_empty({"id": _account(event)}), "region": _text(event.get("awsRegion"))}
        ),
        "user": user,
        "source": _without_empty({"ip": ip, "address": address}),
        "user_agent": _without_empty({"original": _text(event.get("userAgent"))[:MAX_VALUE]}),
        "error": _without_empty(
            {"code": _text(event.get("errorCode")), "message": _text(event.get("errorMessage"))[:MAX_VALUE]}
        ),
        "related": _without_empty(
            {"user": sorted({v for v in user.values() if v}), "ip": [ip] if ip else []}
        ),
        "osdetect": {
            "status": "open",
            "matched": sorted({one.field for one in held}),
            "evidence": [_evidence(one) for one in held],
            "source": {"index": at.index, "id": at.id, "shard": at.shard, "seq_no": at.seq_no},
            "run_id": run.id,
            **({"lag_ms": max(0, int((run.now - ingested).total_seconds() * 1000))} if ingested else {}),
        },
    }
    return _without_empty(document)


def _evidence(one: Evidence) -> dict[str, Any]:
    cut = len(one.value) - MAX_VALUE
    kept = {"field": one.field, "test": one.test[:MAX_VALUE], "value": one.value[:MAX_VALUE]}
    return {**kept, "characters_cut": cut} if cut > 0 else kept


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None, {}, [])}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _inner(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    return value if isinstance(value, Mapping) else {}


def _instant(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    if parsed.year not in _YEARS:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _timestamp(event: Mapping[str, Any]) -> datetime | None:
    parsed = _instant(_text(event.get("@timestamp")) or _text(event.get("eventTime")))
    return parsed.astimezone(UTC) if parsed else None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _outcome(event: Mapping[str, Any]) -> str:
    """ECS event.outcome: a call failed if it has an error, or is a sign-in that says Failure."""
    response = _inner(event, "responseElements")
    denied = event.get("errorCode") or event.get("errorMessage") or response.get("ConsoleLogin") == "Failure"
    return "failure" if denied else "success"


def _account(event: Mapping[str, Any]) -> str:
    return _text(event.get("recipientAccountId")) or _text(_inner(event, "userIdentity").get("accountId"))


def _user(event: Mapping[str, Any]) -> dict[str, str]:
    """Who did it (AWS docs, "CloudTrail userIdentity element"): a role session is named by its role."""
    who = _inner(event, "userIdentity")
    issuer = _inner(_inner(who, "sessionContext"), "sessionIssuer")
    arn = _text(who.get("arn"))
    root = "root" if who.get("type") == "Root" else ""
    name = root or _text(who.get("userName")) or _text(issuer.get("userName")) or arn.rpartition("/")[2]
    return _without_empty({"name": name or _text(who.get("invokedBy")), "id": _text(who.get("principalId"))})


def _ip(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""  # many are service names, such as cloudtrail.amazonaws.com
