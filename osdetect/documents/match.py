"""The match document: a match that makes no alert of its own, and the group that it may belong to.

Its id is the one that its alert would have had; in that of one that is gathered is how its rule gathers. So judging an event again adds
nothing, also when its content is another by then: counts over these documents are exact after any replay. And a rule whose tuning is
changed gathers the same events into its new groups.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from osdetect.documents.told import EventReference, RunReference
from osdetect.expr.values import resolve, text_of
from osdetect.tuning import RuleException, Suppression
from osdetect.vocabulary import ALERTS_PREFIX, MATCHES_PREFIX, UNDATED

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_VALUE = 1_024
"""Characters of a group's value that its alert shows; the group's identity takes all of them."""


_TIMES = frozenset(("first_seen", "last_seen"))


class Why(StrEnum):
    """Why a match made no alert of its own."""

    GATHERED = "gathered"
    """It is one of the matches of its group's alert."""
    SHADOW = "shadow"
    """Its rule is in shadow."""
    EXCEPTED = "excepted"
    """An exception is for it."""


def gathered_id(alert: str, suppression: Suppression) -> str:
    """The id of a match that belongs to a group.

    The group itself is not in it: an event that is overwritten stays in the group of the content that was judged first.

    Args:
        alert: the id of the alert that the match would have been.
        suppression: how its rule gathers.
    """
    return _digest((alert, str(suppression.window_s), *suppression.group_by))


class Group(msgspec.Struct, frozen=True):
    """Matches of one rule that are one alert: they agree in the fields, in one window."""

    id: str
    """The alert's id."""
    suppression: Suppression
    values: tuple[str, ...]
    """One for each field; empty where the event has none."""
    start: datetime | None
    """The window's beginning; None for events without a usable time: these are a window of their own."""

    namespace: str

    @property
    def alert_index(self) -> str:
        """The index of the alert: by the window, whichever event comes first."""
        return self._index(ALERTS_PREFIX)

    def _index(self, prefix: str) -> str:
        month = self.start.strftime("%Y.%m") if self.start else UNDATED
        return f"{prefix}{self.namespace}-{month}"

    @property
    def match_index(self) -> str:
        """The index of its matches."""
        return self._index(MATCHES_PREFIX)

    def to_json(self) -> dict[str, Any]:
        """The alert's `osdetect.suppression`, without what is counted (`Counted`)."""
        until = self.start + timedelta(seconds=self.suppression.window_s) if self.start else None
        said = {
            "group": self.id,
            "fields": list(self.suppression.group_by),
            "values": [value[:MAX_VALUE] for value in self.values],
            "window_s": self.suppression.window_s,
            "from": self.start.isoformat() if self.start else None,
            "until": until.isoformat() if until else None,
        }
        return {name: value for name, value in said.items() if value not in (None, [])}


class Counted(msgspec.Struct, frozen=True):
    """What the stored matches of a group say."""

    count: int
    first: str | None
    """The earliest event's time, as stored; None when no event of the group has one."""
    last: str | None
    """The latest's."""

    def on(self, alert: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
        """The group's alert that says it.

        Args:
            alert: its source, as it was or as it begins.
            group: what is known of the group (`Group.to_json`).
        """
        own = alert["osdetect"]
        times = {name: at for name, at in (("first_seen", self.first), ("last_seen", self.last)) if at}
        before = {name: said for name, said in own.get("suppression", {}).items() if name not in _TIMES}
        return {
            **alert,
            "osdetect": {**own, "suppression": {**before, **group, "count": self.count, **times}},
        }


def group_of(
    rule_id: str,
    suppression: Suppression,
    event: Mapping[str, Any],
    happened: datetime | None,
    namespace: str,
) -> Group:
    """The group of a match."""
    values = tuple(_value(event, suppression.places(field)) for field in suppression.group_by)
    start = None
    if happened is not None:
        passed = int((happened - _EPOCH).total_seconds())
        start = _EPOCH + timedelta(seconds=passed - passed % suppression.window_s)
    said = [
        rule_id,
        str(suppression.window_s),
        start.isoformat() if start else "",
        *suppression.group_by,
        *values,
    ]
    return Group(_digest(said), suppression, values, start, namespace)


def match_index(namespace: str, happened: datetime | None) -> str:
    """Where a match that belongs to no group is kept: by the month of its event."""
    return f"{MATCHES_PREFIX}{namespace}-{happened.strftime('%Y.%m') if happened else UNDATED}"


def lone_alert(match: Mapping[str, Any]) -> dict[str, Any]:
    """The alert of a group as far as one of its matches tells it: for want of the event, which is gone.

    Args:
        match: the `_source` of a gathered match.
    """
    event = match["event"]
    return {
        **({"@timestamp": match["@timestamp"]} if "@timestamp" in match else {}),
        "rule": dict(match["rule"]),
        "osdetect": {
            "status": "open",
            "source": {name: event[name] for name in ("index", "id", "shard", "seq_no")},
            "run_id": match["run_id"],
            "id": match["group"],
            "suppression": {"group": match["group"]},
        },
    }


def is_lone(alert: Mapping[str, Any]) -> bool:
    """Whether the alert was made by `lone_alert`."""
    match alert.get("osdetect"):
        case {"suppression": {"group": str(), **said}}:
            return "window_s" not in said
        case _:
            return False


def match_document(
    why: Why,
    rule: Mapping[str, Any],
    at: EventReference,
    happened: datetime | None,
    run: RunReference,
    *,
    group: Group | None = None,
    exception: RuleException | None = None,
) -> dict[str, Any]:
    """The match's `_source`.

    Args:
        why: why it made no alert of its own.
        rule: the rule's `rule` object.
        at: where the event stands.
        happened: when the event happened; None if it does not say.
        run: the run that found it.
        group: whose match it is.
        exception: what excepted it.
    """
    words = {name: rule[name] for name in ("id", "name", "level", "author", "hash") if rule.get(name)}
    return {
        **({"@timestamp": happened.isoformat()} if happened else {}),
        "why": why.value,
        "rule": words,
        **({"group": group.id} if group else {}),
        **(
            {"exception": {"id": exception.id, "title": exception.title, "owner": exception.owner}}
            if exception
            else {}
        ),
        "event": {"index": at.index, "id": at.id, "shard": at.shard, "seq_no": at.seq_no},
        "run_id": run.id,
    }


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:  # each with its length: no two lists of texts are the same bytes
        encoded = text.encode(errors="surrogatepass")
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()[:40]


def _value(event: Mapping[str, Any], paths: Iterable[str]) -> str:
    """What stands at the first of the paths that has more than null, else at the first that the event has."""
    found = [values for path in paths if (values := resolve(event, path))]
    said = next((one for one in found if any(value is not None for value in one)), found[0] if found else ())
    return ", ".join(text_of(one) or "null" for one in said)
