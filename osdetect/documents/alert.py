"""The alert document: what a match of a rule and an event is stored as.

Fields follow the Elastic Common Schema where it has the word; the rest is under `osdetect`.
"""

import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.event import event_identity
from osdetect.expr import Evidence
from osdetect.vocabulary import ALERTS_PREFIX, EVENTS_PREFIX, UNDATED

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
    def ours(self) -> bool:
        """Whether osdetect stored it."""
        return self.index.startswith(EVENTS_PREFIX)

    @property
    def key(self) -> str:
        """What the place says of the event's identity: its id says account and event id if osdetect stored it."""
        return self.id if self.ours else f"{self.index_uuid}/{self.id}"


@dataclass(frozen=True, slots=True)
class RunReference:
    """The run that wrote an alert."""

    id: str
    now: datetime


def event_key(event: Mapping[str, Any], at: EventReference, dialect: Dialect) -> str:
    """The event's identity.

    Its id if osdetect stored it: that tells apart even records that share an event id. Else the account and event id
    of its record, so that the same record in two indices, whatever their dialects, is one event. Else its place.
    """
    return at.key if at.ours else event_identity(event, dialect) or at.key


def alert_id(rule_id: str, event_key: str) -> str:
    """The alert's id: the same rule and event always make the same alert."""
    return hashlib.sha256(f"{rule_id}\0{event_key}".encode(errors="surrogatepass")).hexdigest()[:40]


def alert_index(namespace: str, event: Mapping[str, Any], dialect: Dialect = RAW) -> str:
    """The index that the alert belongs into: by the month of its event."""
    happened = happened_at(event, dialect)
    return f"{ALERTS_PREFIX}{namespace}-{happened.strftime('%Y.%m') if happened else UNDATED}"


_ORDER = (
    "@timestamp",
    "osdetect.source.index",
    "osdetect.source.shard",
    "osdetect.source.seq_no",
    "rule.id",
)


def in_order(direction: str) -> list[dict[str, Any]]:
    """How a search sorts alerts: by time, and then by what tells any two apart, so that no page boundary can lose one.

    Args:
        direction: `asc` or `desc`.
    """
    return [{name: {"order": direction, "unmapped_type": "keyword"}} for name in _ORDER]


def alert_document(
    words: Mapping[str, Any],
    event: Mapping[str, Any],
    at: EventReference,
    evidence: Iterable[Evidence],
    run: RunReference,
    dialect: Dialect = RAW,
) -> dict[str, Any]:
    """The alert's `_source`: the same, but for `osdetect`, for a record in any dialect that keeps what it says.

    Args:
        words: the rule's `rule` and `threat` objects.
        event: the event's `_source`.
        at: where that event stands.
        evidence: the tests that held (`osdetect.expr.evidence`).
        run: the run that found it.
        dialect: where such events hold the fields of their records.
    """
    held = list(evidence)
    happened = happened_at(event, dialect)
    ingested = _instant(_text(_inner(event, "event").get("ingested")))
    call = _call(event, dialect)
    document = {
        "@timestamp": _iso(happened or ingested or run.now),
        **words,
        **call,
        "event": {
            "kind": "alert",
            **call["event"],
            "created": _iso(run.now),
            **({"ingested": _iso(ingested)} if ingested else {}),
        },
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


def _call(event: Mapping[str, Any], dialect: Dialect) -> dict[str, dict[str, Any]]:
    """Who called what, from where, and how it ended: what an alert says of the record."""

    def said(fact: str) -> str:
        return dialect.text(event, fact)

    account = said("recipientAccountId") or said("userIdentity.accountId")
    user, address = _user(said), said("sourceIPAddress")
    ip = _ip(address)
    told: dict[str, dict[str, Any]] = {
        "event": {
            "id": said("eventID"),
            "action": said("eventName"),
            "provider": said("eventSource"),
            "outcome": _outcome(event, dialect),
        },
        "cloud": {"account": {"id": account} if account else {}, "region": said("awsRegion")},
        "user": user,
        "source": {"ip": ip, "address": address},
        "user_agent": {"original": said("userAgent")[:MAX_VALUE]},
        "error": {"code": said("errorCode"), "message": said("errorMessage")[:MAX_VALUE]},
        "related": {"user": sorted(set(user.values())), "ip": [ip] if ip else []},
    }
    return {name: _without_empty(values) for name, values in told.items()}


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


def happened_at(event: Mapping[str, Any], dialect: Dialect) -> datetime | None:
    """When it happened, as its record says it; what else the event says may differ between two stores of one record."""
    parsed = _instant(dialect.text(event, "eventTime")) or _instant(_text(event.get("@timestamp")))
    return parsed.astimezone(UTC) if parsed else None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _outcome(event: Mapping[str, Any], dialect: Dialect) -> str:
    """ECS event.outcome: a call failed if it has an error, or is a sign-in that says Failure."""
    errors = (*dialect.values(event, "errorCode"), *dialect.values(event, "errorMessage"))
    denied = any(errors) or dialect.text(event, "responseElements.ConsoleLogin") == "Failure"
    return "failure" if denied else "success"


def _user(said: Callable[[str], str]) -> dict[str, str]:
    """Who did it (AWS docs, "CloudTrail userIdentity element"): a role session is named by its role."""
    root = "root" if said("userIdentity.type") == "Root" else ""
    name = (
        root
        or said("userIdentity.userName")
        or said("userIdentity.sessionContext.sessionIssuer.userName")
        or said("userIdentity.arn").rpartition("/")[2]
        or said("userIdentity.invokedBy")
    )
    return _without_empty({"name": name, "id": said("userIdentity.principalId")})


def _ip(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""  # many are service names, such as cloudtrail.amazonaws.com
