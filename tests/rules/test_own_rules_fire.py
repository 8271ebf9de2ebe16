"""The project's own rules judged on records: the scenario, and a scan of it and of the visible real records."""

import io
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from osdetect import resources
from osdetect.compiler.ruleset import compile_files
from osdetect.expr import evaluate
from osdetect.scan import ScanOptions, ScanRule, Workers, find_files, scan
from osdetect.scenario import STORY, ScenarioSummary, generate, iter_records
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import Rule, read_rules
from osdetect.sigma.listing import beside_rule, list_files
from tests.scan.material import NOW

_FOLDER = resources.folder("rules") / "aws"
_FILES = list_files([_FOLDER])[0]
_LEAST_SHARE = 0.9
"""How many of the rules must fire on a record of the scenario, or on a real one."""


@pytest.fixture(scope="module")
def rules() -> Mapping[str, Rule]:
    """Our rules by the name of their file."""
    read = read_rules([_FOLDER])
    assert not read.refused, "every rule of ours must be loadable"
    return {Path(rule.where.file).stem: rule for rule in read.rules}


def test_every_rule_is_read(rules: Mapping[str, Rule]) -> None:
    assert sorted(rules) == sorted(file.stem for file in _FILES)


def test_every_rule_has_its_tests_beside_it() -> None:
    assert [file.name for file in _FILES if not any(one.is_file() for one in beside_rule(file))] == []


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> ScenarioSummary:
    return generate(tmp_path_factory.mktemp("scenario"), seed=1, background=100)


def test_every_step_of_the_story_makes_its_rule_fire(
    rules: Mapping[str, Rule], summary: ScenarioSummary
) -> None:
    expected = dict(summary.expected)
    story = {
        expected[str(event["eventID"])]: event
        for event in iter_records(seed=1, background_count=100)
        if event["eventID"] in expected
    }
    missed = [step.title for step in STORY if not evaluate(rules[step.rule].tree, story[step.title])]
    assert not missed


@pytest.mark.parametrize("seed", [1, 2])
def test_the_background_makes_no_rule_fire(seed: int, rules: Mapping[str, Rule]) -> None:
    fired = [
        (stem, event["eventName"])
        for event in iter_records(seed=seed, background_count=1500, story=False)
        for stem, rule in rules.items()
        if evaluate(rule.tree, event)
    ]
    assert not fired


def _firing(folders: list[Path], scratch: Path) -> set[str]:
    """The ids of our rules that make an alert when `osdetect scan` judges what is in the folders."""
    compiled = compile_files([_FOLDER], fields=EventFields.shipped())
    by_number = [ScanRule.of(rule.id, rule.document) for rule in compiled.rules]
    assert len(by_number) == len(_FILES)
    files = find_files(folders, scratch, io.BytesIO())
    with Workers(1) as workers:
        found = scan(
            files,
            by_number,
            ScanOptions(documents=True),
            workers=workers,
            folder=scratch,
            run_id="r",
            now=NOW,
        )
        return {orjson.loads(alert)["rule"]["id"] for alert in found.documents()}


def test_nearly_all_rules_fire_on_the_scenario_or_on_real_records(
    rules: Mapping[str, Rule], summary: ScenarioSummary, shared: Path, tmp_path: Path
) -> None:
    fired = _firing([summary.folder, shared / "data/cloudtrail"], tmp_path)
    quiet = sorted(stem for stem, rule in rules.items() if rule.id not in fired)
    assert len(quiet) <= (1 - _LEAST_SHARE) * len(rules), f"these fire nowhere: {', '.join(quiet)}"
