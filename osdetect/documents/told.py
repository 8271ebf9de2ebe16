"""What the alerts of an event say of it: the same for every rule that matches it, so it is found once."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.event import event_identity
from osdetect.vocabulary import ALERTS_PREFIX, EVENTS_PREFIX, UNDATED

_YEARS = range(2006, 2100)
"""Times outside of these are taken for none: made-up ones must not make an index each."""
_SHORT = 100
"""Characters; no time and no address has more, and what is remembered of hostile events must stay small."""
_ERRORS = ("errorCode", "errorMessage")
MAX_VALUE = 2_048
"""Characters of a value that an alert keeps; more are cut."""
_AS_THEY_ARE = (
    ("eventID", "event", "id", None),
    ("eventName", "event", "action", None),
    ("eventSource", "event", "provider", None),
    ("awsRegion", "cloud", "region", None),
    ("sourceIPAddress", "source", "address", None),
    ("userAgent", "user_agent", "original", MAX_VALUE),
    ("errorCode", "error", "code", None),
    ("errorMessage", "error", "message", MAX_VALUE),
)
"""Facts that an alert has as the record has them: the object and the name of ECS, and how many characters at most."""


class EventReference(msgspec.Struct, frozen=True):
    """Where the event stands that an alert is about."""

    index: str
    index_uuid: str
    id: str
    shard: int
    seq_no: int
    routing: str = ""
    """Its routing, if it was stored with one: then its id tells it apart within its shard only."""

    @property
    def place(self) -> tuple[int, str, str]:
        """What tells it apart from the other documents of its shard: in a shrunk index several have one number."""
        return self.seq_no, self.id, self.routing

    @property
    def ours(self) -> bool:
        """Whether osdetect stored it."""
        return self.index.startswith(EVENTS_PREFIX)

    @property
    def key(self) -> str:
        """What the place says of the event's identity: its id says account and event id if osdetect stored it."""
        if self.ours:
            return self.id
        # With its length: no id has the same text without a routing, or with another.
        routed = f"?{len(self.routing)}:{self.routing}" if self.routing else ""
        return f"{self.index_uuid}{routed}/{self.id}"


class RunReference(msgspec.Struct, frozen=True):
    """The run that wrote an alert."""

    id: str
    now: datetime


class Told(msgspec.Struct, frozen=True):
    """An event as its alerts tell of it."""

    at: EventReference
    key: str
    """Its identity (`event_key`)."""
    happened: datetime | None
    """When it happened (`happened_at`)."""
    month: str
    """The part of an index name that says when."""
    timestamp: str
    """Of its alerts: when it happened, else when it was stored, else when it was judged."""
    call: Mapping[str, Mapping[str, Any]]
    """Who called what, from where, and how it ended, in the words of ECS."""
    lag_ms: int | None
    """From its storing to its judging, if it says when it was stored."""

    def index(self, namespace: str) -> str:
        """The index that its alerts belong into."""
        return f"{ALERTS_PREFIX}{namespace}-{self.month}"


def told(event: Mapping[str, Any], at: EventReference, run: RunReference, dialect: Dialect = RAW) -> Told:
    """What alerts say of an event.

    Args:
        event: its `_source`.
        at: where it stands.
        run: the run that judged it.
        dialect: where such events hold the fields of their records.
    """
    said = dialect.texts(event)
    happened = _happened(said["eventTime"], event)
    ingested = _instant(_text(_inner(event, "event").get("ingested")))
    call = _call(event, said, dialect)
    stored = {"ingested": _iso(ingested)} if ingested else {}
    call["event"] = {"kind": "alert", **call["event"], "created": _iso(run.now), **stored}
    return Told(
        at=at,
        key=event_key(event, at, dialect),
        happened=happened,
        month=_month(happened),
        timestamp=_iso(happened or ingested or run.now),
        call=call,
        lag_ms=max(0, int((run.now - ingested).total_seconds() * 1000)) if ingested else None,
    )


def event_key(event: Mapping[str, Any], at: EventReference, dialect: Dialect) -> str:
    """The event's identity.

    Its id if osdetect stored it: that tells apart even records that share an event id. Else the account and event id
    of its record, so that the same record in two indices, whatever their dialects, is one event. Else its place.
    """
    return at.key if at.ours else event_identity(event, dialect) or at.key


def happened_at(event: Mapping[str, Any], dialect: Dialect) -> datetime | None:
    """When it happened, as its record says it; what else the event says may differ between two stores of one record."""
    return _happened(dialect.text(event, "eventTime"), event)


def _happened(event_time: str, event: Mapping[str, Any]) -> datetime | None:
    parsed = _instant(event_time) or _instant(_text(event.get("@timestamp")))
    return parsed.astimezone(UTC) if parsed else None


def _call(event: Mapping[str, Any], said: Mapping[str, str], dialect: Dialect) -> dict[str, dict[str, Any]]:
    """The objects that say something, each without what would be empty in it."""
    user, address = _user(said), said["sourceIPAddress"]
    ip = _ip(address)
    account = said["recipientAccountId"] or said["userIdentity.accountId"]
    identities = _identities(said, user)
    call: dict[str, dict[str, Any]] = {
        "event": {},
        "cloud": {"account": {"id": account}} if account else {},
        "user": user,
        "source": {"ip": ip} if ip else {},
        "user_agent": {},
        "error": {},
        "related": {"user": identities} if identities else {},
    }
    for fact, block, name, longest in _AS_THEY_ARE:
        if text := said[fact]:
            call[block][name] = text[:longest]
    call["event"]["outcome"] = _outcome(event, said, dialect)
    if ip:
        call["related"]["ip"] = [ip]
    return {name: values for name, values in call.items() if values}


def _outcome(event: Mapping[str, Any], said: Mapping[str, str], dialect: Dialect) -> str:
    """ECS event.outcome: a call failed if it has an error, or is a sign-in that says Failure."""
    if said["errorCode"] or said["errorMessage"] or said["responseElements.ConsoleLogin"] == "Failure":
        return "failure"
    if dialect.has_none(event, _ERRORS):
        return "success"
    # An error that is no text is one all the same.
    errors = (*dialect.values(event, "errorCode"), *dialect.values(event, "errorMessage"))
    return "failure" if any(errors) else "success"


def _user(said: Mapping[str, str]) -> dict[str, str]:
    """Who did it (AWS docs, "CloudTrail userIdentity element"): a role session is named by its role."""
    root = "root" if said["userIdentity.type"] == "Root" else ""
    name = (
        root
        or said["userIdentity.userName"]
        or said["userIdentity.sessionContext.sessionIssuer.userName"]
        or said["userIdentity.arn"].rpartition("/")[2]
        or said["userIdentity.invokedBy"]
    )
    principal = said["userIdentity.principalId"]
    user = {"name": name} if name else {}
    return {**user, "id": principal} if principal else user


def _identities(said: Mapping[str, str], user: Mapping[str, str]) -> list[str]:
    """By what else the caller can be looked for: ARN and access key (ECS, related.user)."""
    return sorted({*user.values(), said["userIdentity.arn"], said["userIdentity.accessKeyId"]} - {""})


def _ip(address: str) -> str:
    return _known_ip(address) if len(address) <= _SHORT else ""


@lru_cache(maxsize=4_096)
def _known_ip(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""  # many are service names, such as cloudtrail.amazonaws.com


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _inner(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    return value if isinstance(value, Mapping) else {}


def _instant(text: str) -> datetime | None:
    return _known_instant(text) if len(text) <= _SHORT else None


@lru_cache(maxsize=4_096)
def _known_instant(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    if parsed.year not in _YEARS:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


@lru_cache(maxsize=4_096)
def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _month(happened: datetime | None) -> str:
    return _known_month(happened.year, happened.month) if happened else UNDATED


@lru_cache(maxsize=4_096)
def _known_month(year: int, month: int) -> str:
    return f"{year:04}.{month:02}"
