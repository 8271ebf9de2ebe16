"""How a detection is put together: selections nobody uses, values twice, habits that have a better form."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from osdetect.check.findings import Finding, Subject
from osdetect.check.items import NO_SELECTIONS, Item
from osdetect.expr.values import fold_case

_WORD = re.compile(r"[^\s()]+")
_GRAMMAR = frozenset({"and", "or", "not", "of", "all", "any", "them"})
_LONGEST = 8_000
"""Characters of a condition; longer ones are refused by the reader."""
_EXACT_CASE = frozenset({"cased", "re", "base64", "base64offset"})


def unused_selections(subject: Subject) -> Iterator[Finding]:
    """Selections that no condition names."""
    part = "filter" if subject.kind == "filter" else "detection"
    detection = subject.data.get(part)
    if not isinstance(detection, dict):
        return
    given = detection.get("condition")
    conditions = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
    if not conditions or any("|" in one or len(one) > _LONGEST for one in conditions):
        return
    used = _used(detection, conditions)
    for name, selection in detection.items():
        if name not in NO_SELECTIONS and name not in used and isinstance(selection, (dict, list)):
            yield subject.finding(
                "OSD303",
                f"the condition does not use the selection {name[:60]!r}",
                at=(part, name),
                cause="so it has no effect",
                cure="name it in the condition, or leave it out",
            )


def _used(detection: Mapping[str, object], conditions: list[str]) -> set[str]:
    names = [name for name in detection if name not in NO_SELECTIONS]
    used: set[str] = set()
    for word in (word for one in conditions for word in _WORD.findall(one)):
        if word in names:
            used.add(word)
        elif word.lower() == "them":
            used.update(name for name in names if not name.startswith("_"))
        elif word.lower() not in _GRAMMAR and "*" in word:
            pattern = re.sub(r"\*+", "*", word).replace("[", "[[]").replace("?", "[?]")
            used.update(name for name in names if len(pattern) < 200 and fnmatchcase(name, pattern))
    return used


def repeated_values(subject: Subject) -> Iterator[Finding]:
    """Values that stand twice in one list."""
    for item in subject.items:
        as_written = bool(_EXACT_CASE.intersection(item.modifiers))
        seen: dict[object, int] = {}
        for i, (path, value) in enumerate(item.values):
            key = repr(value) if as_written or not isinstance(value, str) else fold_case(value)
            if (first := seen.setdefault(key, i)) != i:
                yield subject.finding(
                    "OSD304",
                    f"{str(value)[:60]!r} stands twice in this list",
                    at=path,
                    cause=_same(value, item.values[first][1], first),
                    cure="leave one out, or write the value that was meant",
                )


def _same(value: object, other: object, place: int) -> str:
    if value == other:
        return f"it is also item {place + 1}"
    return f"item {place + 1} is {str(other)[:60]!r}; letter case is not compared"


def habits(subject: Subject) -> Iterator[Finding]:
    """Forms that mean what they say, and have a clearer one."""
    for item in subject.items:
        for path, value in item.values:
            if value is None and item.field and subject.is_cloudtrail and not item.modifiers:
                yield subject.finding(
                    "OSD306",
                    f"{item.field}: null also holds where the field is absent",
                    at=path,
                    cause="not every tool that reads Sigma agrees about that",
                    cure=f"write {item.field}|exists: false if the field must be absent",
                )
            elif isinstance(value, str) and (better := _better(item, value)):
                yield subject.finding(
                    "OSD307",
                    f"{value[:60]!r} says with a wildcard what a modifier says",
                    at=path,
                    cure=better,
                )


def _better(item: Item, value: str) -> str:
    """What to write instead of a wildcard at the ends of a value; empty when there is nothing better."""
    bare = value.strip("*")
    if not item.field or item.modifiers or "*" in bare or "?" in bare or "\\" in value or bare == value:
        return (
            f"write {item.field}|exists: true" if value == "*" and item.field and not item.modifiers else ""
        )
    if not bare:
        return f"write {item.field}|exists: true"
    ends = (value.startswith("*"), value.endswith("*"))
    name = {(True, True): "contains", (False, True): "startswith", (True, False): "endswith"}[ends]
    return f"write {item.field}|{name}: {bare[:60]}"
