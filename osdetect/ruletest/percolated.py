"""What the real percolator says: the rules compiled and stored in an index that lives as long as the run."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import orjson

from osdetect.cluster import Cluster, every_page, index_action, refresh
from osdetect.compiler import Compiled, compile_rule
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.schema.projection import VALUES, Projection, column_key
from osdetect.sigma import Rule
from osdetect.vocabulary import OWNER

PREFIX = "osdetect-ruletest-"
"""Names of the indices: no other command reads them."""
ABANDONED_AFTER = 6 * 3600
"""Seconds after which an index that a killed run left is deleted by the next."""
_RULES = 500
_DOCUMENTS = 200
_PAGE = 5_000

Progress = Callable[[int, int], None]


class Percolator(msgspec.Struct, frozen=True):
    """Rules in a rules index of their own."""

    cluster: Cluster
    index: str
    rules: int
    projection: Projection
    refused: Mapping[str, str]
    """Id of each rule that the cluster refused, and why."""

    def matches(
        self, records: Sequence[Mapping[str, Any]], on_progress: Progress = lambda _done, _total: None
    ) -> tuple[frozenset[str], ...]:
        """For each record the ids of the rules whose stored queries hold.

        Raises:
            ClusterRefused, ClusterUnavailable: the cluster does not answer.
        """
        documents = [orjson.dumps(self.projection.project(record)) for record in records]
        distinct = list(dict.fromkeys(documents))
        known: dict[bytes, frozenset[str]] = {}
        for start in range(0, len(distinct), _DOCUMENTS):
            part = distinct[start : start + _DOCUMENTS]
            known.update(zip(part, self._asked(part), strict=True))
            on_progress(len(known), len(distinct))
        return tuple(known[document] for document in documents)

    def _asked(self, documents: Sequence[bytes]) -> list[frozenset[str]]:
        found: list[set[str]] = [set() for _ in documents]
        batch = [orjson.Fragment(document) for document in documents]
        query = {"percolate": {"field": "query", "documents": batch}}
        body = {"size": _PAGE, "_source": False, "query": query, "sort": [{"rule.id": "asc"}]}
        for hits in every_page(self.cluster, f"/{self.index}/_search", body):
            for hit in hits:
                for slot in hit["fields"]["_percolator_document_slot"]:
                    found[slot].add(str(hit["_id"]))
        return [frozenset(one) for one in found]


@contextmanager
def percolator(cluster: Cluster, rules: Sequence[Rule]) -> Iterator[Percolator]:
    """The rules, stored as `osdetect deploy` stores them; their index is deleted at the end.

    Raises:
        ClusterRefused: no percolator, or a missing right.
        ClusterUnavailable: the cluster does not answer.
    """
    cluster.require_percolator()
    _delete_abandoned(cluster)
    fields = EventFields.shipped()
    compiled = [compile_rule(rule, fields) for rule in rules]
    index = f"{PREFIX}{int(time.time())}-{secrets.token_hex(4)}"
    try:
        refused = _store(cluster, index, compiled)
        projection = Projection.of([one.stored for one in compiled])
        yield Percolator(cluster, index, len(compiled) - len(refused), projection, refused)
    finally:
        cluster.request("DELETE", f"/{index}", accept=(404,))


def _store(cluster: Cluster, index: str, compiled: Sequence[Compiled]) -> dict[str, str]:
    template = orjson.loads((folder("mappings") / "rules.template.json").read_bytes())["template"]
    paths = sorted({path for one in compiled for path in one.columns})
    columns = {column_key(path): {"type": "keyword", "doc_values": False} for path in paths}
    mappings = template["mappings"]
    mappings["properties"][VALUES] = {"type": "object", "dynamic": False, "properties": columns}
    mappings["_meta"] = {"owner": OWNER}
    settings = {**template["settings"]["index"], "auto_expand_replicas": "false", "number_of_replicas": 0}
    cluster.create_index(index, {"settings": {"index": settings}, "mappings": mappings})
    refused: dict[str, str] = {}
    for start in range(0, len(compiled), _RULES):
        part = compiled[start : start + _RULES]
        outcomes = cluster.bulk([index_action(index, one.id, one.document) for one in part])
        refused.update({one.id: told.reason for one, told in zip(part, outcomes, strict=True) if told.failed})
    refresh(cluster, index)
    return refused


def _delete_abandoned(cluster: Cluster) -> None:
    """Delete what runs that were killed left behind; the time is part of the name."""
    found = cluster.request("GET", f"/{PREFIX}*/_alias", accept=(404,))
    for name in found if "error" not in found else ():
        made = name.removeprefix(PREFIX).partition("-")[0]
        if made.isdigit() and int(made) < time.time() - ABANDONED_AFTER:
            cluster.request("DELETE", f"/{name}", accept=(404,))
