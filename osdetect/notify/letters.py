"""Messages that were given up: dead letters, beside those of records and alerts."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from osdetect.cluster import Cluster, Version, every_page, refresh
from osdetect.errors import ClusterRefused
from osdetect.notify.message import Message, iso
from osdetect.vocabulary import DEADLETTER_PREFIX

SOURCE = "notify"
_PAGE = 100
_REASON = 2_000


class Letter(msgspec.Struct, frozen=True):
    """A message that was given up."""

    message: Message
    at: str
    reason: str
    version: Version
    id: str


def bury(cluster: Cluster, message: Message, reason: str, now: datetime) -> None:
    """Keep a message that is given up; once, however often it is given up.

    Raises:
        ClusterError: it could not be kept.
    """
    source = {
        "@timestamp": iso(now),
        "namespace": message.namespace,
        "source": SOURCE,
        "reason": f"channel {message.channel}: {reason}"[:_REASON],
        "record": message.to_source(),
    }
    cluster.create_document(_index(message.namespace), f"{SOURCE}:{message.channel}:{message.key}", source)


def letters(cluster: Cluster, namespace: str) -> Iterator[Letter]:
    """The messages of the namespace that were given up, in the order of their writing.

    Raises:
        ClusterError: they cannot be read.
    """
    index = _index(namespace)
    refresh(cluster, index, accept=(404,))
    body = {
        "size": _PAGE,
        "query": {"term": {"source": SOURCE}},
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
    }
    for hits in every_page(cluster, f"/{index}/_search", body, accept=(404,)):
        yield from (_letter(index, hit) for hit in hits)


def _letter(index: str, hit: Mapping[str, Any]) -> Letter:
    source = hit["_source"]
    message = Message.stored(source.get("record"))
    if message is None:
        raise ClusterRefused(f"the dead letter {hit['_id']} of {index} cannot be read", cure="delete it")
    version = Version(hit["_seq_no"], hit["_primary_term"])
    return Letter(
        message, str(source.get("@timestamp", "")), str(source.get("reason", "")), version, hit["_id"]
    )


def forget(cluster: Cluster, letter: Letter) -> None:
    """Delete the dead letter of a message that was sent after all; one that was written again meanwhile stays.

    Raises:
        ClusterError: it could not be deleted.
    """
    params = {"if_seq_no": letter.version.seq_no, "if_primary_term": letter.version.primary_term}
    path = f"/{_index(letter.message.namespace)}/_doc/{letter.id}"
    cluster.request("DELETE", path, params=params, accept=(404, 409))


def _index(namespace: str) -> str:
    return f"{DEADLETTER_PREFIX}{namespace}"
