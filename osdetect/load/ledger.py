"""Which files are loaded: one document a file in the state index, written when all its records are acknowledged.

The key is the namespace and the SHA-256 of the file's bytes: a copy or a renamed file is the same file, a file that has
grown since is another one, whose old records are then found to be there already. An entry names the very indices that
the records went into: when one of them is gone, the file counts as not loaded.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from osdetect.cluster import Cluster, index_action
from osdetect.errors import ClusterRefused
from osdetect.vocabulary import EVENTS_PREFIX, STATE_INDEX


class Entry(msgspec.Struct, frozen=True):
    """What the ledger keeps of a loaded file."""

    sha256: str
    path: str
    records: int
    """Records in it, dead letters included."""
    dead_letters: int
    cut: str
    """Why it was read in part only; empty for a whole file."""
    cut_offset: int
    indices: frozenset[str] = frozenset()
    """The uuids of the event indices that its records are in."""


def event_indices(cluster: Cluster, namespace: str) -> Mapping[str, str]:
    """The event indices of a namespace: name and uuid."""
    params = {"format": "json", "h": "index,uuid", "expand_wildcards": "all"}
    rows = cluster.request("GET", f"/_cat/indices/{EVENTS_PREFIX}{namespace}-*", params=params)
    return {row["index"]: row["uuid"] for row in rows}


def _id(namespace: str, sha256: str) -> str:
    return f"load:{namespace}:{sha256}"


def known(cluster: Cluster, namespace: str, hashes: Iterable[str]) -> Mapping[str, Entry]:
    """The entries of those files among `hashes` that are loaded, by hash; not those whose events are gone."""
    found = cluster.read_documents((STATE_INDEX, _id(namespace, sha256)) for sha256 in hashes)
    entries = [_entry(doc["_source"]) for doc in found if doc.get("found")]
    there = frozenset(event_indices(cluster, namespace).values()) if entries else frozenset()
    return {entry.sha256: entry for entry in entries if entry.indices <= there}


def _entry(source: Mapping[str, Any]) -> Entry:
    file = source["file"]
    return Entry(
        file["sha256"],
        file["path"],
        source["records"],
        source["dead_letters"],
        source.get("cut", ""),
        source.get("cut_offset", -1),
        frozenset(source.get("indices", ())),
    )


def write(cluster: Cluster, namespace: str, entries: Sequence[Entry], *, loaded: str) -> None:
    """Remember that these files are loaded; `loaded` is when.

    Raises:
        ClusterRefused: the cluster does not take an entry.
    """
    actions = [
        index_action(
            STATE_INDEX,
            _id(namespace, entry.sha256),
            {
                "kind": "load",
                "namespace": namespace,
                "loaded": loaded,
                "file": {"path": printable(entry.path), "sha256": entry.sha256},
                "records": entry.records,
                "dead_letters": entry.dead_letters,
                "cut": entry.cut,
                "cut_offset": entry.cut_offset,
                "indices": sorted(entry.indices),
            },
        )
        for entry in entries
    ]
    for outcome in cluster.bulk(actions) if actions else ():
        if outcome.failed:
            raise ClusterRefused(
                "the ledger of loaded files cannot be written",
                cause=f"{outcome.error_type}: {outcome.reason}",
                cure="run the command again when that is mended: what is stored already is not stored twice",
            )


def printable(path: str) -> str:
    """A file name as text that can be stored: names are bytes, and need not be Unicode."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
