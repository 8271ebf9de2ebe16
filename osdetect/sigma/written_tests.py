"""Tests of rules, as they are written beside them in `*.tests.yml` (docs/rule-tests.md)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from osdetect.errors import RuleError, Where
from osdetect.sigma.record_changes import NoSuchPlace, Record, changed, without
from osdetect.sigma.text_file import read_text

if TYPE_CHECKING:
    from osdetect.sigma.yaml_text import Document
    from osdetect.source import SourceText

Place: TypeAlias = tuple[str | int, ...]


class WrittenTest(msgspec.Struct, frozen=True):
    """One test: the records, and whether the rule must match."""

    why: str
    expected: bool
    """Whether the rule must match; a correlation, whether it must fire."""
    rule: str
    """The id of the rule that it is for; empty where it does not say: all of the file's, mostly one."""
    records: tuple[Mapping[str, Any], ...]
    """One record; of a correlation's test those of `events`."""
    sequence: bool
    """Whether it was written with `events`, as a correlation's test is."""
    where: Where
    layout: Literal["osdetect", "panther"] = "osdetect"


class TestsFile(msgspec.Struct, frozen=True):
    """What a file of tests holds."""

    __test__ = False  # nothing that pytest collects

    file: Path
    tests: tuple[WrittenTest, ...]
    refused: tuple[RuleError, ...]
    """Tests that are none; the others are run."""


_TOP = ("base", "must_match", "must_not_match")
_OF_A_RECORD = ("event", "change", "remove")
_OF_A_TEST = ("why", "rule", *_OF_A_RECORD, "events")


def read_tests(file: Path) -> TestsFile:
    """The tests in a file; what is wrong in it is refused with its place, and stops no other test."""
    try:
        return parsed_tests(file, read_text(file))
    except RuleError as refusal:
        return TestsFile(file, (), (refusal,))


def parsed_tests(file: Path, source: "SourceText") -> TestsFile:
    """The tests that a file's text holds."""
    from osdetect.sigma.yaml_text import documents  # noqa: PLC0415  # YAML takes a while to import

    read = _Reading()
    for number, one in enumerate(documents(source)):
        if isinstance(one, RuleError):
            read.refused.append(one)
        elif number:
            read.refused.append(one.error("a file of tests holds one document", cure="delete the line ---"))
        else:
            read.document(one)
    if not read.tests and not read.refused:
        read.refused.append(
            RuleError(
                "there is no test in this file", where=source.where(), cure="write must_match: [{why: ...}]"
            )
        )
    return TestsFile(file, tuple(read.tests), tuple(read.refused))


class _Reading:
    """What was read of a file so far."""

    def __init__(self) -> None:
        self.tests: list[WrittenTest] = []
        self.refused: list[RuleError] = []

    def document(self, document: "Document") -> None:
        data = document.data
        if not isinstance(data, dict):
            self.refused.append(document.error("tests are a map", cure=f"its keys are {', '.join(_TOP)}"))
            return
        if "Tests" in data:
            self._labelled(document, data["Tests"])
            return
        try:
            _only(document, (), data, _TOP)
            base = _record(document, ("base",), data["base"]) if "base" in data else None
        except RuleError as refusal:
            self.refused.append(refusal)
            return
        for key, expected in (("must_match", True), ("must_not_match", False)):
            for number, given in enumerate(self._list(document, key, data.get(key, []))):
                try:
                    self.tests.append(_test(document, (key, number), given, base, expected=expected))
                except RuleError as refusal:
                    self.refused.append(refusal)

    def _labelled(self, document: "Document", given: Any) -> None:
        """A list of labelled events as Panther's rules have it; the file's other keys are about its own rule."""
        for number, one in enumerate(self._list(document, "Tests", given)):
            try:
                self.tests.append(_labelled(document, ("Tests", number), one))
            except RuleError as refusal:
                self.refused.append(refusal)

    def _list(self, document: "Document", key: str, given: Any) -> list[Any]:
        if isinstance(given, list):
            return given
        self.refused.append(
            document.error(f"{key} is a list of tests", at=(key,), cause=f"this is {_kind(given)}")
        )
        return []


def _test(document: "Document", at: Place, given: Any, base: Record | None, *, expected: bool) -> WrittenTest:
    if not isinstance(given, dict):
        raise document.error(
            "a test is a map", at=at, cause=f"this is {_kind(given)}", cure="write - why: ..., change: {...}"
        )
    _only(document, at, given, _OF_A_TEST)
    why, rule = given.get("why"), given.get("rule", "")
    if not isinstance(why, str) or not why.strip():
        raise document.error(
            "a test says why",
            at=(*at, "why"),
            cause="whoever finds it broken must know what it is there for",
            cure="write why: and a sentence",
        )
    if not isinstance(rule, str):
        raise document.error(
            "rule is the id of a rule",
            at=(*at, "rule"),
            cause=f"this is {_kind(rule)}",
            cure="put it in quotes",
        )
    sequence = "events" in given
    records = _sequence(document, at, given, base) if sequence else (_made(document, at, given, base),)
    where = document.error("", at=at).where
    assert where is not None  # an error of a document has a place
    return WrittenTest(" ".join(why.split()), expected, rule.strip().lower(), records, sequence, where)


def _labelled(document: "Document", at: Place, given: Any) -> WrittenTest:
    match given:
        case {"Name": str(name), "ExpectedResult": bool(expected), "Log": dict(log)} if log:
            where = document.error("", at=at).where
            assert where is not None  # an error of a document has a place
            record = _record(document, (*at, "Log"), log)
            return WrittenTest(name, expected, "", (record,), sequence=False, where=where, layout="panther")
        case _:
            raise document.error(
                "a labelled event has Name, ExpectedResult and Log",
                at=at,
                cause="this lacks one of them, or has it in another form",
                cure="write ExpectedResult: true or false, and Log: with the record",
            )


def _sequence(
    document: "Document", at: Place, given: Mapping[str, Any], base: Record | None
) -> tuple[Record, ...]:
    both = next((key for key in _OF_A_RECORD if key in given), None)
    if both:
        raise document.error(
            f"a test has events or {both}, not both", at=(*at, both), cure="move it into the list of events"
        )
    events = given["events"]
    if not isinstance(events, list) or not events:
        raise document.error(
            "events is a list of records", at=(*at, "events"), cure="write - change: {...} for each record"
        )
    made: list[Record] = []
    for number, one in enumerate(events):
        here = (*at, "events", number)
        if not isinstance(one, dict):
            raise document.error("an event is a map", at=here, cure="write - change: {...} or - event: {...}")
        _only(document, here, one, _OF_A_RECORD)
        made.append(_made(document, here, one, base))
    return tuple(made)


def _made(document: "Document", at: Place, given: Mapping[str, Any], base: Record | None) -> Record:
    """The record of a test: a whole one, or the base with what is changed and removed."""
    if "event" in given:
        both = next((key for key in ("change", "remove") if key in given), None)
        if both:
            raise document.error(
                f"a test has event or {both}, not both",
                at=(*at, both),
                cause="event is a whole record; change and remove start from base",
                cure="say it in the event",
            )
        return _record(document, (*at, "event"), given["event"])
    if base is None:
        raise document.error(
            "there is no base to start from",
            at=at,
            cure="write base: and a whole record, or event: in the test",
        )
    change = _change(document, (*at, "change"), given.get("change", {}))
    remove = _remove(document, (*at, "remove"), given.get("remove", []))
    key = "remove"
    try:
        record = without(base, remove)
        key = "change"
        return changed(record, change)
    except NoSuchPlace as error:
        raise document.error(
            "this path does not lead to a place in base",
            at=(*at, key),
            cause=str(error),
            cure="name a path that base has, with its dots",
        ) from error


def _change(document: "Document", at: Place, given: Any) -> Record:
    if not isinstance(given, dict):
        raise document.error(
            "change is a map of paths to values",
            at=at,
            cause=f"this is {_kind(given)}",
            cure="write {path: value}",
        )
    return {path: _value(document, (*at, path), value) for path, value in given.items()}


def _remove(document: "Document", at: Place, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(path, str) and path for path in given):
        raise document.error(
            "remove is a list of paths", at=at, cure="write [errorCode, requestParameters.userName]"
        )
    return tuple(given)


def _record(document: "Document", at: Place, given: Any) -> Record:
    if not isinstance(given, dict) or not given:
        raise document.error(
            f"{at[-1]} is a whole record, a map",
            at=at,
            cause=f"this is {_kind(given)}",
            cure="write its fields",
        )
    return {key: _value(document, (*at, key), value) for key, value in given.items()}


def _value(document: "Document", at: Place, value: Any) -> Any:
    """The value as JSON has it. YAML reads a time without quotes as one; AWS writes it as text."""
    match value:
        case dict():
            return {key: _value(document, (*at, key), inner) for key, inner in value.items()}
        case list():
            return [_value(document, (*at, number), inner) for number, inner in enumerate(value)]
        case datetime():
            shown = value.astimezone(UTC) if value.tzinfo else value
            return shown.replace(tzinfo=None).isoformat() + "Z"
        case date():
            return value.isoformat()
        case None | str() | bool():
            return value
        case int() if -(2**63) <= value < 2**64:
            return value
        case float() if isfinite(value):
            return value
        case _:
            raise document.error(
                "this value cannot stand in a record",
                at=at,
                cause="JSON has no such value",
                cure="put it in quotes",
            )


def _only(document: "Document", at: Place, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    odd = next((key for key in given if key not in known), None)
    if odd is not None:
        near = get_close_matches(odd, known, n=1)
        raise document.error(
            f"the key {odd[:80]!r} is not known here",
            at=(*at, odd),
            cure=f"write {near[0]}" if near else f"the keys are {', '.join(known)}",
        )


_KINDS: Mapping[type, str] = {dict: "a map", list: "a list", str: "text", bool: "a truth value"}


def _kind(value: object) -> str:
    return "empty" if value is None else _KINDS.get(type(value), "a number")
