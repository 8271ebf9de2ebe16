"""One batch sent to the cluster, and what became of each record of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from osdetect.cluster import Cluster, ItemOutcome
from osdetect.documents.event import other_id
from osdetect.errors import ClusterRefused
from osdetect.load import deadletter
from osdetect.load.batch import Batch, Item, action
from osdetect.load.deadletter import DeadLetter

_NO_PIPELINE = {"pipeline": "_none"}
"""Our documents are what the pipeline would make of the records (tests/mappings/test_pipeline.py)."""


class Delivered(msgspec.Struct, frozen=True):
    """What became of a batch: each of its records is in one of these."""

    created: int
    already_there: int
    reused_ids: int
    letters: tuple[DeadLetter, ...]


class _Tally(msgspec.Struct):
    created: int = 0
    already_there: int = 0
    reused_ids: int = 0
    taken: list[Item] = msgspec.field(default_factory=list)
    letters: list[DeadLetter] = msgspec.field(default_factory=list)


def deliver(cluster: Cluster, batch: Batch, namespace: str, *, ingested: str) -> Delivered:
    """Send a batch, look into the ids that are taken, and store the dead letters.

    Raises:
        ClusterUnavailable: the cluster stayed busy or away.
        ClusterRefused: it refuses for a reason that is not the record's.
    """
    tally = _Tally(letters=list(batch.letters))
    outcomes = cluster.bulk(batch.actions, params=_NO_PIPELINE) if batch.actions else ()
    for item, outcome in zip(batch.items, outcomes, strict=True):
        if outcome.created:
            tally.created += 1
        elif outcome.exists:
            tally.taken.append(item)
        else:
            tally.letters.append(_letter(item, outcome))
    if tally.taken:
        _settle(cluster, tally)
    _store_letters(cluster, tally.letters, namespace, ingested=ingested)
    return Delivered(tally.created, tally.already_there, tally.reused_ids, tuple(tally.letters))


def _settle(cluster: Cluster, tally: _Tally) -> None:
    """Tell records that are there already from others that only have the same id; store the latter beside them."""
    stored = cluster.read_documents((item.document.index, item.document.id) for item in tally.taken)
    others = []
    for item, doc in zip(tally.taken, stored, strict=True):
        if doc.get("found") and _content(doc["_source"]) == _content(orjson.loads(item.document.source)):
            tally.already_there += 1
        else:
            others.append(item)
    actions = [
        action(item.document.index, other_id(item.document.id, item.raw), item.document.source)
        for item in others
    ]
    outcomes = cluster.bulk(actions, params=_NO_PIPELINE) if actions else ()
    for item, outcome in zip(others, outcomes, strict=True):
        if outcome.created:
            tally.reused_ids += 1
        elif outcome.exists:  # that id is made from the content: it is the same record
            tally.already_there += 1
        else:
            tally.letters.append(_letter(item, outcome))


def _content(source: Mapping[str, Any]) -> bytes:
    """All of an event but when it was stored, as comparable bytes."""
    return orjson.dumps({**source, "event": None}, option=orjson.OPT_SORT_KEYS)


def _letter(item: Item, outcome: ItemOutcome) -> DeadLetter:
    why = f"{outcome.error_type}: {outcome.reason}"
    if (
        not outcome.blames_document
    ):  # the next one would fare no better: good records must not become dead letters
        raise ClusterRefused(
            f"the cluster does not take events into {item.document.index}",
            cause=why,
            cure="run the command again when that is mended: what is stored already is not stored twice",
        )
    return item.letter(f"refused by OpenSearch: {outcome.reason or outcome.error_type}")


def _store_letters(cluster: Cluster, letters: Sequence[DeadLetter], namespace: str, *, ingested: str) -> None:
    actions = [deadletter.action(letter, namespace, ingested=ingested) for letter in letters]
    for outcome in cluster.bulk(actions, params=_NO_PIPELINE) if actions else ():
        if outcome.failed:
            raise ClusterRefused(
                "the cluster does not take dead letters",
                cause=f"{outcome.error_type}: {outcome.reason}",
                cure="run the command again when that is mended: what is stored already is not stored twice",
            )
