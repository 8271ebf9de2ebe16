"""The tests beside the project's own rules: well formed, and true by the definition of meaning."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from osdetect import resources
from osdetect.expr import evaluate
from osdetect.sigma import Rule, read_rules
from osdetect.sigma.listing import beside_rule, list_files, list_tests
from osdetect.sigma.written_tests import TestsFile, WrittenTest, read_tests

_FOLDER = resources.folder("rules")
_FILES = list_tests([_FOLDER])[0]
_each_file = pytest.mark.parametrize("file", _FILES, ids=[file.name for file in _FILES])


@pytest.fixture(scope="module")
def rules() -> Mapping[Path, tuple[Rule, ...]]:
    """Our rules by their file."""
    files = list_files([_FOLDER])[0]
    read = read_rules([_FOLDER])
    assert read.refused == ()
    return {file: tuple(rule for rule in read.rules if rule.where.file == str(file)) for file in files}


def test_every_file_of_tests_stands_beside_a_rule(rules: Mapping[Path, tuple[Rule, ...]]) -> None:
    assert set(_FILES) <= {beside for file in rules for beside in beside_rule(file)}


@_each_file
def test_the_tests_are_well_formed_and_have_a_near_miss(file: Path) -> None:
    read: TestsFile = read_tests(file)
    assert [str(refusal) for refusal in read.refused] == []
    assert {test.expected for test in read.tests} == {True, False}
    assert all(len(test.why.split()) >= 3 for test in read.tests)


@_each_file
def test_the_rule_does_what_its_tests_say(file: Path, rules: Mapping[Path, tuple[Rule, ...]]) -> None:
    there = next(found for path, found in rules.items() if file in beside_rule(path))

    def wrong(test: WrittenTest) -> bool:
        meant = [rule for rule in there if test.rule in {"", rule.id}]
        return not meant or any(evaluate(rule.tree, test.records[0]) is not test.expected for rule in meant)

    assert [test.why for test in read_tests(file).tests if not test.sequence and wrong(test)] == []
