"""The ATT&CK matrix drawn by Vega itself, where the package that brings it is installed (vl-convert-python)."""

import re
from typing import Any

import orjson
import pytest

from osdetect.dashboards.saved_objects import build
from osdetect.schema.attack import matrix
from tests.dashboards import asked

vega = pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")


def _specification(buckets: list[dict[str, Any]]) -> dict[str, Any]:
    """The committed one, with an answer of the cluster where Dashboards would put it."""
    (saved,) = (one for one in build() if one["id"] == "osdetect-attack-heat")
    spec: dict[str, Any] = orjson.loads(asked.state_of(saved)["params"]["spec"])
    data = {one["name"]: one for one in spec["data"]}
    del data["alerts"]["url"], data["alerts"]["format"]
    data["alerts"]["values"] = buckets
    return {**spec, "width": 1500, "height": 700}


def _bucket(key: str, techniques: dict[str, int]) -> dict[str, Any]:
    return {
        "key": key,
        "doc_count": sum(techniques.values()),
        "techniques": {"buckets": [{"key": name, "doc_count": count} for name, count in techniques.items()]},
    }


def _colours(svg: str) -> list[str]:
    group = re.search(r'<g class="mark-rect role-mark[^>]*>(.*?)</g>', svg, re.DOTALL)
    assert group
    return re.findall(r'fill="([^"]+)"', group[1])


def test_each_cell_is_drawn_and_the_more_alerts_the_darker() -> None:
    (first, of_first), (second, of_second) = [one for one in matrix() if len(one[1]) > 2][:2]
    counts = {of_first[0].id: 1, of_first[1].id: 40, "T0000": 7}  # of the last ATT&CK knows nothing
    buckets = [_bucket(first.id, counts), _bucket(second.id, {of_second[0].id: 40})]
    svg = vega.vega_to_svg(_specification(buckets), allowed_base_urls=[])
    colours = _colours(svg)
    assert len(colours) == 3
    assert len(set(colours)) == 2, "the same number has the same colour"
    for name in (first.name, second.name, of_first[0].id, of_second[0].id):
        assert name[:12] in svg
    assert "T0000" not in svg


def test_an_answer_without_alerts_is_an_empty_matrix_and_no_error() -> None:
    svg = vega.vega_to_svg(_specification([]), allowed_base_urls=[])
    assert "<svg" in svg
    assert not re.search(r'<g class="mark-rect role-mark[^>]*>\s*<path', svg)
