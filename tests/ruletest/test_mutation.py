"""Mutants, the tests made from a tree, and the score: each claim is checked by evaluation."""

from pathlib import Path

import pytest

from osdetect.expr import (
    All,
    AnyOf,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Wildcard,
    evaluate,
    render,
    simplify,
)
from osdetect.resources import folder
from osdetect.ruletest import cases_of
from osdetect.ruletest.generating import make_tests
from osdetect.ruletest.mutants import MAX_MUTANTS, mutants
from osdetect.ruletest.scoring import score, scores
from osdetect.ruletest.writing import HEADING, text_of_tests
from osdetect.sigma import ReadOptions, Rule, read_rules
from osdetect.sigma.written_tests import parsed_tests
from osdetect.source import SourceText
from tests.ruletest.material import RULE, osdetect, rule_with_tests

_A, _B = Leaf("a", Equals("x")), Leaf("b", Exists())


def _texts(tree: Expr[str]) -> set[str]:
    return {render(one.tree) for one in mutants(tree).mutants}


def test_the_mutants_of_a_small_rule_are_all_that_can_be_wrong_with_it() -> None:
    assert _texts(All((_A, Not(_B)))) == {
        'a is "x"',
        "not b exists",
        'a is "x" or not b exists',
        'not a is "x" and not b exists',
        'a like "*x*" and not b exists',
        'a is "x~" and not b exists',
        'a is "x" and b exists',
    }
    assert {one.kind for one in mutants(All((_A, Not(_B)))).mutants} == {
        "dropped", "filter dropped", "swapped", "negated", "widened", "value",
    }  # fmt: skip


def test_a_list_of_values_is_changed_as_one_but_each_value_can_be_missing() -> None:
    told = _texts(AnyOf(tuple(Leaf("a", Equals(value)) for value in "xyz")))
    assert 'a like "*x*" or a like "*y*" or a like "*z*"' in told
    assert 'a is "x" or a is "y"' in told
    assert 'a like "*x*" or a is "y" or a is "z"' not in told


def test_patterns_are_widened_and_narrowed() -> None:
    assert {'a is "x"', 'a like "*x*"'} <= _texts(Leaf("a", Wildcard(("x", Gap.ANY))))
    assert {'a like "x*"', 'a like "*x"'} <= _texts(Leaf("a", Wildcard((Gap.ANY, "x", Gap.ANY))))


def test_mutants_of_the_same_meaning_are_left_out_and_counted() -> None:
    made = mutants(All((_A, _A)))
    assert made.mutants == mutants(_A).mutants
    twice = mutants(AnyOf((All((_A, _B)), All((_B, _A)))))
    assert twice.same > 0
    for one in twice.mutants:
        assert simplify(one.tree) == one.tree


def test_a_list_of_thousands_of_values_has_a_bound() -> None:
    made = mutants(AnyOf(tuple(Leaf("a", Equals(str(value))) for value in range(1_500))))
    assert (len(made.mutants), made.more > 900) == (MAX_MUTANTS, True)


def _own(part: str) -> tuple[Rule, ...]:
    return read_rules([folder("rules") / "aws" / part]).rules


@pytest.mark.parametrize("part", ["appsync", "kms"])
def test_made_tests_read_back_pass_and_notice_every_mutant_that_can_be_noticed(part: str) -> None:
    for rule in _own(part):
        made = make_tests(rule)
        assert made is not None, rule.title
        text = text_of_tests([made])
        assert text.startswith(HEADING)
        read = parsed_tests(Path("x"), SourceText("x", text))
        assert read.refused == ()
        assert [test.records[0] for test in read.tests if test.expected] == [
            test.record for test in made.tests if test.expected
        ]
        assert {test.expected for test in read.tests} == {True, False}
        for test in read.tests:
            assert evaluate(rule.tree, test.records[0]) is test.expected, test.why
        can_be_noticed = {one.mutant.text for one in score(rule, []).survivors}
        for mutant in mutants(rule.tree).mutants:
            noticed = any(evaluate(mutant.tree, test.records[0]) is not test.expected for test in read.tests)
            assert noticed or mutant.text not in can_be_noticed, mutant.text


def test_a_survivor_names_a_record_that_would_notice_it() -> None:
    (rule, *_) = _own("kms")
    told = score(rule, [])
    assert told.killed == 0
    assert told.score == 0
    for one in told.survivors:
        assert evaluate(rule.tree, one.record) is one.expected
        assert evaluate(one.mutant.tree, one.record) is not one.expected


_ODD = """
title: Odd
id: 8d0f3c52-6a0e-4a4b-9a55-0c1f6f1f7a31
logsource: {product: aws, service: cloudtrail}
detection:
  texts:
    requestParameters.policy|contains|all: ['"Effect":"Allow"', '"Action":"*"']
    userAgent|re: '^(curl|python-requests)/[0-9]+\\.'
    sourceIPAddress|cidr: [203.0.113.0/24, '2001:db8::/32']
    additionalEventData.count|gte: 5
    eventTime|hour: 3
  one:
    errorCode: null
    requestParameters.name|fieldref: userIdentity.userName
  two:
    errorCode|exists: true
    responseElements.flag: true
  condition: texts and 1 of (one, two)
""".replace("1 of (one, two)", "(one or two)")


def test_every_kind_of_test_gets_records(tmp_path: Path) -> None:
    (tmp_path / "odd.yml").write_text(_ODD)
    read = read_rules([tmp_path])
    assert [str(one) for one in read.refused] == []
    (rule,) = read.rules
    made = make_tests(rule)
    assert made is not None
    assert sum(test.expected for test in made.tests) >= 2
    assert all(evaluate(rule.tree, test.record) is test.expected for test in made.tests)


def test_a_rule_that_can_never_match_gets_none(tmp_path: Path) -> None:
    never = RULE.replace("selection and not own", "selection and not selection")
    rule_with_tests(tmp_path, "", never)
    done = osdetect("test", "--generate", tmp_path)
    assert done.code == 1
    assert "not made: Key made for another" in done.out


def test_generated_files_run_and_hand_written_ones_stay(tmp_path: Path) -> None:
    rule_with_tests(tmp_path, "")
    assert osdetect("test", "--generate", tmp_path).code == 0
    file = tmp_path / "key.tests.yml"
    made = file.read_text()
    done = osdetect("test", "--fast", tmp_path, "--min-score", "0.99")
    assert done.code == 0, done.out + done.err
    file.write_text(made.replace(HEADING, "# by hand"))
    assert "1 files of tests were there" in osdetect("test", "--generate", tmp_path).out
    assert file.read_text().startswith("# by hand")
    assert osdetect("test", "--generate", "--overwrite", tmp_path).code == 0
    assert file.read_text() == made
    assert osdetect("test", "--overwrite", tmp_path).code == 2


def test_several_rules_of_a_file_share_a_file_of_tests(tmp_path: Path) -> None:
    text = RULE.format(id="8d0f3c52-6a0e-4a4b-9a55-0c1f6f1f7a41")
    other = text.replace("7a41", "7a42").replace("CreateAccessKey", "DeleteUser")
    (tmp_path / "two.yml").write_text(f"{text}\n---\n{other}")
    assert osdetect("test", "--generate", tmp_path).code == 0
    rules = read_rules([tmp_path], ReadOptions())
    told = scores(rules.rules, cases_of([tmp_path], rules).cases)
    assert [one.score for one in told] == [1.0, 1.0]
