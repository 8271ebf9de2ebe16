"""Recorded events in SigmaHQ's layout: `info.yml` names the rule, and the events stand beside it.

An event of Windows is its EVTX record as JSON. Sigma rules name its fields flat: every field of EventData by its name, of System
each element by its name, and what stands in an element's attributes as `Provider_Name`. A file `.raw` is a line of text as a
device sends it: an event with one field, `message`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from osdetect.errors import InputError, RuleError, Where
from osdetect.sigma.text_file import read_text
from osdetect.sigma.yaml_text import Document, documents

_ATTRIBUTES = "#attributes"
_SUFFIXES = (".json", ".raw")


class Regression(msgspec.Struct, frozen=True):
    """The events kept for a rule."""

    rule: str
    why: str
    events: tuple[Mapping[str, Any], ...]
    matches: int
    """How many of them match at least."""
    where: Where


def read_regressions(folder: Path) -> tuple[tuple[Regression, ...], tuple[RuleError, ...]]:
    """What every `info.yml` in the folder and its folders says, and those that cannot be read.

    Raises:
        InputError: there is none.
    """
    files = sorted(folder.rglob("info.yml"))
    if not files:
        raise InputError(
            f"there is no info.yml in {folder}",
            cure="name a folder in SigmaHQ's layout, such as regression_data",
        )
    found: list[Regression] = []
    refused: list[RuleError] = []
    for file in files:
        try:
            found += _read(file)
        except RuleError as refusal:
            refused.append(refusal)
    return tuple(found), tuple(refused)


def _read(file: Path) -> Iterator[Regression]:
    document = next(documents(read_text(file)), None)
    if isinstance(document, RuleError):
        raise document
    match document:
        case Document(data={"rule_metadata": [{"id": str(rule)}, *_], **rest}):
            yield from _tests(document, rule.lower(), rest.get("regression_tests_info"))
        case _:
            raise RuleError(
                "this names no rule", cure="write rule_metadata: [{id: ...}]", where=Where(str(file))
            )


def _tests(document: Document, rule: str, told: Any) -> Iterator[Regression]:
    file = Path(document.source.name)
    for number, test in enumerate(told if isinstance(told, list) and told else [{}]):
        at = ("regression_tests_info", number)
        if not isinstance(test, dict):
            raise document.error("a regression test is a map", at=at)
        count = test.get("match_count", 1)
        if not isinstance(count, int):
            raise document.error("match_count is a number", at=(*at, "match_count"))
        where = document.error("", at=at).where
        assert where is not None  # an error of a document has a place
        name = str(test.get("name") or "recorded event")
        yield Regression(rule, name, _events(document, at, file, test), count, where)


def _events(
    document: Document, at: tuple[str | int, ...], info: Path, test: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """The events of the file that the test names, by its name alone: paths lead from a root that is not known."""
    named = Path(str(test.get("path") or "")).stem
    beside = sorted(
        one for one in info.parent.iterdir() if one.suffix in _SUFFIXES and named in {"", one.stem}
    )
    if not beside:
        raise document.error(
            "there are no events beside this",
            at=at,
            cause=f"no {named or '*'}.json or .raw; binary EVTX is not read",
            cure="keep the record as JSON beside it",
        )
    text = read_text(beside[0]).text
    if beside[0].suffix == ".raw":
        return ({"message": text.rstrip("\n")},)
    try:
        return tuple(_flat(record) for record in _values(text))
    except (ValueError, RecursionError) as error:
        raise RuleError(
            "these events cannot be read", cause=str(error), where=Where(str(beside[0]))
        ) from error


def _values(text: str) -> Iterator[Any]:
    """JSON values one behind the other, or a list of them."""
    decoder, at = json.JSONDecoder(), 0
    while left := text[at:].lstrip():
        value, end = decoder.raw_decode(left)
        at = len(text) - len(left) + end
        yield from value if isinstance(value, list) else [value]


def _flat(record: Any) -> Mapping[str, Any]:
    """The fields of an EVTX record by the names that rules use; any other record as it is."""
    if not isinstance(record, dict):
        raise ValueError("an event is an object")  # noqa: TRY004  # told as what it is: text that says something else
    inside = record.get("Event")
    if not isinstance(inside, dict) or not isinstance(inside.get("System"), dict):
        return record
    event: dict[str, Any] = {}
    for name, value in inside["System"].items():
        if isinstance(value, dict):
            attributes = value.get(_ATTRIBUTES)
            event.update({f"{name}_{key}": one for key, one in (attributes or {}).items()})
        elif value is not None:
            event[name] = value
    data = inside.get("EventData")
    return {**event, **(data if isinstance(data, dict) else {})}
