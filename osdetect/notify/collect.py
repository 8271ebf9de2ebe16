"""New alerts become entries of the outbox, and then the cursor moves."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from osdetect.cluster import Cluster
from osdetect.errors import ClusterError, ClusterUnavailable, IndexAway, IndexRefused
from osdetect.follow import Follower, Held, Shard, StoredEvent, Waiting, Wanted, pages, reached, unseen
from osdetect.notify.outbox import Entry
from osdetect.notify.settings import Channel
from osdetect.notify.standing import Standing
from osdetect.notify.wanted import query, wants

LEASE_S = 30.0


class Collector(msgspec.Struct, frozen=True):
    """What one channel needs to take in alerts."""

    cluster: Cluster
    name: str
    channel: Channel
    follower: Follower

    @classmethod
    def made(
        cls, cluster: Cluster, name: str, channel: Channel, worker: str, clock: Callable[[], datetime]
    ) -> "Collector":
        """A collector with a follower of the channel's own."""
        follower = Follower(
            cluster,
            purpose=f"notify-{name}",
            namespace=channel.namespace,
            worker=worker,
            lease_s=LEASE_S,
            clock=clock,
        )
        return cls(cluster, name, channel, follower)

    def collect(
        self, shards: Sequence[Shard], standing: Standing, stop: Callable[[], bool]
    ) -> tuple[int, Mapping[str, ClusterError]]:
        """Take in the alerts that are new in the shards: how many entries were made, and which indices cannot be read now, and why.

        Raises:
            ClusterError: the rest is taken in by the next pass.
        """
        made, waiting = 0, [one for one in self.follower.look(shards) if one.behind]
        missed = unseen(self.cluster, (one.shard for one in waiting))
        for one in waiting:
            if one.shard.index in missed or stop():
                continue
            try:
                made += self._shard(one, standing, stop)
            except (IndexRefused, IndexAway) as error:
                missed[one.shard.index] = error
        if missed:
            self.cluster.require_answer()
        return made, missed

    def _shard(self, waiting: Waiting, standing: Standing, stop: Callable[[], bool]) -> int:
        made = 0

        def take_in(held: Held) -> None:
            nonlocal made
            made, finished = self._pages(held, standing, stop)
            if finished and held.cursor.seq_no < held.shard.checkpoint:
                held.move(held.shard.checkpoint)

        self.follower.hold(waiting, take_in)  # if another worker is at it, the alerts are its own
        return made

    def _pages(self, held: Held, standing: Standing, stop: Callable[[], bool]) -> tuple[int, bool]:
        shard, older = held.shard, standing.before(held.shard)
        wanted = Wanted(shard, max(held.cursor.seq_no, older), shard.checkpoint, query(self.channel))
        made = 0
        for page in pages(self.cluster, wanted):
            made += self._store([one for one in page if self._is_new(one, older)])
            reached("before-move")
            if not held.move(page[-1].at.seq_no) or stop():
                return made, False
        return made, not held.lost

    def _is_new(self, one: StoredEvent, older: int) -> bool:
        """Whether the channel wants the alert and it is not older than the channel.

        An alert that was changed has another sequence number, and says its first one. That one being below the cursor
        does not prove that the alert was seen: it may have been changed between the reading of the checkpoint and that
        of the page. So it becomes an entry again, whose id is taken if it was seen.
        """
        alert: Any = one.source
        own = alert.get("osdetect")
        first = own.get("first_seq_no") if isinstance(own, dict) else None
        return (first if isinstance(first, int) else one.at.seq_no) > older and wants(self.channel, alert)

    def _store(self, alerts: Sequence[StoredEvent]) -> int:
        if not alerts:
            return 0
        entries = [Entry.of(self.name, one.at.index, one.at.id, one.source) for one in alerts]
        outcomes = self.cluster.bulk([entry.action(self.channel.namespace) for entry in entries])
        for outcome in outcomes:
            if outcome.failed:
                raise ClusterUnavailable(
                    "an alert could not be put into the outbox",
                    cause=f"{outcome.error_type}: {outcome.reason}",
                    cure="the next pass goes on from the same place",
                )
        return sum(outcome.created for outcome in outcomes)
