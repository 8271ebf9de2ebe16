"""What the Sigma specification 2.1 says of a document's keys, as tables (its JSON schemas, all in the public domain).

Keys that the specification does not name are allowed: they are custom attributes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from uuid import UUID

import msgspec

from osdetect.check.findings import Finding, Subject
from osdetect.check.items import NO_SELECTIONS
from osdetect.sigma.yaml_text import Path


class Text(msgspec.Struct, frozen=True):
    """A text, at most so long; one of the words if there are any; in the form of one of `_FORMS`."""

    longest: int = 0
    words: tuple[str, ...] = ()
    form: str = ""
    shortest: int = 0


class Listed(msgspec.Struct, frozen=True):
    """A list of such items."""

    item: "Text | Keys"
    unique: bool = True


class Keys(msgspec.Struct, frozen=True):
    """A map with these keys; others are not looked at."""

    keys: Mapping[str, "Text | Listed | Keys"]
    required: tuple[str, ...] = ()


_DATE = Text(form="date")
_ID = Text(form="uuid")
_SHARED: Mapping[str, Text | Listed | Keys] = {
    "title": Text(longest=256),
    "id": _ID,
    "name": Text(longest=256),
    "taxonomy": Text(longest=256),
    "description": Text(longest=65535),
    "author": Text(),
    "date": _DATE,
    "modified": _DATE,
    "logsource": Keys({name: Text() for name in ("category", "product", "service", "definition")}),
}
_RULE: Mapping[str, Text | Listed | Keys] = {
    **_SHARED,
    "related": Listed(
        Keys(
            {"id": _ID, "type": Text(words=("derived", "obsolete", "merged", "renamed", "similar"))},
            required=("id", "type"),
        ),
        unique=False,
    ),
    "status": Text(words=("stable", "test", "experimental", "deprecated", "unsupported")),
    "license": Text(),
    "references": Listed(Text()),
    "fields": Listed(Text()),
    "falsepositives": Listed(Text(shortest=2)),
    "level": Text(words=("informational", "low", "medium", "high", "critical")),
    "tags": Listed(Text(form="tag")),
    "scope": Listed(Text(shortest=2), unique=False),
    "detection": Keys({}, required=("condition",)),
}
DOCUMENTS: Mapping[str, Keys] = {
    "rule": Keys(_RULE, required=("title", "logsource", "detection")),
    "correlation": Keys(
        {**_RULE, "correlation": Keys({}, required=("type", "rules"))}, required=("title", "correlation")
    ),
    "filter": Keys(
        {**_SHARED, "filter": Keys({}, required=("rules", "condition"))},
        required=("title", "logsource", "filter"),
    ),
}
"""What each kind of document holds."""


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


_FORMS: Mapping[str, tuple[Callable[[str], object], str, str, str]] = {
    "date": (
        re.compile(r"\d{4}-(0[1-9]|1[012])-(0[1-9]|[12]\d|3[01])", re.ASCII).fullmatch,
        "OSD104",
        "this date is not written YYYY-MM-DD",
        "write it as ISO 8601 has it, for example 2024-05-01",
    ),
    "uuid": (
        _is_uuid,
        "OSD108",
        "this id is not a UUID",
        'write a new one: python -c "import uuid; print(uuid.uuid4())"',
    ),
    "tag": (
        re.compile(r"[a-z0-9_-]+\.[a-z0-9._-]+").fullmatch,
        "OSD107",
        "this tag is not written namespace.name in lower case",
        "write it like attack.t1098.001 or cve.2024-12345",
    ),
}
"""A form's test, the code of a text without it, what is the matter, and the cure."""


def specification(subject: Subject) -> Iterator[Finding]:
    """Where the document differs from the specification."""
    if not isinstance(subject.document.data, dict):
        return  # refused by the reader
    yield from _keys(subject, DOCUMENTS[subject.kind], subject.data, ())
    yield from _selections(subject)


def _value(subject: Subject, rule: Text | Listed | Keys, value: object, at: Path) -> Iterator[Finding]:
    match rule:
        case Text():
            yield from _text(subject, rule, value, at)
        case Listed():
            yield from _list(subject, rule, value, at)
        case Keys():
            yield from _keys(subject, rule, value, at)


def _kind(value: object) -> str:
    names = {dict: "a map", list: "a list", str: "text", bool: "a truth value", type(None): "empty"}
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else type(value).__name__)


def _wrong_kind(subject: Subject, at: Path, wanted: str, value: object, cure: str = "") -> Finding:
    named = next((part for part in reversed(at) if isinstance(part, str)), "document")
    name = f"an item of {named}" if at and isinstance(at[-1], int) else named
    if value is None:
        return subject.finding(
            "OSD111", f"{name} is empty", at=at, cause=f"it must be {wanted}", cure="leave it out"
        )
    return subject.finding(
        "OSD102", f"{name} must be {wanted}", at=at, cause=f"it is {_kind(value)}", cure=cure
    )


def _keys(subject: Subject, rule: Keys, value: object, at: Path) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _wrong_kind(subject, at, "a map of keys to values", value)
        return
    for name in rule.required:
        if name not in value:
            whole = at[-1] if at else "document"
            yield subject.finding("OSD101", f"this {whole} needs {name}", at=at, cure=f"add {name}:")
    for name, inner in rule.keys.items():
        if name in value:
            yield from _value(subject, inner, value[name], (*at, name))


def _list(subject: Subject, rule: Listed, value: object, at: Path) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield _wrong_kind(subject, at, "a list", value, "put a dash before it: a list of one item")
        return
    seen: dict[str, int] = {}
    for i, item in enumerate(value):
        yield from _value(subject, rule.item, item, (*at, i))
        first = seen.setdefault(repr(item), i)
        if rule.unique and first != i:
            yield subject.finding(
                "OSD106",
                f"{at[-1]} has this item twice",
                at=(*at, i),
                cause=f"it is also item {first + 1}",
                cure="leave one out",
            )


def _text(subject: Subject, rule: Text, value: object, at: Path) -> Iterator[Finding]:
    if rule.form == "date" and isinstance(value, (date, datetime)):
        return  # YAML reads 2024-05-01 as a date
    if not isinstance(value, str):
        yield _wrong_kind(subject, at, "text", value, "write it in quotes")
        return
    if rule.words and value not in rule.words:
        yield subject.finding(
            "OSD103",
            f"{at[-1]} cannot be {value[:60]!r}",
            at=at,
            cause=f"it is one of {', '.join(rule.words)}",
        )
    if rule.longest and len(value) > rule.longest:
        yield subject.finding(
            "OSD105",
            f"{at[-1]} is longer than {rule.longest:,} characters",
            at=at,
            cause=f"it has {len(value):,}",
            cure="shorten it; what is left out may go into the description",
        )
    if len(value) < rule.shortest:
        yield subject.finding(
            "OSD109", "this item is shorter than two characters", at=at, cure="write a word, or leave it out"
        )
    if rule.form:
        fits, code, what, cure = _FORMS[rule.form]
        if not fits(value):
            yield subject.finding(code, what, at=at, cause=f"it is {value[:60]!r}", cure=cure)


def _selections(subject: Subject) -> Iterator[Finding]:
    detection = subject.data.get("detection")
    if not isinstance(detection, dict):
        return
    for name, selection in detection.items():
        if name not in NO_SELECTIONS and not isinstance(selection, (dict, list)):
            yield subject.finding(
                "OSD110",
                f"the selection {name[:60]!r} must be a map of fields, or a list",
                at=("detection", name),
                cause=f"it is {_kind(selection)}",
                cure="name a field and a value in it",
            )
