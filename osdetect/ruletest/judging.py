"""What becomes of a case's records: which rules match each of them, and what a correlation makes of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from osdetect.expr import evaluate
from osdetect.expr.correlate import correlate_all
from osdetect.expr.engine import Engine
from osdetect.expr.moments import moment_of
from osdetect.expr.windows import Match
from osdetect.ruletest.cases import Case
from osdetect.sigma import Rule, RuleSet
from osdetect.sigma.correlation import Resolved

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judges:
    """The rules of a run, made ready to be asked."""

    rules: Mapping[str, Rule]
    correlations: tuple[Resolved, ...]
    """In the order that `correlate_all` takes them in."""
    engine: Engine = field(repr=False)

    @staticmethod
    def of(rules: RuleSet[Rule]) -> "Judges":
        """The judges of these rules."""
        known = {rule.id: rule for rule in rules.rules}
        return Judges(known, rules.correlations, Engine.of([(rule.id, rule.tree) for rule in rules.rules]))

    def asked(self, case: Case) -> tuple[str, ...]:
        """The ids of the rules that the case's verdict depends on."""
        if not case.correlation:
            return (case.rule,)
        return next(one.bases for one in self.correlations if one.correlation.id == case.rule)

    def by_evaluation(self, case: Case) -> tuple[frozenset[str], ...]:
        """For each record the rules asked for that match, by the definition of meaning."""
        asked = self.asked(case)
        return tuple(
            frozenset(one for one in asked if evaluate(self.rules[one].tree, record))
            for record in case.records
        )

    def by_engine(self, case: Case) -> tuple[frozenset[str], ...]:
        """The same by the engine of `osdetect scan`."""
        asked = frozenset(self.asked(case))
        return tuple(asked.intersection(self.engine.match(record)) for record in case.records)

    def holds(self, case: Case, matched: Sequence[frozenset[str]]) -> bool:
        """Whether the case's rule matches, or its correlation fires, if these rules match its records."""
        if case.correlation:
            return self._fires(case, matched)
        return sum(case.rule in one for one in matched) >= case.least

    def _fires(self, case: Case, matched: Sequence[frozenset[str]]) -> bool:
        matches = [
            Match(rule, _time(record), record, str(number))
            for number, (record, rules) in enumerate(zip(case.records, matched, strict=True))
            for rule in sorted(rules)
        ]
        windows = [one.window for one in self.correlations]
        return bool(correlate_all(windows, matches)[case.rule].firings)


def _time(record: Record) -> int | None:
    moment = moment_of(record.get("eventTime"))
    return None if moment is None else int(moment.instant.timestamp() * 1000)
