"""What Dashboards asks the cluster for a visualization, made of its committed text; and the same reckoned in Python.

The two share only the text of the saved object: the request goes to a real node, the reckoning goes through the documents.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson

INTERVAL = "1h"
"""For `auto`: Dashboards chooses it by the time picker."""
_TERM = re.compile(r'(not )?([@\w.]+):\(("[^"]*"(?: or "[^"]*")*)\)')
_NUMBER = re.compile(r"([@\w.]+) >= (\d+)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]
Document = Mapping[str, Any]


def state_of(saved: Mapping[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = orjson.loads(saved["attributes"]["visState"])
    return state


def pattern_of(saved: Mapping[str, Any]) -> str:
    return next(str(ref["id"]) for ref in saved["references"] if ref["type"] == "index-pattern")


class Asked(msgspec.Struct, frozen=True):
    """A condition of a saved query."""

    field: str
    query: dict[str, Any]
    negated: bool = False
    texts: frozenset[str] = frozenset()
    least: int | None = None

    def holds(self, found: list[Any]) -> bool:
        """Whether the values of a document fulfil it."""
        met = [one in self.texts if self.least is None else one >= self.least for one in found]
        return any(met) != self.negated


def conditions(saved: Mapping[str, Any]) -> list[Asked]:
    """The saved query, which is `and` between the forms that osdetect writes."""
    text = orjson.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    return [_condition(part) for part in text.split(" and ") if part]


def _condition(part: str) -> Asked:
    if term := _TERM.fullmatch(part):
        texts = re.findall('"([^"]*)"', term[3])
        return Asked(term[2], {"terms": {term[2]: texts}}, bool(term[1]), frozenset(texts))
    number = _NUMBER.fullmatch(part)
    assert number, f"not in the language that the test knows: {part}"
    return Asked(number[1], {"range": {number[1]: {"gte": int(number[2])}}}, least=int(number[2]))


def request_of(saved: Mapping[str, Any]) -> dict[str, Any]:
    aggs = state_of(saved)["aggs"]
    measures = {
        agg["id"]: _metric(agg) for agg in aggs if agg["schema"] == "metric" and agg["type"] != "count"
    }
    inner: dict[str, Any] = measures
    for agg in reversed([one for one in aggs if one["schema"] != "metric"]):
        inner = {agg["id"]: {**_bucket(agg, aggs), "aggs": {**measures, **inner}}}
    held = [one.query for one in conditions(saved) if not one.negated]
    without = [one.query for one in conditions(saved) if one.negated]
    return {
        "size": 0,
        "track_total_hits": True,
        "query": {"bool": {"filter": held, "must_not": without}},
        "aggs": inner,
    }


def _metric(agg: Mapping[str, Any]) -> dict[str, Any]:
    params = {name: agg["params"][name] for name in ("field", "percents") if name in agg["params"]}
    return {agg["type"]: params}


def _bucket(agg: Mapping[str, Any], aggs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    params = agg["params"]
    if agg["type"] == "date_histogram":
        return {"date_histogram": {"field": params["field"], "fixed_interval": INTERVAL, "min_doc_count": 1}}
    first = next(one for one in aggs if one["id"] == params["orderBy"])
    order = "_count" if first["type"] == "count" else first["id"]
    return {"terms": {"field": params["field"], "size": params["size"], "order": {order: params["order"]}}}


def rows_of(saved: Mapping[str, Any], reply: Mapping[str, Any]) -> list[Row]:
    """The rows that the panel shows: values of the groups, then the measures."""
    aggs = state_of(saved)["aggs"]
    groups = [agg for agg in aggs if agg["schema"] != "metric"]
    measures = [agg for agg in aggs if agg["schema"] == "metric"]

    def walk(level: int, held: Mapping[str, Any], count: int, keys: Row) -> Iterable[Row]:
        if level == len(groups):
            yield (*keys, *(_number(agg, held, count) for agg in measures))
            return
        for bucket in held[groups[level]["id"]]["buckets"]:
            yield from walk(level + 1, bucket, bucket["doc_count"], (*keys, bucket["key"]))

    return list(
        walk(
            0,
            reply.get("aggregations", {}),
            reply["hits"]["total"]["value"],
            (),
        )
    )


def _number(agg: Mapping[str, Any], held: Mapping[str, Any], count: int) -> Any:
    match agg["type"]:
        case "count":
            return count
        case "percentiles":
            return tuple(
                value for _, value in sorted(held[agg["id"]]["values"].items(), key=lambda one: float(one[0]))
            )
        case _:
            return held[agg["id"]]["value"]


def values(document: Any, path: str, *, lowered: bool) -> list[Any]:
    """The distinct values of a field, as the index has them: lower case where the mapping says so."""
    found: list[Any] = [document]
    for name in path.split("."):
        found = [inner for one in found for inner in _inner(one, name)]
    flat = [one for one in found if one is not None and not isinstance(one, (dict, list))]
    texts = [one.lower() if lowered and isinstance(one, str) else one for one in flat]
    return list(dict.fromkeys("true" if one is True else "false" if one is False else one for one in texts))


def _inner(one: Any, name: str) -> list[Any]:
    found = one.get(name) if isinstance(one, dict) else None
    return found if isinstance(found, list) else [found]


def reckoned(saved: Mapping[str, Any], documents: Iterable[Document], *, lowered: bool) -> list[Row]:
    """The same rows out of the documents."""
    aggs = state_of(saved)["aggs"]
    groups = [agg for agg in aggs if agg["schema"] != "metric"]
    measures = [agg for agg in aggs if agg["schema"] == "metric"]
    held = [
        one
        for one in documents
        if all(asked.holds(values(one, asked.field, lowered=lowered)) for asked in conditions(saved))
    ]
    rows: dict[Row, list[Document]] = {(): held}
    for agg in groups:
        rows = {
            (*keys, key): inside
            for keys, within in rows.items()
            for key, inside in _grouped(agg, within, measures, lowered=lowered)
        }
    return [
        (*keys, *(_measured(agg, inside, lowered=lowered) for agg in measures))
        for keys, inside in rows.items()
    ]


def _grouped(
    agg: Mapping[str, Any], documents: list[Document], measures: Sequence[Mapping[str, Any]], *, lowered: bool
) -> list[tuple[Any, list[Document]]]:
    found: dict[Any, list[Document]] = {}
    for one in documents:
        for value in values(one, agg["params"]["field"], lowered=lowered):
            key = _hour(value) if agg["type"] == "date_histogram" else value
            found.setdefault(key, []).append(one)
    if agg["type"] == "date_histogram":
        return sorted(found.items())
    by = next(one for one in measures if one["id"] == agg["params"]["orderBy"])
    ordered = sorted(found.items(), key=lambda one: (-(_measured(by, one[1], lowered=lowered) or 0), one[0]))
    return ordered[: agg["params"]["size"]]


def _moment(text: str) -> int:
    since = datetime.fromisoformat(text.upper()).astimezone(UTC) - _EPOCH
    return since // timedelta(milliseconds=1)  # OpenSearch keeps milliseconds, and cuts


def _hour(text: str) -> int:
    return _moment(text) // 3_600_000 * 3_600_000


def _measured(agg: Mapping[str, Any], documents: list[Document], *, lowered: bool) -> Any:
    if agg["type"] == "count":
        return len(documents)
    every = [value for one in documents for value in values(one, agg["params"]["field"], lowered=lowered)]
    if agg["type"] == "cardinality":
        return len(set(every))
    numbers = [float(_moment(one)) if isinstance(one, str) else float(one) for one in every]
    match agg["type"]:
        case "sum":
            return sum(numbers)
        case "max":
            return max(numbers, default=None)
        case "min":
            return min(numbers, default=None)
        case _:
            return tuple(sorted(numbers))
