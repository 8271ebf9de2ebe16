"""Single documents with compare-and-set (OpenSearch docs, "Index document": if_seq_no, if_primary_term)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from osdetect.cluster.asking import Asks


class Version(NamedTuple):
    """Which write of a document this is; what a compare-and-set compares."""

    seq_no: int
    primary_term: int


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as stored, and which write of it."""

    source: Mapping[str, Any]
    version: Version


def _path(index: str, endpoint: str, doc_id: str) -> str:
    return f"/{quote(index, safe='')}/{endpoint}/{quote(doc_id, safe='')}"


def read(cluster: Asks, index: str, doc_id: str) -> StoredDocument | None:
    """The document, as of now (also before a refresh), or None when it or its index is missing."""
    reply = cluster.request("GET", _path(index, "_doc", doc_id), accept=(404,))
    if not reply.get("found"):
        return None
    return StoredDocument(reply["_source"], _version(reply))


def _version(reply: Mapping[str, Any]) -> Version:
    return Version(reply["_seq_no"], reply["_primary_term"])


def create(cluster: Asks, index: str, doc_id: str, source: Mapping[str, Any]) -> Version | None:
    """Write a new document; None when the id is taken."""
    reply = cluster.request("PUT", _path(index, "_create", doc_id), body=source, accept=(409,))
    return None if "error" in reply else _version(reply)


def replace(
    cluster: Asks, index: str, doc_id: str, source: Mapping[str, Any], version: Version
) -> Version | None:
    """Write a document over the version that was read; None when somebody else wrote since."""
    params = {"if_seq_no": version.seq_no, "if_primary_term": version.primary_term}
    reply = cluster.request("PUT", _path(index, "_doc", doc_id), params=params, body=source, accept=(409,))
    return None if "error" in reply else _version(reply)
