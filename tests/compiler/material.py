"""Events as `osdetect load` stores them, without what only a CloudTrail record has."""

from collections.abc import Mapping
from typing import Any

import orjson

from osdetect.documents.event import has_long_text


def as_stored(event: Mapping[str, Any]) -> bytes:
    """The event's text, with the flag that tells searches of texts they cannot see."""
    flag = {"osdetect": {"long_text": True}} if has_long_text(orjson.dumps(event), event) else {}
    return orjson.dumps({**event, **flag})
