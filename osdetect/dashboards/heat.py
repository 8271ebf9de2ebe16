"""The ATT&CK matrix as a Vega specification: a column for each tactic, a cell for each technique with alerts.

An alert names tactics and techniques, but not which technique is of which tactic, and a technique may be of several. A
cell counts the alerts that name both, and only if ATT&CK has the technique under the tactic.
"""

from typing import Any

from osdetect.dashboards.description import Heat
from osdetect.schema.attack import Tactic, matrix, tactic, tactics

TACTICS, TECHNIQUES = "threat.tactic.id", "threat.technique.id"
SCHEMA = "https://vega.github.io/schema/vega/v5.json"
"""The version of Vega that Dashboards 2.x and 3.x draw with."""


def specification(heat: Heat) -> dict[str, Any]:
    """What the panel's `spec` says. Dashboards puts the time picker and the filters in for %context% and %timefield%."""
    return {
        "$schema": SCHEMA,
        "title": {"text": "Alerts by ATT&CK tactic and technique", "anchor": "start"},
        "padding": 5,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": [_alerts(heat), _owners(), _tactics(), *_cells()],
        "scales": _scales(),
        "axes": [
            {
                "scale": "x",
                "orient": "top",
                "domain": False,
                "ticks": False,
                "labelLimit": 110,
                "labelPadding": 6,
            },
        ],
        "legends": [{"fill": "heat", "title": "alerts", "orient": "bottom", "direction": "horizontal"}],
        "marks": [_boxes(), _words()],
    }


def _alerts(heat: Heat) -> dict[str, Any]:
    return {
        "name": "alerts",
        "url": {
            "%context%": True,
            "%timefield%": heat.source.time,
            "index": heat.source.pattern,
            "body": {
                "size": 0,
                "aggs": {
                    "tactics": {
                        "terms": {"field": TACTICS, "size": 50},
                        "aggs": {"techniques": {"terms": {"field": TECHNIQUES, "size": 1000}}},
                    }
                },
            },
        },
        "format": {"property": "aggregations.tactics.buckets"},
        "transform": [
            {"type": "flatten", "fields": ["techniques.buckets"], "as": ["technique"]},
            {
                "type": "project",
                "fields": ["key", "technique.key", "technique.doc_count"],
                "as": ["tactic", "technique", "alerts"],
            },
        ],
    }


def _owners() -> dict[str, Any]:
    """Which techniques ATT&CK has under each tactic. Rules tagged before 2026 name one that was given up: it has its successors'."""
    owners: dict[str, dict[str, str]] = {}
    for stands, techniques in matrix():
        owners.setdefault(stands.id, {}).update({one.id: one.name for one in techniques})
    for retired in _retired():
        under = owners.setdefault(retired.id, {})
        for successor in filter(None, map(tactic, retired.now)):
            under.update(owners[successor.id])
    values = [
        {"pair": f"{tactic_id}/{technique}", "name": name}
        for tactic_id, techniques in owners.items()
        for technique, name in techniques.items()
    ]
    return {"name": "owners", "values": values}


def _retired() -> list[Tactic]:
    return [found for tag in tactics() if (found := tactic(tag)) and found.now]


def _tactics() -> dict[str, Any]:
    """The columns: one for each id. A tactic that was renamed kept its own."""
    named = {one.id: one.name for one in (*_retired(), *(stands for stands, _ in matrix()))}
    order = [stands.id for stands, _ in matrix()]
    listed = sorted(named, key=lambda identity: order.index(identity) if identity in order else len(order))
    return {"name": "tactics", "values": [{"tactic": one, "column": named[one]} for one in listed]}


def _cells() -> list[dict[str, Any]]:
    return [
        {
            "name": "cells",
            "source": "alerts",
            "transform": [
                {"type": "formula", "as": "pair", "expr": "datum.tactic + '/' + datum.technique"},
                {"type": "lookup", "from": "owners", "key": "pair", "fields": ["pair"], "values": ["name"]},
                {"type": "filter", "expr": "isValid(datum.name)"},
                {
                    "type": "lookup",
                    "from": "tactics",
                    "key": "tactic",
                    "fields": ["tactic"],
                    "values": ["column"],
                },
                {
                    "type": "window",
                    "groupby": ["tactic"],
                    "sort": {"field": ["alerts", "technique"], "order": ["descending", "ascending"]},
                    "ops": ["row_number"],
                    "as": ["row"],
                },
            ],
        },
        {
            "name": "shown",
            "source": "tactics",
            "transform": [
                {
                    "type": "lookup",
                    "from": "cells",
                    "key": "tactic",
                    "fields": ["tactic"],
                    "values": ["alerts"],
                },
                {"type": "filter", "expr": "isValid(datum.alerts)"},
            ],
        },
    ]


def _scales() -> list[dict[str, Any]]:
    return [
        {
            "name": "x",
            "type": "band",
            "domain": {"data": "shown", "field": "column"},
            "range": "width",
            "paddingInner": 0.04,
        },
        {
            "name": "y",
            "type": "band",
            "domain": {"data": "cells", "field": "row", "sort": True},
            "range": "height",
            "paddingInner": 0.08,
        },
        {
            "name": "heat",
            "type": "linear",
            "domain": {"data": "cells", "field": "alerts"},
            "zero": True,
            "range": {"scheme": "orangered"},
        },
    ]


def _boxes() -> dict[str, Any]:
    return {
        "type": "rect",
        "from": {"data": "cells"},
        "encode": {
            "update": {
                "x": {"scale": "x", "field": "column"},
                "width": {"scale": "x", "band": 1},
                "y": {"scale": "y", "field": "row"},
                "height": {"scale": "y", "band": 1},
                "fill": {"scale": "heat", "field": "alerts"},
                "tooltip": {
                    "signal": "{'tactic': datum.column, 'technique': datum.technique + ' ' + datum.name, "
                    "'alerts': datum.alerts}"
                },
            }
        },
    }


def _words() -> dict[str, Any]:
    return {
        "type": "text",
        "interactive": False,
        "from": {"data": "cells"},
        "encode": {
            "update": {
                "x": {"scale": "x", "field": "column", "offset": 4},
                "y": {"scale": "y", "field": "row", "band": 0.5},
                "baseline": {"value": "middle"},
                "limit": {"signal": "bandwidth('x') - 8"},
                "text": {"signal": "datum.technique + ' (' + datum.alerts + ')'"},
                "fill": {
                    "signal": "datum.alerts > 0.6 * domain('heat')[1] ? 'white' : '#222222'",
                },
            }
        },
    }
