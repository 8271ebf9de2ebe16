"""The alert document: what a match of a rule and an event is stored as.

Fields follow the Elastic Common Schema where it has the word; the rest is under `osdetect`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from osdetect.documents.told import MAX_VALUE, RunReference, Told
from osdetect.expr import Evidence


def alert_id(rule_id: str, event_key: str) -> str:
    """The alert's id: the same rule and event always make the same alert."""
    return hashlib.sha256(f"{rule_id}\0{event_key}".encode(errors="surrogatepass")).hexdigest()[:40]


_ORDER = (
    "@timestamp",
    "osdetect.source.index",
    "osdetect.source.shard",
    "osdetect.source.seq_no",
    "rule.id",
    "osdetect.id",  # an event's own alert and that of the group which it began agree in all of the above
)


def in_order(direction: str) -> list[dict[str, Any]]:
    """How a search sorts alerts: by time, and then by what tells any two apart, so that no page boundary can lose one.

    Args:
        direction: `asc` or `desc`.
    """
    return [{name: {"order": direction, "unmapped_type": "keyword"}} for name in _ORDER]


def alert_document(
    words: Mapping[str, Any], event: Told, evidence: Iterable[Evidence], run: RunReference, id_: str
) -> dict[str, Any]:
    """The alert's `_source`: the same, but for `osdetect`, for a record in any dialect that keeps what it says.

    Args:
        words: the rule's `rule` and `threat` objects, without what is empty.
        event: what is told of the event.
        evidence: the tests that held (`osdetect.expr.evidence`).
        run: the run that found it.
        id_: the alert's own; it stands in the document too, where it can be searched by its beginning.
    """
    held = [_evidence(one) for one in evidence]
    at = event.at
    own: dict[str, Any] = {
        "status": "open",
        "source": {"index": at.index, "id": at.id, "shard": at.shard, "seq_no": at.seq_no},
        "run_id": run.id,
        "id": id_,
    }
    if held:
        own["matched"] = sorted({one["field"] for one in held})
        own["evidence"] = held
    if event.lag_ms is not None:
        own["lag_ms"] = event.lag_ms
    return {"@timestamp": event.timestamp, **words, **event.call, "osdetect": own}


def _evidence(one: Evidence) -> dict[str, Any]:
    kept = {"field": one.field, "test": one.test[:MAX_VALUE], "value": one.value[:MAX_VALUE]}
    cut = len(one.value) - MAX_VALUE
    return {**kept, "characters_cut": cut} if cut > 0 else kept
