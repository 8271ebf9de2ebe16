"""The event document of a CloudTrail record: which index, which id, which content.

The ingest pipeline in `mappings/cloudtrail.pipeline.json` makes the same document from the same record; what is said here is
said there in Painless, and tests/mappings/test_pipeline.py compares them on every known record.

    index    osdetect-cloudtrail-{namespace}-{yyyy.MM of eventTime}; `undated` without a usable eventTime
    id       {account}-{eventID}; {account}-~{hash of the content} without a usable eventID
    content  the record as it is, and behind it `@timestamp`, `event.ingested`, `osdetect.problems` if there are any, and
             `osdetect.long_text` if it holds a text that searches cannot see, and `osdetect.hollow` for fields of which
             they cannot see that they are there

The id depends on the record alone, so storing it again with `create` adds nothing.
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from osdetect.documents.dialect import Dialect
from osdetect.errors import RecordError, UsageError
from osdetect.expr.values import scalars
from osdetect.vocabulary import EVENTS_PREFIX, UNDATED

MAX_INDEXED = 8191
"""`ignore_above` of the event index: longer texts are no terms."""
HOLLOW_FIELDS = ("errorCode", "errorMessage")
"""Fields that rules ask to be there: an event that has one without a value names it in `osdetect.hollow`.

The event index says in its `_meta.hollow` that all its events do; indices of earlier templates do not.
"""
RESERVED = frozenset({"@timestamp", "event", "osdetect"})
"""Top-level names that osdetect writes: a record must not bring them, nor a dotted name below them."""
METADATA = frozenset(
    {
        "_field_names",
        "_id",
        "_if_primary_term",
        "_if_seq_no",
        "_ignored",
        "_index",
        "_nested_path",
        "_primary_term",
        "_routing",
        "_seq_no",
        "_source",
        "_version",
        "_version_type",
    }
)
"""Names that OpenSearch and its ingest pipelines keep for themselves at the top of a document."""

NO_TIME = "no usable eventTime"
NO_ID = "no usable eventID"
NO_ACCOUNT = "unknown"
"""Stands for the account in the id of a record that names none."""

_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_]{0,47}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(\.\d{1,9})?Z?", re.ASCII)
_ACCOUNT = re.compile(r"[A-Za-z0-9_]{1,64}")
_EVENT_ID = re.compile(r"[!-~]{1,256}")
_DATE_TEXT = len("2023-07-10")


class EventDocument(msgspec.Struct, frozen=True):
    """A document ready to be stored."""

    index: str
    id: str
    source: bytes
    """One line of JSON."""
    problems: tuple[str, ...]
    """What the record lacked, as stored in `osdetect.problems`."""


def check_namespace(namespace: str) -> str:
    """`namespace`, which becomes part of index names.

    Raises:
        UsageError: it cannot be: it must be 1 to 48 of a-z, 0-9 and _, and not begin with _.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise UsageError(
            f"{namespace!r} cannot be a namespace",
            cause="a namespace is 1 to 48 of the characters a-z, 0-9 and _, and does not begin with _",
            cure="give another --namespace",
        )
    return namespace


def event_document(
    raw: bytes,
    content: Mapping[str, Any],
    *,
    namespace: str,
    by_day: bool,
    ingested: str,
    problems: tuple[str, ...] = (),
) -> EventDocument:
    """The document for one record.

    Args:
        raw: the record, a JSON object on one line.
        content: the same, parsed.
        namespace: checked by `check_namespace`.
        by_day: an index for each day instead of each month.
        ingested: when it is stored, for example "2024-05-01T12:00:00.000Z".
        problems: what is known to be wrong with the record already.

    Raises:
        RecordError: the record uses a name that is not its own.
    """
    _refuse_reserved(tuple(content))
    period, timestamp = _times(content.get("eventTime"), by_day=by_day)
    known = known_id(content)
    found = (NO_TIME,) * (timestamp is None) + (NO_ID,) * (known is None) + problems
    tail = _tail(ingested, timestamp, {"problems": found, **search_marks(raw, content)})
    source = raw.rstrip()[:-1] + b"," + tail if content else b"{" + tail
    doc_id = known or unknown_id(raw, content)
    return EventDocument(f"{EVENTS_PREFIX}{namespace}-{period}", doc_id, source, found)


def known_id(content: Mapping[str, Any]) -> str | None:
    """The id of the document for a record with a usable eventID; None for another."""
    event_id = content.get("eventID")
    usable = isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id) is not None
    return f"{account_of(content)}-{event_id}" if usable else None


def unknown_id(raw: bytes, content: Mapping[str, Any]) -> str:
    """The id of the document for a record without a usable eventID."""
    return f"{account_of(content)}-~{content_hash(raw)}"


def other_id(doc_id: str, raw: bytes) -> str:
    """The id for a record whose own id is taken by a record of other content."""
    return f"{doc_id}~{content_hash(raw)}"


def account_of(content: Mapping[str, Any]) -> str:
    """The account that the record was delivered to, else the caller's, else `NO_ACCOUNT`."""
    identity = content.get("userIdentity")
    caller = identity.get("accountId") if isinstance(identity, Mapping) else None
    return _account(content.get("recipientAccountId"), caller)


def _account(*candidates: object) -> str:
    usable = (one for one in candidates if isinstance(one, str) and _ACCOUNT.fullmatch(one))
    return next(usable, NO_ACCOUNT)


def event_identity(event: Mapping[str, Any], dialect: Dialect) -> str | None:
    """What `osdetect load` would call the record that an event was made of; None when it has no usable eventID.

    CloudTrail gives each event an id of its own (AWS docs, "CloudTrail record contents", eventID).
    """
    event_id = dialect.text(event, "eventID")
    if not _EVENT_ID.fullmatch(event_id):
        return None
    accounts = (dialect.text(event, fact) for fact in ("recipientAccountId", "userIdentity.accountId"))
    return f"{_account(*accounts)}-{event_id}"


def has_long_text(raw: bytes, content: Mapping[str, Any]) -> bool:
    """Whether a text of the record is longer than the event index keeps as a term; Java counts UTF-16 code units."""
    if len(raw) <= MAX_INDEXED:
        return False
    texts = (value for value in scalars(content) if isinstance(value, str))
    return any(len(text) + sum(c > "\uffff" for c in text) > MAX_INDEXED for text in texts)


def search_marks(raw: bytes, content: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of itself, under `osdetect`, so that no search passes over what it cannot see.

    >>> search_marks(b"", {"errorCode": None}), search_marks(b"", {"errorCode": "AccessDenied"})
    ({'long_text': False, 'hollow': ['errorCode']}, {'long_text': False, 'hollow': []})
    """
    hollow = [name for name in HOLLOW_FIELDS if name in content and _is_hollow(content[name])]
    return {"long_text": has_long_text(raw, content), "hollow": hollow}


def _is_hollow(value: Any) -> bool:
    """Whether the index holds nothing of the value: it is null, or a list of no more than that."""
    if not isinstance(value, list):
        return value is None
    pending = [*value]
    while pending:
        here = pending.pop()
        if isinstance(here, list):
            pending.extend(here)
        elif here is not None:
            return False
    return True


def _tail(ingested: str, timestamp: str | None, said: Mapping[str, Any]) -> bytes:
    """What is spliced behind the record, with the closing brace. Neither time holds anything that JSON escapes."""
    stamp = f',"@timestamp":"{timestamp}"' if timestamp is not None else ""
    own = {name: value for name, value in said.items() if value}
    known = f',"osdetect":{json.dumps(own, separators=(",", ":"))}' if own else ""
    return f'"event":{{"ingested":"{ingested}"}}{stamp}{known}}}'.encode()


@lru_cache(maxsize=4096)
def _refuse_reserved(names: tuple[str, ...]) -> None:
    """Most records have one of a few sets of names; an error is not kept by the cache."""
    for name in names:
        first = name.partition(".")[0]
        if first in RESERVED or first in METADATA:
            raise RecordError(
                f"the record has a field {name[:80]!r}, a name that osdetect or OpenSearch writes itself",
                cure="take out what a shipper added; CloudTrail's own records have no such field",
            )


def timestamp_of(event_time: object) -> str | None:
    """`@timestamp` for an eventTime; None if it is not usable."""
    return _times(event_time, by_day=False)[1]


def _times(event_time: object, *, by_day: bool) -> tuple[str, str | None]:
    """The index's period and `@timestamp`.

    CloudTrail writes `2023-07-10T11:42:36Z` (AWS docs, "CloudTrail record contents"). Read as well: a fraction of up to 9
    digits, a space for the T, no Z; all are UTC.
    """
    found = _TIME.fullmatch(event_time) if isinstance(event_time, str) else None
    period = _period(found[1], by_day) if found else None
    if found is None or period is None:
        return UNDATED, None
    return period, f"{found[1]}T{found[2]}:{found[3]}:{found[4]}{found[5] or ''}Z"


@lru_cache(maxsize=4096)
def _period(date: str, by_day: bool) -> str | None:  # lru_cache is simplest with positions
    """`2023.07` or `2023.07.10`, or None when there is no such day or CloudTrail cannot have been there.

    The years are bounded, so that made-up times cannot make indices without end.
    """
    year, month, day = int(date[:4]), int(date[5:7]), int(date[8:])
    if not (2006 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= _days(year, month)):
        return None
    return date.replace("-", ".")[: _DATE_TEXT if by_day else len("2023.07")]


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def content_hash(raw: bytes) -> str:
    """SHA-256 of the record's canonical text: equal for the same content, however it is spaced, ordered or escaped."""
    return hashlib.sha256(canonical(json.loads(raw)).encode()).hexdigest()


def canonical(value: Any) -> str:
    """A text that two readers of the same JSON make alike, in Python as in Painless.

    Names sorted by UTF-16 code unit (Java's order); a number with a fraction or exponent as the bits of its double.
    """
    match value:
        case None:
            return "n"
        case True:
            return "t"
        case False:
            return "f"
        case str():
            return _quoted(value)
        case int():
            return f"i{value}"
        case float():
            return f"d{int.from_bytes(struct.pack('>d', value), 'big'):x}"
        case list():
            return f"[{','.join(map(canonical, value))}]"
        case _:
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return "{" + ",".join(f"{_quoted(name)}:{canonical(value[name])}" for name in names) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
