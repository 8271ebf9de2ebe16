"""The eventSource and eventName of CloudTrail rules against the services that AWS has."""

from collections.abc import Iterator, Mapping

from osdetect.check import api as table
from osdetect.check.findings import Finding, Subject
from osdetect.check.items import has_wildcard, literal, place_of
from osdetect.expr import All, AnyOf, Equals, Expr, Leaf, Not
from osdetect.sigma.yaml_text import Path

_SOURCE, _NAME = "eventSource", "eventName"
_TRIED = 50
"""So many values of one rule are tried as patterns, and given a similar name: rules are hostile, and each costs
milliseconds."""
_Sources = frozenset[str] | None
"""The sources that an event must have one of; None where any will do."""


def events(subject: Subject) -> Iterator[Finding]:
    """Sources and names that AWS does not have, or not together."""
    if not subject.is_cloudtrail:
        return
    compared = (
        (item, path, value.strip())
        for item in subject.items
        for path, value in item.values
        if item.field in _KNOWN and item.is_text_match and isinstance(value, str) and value.strip()
    )
    for place, (item, path, value) in enumerate(compared):
        pattern = item.pattern(value)
        if (place < _TRIED or not has_wildcard(pattern)) and not _KNOWN[item.field](pattern):
            yield _stranger(subject, item.field, value, path, hint=place < _TRIED)
    if subject.rule is not None:
        wanted = dict.fromkeys(_required(subject.rule.tree, None))
        for sources in dict.fromkeys(sources for _, sources in wanted):
            yield from _together(subject, [name.strip() for name, one in wanted if one == sources], sources)


def _is_source(pattern: str) -> bool:
    if has_wildcard(pattern):
        return table.some_source_fits(pattern)
    return table.shipped().knows_source(literal(pattern))


def _is_name(pattern: str) -> bool:
    """Whether some event is called so, or nothing can be: that is told by `fields.values`."""
    if any(blank in pattern for blank in " \t\n"):
        return True
    if has_wildcard(pattern):
        return table.some_name_fits(pattern)
    name = literal(pattern)
    return name.lower() in table.shipped().everything or bool(table.shipped().sources_of(name))


_KNOWN = {_SOURCE: _is_source, _NAME: _is_name}


def _stranger(subject: Subject, field: str, value: str, at: Path, *, hint: bool) -> Finding:
    api = table.shipped()
    is_name = field == _NAME
    near = (api.nearest_name(value) if is_name else api.nearest_source(value)) if hint else ""
    whose = (
        "no event known to osdetect has the eventName"
        if is_name
        else "no AWS service known to osdetect has the eventSource"
    )
    return subject.finding(
        "OSD202" if is_name else "OSD201",
        f"{whose} {value[:60]!r}",
        at=at,
        cause="it is none of those in mappings/cloudtrail-api.json"
        + ("; AWS adds operations daily" if is_name else ""),
        cure=f"was {near} meant?" if near else "take it from a real record",
    )


def exact_texts(expr: Expr[str], field: str) -> frozenset[str] | None:
    """The texts of which the field must be one for the expression to hold; None when it does not say."""
    match expr:
        case Leaf(field=found, test=Equals(text=text)) if found == field:
            return frozenset({text})
        case AnyOf(parts=parts) if parts:
            each = [exact_texts(part, field) for part in parts]
            known = [one for one in each if one is not None]
            return frozenset().union(*known) if len(known) == len(each) else None
        case All(parts=parts):
            every = [texts for part in parts if (texts := exact_texts(part, field)) is not None]
            return every[0].intersection(*every) if every else None
        case _:
            return None


def _required(expr: Expr[str], sources: _Sources) -> Iterator[tuple[str, frozenset[str]]]:
    """Each eventName that is compared, with the sources of which the event must have one; only where it must."""
    match expr:
        case Leaf(field="eventName", test=Equals(text=name)) if sources:
            yield name, sources
        case Not(part=part):
            yield from _required(part, sources)
        case All(parts=parts):
            here = exact_texts(expr, _SOURCE) or sources
            for part in parts:
                yield from _required(part, here)
        case AnyOf(parts=parts):
            for part in parts:
                yield from _required(part, sources)
        case _:
            return


def _together(subject: Subject, names: list[str], sources: frozenset[str]) -> Iterator[Finding]:
    """Names that the sources do not have, and names that they have otherwise."""
    api = table.shipped()
    listed = sorted(sources)
    if not all(map(api.knows_source, listed)):
        return
    strange = [name for name in names if name and not any(api.knows(source, name) for source in listed)]
    foreign = {name: owners for name in strange if (owners := api.sources_of(name))}
    if len(foreign) > _LISTED:
        yield _many_foreign(subject, foreign, listed)
    else:
        for name, owners in foreign.items():
            yield _foreign(subject, name, owners, listed)
    for name in names:
        if len(listed) == 1 and (other := api.recorded(listed[0], name)):
            yield from _recorded(subject, name, other, place_of(subject.items, _NAME, name))


_LISTED = 3
"""More names of other sources than these are told in one finding."""


def _foreign(subject: Subject, name: str, owners: tuple[str, ...], sources: list[str]) -> Finding:
    near = table.shipped().nearest_name(name, sources[0])
    other = f"eventSource: {owners[0]}" if len(owners) == 1 else "the eventSource that has this event"
    return subject.finding(
        "OSD203",
        f"{', '.join(sources)[:100]} has no event {name[:60]!r} known to osdetect",
        at=place_of(subject.items, _NAME, name),
        cause=f"the event belongs to {_shortened(owners)}",
        cure=f"write {near}, or {other}" if near else f"write {other}, or the name that {sources[0]} has",
    )


def _many_foreign(subject: Subject, foreign: Mapping[str, tuple[str, ...]], sources: list[str]) -> Finding:
    owners = tuple(sorted({owner for one in foreign.values() for owner in one[:1]}))
    return subject.finding(
        "OSD203",
        f"{', '.join(sources)[:100]} has no events {_shortened(tuple(foreign))} known to osdetect",
        at=place_of(subject.items, _NAME, next(iter(foreign))),
        cause=f"these {len(foreign)} events belong to other sources: {_shortened(owners)}",
        cure="leave eventSource out, or give each source with its events in a selection of its own",
    )


def _shortened(words: tuple[str, ...]) -> str:
    shown = ", ".join(word[:60] for word in words[:4])
    return shown if len(words) <= 4 else f"{shown} and {len(words) - 4} more"


def _recorded(subject: Subject, name: str, other: str, at: Path) -> Iterator[Finding]:
    written = {
        value.lower()
        for item in subject.items
        if item.field == _NAME
        for _, value in item.values
        if isinstance(value, str)
    }
    if other.lower() in written or any(
        one.startswith(name.lower()) and one != name.lower() for one in written
    ):
        return  # the rule names the other one too
    yield subject.finding(
        "OSD204",
        f"CloudTrail records {name} as {other}",
        at=at,
        cause="the eventName of a record is not always the name of the API operation",
        cure=f"write {other}, or eventName|startswith: {name}"
        if other.startswith(name)
        else f"write {other}",
    )
