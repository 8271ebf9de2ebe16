"""Events as `osdetect load` stores them, without what only a CloudTrail record has."""

from collections.abc import Mapping
from typing import Any

import orjson

from osdetect.documents.event import search_marks


def as_stored(event: Mapping[str, Any]) -> bytes:
    """The event's text, with the marks that tell searches of texts they cannot see."""
    marks = {name: value for name, value in search_marks(orjson.dumps(event), event).items() if value}
    return orjson.dumps({**event, **({"osdetect": marks} if marks else {})})
