"""Filters and correlations as JSON, and back: field by field as their types say, trees as trees, without the file's name."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

import msgspec
import orjson

from osdetect.expr import from_json, to_json
from osdetect.sigma.correlation_rule import Correlation
from osdetect.sigma.filters import Filter

D = TypeVar("D", Filter, Correlation)

_TREE = {Filter: "tree", Correlation: "present"}
"""The field that is a tree, which has a JSON form of its own."""
_HINTS: Mapping[type, Mapping[str, Any]] = {kind: get_type_hints(kind) for kind in _TREE}
_PLACE = frozenset({"file", "line", "column", "excerpt"})
"""The fields of a `Where`."""


def kept(document: Filter | Correlation) -> bytes:
    """The document as it is kept.

    Raises:
        ValueError: it holds text that is no Unicode.
    """
    name = _TREE[type(document)]
    values = {field: getattr(document, field) for field in _HINTS[type(document)]}
    values[name] = to_json(values[name]) if values[name] is not None else None
    return orjson.dumps(_placed(orjson.loads(msgspec.json.encode(values)), ""))


def restored(kind: type[D], data: bytes, file: str) -> D:
    """The document that was kept, as one of this file.

    Raises:
        ValueError: it is not what `kept` wrote.
        RuleError: its tree is none.
    """
    values = _placed(orjson.loads(data), file)
    hints = _HINTS[kind]
    if not isinstance(values, dict) or values.keys() != hints.keys():
        raise ValueError("a kept document has other fields than its kind")
    if values[_TREE[kind]] is None and kind is Filter:
        raise ValueError("a kept filter lacks its tree")
    typed = {name: _restored(name == _TREE[kind], values[name], hint) for name, hint in hints.items()}
    return kind(**typed)


def _restored(is_tree: bool, value: Any, hint: Any) -> Any:
    if is_tree:
        return from_json(value) if value is not None else None
    return msgspec.convert(value, hint)


def _placed(data: Any, file: str) -> Any:
    """The data with this file in each place that it names."""
    if isinstance(data, list):
        return [_placed(one, file) for one in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == _PLACE:
        return {**data, "file": file}
    return {name: _placed(value, file) for name, value in data.items()}
