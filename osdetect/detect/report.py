"""What a run did, counted. Nothing is left out.

events = judged + dead-lettered; matches = alerts created + there already + gathered + shadowed + excepted + refused ones.
"""

from typing import Any

import msgspec
from msgspec.structs import fields, replace

from osdetect.errors import ClusterError, RuleError


class Counts(msgspec.Struct, frozen=True):
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
    gathered: int = 0
    """Matches that are part of the alert of a group."""
    groups_created: int = 0
    """New alerts of groups."""
    groups_there: int = 0
    """Alerts of groups whose number was brought up to date."""
    shadowed: int = 0
    """Matches of rules in shadow."""
    excepted: int = 0
    """Matches that an exception is for."""
    deadlettered_owed: int = 0
    """Events of which a verdict that was put off, or its alert, could not be stored; each has a dead letter."""

    def of_owed(self) -> "Counts":
        """The same for a range that was owed: its events were counted when they were new."""
        return replace(self, events=0, judged=0, deadlettered=0, deadlettered_owed=self.deadlettered)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))

    def to_json(self) -> dict[str, int]:
        """Name and number."""
        return {f.name: getattr(self, f.name) for f in fields(Counts)}


class RunReport(msgspec.Struct, frozen=True):
    """One pass over all shards of the target."""

    id: str
    ruleset: str
    rules: int
    """Rules that were judged."""
    rules_off: int
    """Rules that are switched off."""
    unreadable: tuple[RuleError, ...]
    shards: int
    left_to_others: int
    """Shards that another worker holds, or took meanwhile: their events are that one's."""
    put_off: tuple[str, ...]
    """Rules that matched so much that they were judged behind the others."""
    counts: Counts
    leases_taken: int = 0
    """Times that a shard was had."""
    leases_lost: int = 0
    """Times that another worker took one over meanwhile: it judges again what was not finished."""
    passed_over: int = 0
    """Sequence numbers before the time that judging was to begin at."""
    not_judged: tuple[ClusterError, ...] = ()
    """Shards that could not be read."""
    again_soon: bool = False
    """Some of them did not answer: they are asked for again before the next pass would be due."""
    look_again_s: float | None = None
    """Seconds until the lease of the first shard that another worker holds is over, should that one not go on."""

    @property
    def lossy(self) -> bool:
        """Whether something was not judged or not stored."""
        lost = self.counts.deadlettered or self.counts.deadlettered_owed
        return bool(self.unreadable or self.not_judged or lost)

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do, and all was in order."""
        return not (self.counts.events or self.counts.candidates or self.lossy)

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "run": self.id,
            "ruleset": self.ruleset,
            "rules": self.rules,
            "rules_off": self.rules_off,
            "rules_unreadable": [str(error) for error in self.unreadable],
            "shards": self.shards,
            "left_to_others": self.left_to_others,
            "leases_taken": self.leases_taken,
            "leases_lost": self.leases_lost,
            "rules_put_off": list(self.put_off),
            "passed_over": self.passed_over,
            "not_judged": [str(error) for error in self.not_judged],
            **self.counts.to_json(),
        }
