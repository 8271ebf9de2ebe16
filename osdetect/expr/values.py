"""What a path finds in an event, and the text that a value is compared as."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

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
    except (
        orjson.JSONEncodeError,
        UnicodeDecodeError,
    ):  # an integer over 64 bits, a lone surrogate, too deep
        return _plain_text(value)


def _plain_text(value: Any) -> str:
    import json  # noqa: PLC0415  # only hostile events come here

    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""


def resolve(event: Any, path: str) -> tuple[Any, ...] | None:
    """The values at `path`, lists opened up; None when the path is absent.

    A path's dots lead into objects, through lists of objects, and also match keys that hold dots themselves.
    A present field without a value (an empty list) gives an empty tuple.

    >>> resolve({"a": [{"b": 1}, {"b": [2, None]}], "c.d": 3}, "a.b")
    (1, 2, None)
    >>> resolve({"c.d": 3}, "c.d"), resolve({"c": []}, "c"), resolve({"c": {}}, "c.d")
    ((3,), (), None)
    """
    if isinstance(event, Mapping) and "." not in path:
        if path not in event:
            return None
        value = event[path]
        return tuple(_flat(value)) if isinstance(value, list) else (value,)
    found = list(_at(event, path))
    return tuple(leaf for value in found for leaf in _flat(value)) if found else None


def _at(value: Any, path: str) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
        return
    if not isinstance(value, Mapping):
        return
    if path in value:
        yield value[path]
    cut = path.find(".")
    while cut != -1:
        head = path[:cut]
        if head in value:
            yield from _at(value[head], path[cut + 1 :])
        cut = path.find(".", cut + 1)


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value
