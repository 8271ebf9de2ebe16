"""A record made from another: values set and taken away by dotted paths, as tests of rules say them."""

from collections.abc import Mapping
from typing import Any

Record = dict[str, Any]


class NoSuchPlace(ValueError):
    """The path does not lead to a place in the record; the text says where it ends."""


def changed(record: Mapping[str, Any], change: Mapping[str, Any]) -> Record:
    """The record with a new value at each path; objects on the way are made where there are none.

    What is not on a path is shared with the record that was given.

    Raises:
        NoSuchPlace: a path leads through a value that is no object, or behind the end of a list.

    >>> changed({"a": {"b": 1}, "c": None}, {"a.b": 2, "c.d": [3]})
    {'a': {'b': 2}, 'c': {'d': [3]}}
    >>> changed({"a": [{"b": 1}], "x.y": 1}, {"a.0.b": 2, "x.y": 2})
    {'a': [{'b': 2}], 'x.y': 2}
    """
    made: Record = dict(record)
    for path, value in change.items():
        made = _with(made, path, value)
    return made


def without(record: Mapping[str, Any], paths: tuple[str, ...]) -> Record:
    """The record without what stands at the paths.

    Raises:
        NoSuchPlace: there is nothing at a path, so that taking it away would not be what was meant.

    >>> without({"a": {"b": 1, "c": 2}, "d": 3}, ("a.b", "d"))
    {'a': {'c': 2}}
    """
    made: Record = dict(record)
    for path in paths:
        made = _without(made, path)
    return made


def _head(place: Any, path: str) -> str:
    """The key that the path goes on with: the longest that is there, for keys that hold dots themselves."""
    parts = path.split(".")
    if isinstance(place, dict):
        for length in range(len(parts), 0, -1):
            if (key := ".".join(parts[:length])) in place:
                return key
    return parts[0]


def _with(place: Any, path: str, value: Any) -> Any:
    key = _head(place, path)
    rest = path[len(key) + 1 :]
    if isinstance(place, list):
        at = _index(place, key, path)
        inner = _with(_opened(place[at], path), rest, value) if rest else value
        return [*place[:at], inner, *place[at + 1 :]]
    return {**place, key: _with(_opened(place.get(key), path), rest, value) if rest else value}


def _opened(inner: Any, path: str) -> Any:
    if inner is None:
        return {}
    if not isinstance(inner, (dict, list)):
        raise NoSuchPlace(f"{path!r} leads through a value that is no object")
    return inner


def _index(place: list[Any], key: str, path: str) -> int:
    if not (key.isascii() and key.isdigit()) or len(key) > 6 or int(key) >= len(place):
        raise NoSuchPlace(
            f"{path!r}: {key!r} is none of the {len(place)} places of a list, which count from 0"
        )
    return int(key)


def _without(place: Any, path: str) -> Any:
    key = _head(place, path)
    rest = path[len(key) + 1 :]
    if isinstance(place, list):
        at = _index(place, key, path)
        return [*place[:at], *([_without(place[at], rest)] if rest else []), *place[at + 1 :]]
    if not isinstance(place, dict) or key not in place:
        raise NoSuchPlace(f"there is nothing at {path!r}")
    if rest:
        return {**place, key: _without(place[key], rest)}
    return {name: value for name, value in place.items() if name != key}
