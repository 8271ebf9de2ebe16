"""Cases run: by the evaluator and the engine, and by the percolator if there is a cluster; all must say the same."""

from collections.abc import Callable, Mapping, Sequence

from osdetect.cluster import Cluster
from osdetect.expr import evidence
from osdetect.expr.explanation import nearest_miss
from osdetect.ruletest.cases import Case, Cases
from osdetect.ruletest.judging import Judges
from osdetect.ruletest.percolated import percolator
from osdetect.ruletest.results import Result, Results, Status, Tested
from osdetect.sigma import Rule, RuleSet

Progress = Callable[[int, int], None]
Matched = Sequence[frozenset[str]]
_SHOWN = 5


def run(
    cases: Cases,
    rules: RuleSet[Rule],
    cluster: Cluster | None,
    on_progress: Progress = lambda _done, _total: None,
) -> Results:
    """Run the cases.

    Args:
        cases: the tests.
        rules: the rules that they are for.
        cluster: where the percolator is asked; None to ask evaluator and engine alone.
        on_progress: told how many records were percolated, and of how many.

    Raises:
        ClusterRefused, ClusterUnavailable: the cluster cannot do it.
    """
    judges = Judges.of(rules)
    stored, refused = _percolated(cases.cases, judges, cluster, on_progress)
    results = judged(cases.cases, judges, stored, refused)
    return Results(results, _tested(rules, results), (*rules.refused, *cases.refused), cluster is not None)


def judged(
    cases: Sequence[Case],
    judges: Judges,
    stored: Sequence[Matched] | None,
    refused: Mapping[str, str],
) -> tuple[Result, ...]:
    """What each case comes to.

    Args:
        cases: the tests.
        judges: evaluator and engine.
        stored: for each case what the percolator found of each record; None if it was not asked.
        refused: the rules that the cluster refused, and why.
    """
    return tuple(
        _result(case, judges, None if stored is None else stored[number], refused)
        for number, case in enumerate(cases)
    )


def _percolated(
    cases: Sequence[Case], judges: Judges, cluster: Cluster | None, on_progress: Progress
) -> tuple[list[Matched] | None, Mapping[str, str]]:
    """For each case what the percolator found of each record, and which rules the cluster refused."""
    if cluster is None:
        return None, {}
    asked = dict.fromkeys(one for case in cases for one in judges.asked(case))
    if not asked:
        return [], {}
    with percolator(cluster, [judges.rules[one] for one in asked]) as stored:
        found = iter(stored.matches([record for case in cases for record in case.records], on_progress))
        each = [tuple(next(found).intersection(judges.asked(case)) for _ in case.records) for case in cases]
        return list(each), stored.refused


def _result(case: Case, judges: Judges, stored: Matched | None, refused: Mapping[str, str]) -> Result:
    found: dict[str, Matched] = {"evaluator": judges.by_evaluation(case), "engine": judges.by_engine(case)}
    gone = next((one for one in judges.asked(case) if one in refused), None)
    if gone is None and stored is not None:
        found["percolator"] = stored
    verdicts = {name: judges.holds(case, matched) for name, matched in found.items()}
    if gone is not None:
        return Result(case, Status.NOT_RUN, f"the cluster refused the rule {gone}: {refused[gone]}", verdicts)
    if len(set(map(tuple, found.values()))) > 1:
        told = ", ".join(f"{name}: {_said(case, verdicts[name])}" for name in verdicts)
        return Result(case, Status.DISAGREED, f"a defect of osdetect, please report it: {told}", verdicts)
    held = verdicts["evaluator"]
    if held is case.expected:
        return Result(case, Status.PASSED, "", verdicts)
    return Result(case, Status.FAILED, _why(case, judges, found["evaluator"]), verdicts)


def _said(case: Case, held: bool) -> str:
    verb = ("fires", "does not fire") if case.correlation else ("matches", "does not match")
    return verb[0] if held else verb[1]


def _why(case: Case, judges: Judges, matched: Matched) -> str:
    """Why a case failed, in words that name the tests which decided."""
    if case.correlation:
        took = sum(map(bool, matched))
        return f"it {_said(case, not case.expected)}; {took} of {len(matched)} records match its rules"
    tree = judges.rules[case.rule].tree
    if not case.expected:
        (record,) = case.records[:1]
        told = [f"{one.field} {one.test}" for one in evidence(tree, record) or ()]
        return f"it matches: {_listed(told, 'none of its tests keeps it from that')}"
    if len(case.records) > 1:
        count = sum(case.rule in one for one in matched)
        return f"{count} of {len(matched)} records match, not {case.least}"
    changes = nearest_miss(tree, case.records[0])
    if changes is None:
        return "it does not match: no record can match this rule"
    told = [
        f"{change.text} must {'' if change.must_hold else 'not '}hold"
        + (
            f" (the field is {', '.join(change.values[:3])[:120]})"
            if change.values
            else " (there is no such field)"
            if change.values is None
            else ""
        )
        for change in changes
    ]
    return f"it does not match: {_listed(told, '')}"


def _listed(told: Sequence[str], otherwise: str) -> str:
    shown = "; ".join(told[:_SHOWN]) or otherwise
    return f"{shown}; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else shown


def _tested(rules: RuleSet[Rule], results: Sequence[Result]) -> tuple[Tested, ...]:
    counts: dict[str, list[bool]] = {}
    for result in results:
        counts.setdefault(result.case.rule, []).append(result.status is Status.PASSED)
    every = [(rule.id, rule.title, rule.where.file) for rule in rules.rules] + [
        (one.correlation.id, one.correlation.title, one.correlation.where.file) for one in rules.correlations
    ]
    return tuple(
        Tested(rule, title, file, len(counts.get(rule, ())), sum(counts.get(rule, ())))
        for rule, title, file in every
    )
