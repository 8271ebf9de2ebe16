"""Which shards have something to do, and taking one of them.

A worker holds a shard only while it has work there, so an idle shard costs no write, and workers share the work as it
comes: each takes the next shard that nobody holds. A lease that is not renewed expires by the clock of who watches it;
no two clocks are compared, but at a worker's first look (`Follower.may_take`).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster, Version
from osdetect.cluster.background import in_background
from osdetect.documents.state import Cursor, Lease
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable, IndexAway
from osdetect.follow.cursors import stored_cursors
from osdetect.follow.held import Held, write
from osdetect.follow.points import reached
from osdetect.follow.shards import Shard, still_there
from osdetect.vocabulary import STATE_INDEX

_MGET = 1_000
"""Cursors that are read by one request."""
_LOOK_BACK = 10
"""Lengths of a lease after which it is looked for shards that are no more, if nothing tells of one."""
AT_ONCE_S = 1.0
"""How long a process that ends at once waits for what it leaves in order."""
_LOOK_AGAIN = 0.5
"""The same while one is watched."""


class Waiting(msgspec.Struct, frozen=True):
    """A shard and its cursor as read."""

    shard: Shard
    cursor: Cursor
    version: Version | None
    """None when the cursor is not stored yet."""

    @property
    def behind(self) -> int:
        """Sequence numbers from the cursor to the checkpoint."""
        return max(0, self.shard.checkpoint - self.cursor.seq_no)

    @property
    def has_work(self) -> bool:
        """Whether something is new or owed."""
        return self.behind > 0 or bool(self.cursor.owed)


class _Seen(msgspec.Struct, frozen=True):
    """A lease as this worker saw it first."""

    version: Version
    expires: float
    """When it is expired if nothing renews it, by this worker's own monotonic clock."""


class Follower:
    """One worker's view of the cursors of one purpose in one namespace."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        purpose: str,
        namespace: str,
        worker: str,
        lease_s: float,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """See the class.

        Args:
            cluster: where.
            purpose: what is followed for; part of the cursors' identity.
            namespace: the same.
            worker: this worker's own name; no two that run at once may share it.
            lease_s: how long a lease lasts that is not renewed, in seconds.
            clock: gives the time, in UTC.
            monotonic: gives seconds that only grow.
        """
        self._cluster, self._purpose, self._namespace = cluster, purpose, namespace
        self.worker, self._lease_s = worker, lease_s
        self._clock, self._monotonic = clock, monotonic
        self._seen: dict[str, _Seen] = {}
        """For each leased cursor the version that was seen last."""
        self._left: dict[str, _Seen] = {}
        """The same for cursors of shards that are no more."""
        self._were: frozenset[str] = frozenset()
        """Ids of the cursors of the shards that were there when it was looked for such."""
        self._looked_back: float | None = None
        self._looked = False
        self.taken = 0
        """Leases that this worker got so far."""
        self.lost = 0
        """Of these, the ones that another worker took over before the work was done."""

    def look(self, shards: Iterable[Shard]) -> tuple[Waiting, ...]:
        """The cursors of the shards, in the same order; a shard without one is before its first document.

        Raises:
            ClusterError: the state cannot be read.
        """
        found = tuple(one for part in _parts(shards) for one in self._read(part))
        asked = {one.cursor.id for one in found}
        others = {key: seen for key, seen in self._seen.items() if key not in asked}
        self._seen = others | self._watched(found, self._seen, first=not self._looked)
        self._looked = True
        return found

    def left_behind(self, shards: Iterable[Shard]) -> tuple[Waiting, ...]:
        """Cursors of the namespace, of whatever purpose, whose shard is no more and whose last worker did not let it go.

        It is looked for them when a shard went since the last call, while some are watched, at first, and now and then.

        Args:
            shards: those that are there.

        Raises:
            ClusterError: the state cannot be read.
        """
        there = frozenset(self._fresh(shard).id for shard in shards)
        gone, self._were = self._were - there, there
        now = self._monotonic()
        pause = self._lease_s * (_LOOK_AGAIN if self._left else _LOOK_BACK)
        if self._looked_back is not None and now - self._looked_back < pause and not gone:
            return ()
        first, self._looked_back = self._looked_back is None, now
        uuids = {shard.index_uuid for shard in shards}
        found = tuple(one for one in self._leased() if one.shard.index_uuid not in uuids)
        self._left = self._watched(found, self._left, first=first)
        return tuple(one for one in found if self.may_take(one) and not self._stands(one.shard))

    def _stands(self, shard: Shard) -> bool:
        """Whether the shard's index is there all the same: it is another target's, closed, or cannot be read now."""
        try:
            return still_there(self._cluster, shard)
        except ClusterRefused:  # not ours to see: then there is somebody whose it is
            return True

    def _watched(
        self, found: Iterable[Waiting], before: dict[str, _Seen], *, first: bool
    ) -> dict[str, _Seen]:
        """For each of them that is leased the version seen, and when it expires if that does not change.

        Args:
            found: as read now.
            before: as seen before.
            first: nothing was read before: what is over by the clocks is expired.
        """
        now = self._monotonic()
        seen: dict[str, _Seen] = {}
        for one in found:
            lease, last = one.cursor.lease, before.get(one.cursor.id)
            if lease is None or one.version is None:
                continue
            over = first and lease.over(self._clock())
            same = last is not None and last.version == one.version
            fresh = _Seen(one.version, now if over else now + lease.length_s)
            seen[one.cursor.id] = last if last and same else fresh
        return seen

    def elsewhere(self, shards: Iterable[Shard]) -> tuple[Waiting, ...]:
        """The cursors of this purpose whose shards are not among these: shards that are no more, or cannot be read now.

        Raises:
            ClusterError: the state cannot be read.
        """
        there = {self._fresh(shard).id for shard in shards}
        own = (one for one in self._stored() if one.cursor.purpose == self._purpose)
        return tuple({one.cursor.id: one for one in own if one.cursor.id not in there}.values())

    def put_back(self, waiting: Waiting) -> bool:
        """Put a cursor of such a shard before its first document; false when somebody else wrote it since it was read.

        Whether its last worker let it go stays as it is: who takes the shard up finds what that left half done.

        Raises:
            ClusterError: the cluster did not take the write.
        """
        cursor = replace(waiting.cursor, seq_no=-1, owed=())
        return write(self._cluster, cursor, waiting.version, self._clock()) is not None

    def _leased(self) -> Iterator[Waiting]:
        """Every leased cursor of the namespace."""
        return (one for one in self._stored() if one.cursor.lease is not None)

    def _stored(self) -> Iterator[Waiting]:
        """Every cursor of the namespace."""
        for hit in stored_cursors(self._cluster, self._namespace):
            cursor = Cursor.named(hit["_source"])
            if cursor is not None and cursor.id == hit["_id"]:
                shard = Shard(cursor.index, cursor.index_uuid, cursor.shard, cursor.seq_no)
                yield Waiting(shard, cursor, Version(hit["_seq_no"], hit["_primary_term"]))

    def may_take(self, waiting: Waiting) -> bool:
        """Whether nobody else is at the shard.

        A lease is expired when this worker saw it unchanged for its whole length. One that was over already (`Lease.over`) when this
        worker began to look, as a run that looks only once does, is expired as well.
        """
        lease = waiting.cursor.lease
        if lease is None or lease.worker == self.worker:
            return True
        seen = self._seen.get(waiting.cursor.id) or self._left.get(waiting.cursor.id)
        return self._monotonic() >= seen.expires if seen is not None else lease.over(self._clock())

    def expiring_s(self, cursor_ids: Iterable[str]) -> float | None:
        """Seconds until the first of these leases, as seen at the last look, is expired; None: none of them is leased."""
        now = self._monotonic()
        seen = (self._seen[one] for one in cursor_ids if one in self._seen)
        return min((max(0.0, one.expires - now) for one in seen), default=None)

    def take(self, waiting: Waiting) -> Held | None:
        """Hold the shard; None when another worker was faster or holds it.

        Raises:
            ClusterError: the cluster did not take the write.
        """
        if not self.may_take(waiting):
            return None
        now = self._clock()
        cursor = replace(waiting.cursor, lease=Lease(self.worker, self._lease_s, now))
        version = write(self._cluster, cursor, waiting.version, now)
        if version is None:
            return None
        reached("lease-taken")
        return Held(
            self._cluster,
            waiting.shard,
            cursor,
            version,
            self._clock,
            interrupted=waiting.cursor.lease is not None,
        )

    def hold(self, waiting: Waiting, work: Callable[[Held], None]) -> bool:
        """Do the work on the shard if it can be had, renewing its lease meanwhile; whether it was held to the end.

        Raises:
            ClusterUnavailable: the lease then expires by itself: a cluster that is away takes no release either.
            IndexAway: it is let go if the cluster takes that at once.
            Exception: whatever the work raises; others may take the shard at once, and know whether it was amid a batch.
        """
        held = self.take(waiting)
        if held is None:
            return False
        self.taken += 1
        try:
            with held.renewing():
                work(held)
            return held.release()
        except IndexAway:
            _let_go(held, at_once=True)
            raise
        except ClusterUnavailable:
            raise
        except BaseException as error:
            _let_go(held, at_once=not isinstance(error, Exception))
            raise
        finally:
            self.lost += held.lost

    def _fresh(self, shard: Shard) -> Cursor:
        return Cursor(self._purpose, self._namespace, shard.index_uuid, shard.number, index=shard.index)

    def _read(self, shards: Sequence[Shard]) -> Iterator[Waiting]:
        fresh = [self._fresh(shard) for shard in shards]
        stored = self._cluster.read_documents((STATE_INDEX, cursor.id) for cursor in fresh)
        for shard, cursor, found in zip(shards, fresh, stored, strict=True):
            if found.get("found"):
                version = Version(found["_seq_no"], found["_primary_term"])
                yield Waiting(shard, cursor.stored(found["_source"]).of_history(shard.history), version)
            else:
                yield Waiting(shard, cursor.of_history(shard.history), None)


def _let_go(held: Held, *, at_once: bool) -> None:
    """Let others take the shard after a failure, which is what is told: if that fails too, the lease expires by itself.

    Args:
        held: the shard.
        at_once: a cluster that hangs is not waited for.
    """
    letting = in_background(held.break_off if held.under_way else held.release)
    with suppress(ClusterError, TimeoutError):
        letting.result(AT_ONCE_S if at_once else None)


def _parts(shards: Iterable[Shard]) -> Iterator[tuple[Shard, ...]]:
    rest = iter(shards)
    while part := tuple(islice(rest, _MGET)):
        yield part
