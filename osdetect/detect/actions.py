"""Bulk actions that the detector writes: always `create`, so that doing it again adds nothing."""

from typing import Any

import orjson


def create_action(index: str, doc_id: str, source: dict[str, Any]) -> bytes:
    """The two lines of a `create` (OpenSearch docs, "Bulk API")."""
    return orjson.dumps({"create": {"_index": index, "_id": doc_id}}) + b"\n" + orjson.dumps(source) + b"\n"
