"""The fields of an index pattern, as the index template says them: what Dashboards would ask the cluster for."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
import orjson

from osdetect.resources import folder

_KINDS = {
    "keyword": "string",
    "text": "string",
    "date": "date",
    "ip": "ip",
    "boolean": "boolean",
    "long": "number",
    "integer": "number",
}
"""What Dashboards calls the types of our mappings; a field of another type is left out of the pattern."""
_NO_DOC_VALUES = frozenset({"text"})


class Field(msgspec.Struct, frozen=True):
    """One field of a mapping."""

    name: str
    type: str
    """As the mapping says it."""
    searchable: bool
    aggregatable: bool
    """Whether a panel can group, sort or reckon by it."""
    parent: str = ""
    """The field that this one is another form of."""

    @property
    def kind(self) -> str:
        """As Dashboards says it."""
        return _KINDS[self.type]

    def to_json(self) -> dict[str, Any]:
        """Its entry in the index pattern's `fields`."""
        return {
            "count": 0,
            "name": self.name,
            "type": self.kind,
            "esTypes": [self.type],
            "scripted": False,
            "searchable": self.searchable,
            "aggregatable": self.aggregatable,
            "readFromDocValues": self.aggregatable,
            **({"subType": {"multi": {"parent": self.parent}}} if self.parent else {}),
        }


@cache
def fields_of(template: str) -> Mapping[str, Field]:
    """The fields that `mappings/<template>.template.json` maps, by name.

    >>> fields_of("alerts")["osdetect.lag_ms"].kind
    'number'
    """
    document = orjson.loads((folder("mappings") / f"{template}.template.json").read_bytes())
    found = sorted(_walk("", document["template"]["mappings"]["properties"]), key=lambda one: one.name)
    return {one.name: one for one in found}


def _walk(prefix: str, properties: Mapping[str, Any]) -> Iterator[Field]:
    for name, mapped in properties.items():
        path = prefix + name
        if "properties" in mapped:
            yield from _walk(f"{path}.", mapped["properties"])
        elif mapped.get("type") in _KINDS:
            yield _field(path, mapped)
            for form, other in mapped.get("fields", {}).items():
                yield _field(f"{path}.{form}", other, parent=path)


def _field(path: str, mapped: Mapping[str, Any], *, parent: str = "") -> Field:
    return Field(
        path,
        mapped["type"],
        searchable=mapped.get("index", True),
        aggregatable=mapped.get("doc_values", mapped["type"] not in _NO_DOC_VALUES),
        parent=parent,
    )


META = (
    # (name, kind, type, searchable, aggregatable): what each document has besides (Dashboards setting `metaFields`)
    ("_id", "string", "_id", True, True),
    ("_index", "string", "_index", True, True),
    ("_score", "number", "", False, False),
    ("_source", "_source", "_source", False, False),
)


def meta_fields() -> list[dict[str, Any]]:
    """Their entries in an index pattern's `fields`."""
    return [
        {
            "count": 0,
            "name": name,
            "type": kind,
            **({"esTypes": [stored]} if stored else {}),
            "scripted": False,
            "searchable": searchable,
            "aggregatable": aggregatable,
            "readFromDocValues": False,
        }
        for name, kind, stored, searchable, aggregatable in META
    ]
