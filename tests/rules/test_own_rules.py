"""The project's own rules as files: strict Sigma, complete, in our own words, and spread over the tactics."""

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from sigma.collection import SigmaCollection  # the rules must be valid to pySigma itself, not just to us

from osdetect import resources
from osdetect.schema.attack import technique
from osdetect.sigma.listing import list_files

_FOLDER = resources.folder("rules") / "aws"
_FILES = list_files([_FOLDER])[0]
_PRESCRIBED = {
    "1497f3a3-7898-484e-b1e8-22fe99efd8a4": ("attempt_to_create_api_key", "2025-05-31", "medium"),
    "3b07ff19-d7b8-44ba-afa5-d2d6fb8cb22f": ("api_key_created", "2025-04-23", "high"),
}
_TACTICS = frozenset({
    "reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation",
    "stealth", "defense-impairment", "defense-evasion", "credential-access",
    "discovery", "lateral-movement", "collection", "exfiltration", "command-and-control", "impact",
})  # fmt: skip
_SPECIFICATION = "data/spec/sigma-specification/json-schema/sigma-detection-rule-schema.json"


class _TextDates(yaml.SafeLoader):
    """YAML as JSON has it, where a date is a text; the JSON schema knows no dates."""


_TextDates.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read(path: Path) -> dict[str, Any]:
    loaded = yaml.load(path.read_text(), _TextDates)  # noqa: TID251  (our own files; a subclass of the safe loader)
    assert isinstance(loaded, dict)
    return loaded


_RULES = {path: _read(path) for path in _FILES}
_each_rule = pytest.mark.parametrize(("path", "rule"), _RULES.items(), ids=[path.stem for path in _FILES])


def test_there_are_enough_rules() -> None:
    assert len(_FILES) >= 155


@_each_rule
def test_pysigma_reads_the_rule_strictly(path: Path, rule: dict[str, Any]) -> None:
    collection = SigmaCollection.from_yaml(path.read_text())
    (read,) = collection.rules
    assert not collection.errors
    assert read.title == rule["title"]


def test_every_rule_obeys_the_json_schema_of_the_specification(shared: Path) -> None:
    schema = json.loads((shared / _SPECIFICATION).read_text())
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    found = [
        f"{path.name}: {error.message}"
        for path, rule in _RULES.items()
        for error in validator.iter_errors(rule)
    ]
    assert found == []


@_each_rule
def test_the_file_has_the_name_of_the_rule(path: Path, rule: dict[str, Any]) -> None:
    assert path.stem == re.sub(r"[^a-z0-9]+", "_", rule["title"].lower()).strip("_")


@_each_rule
def test_the_rule_says_all_that_a_reader_needs(path: Path, rule: dict[str, Any]) -> None:
    assert path.parent.parent == _FOLDER, "rules/aws/<service>/<name>.yml"
    assert uuid.UUID(rule["id"]).version == 4
    assert rule["status"] in {"test", "experimental"}
    assert len(rule["description"]) >= 60
    assert rule["author"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", rule["date"])
    assert rule["level"] in {"low", "medium", "high", "critical"}
    assert rule["logsource"] == {"product": "aws", "service": "cloudtrail"}
    assert rule["falsepositives"]
    assert rule["references"]
    assert all(url.startswith("https://") for url in rule["references"])


@_each_rule
def test_the_rule_asks_for_calls_by_name(path: Path, rule: dict[str, Any]) -> None:
    """A rule with a name of a call costs the percolator next to nothing, and its subject is plain."""
    assert "eventName" in json.dumps(rule["detection"]), path.name


def test_the_tags_are_tactics_and_techniques_of_attack(shared: Path) -> None:
    attack = json.loads((shared / "data/attack.json").read_text())
    known = attack["techniques"].keys() | attack["legacy"]["techniques"].keys()
    for path, rule in _RULES.items():
        words = [tag.removeprefix("attack.") for tag in rule["tags"]]
        assert all(tag.startswith("attack.") for tag in rule["tags"])
        assert set(words) & _TACTICS, f"{path.name} names no tactic"
        assert [word for word in words if word not in _TACTICS and word.upper() not in known] == []


@_each_rule
def test_each_technique_stands_under_a_tactic_of_the_rule(path: Path, rule: dict[str, Any]) -> None:
    words = [tag.removeprefix("attack.") for tag in rule["tags"]]
    if rule["id"] in _PRESCRIBED:
        return  # their tags are given; that tactic has ended
    techniques = [found for word in words if (found := technique(word.upper()))]
    assert len(techniques) == len([word for word in words if word not in _TACTICS])
    for one in techniques:
        assert not one.successor, f"{one.id} was replaced"
        assert set(one.tactics) & set(words), f"{path.name}: no tactic of {one.id}"
    served = {tactic for one in techniques for tactic in one.tactics}
    assert set(words) & _TACTICS <= served, f"{path.name}: a tactic without a technique"


def test_ids_and_titles_are_unique() -> None:
    for key in ("id", "title"):
        twice = [
            value for value, times in Counter(rule[key] for rule in _RULES.values()).items() if times > 1
        ]
        assert not twice


def test_the_rules_spread_over_every_tactic_that_cloudtrail_sees() -> None:
    tactics = Counter(
        tag.removeprefix("attack.")
        for rule in _RULES.values()
        for tag in rule["tags"]
        if tag.removeprefix("attack.") in _TACTICS
    )
    assert len([tactic for tactic, times in tactics.items() if times >= 3]) >= 13
    assert tactics.keys() >= _TACTICS - {"defense-evasion"}


def test_the_two_prescribed_rules_are_as_prescribed() -> None:
    by_id = {rule["id"]: (path, rule) for path, rule in _RULES.items()}
    for rule_id, (stem, modified, level) in _PRESCRIBED.items():
        path, rule = by_id[rule_id]
        assert path.stem == stem
        assert rule["status"] == "test"
        assert rule["author"] == "Zach Mathis (@yamatosecurity)"
        assert (rule["date"], rule["modified"], rule["level"]) == ("2025-04-23", modified, level)
        assert rule["tags"] == ["attack.defense-evasion", "attack.persistence", "attack.t1098.001"]
        assert rule["references"] == [
            "https://medium.com/@adan.alvarez/distorting-the-sync-how-aws-appsync-can-be-turned-into-an-attackers-backdoor-8c015b8e52b8",
            "https://traildiscover.cloud/#AppSync-CreateApiKey",
        ]
    attempt = by_id["1497f3a3-7898-484e-b1e8-22fe99efd8a4"][1]["detection"]
    assert attempt == {
        "selection": {"eventName": "CreateApiKey", "errorCode": "AccessDenied"},
        "condition": "selection",
    }


def _public_rules(shared: Path) -> Iterator[str]:
    for path in (shared / "data/rules").rglob("*.y*ml"):
        text = path.read_text(errors="replace")
        if "cloudtrail" in text:
            yield text


def _sentences(description: str) -> set[str]:
    parts = re.split(r"(?<=[.;:])\s+|\n", " ".join(description.split()))
    return {part.strip().lower() for part in parts if len(part) > 30}


def test_no_rule_repeats_the_words_of_a_public_rule(shared: Path) -> None:
    public = list(_public_rules(shared))
    assert len(public) > 500
    texts = [" ".join(text.split()).lower() for text in public]
    ids = {found for text in public for found in re.findall(r"(?m)^id:\s*['\"]?([0-9a-f-]{36})", text)}
    titles = {found.strip().lower() for text in public for found in re.findall(r"(?m)^title:\s*(.+)$", text)}
    for path, rule in _RULES.items():
        repeated = [one for one in _sentences(rule["description"]) if any(one in text for text in texts)]
        assert not repeated, path.name
        if rule["id"] not in _PRESCRIBED:
            assert rule["id"] not in ids, path.name
            assert rule["title"].lower() not in titles, path.name
