"""The tests beside the project's own rules: the real percolator agrees, and they notice when a rule is changed."""

import pytest

from osdetect import resources
from osdetect.ruletest import Cases, cases_of, run, scores, total_score
from osdetect.sigma import Rule, RuleSet, read_rules
from tests.faults.material import connect

_FOLDER = resources.folder("rules") / "aws"
_LEAST_OF_ALL = 0.9
_LEAST_OF_ONE = 0.8


@pytest.fixture(scope="module")
def rules() -> RuleSet[Rule]:
    return read_rules([_FOLDER])


@pytest.fixture(scope="module")
def cases(rules: RuleSet[Rule]) -> Cases:
    return cases_of([_FOLDER], rules)


def test_each_rule_has_tests_that_are_bound_to_it(rules: RuleSet[Rule], cases: Cases) -> None:
    assert [str(refusal) for refusal in cases.refused] == []
    assert {case.rule for case in cases.cases} == {rule.id for rule in rules.rules}


def test_nearly_every_change_of_a_rule_is_noticed(rules: RuleSet[Rule], cases: Cases) -> None:
    scored = scores(rules.rules, cases.cases)
    assert len(scored) == len(rules.rules)
    total = total_score(scored)
    assert total is not None
    assert total >= _LEAST_OF_ALL
    assert [one.title for one in scored if (one.score or 0) < _LEAST_OF_ONE] == []


def test_evaluator_engine_and_percolator_agree_on_every_test(
    fresh_cluster: str, rules: RuleSet[Rule], cases: Cases
) -> None:
    with connect(fresh_cluster) as cluster:
        results = run(cases, rules, cluster)
    assert results.percolated
    assert [f"{one.case.title}: {one.case.why}: {one.status}" for one in results.bad] == []
    assert results.untested == ()
    assert len(results.results) >= 6 * len(rules.rules)
