"""How a channel stands: which alerts are older than it, and whether it rests after failures."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster, Version
from osdetect.errors import ClusterRefused
from osdetect.follow import Shard
from osdetect.notify.message import iso
from osdetect.notify.outcome import is_waited_for
from osdetect.vocabulary import STATE_INDEX


class Standing(msgspec.Struct, frozen=True):
    """A document of the state index, one for each channel of a namespace."""

    namespace: str
    channel: str
    started: str
    older: Mapping[str, int]
    """For each shard, by index uuid, number and history, the last write that is older than the channel."""
    failures: int = 0
    """Attempts that failed in passing since the last that did not."""
    rests_until: str = ""
    why: str = ""
    version: Version | None = None

    @property
    def id(self) -> str:
        """Its document's id."""
        return _id(self.namespace, self.channel)

    def before(self, shard: Shard) -> int:
        """The last sequence number of the shard that is older than the channel; -1: none."""
        before_histories = f"{shard.index_uuid}:{shard.number}"
        return self.older.get(_key(shard), self.older.get(before_histories, -1))

    def rests(self, now: datetime) -> bool:
        """Whether nothing is to be sent now."""
        return bool(self.rests_until) and is_waited_for(datetime.fromisoformat(self.rests_until), now)

    def to_source(self, now: datetime) -> dict[str, Any]:
        """The document's `_source`."""
        return {
            "kind": "channel",
            "namespace": self.namespace,
            "updated": iso(now),
            "channel": {
                "name": self.channel,
                "started": self.started,
                "older": dict(self.older),
                "failures": self.failures,
                "rests_until": self.rests_until,
                "why": self.why,
            },
        }


def stand(
    cluster: Cluster, namespace: str, channel: str, shards: Sequence[Shard], *, history: bool, now: datetime
) -> Standing:
    """How the channel stands; at its first run it is written down which alerts are older.

    Args:
        cluster: where.
        namespace: of the alerts.
        channel: its name.
        shards: of the alerts, with their checkpoints.
        history: whether alerts that are there at the first run are to be told.
        now: the time, in UTC.

    Raises:
        ClusterRefused: the document is there and is not readable.
    """
    older = {} if history else {_key(shard): shard.checkpoint for shard in shards if shard.checkpoint >= 0}
    fresh = Standing(namespace, channel, iso(now), older)
    found = read_standing(cluster, namespace, channel)
    if found is None:
        version = cluster.create_document(STATE_INDEX, fresh.id, fresh.to_source(now))
        found = replace(fresh, version=version) if version else read_standing(cluster, namespace, channel)
    if found is None:
        raise ClusterRefused(
            f"the document {fresh.id} was deleted while it was made", cure="run the command again"
        )
    return found


def read_standing(cluster: Cluster, namespace: str, channel: str) -> Standing | None:
    """How the channel stands; None when it never ran.

    Raises:
        ClusterRefused: the document is not readable.
    """
    stored = cluster.read_document(STATE_INDEX, _id(namespace, channel))
    if stored is None:
        return None
    match stored.source.get("channel"):
        case {
            "started": str(started),
            "older": dict(older),
            "failures": int(failures),
            "rests_until": str(until),
            "why": str(why),
        } if _is_time(until) and all(isinstance(one, int) for one in older.values()):
            return Standing(namespace, channel, started, older, failures, until, why, stored.version)
        case _:
            raise ClusterRefused(
                f"the document {_id(namespace, channel)} of {STATE_INDEX} cannot be read",
                cure="restore it; if it is deleted, alerts of now count as told",
            )


def failed(cluster: Cluster, standing: Standing, why: str, pause_s: float, now: datetime) -> Standing:
    """Note a failure in passing; the channel rests for `pause_s` seconds."""
    until = iso(now + timedelta(seconds=pause_s)) if pause_s else ""
    return _written(
        cluster, replace(standing, failures=standing.failures + 1, rests_until=until, why=why), now
    )


def recovered(cluster: Cluster, standing: Standing, now: datetime) -> Standing:
    """Note that the receiver is there again."""
    if not standing.failures:
        return standing
    return _written(cluster, replace(standing, failures=0, rests_until="", why=""), now)


def _written(cluster: Cluster, wanted: Standing, now: datetime) -> Standing:
    """Whoever was faster knows as much: what this worker saw counts for its own pass then."""
    if wanted.version is None:
        return wanted
    version = cluster.replace_document(STATE_INDEX, wanted.id, wanted.to_source(now), wanted.version)
    return replace(wanted, version=version)


def _id(namespace: str, channel: str) -> str:
    return f"channel:{namespace}:{channel}"


def _key(shard: Shard) -> str:
    """Numbers of another history are of other writes: one that began anew would be taken for older than the channel."""
    return f"{shard.index_uuid}:{shard.number}:{shard.history}"


def _is_time(text: str) -> bool:
    try:
        return not text or datetime.fromisoformat(text).astimezone(UTC) is not None
    except ValueError:
        return False
