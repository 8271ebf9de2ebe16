"""Single documents with compare-and-set (OpenSearch docs, "Index document": if_seq_no, if_primary_term)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote

import msgspec

from osdetect.cluster.asking import Asks
from osdetect.cluster.refusal import forbidden
from osdetect.cluster.translate import reason_of
from osdetect.errors import ClusterUnavailable


class Version(NamedTuple):
    """Which write of a document this is; what a compare-and-set compares."""

    seq_no: int
    primary_term: int


class StoredDocument(msgspec.Struct, frozen=True):
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


def read_many(cluster: Asks, named: Iterable[tuple[str, str]]) -> Sequence[Mapping[str, Any]]:
    """Documents by index and id, each as of now, in the order of `named`: with `found`, false also where the index is missing.

    OpenSearch answers 200 also when it could not look for one (a shard without copy, a missing right). Who took that for
    "not there" would store or send a thing twice.

    Raises:
        ClusterRefused: this user may not read one of them.
        ClusterUnavailable: one of them cannot be read now.
    """
    docs = [{"_index": index, "_id": doc_id} for index, doc_id in named]
    found: Sequence[Mapping[str, Any]] = (
        cluster.request("POST", "/_mget", body={"docs": docs})["docs"] if docs else ()
    )
    for one in found:
        error = one.get("error")
        if error and error.get("type") != "index_not_found_exception":
            _not_read(one, error)
    return found


def _not_read(one: Mapping[str, Any], error: Mapping[str, Any]) -> NoReturn:
    reason = reason_of({"error": error})
    if error.get("type") == "security_exception":
        raise forbidden(reason, f"GET {_path(str(one['_index']), '_doc', str(one['_id']))}")
    raise ClusterUnavailable(
        f"the document {one['_id']} of {one['_index']} cannot be read",
        cause=reason,
        cure="see the cluster's health; run the command again when it is green or yellow",
    )


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
