"""In which order a worker does the shards of a pass."""

from collections.abc import Iterable
from zlib import crc32

from osdetect.cluster import Cluster
from osdetect.follow import Shard, require_shard


class Turns:
    """Another order each time, so that none comes always last; those whose index was away in the pass before do."""

    def __init__(self, worker: str) -> None:
        self._at = crc32(worker.encode())
        self._away: frozenset[str] = frozenset()
        """By uuid the indices that were away."""

    def turned(self, shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
        """The shards in the next order: each worker begins at a place of its own."""
        self._at += 1
        at = self._at % max(1, len(shards))
        return tuple(sorted(shards[at:] + shards[:at], key=lambda one: one.index_uuid in self._away))

    def ended(self, away: Iterable[str]) -> None:
        """A pass ended; indices of these uuids were away."""
        self._away = frozenset(away)

    def require(self, cluster: Cluster, shard: Shard) -> None:
        """Ask a shard whose index was away once whether it is there again: it holds up no pass a second time.

        Raises:
            IndexAway: it is not.
        """
        if shard.index_uuid in self._away:
            require_shard(cluster, shard)
