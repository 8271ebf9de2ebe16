"""The target of a pass: its shards, which of its indices cannot be read now, and when that ends all."""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from functools import partial

import msgspec

from osdetect.cluster import Cluster
from osdetect.cluster.background import in_background
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable
from osdetect.follow import Shard, incomplete, shards_of, unseen


class Target(msgspec.Struct, frozen=True):
    """What is watched, as far as it was written at one moment."""

    shards: tuple[Shard, ...]
    hidden: Future[dict[str, ClusterError]]
    """Done when searches see all of it, but for these indices, which cannot be searched now."""

    @staticmethod
    def look(cluster: Cluster, target: str) -> "Target":
        """As far as it is written now.

        Raises:
            ClusterError: the shards could not be listed.
        """
        shards = shards_of(cluster, target)
        return Target(shards, in_background(partial(_hidden, cluster, target, shards)))


def _hidden(cluster: Cluster, target: str, shards: tuple[Shard, ...]) -> dict[str, ClusterError]:
    """The indices that cannot be searched whole; the others are visible as far as they were written.

    Raises:
        ClusterError: none can.
    """
    missing = incomplete(cluster, target, shards)
    # To refresh an index without a primary takes as long as the cluster waits for one.
    asked = [shard for shard in shards if shard.index not in missing]
    failed = unseen(cluster, asked)
    if failed and failed.keys() == {shard.index for shard in asked}:
        # An outage first: whoever asks again after it learns what else there is.
        for error in sorted(failed.values(), key=lambda one: isinstance(one, ClusterRefused)):
            if isinstance(error, ClusterUnavailable) or not (missing or _of_closed(error)):
                raise error
    return {**missing, **failed}


def require_some(shards: Iterable[Shard], hidden: Mapping[str, ClusterError], but: Collection[str]) -> None:
    """Raise what the indices of the target were refused with, if it is all of them for good: that is no matter of one.

    Args:
        shards: of the target.
        hidden: its indices that cannot be read, and why.
        but: those of them that are as they were made.

    Raises:
        ClusterRefused: as the cluster said it.
    """
    refused = [
        error
        for index, error in hidden.items()
        if isinstance(error, ClusterRefused) and not _of_closed(error) and index not in but
    ]
    passing = any(isinstance(error, ClusterUnavailable) for error in hidden.values())
    if refused and not passing and hidden.keys() >= {shard.index for shard in shards}:
        raise refused[0]


def _of_closed(error: ClusterError) -> bool:
    """Whether it was refused because the index is closed."""
    return "index_closed_exception" in error.cause
