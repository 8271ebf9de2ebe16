"""Tests led to the rules that they are for: a file of tests says what the rules of the file beside it must do."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from osdetect.errors import RuleError, Where
from osdetect.sigma import Rule, RuleSet
from osdetect.sigma.listing import TESTS_SUFFIXES, beside_rule, list_tests
from osdetect.sigma.regression import read_regressions
from osdetect.sigma.written_tests import WrittenTest, read_tests

Origin = Literal["osdetect", "sigmahq", "panther"]
"""The layout that a test was written in."""


class Case(msgspec.Struct, frozen=True):
    """One test of one rule."""

    rule: str
    """The id of the rule or correlation."""
    title: str
    why: str
    expected: bool
    records: tuple[Mapping[str, Any], ...]
    correlation: bool
    where: Where
    origin: Origin = "osdetect"
    least: int = 1
    """How many of the records must match, if one must: a recorded event may stand among others."""


class Cases(msgspec.Struct, frozen=True):
    """What the files of tests came to."""

    cases: tuple[Case, ...]
    refused: tuple[RuleError, ...]
    """Tests that are none, or are for no rule that can be used."""
    files: int


class _Target(msgspec.Struct, frozen=True):
    """A rule or a correlation that a test can be for."""

    id: str
    title: str
    correlation: bool


def rule_paths(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths with the rule's file in the place of a file of tests."""
    return tuple(dict.fromkeys(_rule_file(path) or path for path in paths))


def _rule_file(path: Path) -> Path | None:
    """The rule file that a file of tests stands beside; None if it is no such file, or stands alone."""
    suffix = next((one for one in TESTS_SUFFIXES if path.name.endswith(one)), None)
    if suffix is None:
        return None
    stem = path.name.removesuffix(suffix)
    return next(
        (one for one in (path.with_name(f"{stem}{end}") for end in (".yml", ".yaml")) if one.is_file()), None
    )


def cases_of(paths: Sequence[Path], rules: RuleSet[Rule]) -> Cases:
    """The tests beside the rule files that the paths name.

    Args:
        paths: rule files and folders, and files of tests.
        rules: what `read_rules` made of them (`rule_paths`).

    Raises:
        InputError: a path does not exist.
    """
    files, unreadable = list_tests(paths)
    targets = targets_of(rules)
    cases: list[Case] = []
    refused: list[RuleError] = list(unreadable)
    for file in files:
        read = read_tests(file)
        refused += read.refused
        beside = _beside(file, targets)
        if not beside:
            refused.append(_alone(file))
            continue
        for test in read.tests:
            try:
                cases += _bound(test, beside)
            except RuleError as refusal:
                refused.append(refusal)
    return Cases(tuple(cases), tuple(refused), len(files))


def recorded_cases(folders: Iterable[Path], rules: RuleSet[Rule]) -> Cases:
    """Recorded events in SigmaHQ's layout, for the rules whose ids they name; those of other rules are passed over.

    Raises:
        InputError: a folder holds none.
    """
    known = {rule.id: rule for rule in rules.rules}
    cases: list[Case] = []
    refused: list[RuleError] = []
    files = 0
    for folder in folders:
        found, bad = read_regressions(folder)
        refused += bad
        files += len(found) + len(bad)
        cases += [
            Case(
                one.rule,
                known[one.rule].title,
                one.why,
                expected=True,
                records=one.events,
                correlation=False,
                where=one.where,
                origin="sigmahq",
                least=max(one.matches, 1),
            )
            for one in found
            if one.rule in known
        ]
    return Cases(tuple(cases), tuple(refused), files)


def targets_of(rules: RuleSet[Rule]) -> dict[str, list[_Target]]:
    """What a test can be for, by the file that it stands in."""
    found: dict[str, list[_Target]] = {}
    for rule in rules.rules:
        found.setdefault(rule.where.file, []).append(_Target(rule.id, rule.title, correlation=False))
    for one in rules.correlations:
        told = one.correlation
        found.setdefault(told.where.file, []).append(_Target(told.id, told.title, correlation=True))
    return found


def _beside(file: Path, targets: Mapping[str, list[_Target]]) -> list[_Target]:
    rule_file = _rule_file(file)
    return targets.get(str(rule_file), []) if rule_file else []


def _alone(file: Path) -> RuleError:
    rule_file = _rule_file(file)
    if rule_file is None:
        return RuleError(
            "these tests stand beside no rule",
            cause=f"there is no {file.name.replace('.tests.', '.')} beside them",
            cure="call the file as the rule's file is called, with .tests before .yml",
            where=Where(str(file)),
        )
    return RuleError(
        "these tests cannot be run",
        cause=f"no rule of {rule_file.name} can be used",
        cure="osdetect check tells what is wrong with the rule",
        where=Where(str(file)),
    )


def _bound(test: WrittenTest, beside: Sequence[_Target]) -> list[Case]:
    """The test for each rule that it means.

    Raises:
        RuleError: it means none, or one that it does not fit.
    """
    named = [one for one in beside if test.rule in {"", one.id}]
    if not named:
        raise RuleError(
            f"no rule beside this test has the id {test.rule[:80]}",
            cause="a test is for the rules of the file beside it",
            cure=f"its ids are {', '.join(one.id for one in beside[:5])}",
            where=test.where,
        )
    meant = [one for one in named if one.correlation is test.sequence]
    if not meant:
        raise RuleError(
            "a correlation is tested by events" if named[0].correlation else "a rule is tested by one record",
            cause="it looks at several records together"
            if named[0].correlation
            else "it looks at one record",
            cure="write events: [...]"
            if named[0].correlation
            else "write change: or event: instead of events:",
            where=test.where,
        )
    return [
        Case(
            one.id, one.title, test.why, test.expected, test.records, one.correlation, test.where, test.layout
        )
        for one in meant
    ]


def file_of_tests(rule_file: Path) -> Path:
    """Where the tests of a rule file's rules are, or would be."""
    return next((one for one in beside_rule(rule_file) if one.is_file()), beside_rule(rule_file)[0])
