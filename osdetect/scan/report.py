"""What a scan did: every file and every record is in exactly one of its counts."""

from collections.abc import Mapping
from typing import Any

import msgspec

from osdetect.errors import RecordError
from osdetect.scan.alerts import written_time
from osdetect.scan.plan import ScanRule, Tally
from osdetect.vocabulary import Level


class RuleAlerts(msgspec.Struct, frozen=True):
    """The alerts of one rule."""

    id: str
    title: str
    level: Level
    count: int
    first: str
    """Time of the first event, ISO 8601 in UTC; empty if none has a usable time."""
    last: str

    @staticmethod
    def of(rule: ScanRule, tally: Tally) -> "RuleAlerts":
        """The rule's alerts, for people."""
        first, last = written_time(tally.first), written_time(tally.last)
        return RuleAlerts(rule.id, rule.title, Level(rule.level), tally.count, first, last)

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "id": self.id,
            "name": self.title,
            "level": self.level.value,
            "alerts": self.count,
            "first": self.first,
            "last": self.last,
        }


class ScanReport(msgspec.Struct, frozen=True):
    """The counts of a scan.

    files = read + copies + digests + refused + unread; read holds partial.
    """

    files: int
    read: int
    """Files whose records were judged, the partial ones included."""
    partial: tuple[RecordError, ...]
    """Files of which only the first part could be read."""
    refused: tuple[RecordError, ...]
    """Paths of which nothing could be read."""
    bad_records: int
    bad_notes: tuple[RecordError, ...]
    """The first of them."""
    copies: int
    """Files with the same bytes as one before: judged once."""
    digests: int
    ignored: int
    """Files in folders that are not named like JSON."""
    unread: tuple[str, ...]
    """Files that were not read, or not to their end, because the scan was stopped."""
    events: int
    rules: int
    alerts: int
    """Alerts, each event once: copies of a record make none."""
    copied_alerts: int
    """Alerts that were left out because the same record is there more than once."""
    undated: int
    """Alerts kept although their event has no usable time and only a span of time was asked for."""
    by_rule: tuple[RuleAlerts, ...]
    """Highest level first, then most alerts."""
    first: int
    last: int
    stored_bytes: int
    stopped: bool
    revived: int
    """Worker processes that died and whose files were read again by others."""

    @property
    def losses(self) -> tuple[RecordError, ...]:
        """What was refused or read in part, as errors that a user can read."""
        return (*self.refused, *self.partial, *self.bad_notes)

    @property
    def lossless(self) -> bool:
        """Nothing was refused, cut, unreadable or left unread."""
        return not (self.partial or self.refused or self.bad_records or self.unread)

    def by_level(self) -> Mapping[Level, int]:
        """The number of alerts of each level that has some, highest first."""
        counts = dict.fromkeys(sorted(Level, key=lambda level: -level.rank), 0)
        for rule in self.by_rule:
            counts[rule.level] += rule.count
        return {level: count for level, count in counts.items() if count}

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "files": self.files,
            "files_read": self.read,
            "files_partial": len(self.partial),
            "files_refused": len(self.refused),
            "files_copies": self.copies,
            "files_unread": len(self.unread),
            "digests": self.digests,
            "ignored": self.ignored,
            "events": self.events,
            "records_unreadable": self.bad_records,
            "rules": self.rules,
            "alerts": self.alerts,
            "alerts_of_copies": self.copied_alerts,
            "alerts_undated": self.undated,
            "by_level": {level.value: count for level, count in self.by_level().items()},
            "by_rule": [rule.to_json() for rule in self.by_rule],
            "first": written_time(self.first),
            "last": written_time(self.last),
            "stored_bytes": self.stored_bytes,
            "interrupted": self.stopped,
        }
