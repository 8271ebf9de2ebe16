"""A shard that this worker holds: its cursor and lease, which are one document, written by compare-and-set only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Lock, Thread

from msgspec.structs import replace

from osdetect.cluster import Cluster, Version
from osdetect.documents.state import Cursor, Lease, Owed
from osdetect.errors import ClusterError
from osdetect.follow.shards import Shard
from osdetect.vocabulary import STATE_INDEX

_RENEWALS = 3
"""Renewals in the length of a lease, so that two may fail."""


class Held:
    """Made by `Follower.take`. Safe to use from the thread that works and the one that renews."""

    def __init__(
        self,
        cluster: Cluster,
        shard: Shard,
        cursor: Cursor,
        version: Version,
        clock: Callable[[], datetime],
        *,
        interrupted: bool = False,
    ) -> None:
        self.shard = shard
        self.interrupted = interrupted
        """Who held it before did not let it go: what follows from the documents behind the cursor may be stored in part."""
        self.under_way = interrupted
        """Something may be stored in part, by this worker since it last moved the cursor or by who was interrupted."""
        self._cluster, self._clock = cluster, clock
        self._cursor, self._version = cursor, version
        self._lock = Lock()
        self.lost = False
        """Another worker took the shard, or its state was deleted: nothing may be moved any more."""
        self.unrenewed: ClusterError | None = None
        """Why the last renewal in the background failed; the lease may have expired since."""

    @property
    def cursor(self) -> Cursor:
        """Where the shard stands, as last written."""
        return self._cursor

    def begin(self) -> None:
        """Tell that what follows from documents behind the cursor is going to be stored, by more than one write."""
        self.under_way = True

    def move(self, seq_no: int, *, owed: tuple[Owed, ...] | None = None, last: bool = False) -> bool:
        """Put the cursor to `seq_no`, and what is owed to `owed` if given, in one write that renews the lease too.

        Args:
            seq_no: the sequence number dealt with.
            owed: all that is owed then; None: what was.
            last: the work is done: the same write lets others take the shard, unless something is left of who was interrupted.

        Returns:
            False when the shard is not held any more: what was judged since is judged again by who holds it now.

        Raises:
            ClusterError: the cluster did not take the write.
        """
        with self._lock:
            wanted = self._cursor if owed is None else replace(self._cursor, owed=owed)
            lease = None if last and not self.interrupted else self._renewed()
            moved = self._write(replace(wanted.at(seq_no), lease=lease))
            self.under_way = self.interrupted or (self.under_way and not moved)
            return moved

    def renew(self) -> bool:
        """Tell the others that work goes on; false when the shard is not held any more."""
        with self._lock:
            if self._cursor.lease is None:
                return not self.lost
            return self._write(replace(self._cursor, lease=self._renewed()))

    def release(self) -> bool:
        """Let others take the shard; false when it was lost before."""
        with self._lock:
            if self._cursor.lease is None:
                return not self.lost
            return self._write(replace(self._cursor, lease=None))

    def break_off(self) -> bool:
        """Let others take the shard at once, and know that the work on it was interrupted; false when it was lost before."""
        with self._lock:
            lease = self._renewed()
            if lease is None:
                return not self.lost
            return self._write(replace(self._cursor, lease=lease.over_at_once()))

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew the lease now and then, in the background, while the body works."""
        ended = Event()
        lease = self._cursor.lease
        pause = (lease.length_s if lease else 1.0) / _RENEWALS

        def run() -> None:
            while not ended.wait(pause) and not self.lost:
                try:
                    self.renew()
                    self.unrenewed = None
                except ClusterError as error:
                    self.unrenewed = error  # the work itself meets the same cluster and says so

        thread = Thread(target=run, daemon=True, name="osdetect-lease")
        thread.start()
        try:
            yield
        finally:
            ended.set()

    def _renewed(self) -> Lease | None:
        lease = self._cursor.lease
        return replace(lease, at=self._clock()) if lease else None

    def _write(self, wanted: Cursor) -> bool:
        if self.lost:
            return False
        written = write(self._cluster, wanted, self._version, self._clock())
        if written is None:
            self.lost = True
            return False
        self._cursor, self._version = wanted, written
        return True


def write(cluster: Cluster, cursor: Cursor, over: Version | None, now: datetime) -> Version | None:
    """Write a cursor over the version that was read, None for none; None when somebody else wrote since."""
    source = cursor.to_source(now)
    if over is None:
        version = cluster.create_document(STATE_INDEX, cursor.id, source)
    else:
        version = cluster.replace_document(STATE_INDEX, cursor.id, source, over)
    if version is not None:
        return version
    # The write may have been ours, repeated because its answer was lost.
    stored = cluster.read_document(STATE_INDEX, cursor.id)
    return stored.version if stored is not None and stored.source == source else None
