"""A dictionary with a bound: when it is full it is emptied, and what is still wanted comes back by itself."""

from collections.abc import Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """What was found before, by key. Entries go all at once: to choose among them costs more than to find them again."""

    __slots__ = ("_always", "_capacity", "_most", "_weight", "added", "emptied", "get", "held")

    def __init__(self, most: int, capacity: int, always: Mapping[K, V] | None = None) -> None:
        """At most so many entries, and so much weight of all together; some that stay are not counted."""
        self._most = most
        self._capacity = capacity
        self._weight = 0
        self.emptied = 0
        """How often it was full."""
        self.added = 0
        """How many entries were taken in."""
        self._always = dict(always or {})
        self.held: dict[K, V] = dict(self._always)
        self.get = self.held.get
        """What is remembered for a key, else None or the second argument; it is the dictionary's own, for speed."""

    def put(self, key: K, value: V, weight: int = 1) -> V:
        """Remember the value, which is given back; one heavier than a tenth of the whole is not remembered."""
        if self._has_room(1, weight):
            self.held[key] = value
        return value

    def update(self, entries: Mapping[K, V], weight: int) -> None:
        """Remember all these, of so much weight together, unless that is more than a tenth of the whole."""
        if self._has_room(len(entries), weight):
            self.held.update(entries)

    def _has_room(self, more: int, weight: int) -> bool:
        """Count so many entries in, and make room for them; false when they are too heavy."""
        if weight * 10 > self._capacity:
            return False
        if len(self.held) + more > self._most or self._weight + weight > self._capacity:
            self.held.clear()
            self.held.update(self._always)
            self._weight = 0
            self.emptied += 1
        self._weight += weight
        self.added += more
        return True
