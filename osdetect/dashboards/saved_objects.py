"""The description as saved objects of OpenSearch Dashboards, and these as NDJSON.

What is known of the format stands in docs/dashboards.md. Objects carry no `migrationVersion`, so Dashboards brings them
through all of its migrations: they are written in the form that these leave as it is.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from osdetect.dashboards.content import ALERTS, LINK_FIELD, SOURCES
from osdetect.dashboards.description import (
    WIDTH,
    Board,
    Chart,
    Heat,
    Item,
    Listing,
    Note,
    Query,
    Source,
)
from osdetect.dashboards.fields import fields_of, meta_fields
from osdetect.dashboards.heat import specification
from osdetect.dashboards.upkeep import BOARDS
from osdetect.dashboards.visualization import LEVEL_COLOURS, vis_state
from osdetect.vocabulary import EVENTS_PREFIX

SavedObject = dict[str, Any]
FILE = "dashboards/osdetect.ndjson"
"""Where it stands in `mappings/`."""
DEFAULT_PATTERN = ALERTS.pattern
"""The index pattern that Discover opens with, where nobody chose another."""
PANEL_VERSION = "7.3.0"
"""The first version whose panels no migration of Dashboards changes; the number of a Dashboards 2.x would be taken for an old one."""
NEIGHBOURS = f"../app/discover#/context/{EVENTS_PREFIX}*/{{{{value}}}}"
"""Discover's page for one document among those before and after it; relative, so that it holds behind any base path."""
_INDEX_REFERENCE = "kibanaSavedObjectMeta.searchSourceJSON.index"


def build() -> tuple[SavedObject, ...]:
    """Every object, in the order in which one needs the other."""
    items: dict[str, Item] = {}
    for board in BOARDS:
        for row in board.rows:
            for item, _ in row.items:
                known = items.setdefault(item.key, item)
                assert known == item, f"two panels have the key {item.key}"
    return (
        *(_pattern(source) for source in SOURCES),
        *(_object(item) for item in sorted(items.values(), key=lambda one: (_type(one), one.key))),
        *(_dashboard(board) for board in BOARDS),
    )


def ndjson(objects: tuple[SavedObject, ...]) -> bytes:
    """One object on each line."""
    return b"".join(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) + b"\n" for one in objects)


def _text(data: object) -> str:
    return orjson.dumps(data).decode()


def _id(key: str) -> str:
    return f"osdetect-{key}"


def _type(item: Item) -> str:
    return "search" if isinstance(item, Listing) else "visualization"


def _pattern(source: Source) -> SavedObject:
    listed = [*meta_fields(), *(one.to_json() for one in fields_of(source.template).values())]
    link = {
        "id": "url",
        "params": {"urlTemplate": NEIGHBOURS, "labelTemplate": "{{value}}", "openLinkInCurrentTab": False},
    }
    attributes = {
        "title": source.pattern,
        "fields": _text(listed),
        **({"timeFieldName": source.time} if source.time else {}),
        **({"fieldFormatMap": _text({LINK_FIELD: link})} if source == ALERTS else {}),
    }
    return {"type": "index-pattern", "id": source.pattern, "attributes": attributes, "references": []}


def _object(item: Item) -> SavedObject:
    match item:
        case Listing():
            return _search(item)
        case Chart():
            return _visualization(item, vis_state(item), _searched(item.source, item.query), item.source)
        case Note():
            params = {"markdown": item.text, "fontSize": 12, "openLinksInNewTab": False}
            return _visualization(item, {"type": "markdown", "params": params, "aggs": []})
        case Heat():
            params = {"spec": orjson.dumps(specification(item), option=orjson.OPT_INDENT_2).decode()}
            return _visualization(item, {"type": "vega", "params": params, "aggs": []})


def _dql(query: Query) -> dict[str, str]:
    return {"query": " and ".join(one.to_dql() for one in query), "language": "kuery"}


def _searched(source: Source | None, query: Query) -> dict[str, Any]:
    return {
        "query": _dql(query),
        "filter": [],
        **({"indexRefName": _INDEX_REFERENCE} if source else {}),
    }


def _references(source: Source | None) -> list[dict[str, str]]:
    return [{"name": _INDEX_REFERENCE, "type": "index-pattern", "id": source.pattern}] if source else []


def _visualization(
    item: Chart | Note | Heat,
    state: dict[str, Any],
    searched: dict[str, Any] | None = None,
    source: Source | None = None,
) -> SavedObject:
    by_level = isinstance(item, Chart) and any(
        getattr(one, "field", "") == "rule.level" for one in item.groups
    )
    attributes = {
        "title": f"osdetect: {item.title}",
        "description": "",
        "visState": _text({"title": item.title, **state}),
        "uiStateJSON": _text({"vis": {"colors": LEVEL_COLOURS}} if by_level else {}),
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(searched or _searched(None, ()))},
    }
    return {
        "type": "visualization",
        "id": _id(item.key),
        "attributes": attributes,
        "references": _references(source),
    }


def _search(listing: Listing) -> SavedObject:
    searched = {**_searched(listing.source, listing.query), "highlightAll": True, "version": True}
    attributes = {
        "title": f"osdetect: {listing.title}",
        "description": listing.about,
        "hits": 0,
        "columns": list(listing.columns),
        "sort": [[listing.source.time, "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(searched)},
    }
    return {
        "type": "search",
        "id": _id(listing.key),
        "attributes": attributes,
        "references": _references(listing.source),
    }


def _placed(board: Board) -> Iterator[tuple[Item, dict[str, Any]]]:
    top = 0
    for row in board.rows:
        assert sum(width for _, width in row.items) == WIDTH, f"a row of {board.key} is not {WIDTH} wide"
        left = 0
        for item, width in row.items:
            yield item, {"x": left, "y": top, "w": width, "h": row.height}
            left += width
        top += row.height


def _dashboard(board: Board) -> SavedObject:
    placed = list(_placed(board))
    panels = [
        {
            "version": PANEL_VERSION,
            "gridData": {**where, "i": str(number)},
            "panelIndex": str(number),
            "embeddableConfig": {"title": item.title},
            "title": item.title,
            "panelRefName": f"panel_{number}",
        }
        for number, (item, where) in enumerate(placed)
    ]
    attributes = {
        "title": board.title,
        "description": board.about,
        "hits": 0,
        "panelsJSON": _text(panels),
        "optionsJSON": _text({"hidePanelTitles": False, "useMargins": True}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": board.since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 0},
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(_searched(None, ()))},
    }
    references = [
        {"name": f"panel_{number}", "type": _type(item), "id": _id(item.key)}
        for number, (item, _) in enumerate(placed)
    ]
    return {"type": "dashboard", "id": _id(board.key), "attributes": attributes, "references": references}
