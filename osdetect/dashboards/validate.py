"""What OpenSearch Dashboards would refuse, or show nothing for, found without it.

Its rules for saved objects are those that docs/dashboards.md lists. Beside them: every field that a panel, a column, a query
or a link names must be in the index pattern that it looks at, and be of a kind that can do what the panel asks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import orjson

ATTRIBUTES = {
    "dashboard": frozenset(
        {
            "description",
            "hits",
            "kibanaSavedObjectMeta",
            "optionsJSON",
            "panelsJSON",
            "refreshInterval",
            "timeFrom",
            "timeRestore",
            "timeTo",
            "title",
            "version",
        }
    ),
    "search": frozenset(
        {"columns", "description", "hits", "kibanaSavedObjectMeta", "sort", "title", "version"}
    ),
    "visualization": frozenset(
        {
            "description",
            "kibanaSavedObjectMeta",
            "savedSearchRefName",
            "title",
            "uiStateJSON",
            "version",
            "visState",
        }
    ),
}
"""The attributes of the types whose mappings are strict: any other makes the whole import fail."""
TYPES = frozenset({*ATTRIBUTES, "index-pattern"})
"""What osdetect ships. Not `config`: Dashboards 3.7 and later refuse it."""
_MEMBERS = frozenset({"type", "id", "attributes", "references"})
_JSON_ATTRIBUTES = frozenset(
    {"fields", "fieldFormatMap", "visState", "uiStateJSON", "panelsJSON", "optionsJSON"}
)
_NUMERIC = frozenset({"number"})
_ORDERED = frozenset({"number", "date"})
_KINDS: Mapping[str, frozenset[str] | None] = {
    "count": frozenset(),
    "cardinality": None,
    "sum": _NUMERIC,
    "avg": _NUMERIC,
    "percentiles": _NUMERIC,
    "max": _ORDERED,
    "min": _ORDERED,
    "terms": None,
    "date_histogram": frozenset({"date"}),
}
"""The kinds of field that an aggregation takes; None: any that has values to group by."""
_DQL_FIELD = re.compile(r"(?:^|\band |\bnot )\s*(?:not )?([@\w.]+)\s*(?::|>=|<=|>|<)")
_PANEL_VERSION = re.compile(r"7\.(?:[3-9]|\d\d)\.\d+")


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with an object."""

    object: str
    """Its type and id."""
    what: str

    def __str__(self) -> str:
        return f"{self.object}: {self.what}"


def parsed_lines(content: bytes) -> tuple[dict[str, Any], ...]:
    """The objects of an NDJSON file."""
    return tuple(orjson.loads(line) for line in content.splitlines() if line.strip())


def problems(objects: Sequence[Mapping[str, Any]]) -> tuple[Problem, ...]:
    """Everything that is wrong with a file of saved objects; nothing, if it can be imported."""
    patterns = {
        one["id"]: _fields(one) for one in objects if one.get("type") == "index-pattern" and "id" in one
    }
    there = {(one.get("type"), one.get("id")) for one in objects}
    found = [
        Problem(_name(one), what)
        for one in objects
        for what in (*_form(one), *_references(one, there), *_content(one, patterns))
    ]
    twice = [name for name, times in Counter(map(_name, objects)).items() if times > 1]
    return (*found, *(Problem(name, "is there more than once") for name in twice))


def _name(one: Mapping[str, Any]) -> str:
    return f"{one.get('type', 'object')} {one.get('id', '(without an id)')}"


def _form(one: Mapping[str, Any]) -> Iterator[str]:
    kind = one.get("type")
    if kind not in TYPES:
        yield f"the type {kind!r} is not one that osdetect ships ({', '.join(sorted(TYPES))})"
    if not one.get("id"):
        yield "it has no id: each import would make another copy"
    if "migrationVersion" in one:
        yield "it names a migrationVersion: a Dashboards that does not know it refuses the object"
    for name in sorted(set(one) - _MEMBERS - {"migrationVersion"}):
        yield f"the member {name} does not belong into a file that is imported"
    attributes = one.get("attributes")
    if not isinstance(attributes, Mapping) or not attributes.get("title"):
        yield "it has no title"
        return
    for name in sorted(set(attributes) - ATTRIBUTES.get(str(kind), frozenset(attributes))):
        yield f"the attribute {name} is not in the mapping of this type, which is strict"
    for name in sorted(_JSON_ATTRIBUTES & set(attributes)):
        if _json(attributes[name]) is None:
            yield f"the attribute {name} is not JSON as text"


def _json(text: object) -> Any:
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None


def _references(one: Mapping[str, Any], there: set[tuple[Any, Any]]) -> Iterator[str]:
    given = {ref.get("name"): (ref.get("type"), ref.get("id")) for ref in one.get("references", ())}
    for name, (kind, target) in given.items():
        if (kind, target) not in there:
            yield f"the reference {name} leads to {kind} {target}, which is not in the file: all of it would fail"
    named = set(_named_references(one.get("attributes", {})))
    for name in sorted(named - set(given)):
        yield f"it names the reference {name}, which it does not have"
    for name in sorted(map(str, set(given) - named)):
        yield f"it has the reference {name}, which nothing in it names"


def _named_references(attributes: Mapping[str, Any]) -> Iterator[str]:
    searched = _json(attributes.get("kibanaSavedObjectMeta", {}).get("searchSourceJSON")) or {}
    if "indexRefName" in searched:
        yield searched["indexRefName"]
    for panel in _json(attributes.get("panelsJSON")) or ():
        yield panel.get("panelRefName", "")
    if "savedSearchRefName" in attributes:
        yield attributes["savedSearchRefName"]


Fields = Mapping[str, Mapping[str, Any]]


def _fields(pattern: Mapping[str, Any]) -> Fields:
    listed = _json(pattern.get("attributes", {}).get("fields")) or ()
    return {str(one.get("name")): one for one in listed}


def _content(one: Mapping[str, Any], patterns: Mapping[str, Fields]) -> Iterator[str]:
    attributes = one.get("attributes", {})
    target = next(
        (ref.get("id") for ref in one.get("references", ()) if ref.get("type") == "index-pattern"), None
    )
    fields = patterns.get(target, {}) if target is not None else {}
    match one.get("type"):
        case "index-pattern":
            yield from _pattern(attributes, _fields(one))
        case "search":
            yield from _search(attributes, fields)
        case "visualization":
            yield from _visualization(_json(attributes.get("visState")) or {}, fields, patterns)
        case "dashboard":
            yield from _panels(_json(attributes.get("panelsJSON")) or ())
        case _:
            return
    searched = _json(attributes.get("kibanaSavedObjectMeta", {}).get("searchSourceJSON"))
    if one.get("type") in ATTRIBUTES and searched is None:
        yield "kibanaSavedObjectMeta.searchSourceJSON is not JSON as text"
    for name in _DQL_FIELD.findall((searched or {}).get("query", {}).get("query", "")):
        if not fields.get(name, {}).get("searchable"):
            yield f"its query names the field {name}, which cannot be searched in {target}"


def _pattern(attributes: Mapping[str, Any], fields: Fields) -> Iterator[str]:
    if not fields:
        yield "it ships no fields: panels show nothing until somebody refreshes them by hand"
    time = attributes.get("timeFieldName")
    if time and fields.get(time, {}).get("type") != "date":
        yield f"its time field {time} is not a date in it"
    for name in _json(attributes.get("fieldFormatMap")) or {}:
        if name not in fields:
            yield f"it formats the field {name}, which it does not have"


def _search(attributes: Mapping[str, Any], fields: Fields) -> Iterator[str]:
    for name in ("timeFrom", "timeTo", "timeRange"):
        if name in attributes:
            yield f"it stores {name}: saved searches store no time range"
    for name in attributes.get("columns", ()):
        if name not in fields:
            yield f"its column {name} is not a field of its index pattern"
    for sort in attributes.get("sort", ()):
        if not (isinstance(sort, list) and len(sort) == 2 and fields.get(sort[0], {}).get("aggregatable")):
            yield f"it cannot be sorted by {sort}"


def _visualization(state: Mapping[str, Any], fields: Fields, patterns: Mapping[str, Fields]) -> Iterator[str]:
    if state.get("type") == "vega":
        yield from _vega(_json(state.get("params", {}).get("spec")), patterns)
        return
    for agg in state.get("aggs", ()):
        yield from _aggregation(agg, fields)
    known = {agg["id"] for agg in state.get("aggs", ())}
    for series in state.get("params", {}).get("seriesParams", ()):
        if series["data"]["id"] not in known:
            yield f"it draws the measure {series['data']['id']}, which it does not have"


def _aggregation(agg: Mapping[str, Any], fields: Fields) -> Iterator[str]:
    kind, name = agg.get("type", ""), agg.get("params", {}).get("field", "")
    if kind not in _KINDS:
        yield f"the aggregation {kind} is none that is known"
        return
    kinds = _KINDS[kind]
    if not name:
        if kinds is None or kinds:
            yield f"the aggregation {kind} names no field"
        return
    field = fields.get(name)
    if field is None:
        yield f"the aggregation {kind} names the field {name}, which is not in its index pattern"
    elif not field["aggregatable"]:
        yield f"the aggregation {kind} is of the field {name}, which has no values to group by"
    elif kinds is not None and field["type"] not in kinds:
        yield f"the aggregation {kind} does not take the field {name}: it is a {field['type']}"


def _vega(spec: Any, patterns: Mapping[str, Fields]) -> Iterator[str]:
    if not isinstance(spec, dict):
        yield "its Vega specification is not a JSON object"
        return
    if not str(spec.get("$schema", "")).startswith("https://vega.github.io/schema/vega"):
        yield "its Vega specification does not say its $schema"
    for data in spec.get("data", ()):
        url = data.get("url")
        if url is None:
            continue
        if not isinstance(url, dict):
            yield "its Vega specification asks another server: Dashboards refuses that by default"
            continue
        fields = patterns.get(url.get("index", ""), {})
        body = url.get("body", {})
        if "query" in body and ("%context%" in url or "%timefield%" in url):
            yield "its Vega specification has a query beside %context%: one of the two"
        for name in (*_asked_fields(body.get("aggs", {})), *filter(None, [url.get("%timefield%")])):
            if not fields.get(name, {}).get("aggregatable"):
                yield f"its Vega specification names the field {name}, which is not in {url.get('index')}"
    yield from _unknown_data(spec)


def _asked_fields(aggs: Mapping[str, Any]) -> Iterator[str]:
    for asked in aggs.values():
        for kind, params in asked.items():
            if kind == "aggs":
                yield from _asked_fields(params)
            elif "field" in params:
                yield params["field"]


def _unknown_data(spec: Mapping[str, Any]) -> Iterable[str]:
    """Data sets, scales and their names must be there before they are used."""
    data = {one["name"] for one in spec.get("data", ())}
    scales = {one["name"] for one in spec.get("scales", ())}
    for kind, name in _used(spec):
        if name not in {"data": data, "scale": scales}[kind]:
            yield f"its Vega specification uses the {kind} {name}, which it does not have"


def _used(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in {"scale", "data"} and isinstance(value, str):
                yield key, value
            elif key in {"from", "source"} and isinstance(value, str):
                yield "data", value
            elif key != "url":
                yield from _used(value)
    elif isinstance(part, list):
        for one in part:
            yield from _used(one)


def _panels(panels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel.get("gridData", {})
        number = panel.get("panelIndex")
        if not (isinstance(number, str) and at.get("i") == number):
            yield f"the panel {number} is not named in its place"
        if not _PANEL_VERSION.fullmatch(str(panel.get("version", ""))):
            yield f"the panel {number} has the version {panel.get('version')}: migrations would scale it"
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        if cells & taken or at["x"] + at["w"] > 48:
            yield f"the panel {number} lies over another, or over the edge"
        taken |= cells
