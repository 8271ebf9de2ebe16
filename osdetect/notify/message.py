"""What is told: one alert, or many of one rule. Made once, stored, and sent as it was stored."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self

import msgspec

EXAMPLES = 5
"""Alerts that a message shows."""
LISTED_IDS = 100
"""Alerts that a message names by their ids."""
_EVIDENCE = 10
_TEXT = 1_000
_VALUE = 300
_KEPT = (
    "@timestamp",
    "event",
    "rule",
    "threat",
    "cloud",
    "user",
    "source",
    "user_agent",
    "error",
)


class Message(msgspec.Struct, frozen=True):
    """Alerts of one rule for one channel."""

    key: str
    """The same for the same channel and alerts: a receiver knows a repetition by it."""
    channel: str
    namespace: str
    made: str
    """ISO 8601, as the other times."""
    rule: Mapping[str, Any]
    """As in the alerts; with the author, if the rule has one."""
    count: int
    first: str
    last: str
    """Times of the earliest and the latest event."""
    ids: tuple[str, ...]
    """Of the first alerts, up to `LISTED_IDS`."""
    alerts: tuple[Mapping[str, Any], ...]
    """The first alerts, up to `EXAMPLES`, without what is long."""

    @property
    def digest(self) -> bool:
        """Whether it tells several alerts."""
        return self.count > 1

    def to_source(self) -> dict[str, Any]:
        """As JSON; what a receiver gets, and what is stored."""
        return {
            "key": self.key,
            "channel": self.channel,
            "namespace": self.namespace,
            "made": self.made,
            "rule": dict(self.rule),
            "count": self.count,
            "first": self.first,
            "last": self.last,
            "alert_ids": list(self.ids),
            "alerts": [dict(alert) for alert in self.alerts],
        }

    @classmethod
    def stored(cls, source: Any) -> Self | None:
        """The message as it was stored; None when that is not readable."""
        match source:
            case {
                "key": str(key),
                "channel": str(channel),
                "namespace": str(namespace),
                "made": str(made),
                "rule": dict(rule),
                "count": int(count),
                "first": str(first),
                "last": str(last),
                "alert_ids": list(ids),
                "alerts": list(alerts),
            }:
                shown = tuple(one for one in alerts if isinstance(one, dict))
                return cls(
                    key, channel, namespace, made, rule, count, first, last, tuple(map(str, ids)), shown
                )
            case _:
                return None


class Key:
    """The key of a message, from its channel and the ids of its alerts in their order."""

    def __init__(self, channel: str) -> None:
        self._hash = hashlib.sha256(channel.encode())

    def add(self, alert_id: str) -> None:
        """One alert more."""
        self._hash.update(b"\0" + alert_id.encode(errors="surrogatepass"))

    def text(self) -> str:
        """40 hexadecimal digits."""
        return self._hash.hexdigest()[:40]


def example(alert_id: str, index: str, source: Mapping[str, Any], link: str) -> dict[str, Any]:
    """What a message shows of an alert: long texts cut, and what an analyst did to it left out."""
    own = source.get("osdetect")
    own = own if isinstance(own, Mapping) else {}
    evidence = own.get("evidence")
    listed = [one for one in evidence if isinstance(one, Mapping)] if isinstance(evidence, list) else []
    return {
        "id": alert_id,
        "index": index,
        **({"link": link} if link else {}),
        **{name: _cut(source[name], _TEXT) for name in _KEPT if name in source},
        "evidence": [
            {name: _cut(one.get(name, ""), _VALUE) for name in ("field", "test", "value")}
            for one in listed[:_EVIDENCE]
        ],
        "evidence_left_out": max(0, len(listed) - _EVIDENCE),
        "of": _cut(own.get("source", {}), _TEXT),
    }


def lost_example(alert_id: str, index: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """What a message shows of an alert that was deleted before it was told."""
    return {
        "id": alert_id,
        "index": index,
        "rule": dict(rule),
        "gone": True,
        "evidence": [],
        "evidence_left_out": 0,
    }


def trial(channel: str, namespace: str, now: datetime) -> Message:
    """A made-up message, to see whether a channel works."""
    rule = {
        "id": "trial",
        "name": "A trial of this channel",
        "level": "informational",
        "author": "The osdetect authors",
    }
    at = iso(now)
    alert = {
        "@timestamp": at,
        "rule": rule,
        "event": {"action": "Trial", "provider": "osdetect", "outcome": "success", "created": at},
        "cloud": {"account": {"id": "000000000000"}, "region": "none"},
        "user": {"name": "nobody"},
        "osdetect": {"evidence": [{"field": "eventName", "test": 'is "Trial"', "value": "Trial"}]},
    }
    key = Key(channel)
    key.add(f"trial {at}")
    shown = (example("trial", "none", alert, ""),)
    return Message(key.text(), channel, namespace, at, rule, 1, at, at, ("trial",), shown)


def iso(moment: datetime) -> str:
    """ISO 8601."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def spread(times: Iterable[str]) -> tuple[str, str]:
    """The earliest and the latest of times in one form; empty texts are none."""
    known = [one for one in times if one]
    return (min(known), max(known)) if known else ("", "")


def _cut(value: Any, limit: int) -> Any:
    match value:
        case str():
            return value if len(value) <= limit else f"{value[: limit - 1]}…"
        case Mapping():
            return {str(name)[:200]: _cut(inner, limit) for name, inner in value.items()}
        case list():
            return [_cut(inner, limit) for inner in value[:50]]
        case _:
            return value
