"""What a run did, counted. Nothing is left out: events = judged + dead-lettered."""

from dataclasses import dataclass, fields
from typing import Any

from osdetect.errors import RuleError


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of one run, or of a part of it."""

    events: int = 0
    """Events read after the cursors."""
    judged: int = 0
    """Events that met every readable rule."""
    deadlettered: int = 0
    """Events of which some verdict or alert could not be stored; each has a dead letter."""
    evaluated_alone: int = 0
    """Of the judged, events that the cluster could not percolate: judged as exactly, but by every rule in process."""
    candidates: int = 0
    matches: int = 0
    alerts_created: int = 0
    alerts_there: int = 0
    """Alerts that an earlier run had stored already."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))

    def to_json(self) -> dict[str, int]:
        """Name and number."""
        return {f.name: getattr(self, f.name) for f in fields(Counts)}


@dataclass(frozen=True, slots=True)
class RunReport:
    """One pass over all shards of the target."""

    id: str
    ruleset: str
    rules: int
    unreadable: tuple[RuleError, ...]
    shards: int
    left_to_others: int
    """Shards whose cursor another detector moved meanwhile: their events are that one's."""
    counts: Counts

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "run": self.id,
            "ruleset": self.ruleset,
            "rules": self.rules,
            "rules_unreadable": [str(error) for error in self.unreadable],
            "shards": self.shards,
            "left_to_others": self.left_to_others,
            **self.counts.to_json(),
        }
