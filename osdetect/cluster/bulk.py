"""Bulk requests whose items are told apart, and repeated one by one where the cluster was too busy."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from tenacity import wait_random_exponential
from tenacity.wait import wait_base

from osdetect.cluster.asking import Asks
from osdetect.cluster.refusal import forbidden
from osdetect.cluster.store import Version
from osdetect.cluster.translate import reason_of
from osdetect.errors import ClusterUnavailable

_BUSY = frozenset({429, 503})
_REPLY = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
_ABOUT_THE_DOCUMENT = frozenset(
    {
        "document_parsing_exception",
        "illegal_argument_exception",
        "json_parse_exception",
        "mapper_parsing_exception",
        "max_bytes_length_exceeded_exception",
        "not_x_content_exception",
        "parse_exception",
        "parsing_exception",
        "stream_constraints_exception",
        "strict_dynamic_mapping_exception",
        "x_content_parse_exception",
    }
)
"""OpenSearch's error types that blame the document. Any other (no rights, no disk, a block) hits the next one as well."""


class ItemOutcome(msgspec.Struct, frozen=True):
    """What became of one action of a bulk request (OpenSearch docs, "Bulk API")."""

    status: int
    error_type: str = ""
    reason: str = ""

    @property
    def created(self) -> bool:
        """The document was written."""
        return self.status in (200, 201)

    @property
    def exists(self) -> bool:
        """`create` found the id taken, or `replace` another version: the document there stays as it is."""
        return self.status == 409  # Conflict

    @property
    def failed(self) -> bool:
        """The cluster refused the document."""
        return not (self.created or self.exists)

    @property
    def blames_document(self) -> bool:
        """The cluster refused this document for what it holds; another one would fare better."""
        return self.failed and self.error_type in _ABOUT_THE_DOCUMENT


_CREATED = ItemOutcome(201)
_FORBIDDEN = "security_exception"


def create_action(index: str, doc_id: str, source: Mapping[str, Any]) -> bytes:
    """The two lines that write a new document (OpenSearch docs, "Bulk API"); an id that is taken stays as it is."""
    return _lines("create", index, doc_id, source)


def index_action(index: str, doc_id: str, source: Mapping[str, Any] | bytes) -> bytes:
    """The two lines that write a document, new or over the one with its id; bytes are JSON on one line, sent as they are."""
    return _lines("index", index, doc_id, source)


def replace_action(index: str, doc_id: str, source: Mapping[str, Any] | bytes, version: Version) -> bytes:
    """The two lines that write a document over the version that was read; a conflict (409) if it is another by now."""
    unless = {"if_seq_no": version.seq_no, "if_primary_term": version.primary_term}
    return _lines("index", index, doc_id, source, **unless)


def _lines(
    operation: str, index: str, doc_id: str, source: Mapping[str, Any] | bytes, **conditions: int
) -> bytes:
    head = orjson.dumps({operation: {"_index": index, "_id": doc_id, **conditions}})
    return head + b"\n" + (source if isinstance(source, bytes) else orjson.dumps(source)) + b"\n"


def send(
    cluster: Asks, actions: Sequence[bytes], params: Mapping[str, str], *, retry_for_s: float
) -> tuple[ItemOutcome, ...]:
    r"""Send `actions` in one bulk request and give their outcomes in the same order.

    Items that the cluster was too busy for (429, 503) are sent again, alone, with growing pauses.

    Args:
        cluster: where to.
        actions: each the action line and the source line, `b'{"create":{...}}\n{...}\n'`.
        params: query parameters, for example `{"pipeline": "_none"}`.
        retry_for_s: how long busy items are repeated, in seconds.

    Raises:
        ClusterUnavailable: items were still refused as busy at the end of that time.
        ClusterRefused: the request as a whole was refused, or this user may not write one of the documents.
    """
    outcomes: dict[int, ItemOutcome] = {}
    waiting = list(range(len(actions)))
    pause: wait_base = wait_random_exponential(multiplier=0.25, max=8)
    deadline = time.monotonic() + retry_for_s
    attempt = _Attempt()
    while waiting:
        reply = cluster.request(
            "POST",
            "/_bulk",
            params={"filter_path": _REPLY, **params},
            body=b"".join(actions[i] for i in waiting),
        )
        answered = reply.get("items", ()) if isinstance(reply, Mapping) else ()
        items = [_outcome(item) for item in answered]
        if len(items) != len(waiting):
            raise ClusterUnavailable(
                f"the cluster answered {len(items)} of {len(waiting)} bulk items",
                cure="run the command again: what is stored already is not stored twice",
            )
        outcomes.update(zip(waiting, items, strict=True))
        for i, item in zip(waiting, items, strict=True):
            if item.error_type == _FORBIDDEN:  # what this user may not do is nothing about the document
                raise forbidden(item.reason, f"POST /{_index(actions[i])}/_bulk")
        waiting = [i for i in waiting if outcomes[i].status in _BUSY]
        if waiting and time.monotonic() > deadline:
            raise ClusterUnavailable(
                f"the cluster was too busy for {len(waiting)} of {len(actions)} documents",
                cause=outcomes[waiting[0]].reason,
                cure="run the command again later: what is stored already is not stored twice",
            )
        if waiting:
            attempt = _Attempt(attempt.attempt_number + 1)
            wanted = pause(attempt)  # type: ignore[arg-type]  # the wait reads only attempt_number
            time.sleep(min(wanted, max(0.0, deadline - time.monotonic())))
    return tuple(outcomes[i] for i in range(len(actions)))


def _index(action: bytes) -> str:
    (named,) = orjson.loads(action.partition(b"\n")[0]).values()
    return str(named["_index"])


class _Attempt(msgspec.Struct, frozen=True):
    attempt_number: int = 1


def _outcome(item: Mapping[str, Mapping[str, object]]) -> ItemOutcome:
    (result,) = item.values()
    status = result["status"]
    assert isinstance(status, int)
    error = result.get("error")
    if not error:
        return _CREATED if status == _CREATED.status else ItemOutcome(status)
    kind = str(error.get("type", "")) if isinstance(error, Mapping) else ""
    return ItemOutcome(status, kind, reason_of({"error": error}))
