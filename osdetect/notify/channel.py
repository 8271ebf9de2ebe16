"""One pass of one channel: new alerts are taken in, and what is due is told."""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from osdetect.cluster import Cluster
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable
from osdetect.follow import Shard, shards_of
from osdetect.notify.collect import Collector
from osdetect.notify.form import AlertsAway, Link, Outbox
from osdetect.notify.message import Message
from osdetect.notify.outbox import check_outbox
from osdetect.notify.outcome import Outcome
from osdetect.notify.settings import Channel
from osdetect.notify.standing import stand
from osdetect.notify.tell import Teller, Told
from osdetect.vocabulary import ALERTS_PREFIX


def _no_link(_alert: Mapping[str, Any]) -> str:
    return ""


class Surroundings(msgspec.Struct, frozen=True):
    """What passes of all channels share."""

    worker: str
    """This process's name among those that notify."""
    clock: Callable[[], datetime]
    """Gives the time, in UTC."""
    stop: Callable[[], bool]
    """Whether to end behind the message at hand."""
    chance: Callable[[], float] = random.random
    link: Link = _no_link


class ChannelWork:
    """A channel, and what it needs from pass to pass."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        channel: Channel,
        send: Callable[[Message], Outcome],
        around: Surroundings,
    ) -> None:
        self.name = name
        self._cluster, self._channel, self._around = cluster, channel, around
        self._collector = Collector.made(cluster, name, channel, around.worker, around.clock)
        self._teller = Teller(cluster, channel, send, around.worker, around.clock, around.chance, around.link)

    def make_pass(self, on_unfinished: Callable[[Told], object] = bool) -> Told:
        """Take in what is new and tell what is due.

        Args:
            on_unfinished: told what was done by a pass that an error ends while it tells.

        Raises:
            ClusterRefused: no index of alerts may be read; what was in the outbox was told.
            ClusterUnavailable: some alerts could not be read; the others were told of.
            ClusterError: the cluster did not do its part; the next pass goes on from there.
        """
        channel, around = self._channel, self._around
        check_outbox(self._cluster)
        shards = shards_of(self._cluster, f"{ALERTS_PREFIX}{channel.namespace}-*")
        standing = stand(
            self._cluster,
            channel.namespace,
            self.name,
            shards,
            history=channel.history,
            now=around.clock(),
        )
        told = Told(self.name)
        told.taken_in, missed = self._collector.collect(shards, standing, around.stop)
        try:
            outbox = Outbox.now(self._cluster, channel.namespace)
            away = self._teller.tell(outbox, standing, told, around.stop) if outbox is not None else None
            _require_read(shards, missed, away)
        except BaseException:
            on_unfinished(told)
            raise
        return told


def _require_read(
    shards: Iterable[Shard], missed: Mapping[str, ClusterError], away: AlertsAway | None
) -> None:
    """Alerts that cannot be read now fail the pass, after the others were told of.

    Args:
        shards: of all alerts.
        missed: the indices whose new alerts were not taken in, and why.
        away: what keeps alerts of the outbox from being told; None: nothing.

    Raises:
        ClusterRefused: none of the indices may be read.
        ClusterUnavailable: some cannot be read now.
    """
    refused = {index: error for index, error in missed.items() if isinstance(error, ClusterRefused)}
    if refused and refused.keys() == {shard.index for shard in shards}:
        raise next(iter(refused.values()))
    if away is not None:
        raise away
    for index, error in missed.items():
        raise ClusterUnavailable(f"the alerts of {index} cannot be read", cause=str(error), cure=error.cure)
