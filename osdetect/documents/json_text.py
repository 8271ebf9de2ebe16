"""JSON as others write it: what OpenSearch replies, and what records hold as text."""

import json
import math
from typing import Any

import orjson


def read_json(text: str | bytes) -> Any:
    r"""Read it, also where text holds halves of surrogate pairs, each replaced by U+FFFD, or numbers beyond all bounds, left as texts.

    OpenSearch gives a document back as it was sent. `"\ud800"` in it is no Unicode and 1e999 no finite number: orjson refuses the whole
    reply, and an event with them would stop the detector.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.

    >>> read_json('{"name": "\\ud800"}')
    {'name': '�'}
    >>> read_json('{"size": 1e999, "name": "\\ud800"}')
    {'size': '1e999', 'name': '�'}
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        read = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=str)
        whole = json.dumps(read, ensure_ascii=False)
        return orjson.loads(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


_DIGITS = 300
"""A whole number with no more of them is finite as a float, which is what orjson makes of a long one."""


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _DIGITS else text


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
