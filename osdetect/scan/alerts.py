"""From a record that a rule matches to the alert: the same document as the detector's, with the same id."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from osdetect.documents.alert import alert_document, alert_id
from osdetect.documents.event import (
    RESERVED,
    known_id,
    timestamp_of,
    unknown_id,
)
from osdetect.documents.stored_rule import StoredRule
from osdetect.documents.told import EventReference, RunReference, told
from osdetect.expr import evidence
from osdetect.scan.plan import UNDATED

_MICROSECONDS = 1_000_000


def identify(raw: bytes, content: Mapping[str, Any]) -> tuple[str, int]:
    """The id that `osdetect load` gives the record's event, and its time in microseconds since 1970.

    Args:
        raw: the record.
        content: the same, parsed.
    """
    return known_id(content) or unknown_id(raw, content), microseconds(content.get("eventTime"))


def microseconds(event_time: object) -> int:
    """The time that an eventTime says, `UNDATED` if it is not usable."""
    stamp = timestamp_of(event_time)
    if stamp is None:
        return UNDATED
    return int(datetime.fromisoformat(stamp).timestamp() * _MICROSECONDS)


def written_time(microseconds: int) -> str:
    """A time as people read it, `2024-05-01T12:00:00Z`; empty for none."""
    if not 0 <= microseconds < UNDATED:
        return ""
    return datetime.fromtimestamp(microseconds // _MICROSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def alert_of(
    rule: StoredRule, raw: bytes, content: Mapping[str, Any], place: tuple[str, int], run: RunReference
) -> bytes:
    """The alert as JSON; `osdetect.source` says file and record where the detector's says index and shard.

    Args:
        rule: which matches.
        raw: the record.
        content: the same, parsed.
        place: the file's name, and the record's number in it, from 1.
        run: the scan.
    """
    event_id, _ = identify(raw, content)
    at = EventReference(index="", index_uuid="", id=event_id, shard=-1, seq_no=-1)
    document = alert_document(
        {name: block for name, block in rule.words.items() if block},
        told(_as_stored(content), at, run),
        evidence(rule.tree, content) or (),
        run,
        alert_id(rule.id, event_id),
    )
    file, record = place
    document["osdetect"]["source"] = {"id": event_id, "file": file, "record": record}
    return dumped(_under(alert_id(rule.id, event_id), document))


def renamed(alert: bytes, event_id: str) -> bytes:
    """The alert of an event whose own id another record has: under the id that `osdetect load` gives it then."""
    document = orjson.loads(alert)
    document["osdetect"]["source"]["id"] = event_id
    return dumped(_under(alert_id(document["rule"]["id"], event_id), document))


def _under(made_id: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The alert with its id, where the detector's say it and where a line of output does."""
    rest = {name: value for name, value in document.items() if name != "id"}
    return {"id": made_id, **rest, "osdetect": {**document["osdetect"], "id": made_id}}


def dumped(document: Mapping[str, Any]) -> bytes:
    """As one line of JSON. File names that are no Unicode are made readable."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return orjson.dumps(_readable(document))


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_readable(name): _readable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_readable(one) for one in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _as_stored(content: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the time that `osdetect load` adds, and without names that only osdetect writes."""
    event = {name: value for name, value in content.items() if name not in RESERVED}
    stamp = timestamp_of(content.get("eventTime"))
    return {**event, "@timestamp": stamp} if stamp is not None else event
