"""Files of tests for rules that have none: what would be written, and what cannot be made."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from osdetect.ruletest.cases import Case, file_of_tests
from osdetect.ruletest.generating import Made, make_tests
from osdetect.ruletest.scoring import Score, score
from osdetect.ruletest.writing import text_of_tests
from osdetect.sigma import Rule, RuleSet

Progress = Callable[[int, int], None]


class Draft(msgspec.Struct, frozen=True):
    """The tests for the rules of one file."""

    file: Path
    """Where they belong."""
    text: str
    """The file's text; empty where nothing is to be written."""
    tests: int
    scores: tuple[Score, ...]
    """What the made tests notice of each rule's mutants."""
    kept: bool
    """Whether there is a file of tests already, which stays as it is."""
    not_made: tuple[str, ...]
    """Titles of rules for which no record was found that they match, and of correlations, which need several."""


def drafts(
    rules: RuleSet[Rule], *, overwrite: bool, on_progress: Progress = lambda _done, _total: None
) -> tuple[Draft, ...]:
    """What there is to write beside the rule files.

    Args:
        rules: as read.
        overwrite: whether files of tests that are there are to be replaced.
        on_progress: told how many files are done, and of how many.
    """
    by_file: dict[str, list[Rule]] = {}
    for rule in rules.rules:
        by_file.setdefault(rule.where.file, []).append(rule)
    windows: dict[str, list[str]] = {}
    for one in rules.correlations:
        windows.setdefault(one.correlation.where.file, []).append(one.correlation.title)
    files = list(dict.fromkeys((*by_file, *windows)))
    found: list[Draft] = []
    for done, file in enumerate(files):
        on_progress(done, len(files))
        found.append(
            _draft(Path(file), by_file.get(file, []), tuple(windows.get(file, ())), overwrite=overwrite)
        )
    return tuple(found)


def _draft(rule_file: Path, rules: list[Rule], windows: tuple[str, ...], *, overwrite: bool) -> Draft:
    file = file_of_tests(rule_file)
    if file.exists() and not overwrite:
        return Draft(file, "", 0, (), kept=True, not_made=())
    made: list[Made] = []
    missing: list[str] = []
    for rule in rules:
        one = make_tests(rule)
        if one is None:
            missing.append(rule.title)
        else:
            made.append(one)
    return Draft(
        file,
        text_of_tests(made) if made else "",
        sum(len(one.tests) for one in made),
        tuple(score(one.rule, _cases(one)) for one in made),
        kept=False,
        not_made=(*missing, *windows),
    )


def _cases(made: Made) -> list[Case]:
    rule = made.rule
    return [
        Case(
            rule.id, rule.title, test.why, test.expected, (test.record,), correlation=False, where=rule.where
        )
        for test in made.tests
    ]
