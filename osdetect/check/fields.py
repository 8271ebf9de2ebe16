"""Fields and values of CloudTrail rules against what a CloudTrail record holds."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from osdetect.check.findings import Finding, Subject
from osdetect.check.items import Item, has_wildcard, literal, matcher
from osdetect.check.record import DOMAINS, FIELDS, OPEN, Domain
from osdetect.sigma.yaml_text import Path

_NO_VALUES = frozenset({"exists", "fieldref", "re", "expand", "lt", "lte", "gt", "gte", "cidr"})
"""Modifiers whose values are no texts of the field."""


def fields(subject: Subject) -> Iterator[Finding]:
    """Fields that no record has."""
    for item in subject.items if subject.is_cloudtrail else ():
        if item.field:
            yield from _field(subject, item.field, item.path)
        for path, value in item.values if "fieldref" in item.modifiers else ():
            if isinstance(value, str):
                yield from _field(subject, value, path)


def _field(subject: Subject, field: str, at: Path) -> Iterator[Finding]:
    known = FIELDS
    done: list[str] = []
    names = field.split(".")
    for name in names:
        if name not in known:
            yield _unknown(subject, ".".join(done), name, known, at)
            return
        done.append(name)
        inside = known[name]
        if inside is OPEN:
            return
        if not isinstance(inside, Mapping):
            break
        known = inside
    if len(done) < len(names):
        yield subject.finding(
            "OSD205",
            f"{'.'.join(done)} holds a value, so it has no field {names[len(done)][:60]!r}",
            at=at,
            cure=f"write {'.'.join(done)}, or another path",
        )


def _unknown(subject: Subject, parent: str, name: str, known: Mapping[str, object], at: Path) -> Finding:
    place = f"{parent}." if parent else ""
    spelled = {one.lower(): one for one in known}.get(name.lower())
    if spelled is not None:
        return subject.finding(
            "OSD206",
            f"CloudTrail writes {place}{spelled}",
            at=at,
            cause="the letter case of a field's name counts",
            cure=f"write {place}{spelled}",
        )
    near = get_close_matches(name[:128], known, n=1, cutoff=0.75)
    whole = parent or "a CloudTrail record"
    return subject.finding(
        "OSD205",
        f"{whole} has no field {name[:60]!r}",
        at=at,
        cause="so a test of its value can never hold",
        cure=f"was {place}{near[0]} meant?"
        if near
        else "take the path from a real record, or from AWS's documentation",
    )


def values(subject: Subject) -> Iterator[Finding]:
    """Values that the field never has, and blanks where none belong."""
    for item in subject.items if subject.is_cloudtrail else ():
        if not item.field or _NO_VALUES.intersection(item.modifiers):
            continue
        for path, value in item.values:
            if item.is_exact and isinstance(value, str) and value.strip() and value != value.strip():
                yield _blank(subject, value, path)
            elif (domain := DOMAINS.get(item.field)) is not None and value is not None:
                yield from _limited(subject, item, domain, path, value)


def _blank(subject: Subject, value: str, at: Path) -> Finding:
    return subject.finding(
        "OSD208",
        f"{value[:60]!r} begins or ends with a blank",
        at=at,
        cause="blanks count when texts are compared",
        cure=f"write {value.strip()[:60]!r}, or the modifier contains",
    )


def _limited(subject: Subject, item: Item, domain: Domain, path: Path, value: object) -> Iterator[Finding]:
    if not item.is_text_match or value == "":
        return
    pattern = item.pattern(value)
    if domain.words:
        possible, said = any(map(matcher(pattern), domain.words)), f"it is one of {', '.join(domain.words)}"
    else:
        assert domain.fits is not None
        possible, said = has_wildcard(pattern) or domain.fits(literal(pattern)), domain.said
    if possible:
        return
    near = get_close_matches(str(value)[:128], domain.words, n=1)
    yield subject.finding(
        "OSD207",
        f"{item.field} is never {str(value)[:60]!r}",
        at=path,
        cause=said,
        cure=f"was {near[0]!r} meant?" if near else "mend the value, or leave it out",
    )
