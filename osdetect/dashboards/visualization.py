"""A chart as the `visState` of a visualization: which aggregations are asked for, and how they are drawn."""

from typing import Any

from osdetect.dashboards.description import Chart, Form, Measure, OverTime, Terms

LEVEL_COLOURS = {
    "critical": "#7a0d1f",
    "high": "#c4371b",
    "medium": "#e08a00",
    "low": "#4b8bbe",
    "informational": "#98a2b3",
}
"""The same colour for a level in every panel."""
_ROWS_SHOWN = 10


def vis_state(chart: Chart) -> dict[str, Any]:
    """Type, parameters and aggregations."""
    measures = [_measure(number, one) for number, one in enumerate(chart.measures, 1)]
    first = len(measures) + 1
    places = _PLACES[chart.form]
    groups = [
        _group(first + number, one, places[min(number, len(places) - 1)])
        for number, one in enumerate(chart.groups)
    ]
    return {
        "type": chart.form.value,
        "params": _DRAWN[chart.form](chart, measures),
        "aggs": [*measures, *groups],
    }


_PLACES = {
    Form.NUMBER: ("group",),
    Form.COLUMNS: ("segment", "group"),
    Form.BARS: ("segment", "group"),
    Form.LINES: ("segment", "group"),
    Form.TABLE: ("bucket",),
}
"""What Dashboards calls the place of the outermost group, and of those within it."""


def _measure(number: int, measure: Measure) -> dict[str, Any]:
    params = {
        **({"field": measure.field} if measure.field else {}),
        **({"percents": list(measure.percents)} if measure.percents else {}),
        **({"customLabel": measure.label} if measure.label else {}),
    }
    return {
        "id": str(number),
        "enabled": True,
        "type": measure.of.value,
        "schema": "metric",
        "params": params,
    }


def _group(number: int, group: Terms | OverTime, place: str) -> dict[str, Any]:
    match group:
        case Terms():
            kind = "terms"
            params: dict[str, Any] = {
                "field": group.field,
                "orderBy": "_key" if group.field == "@timestamp" else "1",
                "order": "desc",
                "size": group.size,
                "otherBucket": group.other,
                "otherBucketLabel": "other",
                "missingBucket": False,
                "missingBucketLabel": "none",
                "customLabel": group.label,
            }
        case OverTime():
            kind = "date_histogram"
            params = {
                "field": group.field,
                "interval": "auto",
                "useNormalizedOpenSearchInterval": True,
                "scaleMetricValues": False,
                "drop_partials": False,
                "min_doc_count": 1,
                "extended_bounds": {},
                "customLabel": group.label,
            }
    return {"id": str(number), "enabled": True, "type": kind, "schema": place, "params": params}


def _number(_chart: Chart, _measures: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "addTooltip": True,
        "addLegend": False,
        "type": "metric",
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 32},
        },
    }


def _table(chart: Chart, _measures: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "perPage": _ROWS_SHOWN,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
        "sort": {"columnIndex": len(chart.groups), "direction": "desc"},
    }


def _axes(chart: Chart, measures: list[dict[str, Any]]) -> dict[str, Any]:
    lying = chart.form is Form.BARS
    line = chart.form is Form.LINES
    title = {"text": measures[0]["params"].get("customLabel", "alerts" if lying else "")}
    return {
        "type": chart.form.value,
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "left" if lying else "bottom",
                "show": True,
                "style": {},
                "scale": {"type": "linear"},
                "labels": {"show": True, "rotate": 0, "filter": not lying, "truncate": 200 if lying else 100},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "BottomAxis-1" if lying else "LeftAxis-1",
                "type": "value",
                "position": "bottom" if lying else "left",
                "show": True,
                "style": {},
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": lying, "truncate": 100},
                "title": title,
            }
        ],
        "seriesParams": [
            {
                "show": True,
                "type": "line" if line else "histogram",
                "mode": "normal" if line or lying else "stacked",
                "data": {"label": measure["params"].get("customLabel", "Count"), "id": measure["id"]},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "lineWidth": 2,
                "showCircles": True,
            }
            for measure in measures
        ],
        "addTooltip": True,
        "addLegend": not lying,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": lying},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


_DRAWN = {
    Form.NUMBER: _number,
    Form.TABLE: _table,
    Form.COLUMNS: _axes,
    Form.BARS: _axes,
    Form.LINES: _axes,
}
