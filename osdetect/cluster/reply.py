"""JSON as OpenSearch replies it."""

import json
from typing import Any

import orjson


def read_json(text: str | bytes) -> Any:
    r"""Read it, also where text holds halves of surrogate pairs, each replaced by U+FFFD.

    OpenSearch gives a document back as it was sent, and `"\ud800"` in it is no Unicode: orjson refuses the whole
    reply, and an event with it would stop the detector.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.

    >>> read_json('{"name": "\\ud800"}')
    {'name': '�'}
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        whole = json.dumps(json.loads(text), ensure_ascii=False)
        return orjson.loads(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
