"""The project's own rules judged on records: their own examples, and the scenario."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from osdetect import resources
from osdetect.expr import evaluate
from osdetect.scenario import STORY, ScenarioSummary, generate, iter_records
from osdetect.sigma import Rule, read_rules
from osdetect.sigma.listing import list_files

_FOLDER = resources.folder("rules") / "aws"
_EVENTS = Path(__file__).parent / "events"
_STEMS = tuple(sorted(path.stem for path in list_files([_FOLDER])[0]))
_LEAST = {"match", "no_match"}


@pytest.fixture(scope="module")
def rules() -> Mapping[str, Rule]:
    """Our rules by the name of their file."""
    read = read_rules([_FOLDER])
    assert not read.refused, "every rule of ours must be loadable"
    return {Path(rule.where.file).stem: rule for rule in read.rules}


def _examples(stem: str) -> dict[str, list[dict[str, Any]]]:
    examples = json.loads((_EVENTS / f"{stem}.json").read_text())
    assert isinstance(examples, dict)
    return examples


def test_every_rule_is_read(rules: Mapping[str, Rule]) -> None:
    assert sorted(rules) == list(_STEMS)


def test_every_rule_has_examples_and_every_example_a_rule() -> None:
    assert sorted(path.stem for path in _EVENTS.glob("*.json")) == list(_STEMS)


@pytest.mark.parametrize("stem", _STEMS)
def test_the_rule_tells_its_match_from_its_near_misses(stem: str, rules: Mapping[str, Rule]) -> None:
    examples = _examples(stem)
    assert examples.keys() == _LEAST
    assert examples["match"]
    assert examples["no_match"]
    tree = rules[stem].tree
    assert [evaluate(tree, event) for event in examples["match"]] == [True] * len(examples["match"])
    assert [evaluate(tree, event) for event in examples["no_match"]] == [False] * len(examples["no_match"])


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
