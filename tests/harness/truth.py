"""What the cluster acknowledged, and which alerts follow from it."""

import threading
from collections.abc import Iterable

import msgspec

from osdetect.documents.alert import alert_id
from tests.faults.material import ACCOUNT
from tests.harness.material import Event

Pair = tuple[str, str]
"""A rule's id and an event's identity: its event id, or `index/_id` when its record has none."""

_ABSENT: frozenset[str] = frozenset()


class _Place(msgspec.Struct):
    """A document: what may stand there now, as the rules that match it, and what ever may have."""

    identity: str
    key: str
    now: set[frozenset[str]] = msgspec.field(default_factory=lambda: {_ABSENT})
    ever: set[frozenset[str]] = msgspec.field(default_factory=set)


class Truth:
    """Written by all writers at once.

    A write that was begun may stand or not; one that was acknowledged stands; what was overwritten, deleted or lost with
    its index may have been judged before or not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[tuple[str, str], _Place] = {}
        self.acknowledged = 0

    def began(self, index: str, uuid: str, event: Event) -> None:
        """A write goes out. `uuid` tells apart indices of one name."""
        with self._lock:
            place = self._places.setdefault((uuid, event.id), _place(index, uuid, event))
            place.now.add(event.matches)
            place.ever.add(event.matches)

    def stands(self, uuid: str, event: Event) -> None:
        """A write was acknowledged, or found its very event there."""
        with self._lock:
            self._places[uuid, event.id].now = {event.matches}
            self.acknowledged += 1

    def deleting(self, uuid: str, event: Event) -> None:
        """The event is deleted, or may be soon."""
        with self._lock:
            self._places[uuid, event.id].now.add(_ABSENT)

    def index_gone(self, uuid: str) -> None:
        """The index was deleted with all that it held."""
        with self._lock:
            for (where, _), place in self._places.items():
                if where == uuid:
                    place.now = {_ABSENT}

    def may_be_lost(self, uuid: str) -> None:
        """The node was killed; the index acknowledges before it has written to the disk."""
        with self._lock:
            for (where, _), place in self._places.items():
                if where == uuid:
                    place.now |= place.ever | {_ABSENT}

    def must(self, rules: frozenset[str]) -> set[Pair]:
        """The alerts that must be there, for rules that were deployed all the time."""
        return {
            (rule, place.identity)
            for place in self._places.values()
            for rule in frozenset.intersection(*place.now) & rules
        }

    def may(self) -> dict[Pair, set[str]]:
        """The alerts that may be there, each with the ids that it may have."""
        found: dict[Pair, set[str]] = {}
        for place in self._places.values():
            for rule in frozenset().union(*place.ever):
                found.setdefault((rule, place.identity), set()).add(alert_id(rule, place.key))
        return found

    def identities(self) -> Iterable[str]:
        """Each event once."""
        return {place.identity for place in self._places.values()}


def _place(index: str, uuid: str, event: Event) -> _Place:
    if event.named:
        return _Place(event.event_id, f"{ACCOUNT}-{event.event_id}")
    return _Place(f"{index}/{event.id}", f"{uuid}/{event.id}")
