"""What is stored of notifications: an entry for each channel and alert, a lane for each channel and rule."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster, Version, create_action
from osdetect.errors import ClusterRefused
from osdetect.notify.message import Message, iso
from osdetect.notify.outcome import is_waited_for
from osdetect.vocabulary import OUTBOX_PREFIX

ENTRY, LANE = "entry", "lane"
_LONGEST = 4_000
"""Characters of a word of a rule."""


def outbox_index(namespace: str) -> str:
    """The index that holds a namespace's entries and lanes. One shard: its sequence numbers order them all."""
    return f"{OUTBOX_PREFIX}{namespace}"


def check_outbox(cluster: Cluster) -> None:
    """Refuse a cluster that does not know how to store the outbox.

    Raises:
        ClusterRefused: its template is not installed.
    """
    if "index_templates" not in cluster.request("GET", "/_index_template/osdetect-outbox", accept=(404,)):
        raise ClusterRefused("the outbox's template is not installed", cure="install it: osdetect deploy")


class Entry(msgspec.Struct, frozen=True):
    """An alert that a channel is to tell. It is written once and never changed."""

    channel: str
    rule: Mapping[str, Any]
    """Who must be named in the message also when the alert is gone."""
    index: str
    id: str
    at: str
    """The time of the event."""

    @classmethod
    def of(cls, channel: str, index: str, alert_id: str, alert: Mapping[str, Any]) -> Self:
        """The entry for an alert's `_source`."""
        said = alert.get("rule")
        rule = said if isinstance(said, Mapping) else {}
        kept = {
            name: str(rule[name])[:_LONGEST]
            for name in ("id", "name", "level", "author", "license")
            if rule.get(name)
        }
        return cls(
            channel,
            {"id": "unknown", **kept},
            index,
            alert_id,
            str(alert.get("@timestamp") or "")[:40],
        )

    @classmethod
    def stored(cls, source: Mapping[str, Any]) -> Self:
        """The entry as it was stored; what cannot be read of it is empty."""
        alert, rule = source.get("alert"), source.get("rule")
        at = alert if isinstance(alert, Mapping) else {}
        words = rule if isinstance(rule, Mapping) else {}
        texts = (str(at.get("index", "")), str(at.get("id", "")), str(source.get("at", "")))
        return cls(str(source.get("channel", "")), words, *texts)

    def action(self, namespace: str) -> bytes:
        """The bulk action that stores it, once."""
        name = hashlib.sha256(f"{self.channel}\0{self.id}".encode(errors="surrogatepass")).hexdigest()[:40]
        source = {
            "kind": ENTRY,
            "channel": self.channel,
            "rule": dict(self.rule),
            "alert": {"index": self.index, "id": self.id},
            "at": self.at,
        }
        return create_action(outbox_index(namespace), name, source)


class Outgoing(msgspec.Struct, frozen=True):
    """A message on its way."""

    message: Message
    upto: int
    """The sequence number of its last entry."""
    attempts: int = 0
    due: str = ""
    """Not before; empty: at once."""
    claimed_by: str = ""
    """The worker that sends it now."""
    claimed_until: str = ""
    error: str = ""
    """What the last attempt came to."""

    def ready(self, now: datetime, worker: str) -> bool:
        """Whether this worker may send it now."""
        claimed = self.claimed_by not in ("", worker) and _later(self.claimed_until, now)
        return not claimed and not _later(self.due, now)


class Lane(msgspec.Struct, frozen=True):
    """How far a channel told the alerts of a rule."""

    channel: str
    rule_id: str
    upto: int = -1
    """The outbox's sequence number of the last entry that was told, or given up."""
    told_at: str = ""
    """When the last message ended, well or not."""
    messages: int = 0
    """Sent so far."""
    alerts: int = 0
    """Told so far."""
    going: Outgoing | None = None
    version: Version | None = None
    """None when it is not stored yet."""

    @property
    def id(self) -> str:
        """Its document's id."""
        return f"{LANE}:{self.channel}:{hashlib.sha256(self.rule_id.encode(errors='surrogatepass')).hexdigest()[:40]}"

    def open_at(self, now: datetime, gap_s: float) -> bool:
        """Whether another message may be made: the last one is long enough ago, or, by a wrong clock, as far to come."""
        last = _moment(self.told_at)
        return last is None or abs((now - last).total_seconds()) >= gap_s

    def ended(self, now: datetime, *, sent: bool) -> "Lane":
        """The lane when the message on its way was sent, or was given up."""
        assert self.going is not None
        told = self.going.message.count if sent else 0
        return replace(
            self,
            upto=self.going.upto,
            told_at=iso(now),
            messages=self.messages + sent,
            alerts=self.alerts + told,
            going=None,
        )

    def to_source(self, now: datetime) -> dict[str, Any]:
        """The document's `_source`."""
        going = self.going
        return {
            "kind": LANE,
            "channel": self.channel,
            "rule": {"id": self.rule_id},
            "updated": iso(now),
            "upto": self.upto,
            "told_at": self.told_at,
            "messages": self.messages,
            "alerts": self.alerts,
            **({"message": going.message.to_source(), "sending": _sending(going)} if going else {}),
        }

    def read(self, source: Mapping[str, Any], version: Version) -> "Lane":
        """This lane as its document says.

        Raises:
            ClusterRefused: that is not readable. To begin again would tell everything again.
        """
        match source:
            case {
                "upto": int(upto),
                "told_at": str(told_at),
                "messages": int(messages),
                "alerts": int(alerts),
                **rest,
            }:
                going = _going(rest.get("message"), rest.get("sending"))
                if going is not None or "message" not in rest:
                    return replace(
                        self,
                        upto=upto,
                        told_at=told_at,
                        messages=messages,
                        alerts=alerts,
                        going=going,
                        version=version,
                    )
            case _:
                pass
        raise ClusterRefused(
            f"the outbox's document {self.id} cannot be read", cure="restore it, or delete it"
        )


def write_lane(cluster: Cluster, namespace: str, lane: Lane, now: datetime) -> Lane | None:
    """Write a lane over the version that was read; None when somebody else wrote since.

    Raises:
        ClusterError: the cluster did not take it.
    """
    index, source = outbox_index(namespace), lane.to_source(now)
    if lane.version is None:
        version = cluster.create_document(index, lane.id, source)
    else:
        version = cluster.replace_document(index, lane.id, source, lane.version)
    if version is None:  # the write may have been ours, repeated because its answer was lost
        stored = cluster.read_document(index, lane.id)
        version = stored.version if stored is not None and stored.source == source else None
    return None if version is None else replace(lane, version=version)


def _sending(going: Outgoing) -> dict[str, Any]:
    return {
        "upto": going.upto,
        "attempts": going.attempts,
        "due": going.due,
        "claimed_by": going.claimed_by,
        "claimed_until": going.claimed_until,
        "error": going.error,
    }


def _going(message: object, sending: object) -> Outgoing | None:
    read = Message.stored(message)
    match sending:
        case {
            "upto": int(upto),
            "attempts": int(attempts),
            "due": str(due),
            "claimed_by": str(by),
            "claimed_until": str(until),
            "error": str(error),
        } if read is not None:
            return Outgoing(read, upto, attempts, due, by, until, error)
        case _:
            return None


def _moment(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _later(text: str, now: datetime) -> bool:
    moment = _moment(text)
    return moment is not None and is_waited_for(moment, now)
