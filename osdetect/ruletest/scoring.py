"""The mutation score: how many small changes of a rule its tests would notice."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from osdetect.expr import Expr, evaluate
from osdetect.ruletest.cases import Case
from osdetect.ruletest.mutants import Mutant, mutants
from osdetect.ruletest.skeleton import Record, skeleton
from osdetect.ruletest.solving import Space, matching, telling_apart
from osdetect.sigma import Rule

Tree = Expr[str]
Progress = Callable[[int, int], None]


class Survivor(msgspec.Struct, frozen=True):
    """A mutant that no test notices."""

    mutant: Mutant
    record: Record
    """A record that tells it from the rule: a test with it would notice."""
    expected: bool
    """Whether the rule matches that record."""
    nearest: Record
    """The record of a test, or one made, that `record` is closest to."""


class Score(msgspec.Struct, frozen=True):
    """What a rule's tests notice."""

    rule: str
    title: str
    file: str
    killed: int
    survivors: tuple[Survivor, ...]
    equivalent: int
    """Mutants without a record that tells them from the rule: they simplify to it, or none was found."""
    more: int
    """Mutants that were not looked at, because there are too many."""

    @property
    def score(self) -> float | None:
        """The share of the mutants that tests notice; None of a rule without any."""
        counted = self.killed + len(self.survivors)
        return self.killed / counted if counted else None

    def to_json(self) -> dict[str, Any]:
        """As `--output json` has it."""
        return {
            "rule": self.rule,
            "title": self.title,
            "score": self.score,
            "killed": self.killed,
            "survived": len(self.survivors),
            "equivalent": self.equivalent,
            "not_looked_at": self.more,
            "survivors": [
                {
                    "kind": one.mutant.kind,
                    "mutant": one.mutant.text,
                    "killed_by": {"must_match": one.expected, "change": difference(one.nearest, one.record)},
                }
                for one in self.survivors
            ],
        }


def scores(
    rules: Sequence[Rule], cases: Sequence[Case], on_progress: Progress = lambda _done, _total: None
) -> tuple[Score, ...]:
    """The score of each rule that has a test of its own; correlations have none.

    Args:
        rules: the rules.
        cases: their tests.
        on_progress: told how many rules are done, and of how many.
    """
    own: dict[str, list[Case]] = {}
    for case in cases:
        if not case.correlation:
            own.setdefault(case.rule, []).append(case)
    asked = [rule for rule in rules if rule.id in own]
    found: list[Score] = []
    for done, rule in enumerate(asked):
        on_progress(done, len(asked))
        found.append(score(rule, own[rule.id]))
    return tuple(found)


def total_score(scores_of_rules: Sequence[Score]) -> float | None:
    """The share of all rules' mutants together that tests notice; None without any."""
    killed = sum(one.killed for one in scores_of_rules)
    counted = killed + sum(len(one.survivors) for one in scores_of_rules)
    return killed / counted if counted else None


def score(rule: Rule, cases: Sequence[Case]) -> Score:
    """The score of one rule by its tests."""
    told = tuple(record for case in cases for record in case.records)
    before = tuple(evaluate(rule.tree, record) for record in told)
    made = mutants(rule.tree)
    killed = 0
    equivalent = made.same
    survivors: list[Survivor] = []
    pool = _pool(rule, told, before)
    for mutant in made.mutants:
        if any(evaluate(mutant.tree, record) is not was for record, was in zip(told, before, strict=True)):
            killed += 1
            continue
        survivor = _survivor(rule, mutant, pool)
        if survivor is None:
            equivalent += 1
        else:
            survivors.append(survivor)
    return Score(rule.id, rule.title, rule.where.file, killed, tuple(survivors), equivalent, made.more)


def _pool(rule: Rule, told: Sequence[Mapping[str, Any]], before: Sequence[bool]) -> tuple[Record, ...]:
    """Records that match: the tests' own, or one made."""
    own = [dict(record) for record, matched in zip(told, before, strict=True) if matched]
    if not own:
        made = matching(rule.tree, start_of(rule), space_of(rule))
        own = [made] if made is not None else []
    others = [dict(record) for record, matched in zip(told, before, strict=True) if not matched]
    return (*own, *others) or (start_of(rule),)


def _survivor(rule: Rule, mutant: Mutant, pool: tuple[Record, ...]) -> Survivor | None:
    found = telling_apart(rule.tree, mutant.tree, pool, space_of(rule, mutant.tree))
    if found is None:
        return None
    nearest = min(pool, key=lambda record: len(difference(record, found)))
    return Survivor(mutant, found, evaluate(rule.tree, found), nearest)


def start_of(rule: Rule) -> Record:
    """Where records for the rule start from; a rule for other logs starts from nothing."""
    return skeleton(rule.id) if rule.logsource.covers_cloudtrail() else {}


def space_of(rule: Rule, *more: Tree) -> Space:
    """The values to try for the rule."""
    return Space.of(rule.tree, *more, cloudtrail=rule.logsource.covers_cloudtrail())


def difference(one: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """What is another value in `other`, by dotted path; None also where it is gone.

    >>> difference({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}, "d": 4})
    {'a.b': 3, 'd': 4}
    """
    found: dict[str, Any] = {}
    for key in dict.fromkeys((*one, *other)):
        at = f"{path}{key}"
        before, after = one.get(key), other.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found.update(difference(before, after, f"{at}."))
        elif before != after or (key in one) is not (key in other):
            found[at] = after
    return found
