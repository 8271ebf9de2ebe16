"""Candidates found in this process: the engine is asked of the events' texts, and the cluster of nothing."""

from collections.abc import Iterator, Sequence

from osdetect.detect.release import Release
from osdetect.expr.engine import Engine
from osdetect.follow import StoredEvent

Candidate = tuple[StoredEvent, str]
"""An event and the id of a rule that may hold for it."""

_TOGETHER = 1_000
"""Events judged by one call. One that is odd makes the engine judge those of its call one by one."""


class InProcess:
    """Decides events by one release's rules; what it learns of events makes it faster, never different."""

    def __init__(self, release: Release) -> None:
        self._rules = tuple(release.rules)
        self._engine = Engine.of([(rule.id, rule.tree) for rule in release.rules.values()])
        self.evaluated_alone = 0
        """Events that the engine could not read: every rule was a candidate for them."""

    def candidates(self, events: Sequence[StoredEvent]) -> Iterator[Candidate]:
        """The pairs to judge exactly."""
        for start in range(0, len(events), _TOGETHER):
            yield from self._some(events[start : start + _TOGETHER])

    def _some(self, events: Sequence[StoredEvent]) -> Iterator[Candidate]:
        # A line break in JSON can only stand between tokens, where a space says the same.
        text = b"\n".join([event.raw.replace(b"\n", b" ") for event in events])
        judged = self._engine.match_lines(text) if all(event.raw for event in events) else None
        if judged is None or judged.records != len(events):
            for event in events:
                yield from ((event, rule_id) for rule_id in self._alone(event))
            return
        for match in judged.matches:
            event = events[match.number - 1]
            for rule_id in match.rules:
                yield event, rule_id

    def _alone(self, event: StoredEvent) -> tuple[str, ...]:
        try:
            return self._engine.match(event.source)
        except RecursionError:
            self.evaluated_alone += 1
            return self._rules
