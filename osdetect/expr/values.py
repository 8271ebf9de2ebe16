"""What a path finds in an event, and the text that a value is compared as.

Nothing here is recursive: how deep an event is nested is its sender's choice.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from osdetect.expr.nodes import ANYWHERE

MISSING: tuple[Any, ...] = ()

_DOTTED_CAPITAL_I = "\u0130"


def fold_case(text: str) -> str:
    """The text in lower case, character by character, as Lucene's LowerCaseFilter does it.

    Python's own `str.lower` differs from it in two characters: the capital dotted I (two characters there) and
    the Greek capital sigma at a word's end.

    >>> fold_case("CreateApiKey"), fold_case("ΟΔΟΣ"), fold_case("İ")
    ('createapikey', 'οδοσ', 'i')
    """
    if text.isascii():
        return text.lower()
    return "".join(["i" if c == _DOTTED_CAPITAL_I else c.lower() for c in text])


def text_of(value: Any) -> str | None:
    """The text that a value is compared as; None for null.

    A number or truth value is its JSON text, an object its compact JSON text with its keys in the order they
    came in: rules name whole objects (`requestParameters|contains: Suspended`).

    >>> text_of("a"), text_of(True), text_of(22), text_of({"a": [1, None]}), text_of(None)
    ('a', 'true', '22', '{"a":[1,null]}', None)
    """
    if isinstance(value, str):
        return value
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # an integer over 64 bits, a lone surrogate, more than 254 deep
        return _plain_text(value)


def _plain_text(value: Any) -> str:
    pieces: list[str] = []
    pending: list[tuple[bool, Any]] = [(False, value)]
    """Whether it is text already, and it; the last comes first."""
    while pending:
        written, here = pending.pop()
        if written:
            pieces.append(here)
        elif isinstance(here, (dict, list)) and here:
            pending.extend(reversed(tuple(_inside(here))))
        else:
            pieces.append(json.dumps(here, ensure_ascii=False))
    return "".join(pieces)


def _inside(value: dict[str, Any] | list[Any]) -> Iterator[tuple[bool, Any]]:
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    for place, item in enumerate(value):
        yield True, "," if place else opening
        if isinstance(value, dict):
            yield True, f"{json.dumps(item, ensure_ascii=False)}:"
        yield False, value[item] if isinstance(value, dict) else item
    yield True, closing


def resolve(event: Any, path: str) -> tuple[Any, ...] | None:
    """The values at `path`, lists opened up; None when the path is absent.

    A path's dots lead into objects, through lists of objects, and also match keys that hold dots themselves.
    A present field without a value (an empty list) gives an empty tuple. `ANYWHERE` finds every value of the event
    that is no object and no list.

    >>> resolve({"a": [{"b": 1}, {"b": [2, None]}], "c.d": 3}, "a.b")
    (1, 2, None)
    >>> resolve({"c.d": 3}, "c.d"), resolve({"c": []}, "c"), resolve({"c": {}}, "c.d")
    ((3,), (), None)
    >>> resolve({"a": [{"b": 1}, {"b": [2, None]}], "c.d": 3}, ANYWHERE)
    (1, 2, None, 3)
    """
    if path == ANYWHERE:
        return tuple(scalars(event))
    if isinstance(event, Mapping) and "." not in path:
        if path not in event:
            return None
        value = event[path]
        return tuple(_flat(value)) if isinstance(value, list) else (value,)
    plain = _plainly(event, path)
    if plain is not _UNCLEAR:
        return None if plain is _ABSENT else (plain,)
    found = list(_at(event, path))
    return tuple(leaf for value in found for leaf in _flat(value)) if found else None


_ABSENT = object()
_UNCLEAR = object()


def _plainly(event: Any, path: str) -> Any:
    """The one value that the path's steps lead to, each a key of an object: nearly always what there is.

    `_UNCLEAR` where a list or a key with dots may say more.
    """
    for step, dotted in steps(path):
        if type(event) is not dict:
            return _UNCLEAR if isinstance(event, (list, Mapping)) else _ABSENT
        for key in dotted:
            if key in event:
                return _UNCLEAR
        if step not in event:
            return _ABSENT
        event = event[step]
    return _UNCLEAR if isinstance(event, list) else event


def _at(value: Any, path: str) -> Iterator[Any]:
    pending = [(value, path)]
    while pending:
        here, rest = pending.pop()
        if isinstance(here, list):
            pending.extend((item, rest) for item in reversed(here))
        elif isinstance(here, Mapping):
            if rest in here:
                yield here[rest]
            pending.extend(reversed(tuple(_deeper(here, rest))))


def _deeper(value: Mapping[str, Any], path: str) -> Iterator[tuple[Any, str]]:
    """Each way into the object: a key that is the path up to one of its dots, and the path behind that dot."""
    for head, rest in _cuts(path):
        if head in value:
            yield value[head], rest


def scalars(event: Any) -> Iterator[Any]:
    """Every value of the event that is no object and no list, in the event's order."""
    pending = [event]
    while pending:
        here = pending.pop()
        if isinstance(here, Mapping):
            pending.extend(reversed(tuple(here.values())))
        elif isinstance(here, list):
            pending.extend(reversed(here))
        else:
            yield here


@lru_cache(maxsize=10_000)
def steps(path: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each step of a path: the key, and the keys with dots that would also do there."""
    names = path.split(".")
    return tuple(
        (name, tuple(".".join(names[at:stop]) for stop in range(at + 2, len(names) + 1)))
        for at, name in enumerate(names)
    )


@lru_cache(maxsize=10_000)
def _cuts(path: str) -> tuple[tuple[str, str], ...]:
    return tuple((path[:at], path[at + 1 :]) for at, character in enumerate(path) if character == ".")


def _flat(value: Any) -> Iterator[Any]:
    pending = [value]
    while pending:
        here = pending.pop()
        if isinstance(here, list):
            pending.extend(reversed(here))
        else:
            yield here
