"""The next message of a lane: all entries behind what was told, up to the outbox's checkpoint."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster, Version
from osdetect.errors import ClusterRefused, ClusterUnavailable, IndexAway
from osdetect.follow import Shard, Wanted, for_one_index, make_visible, pages, shards_of
from osdetect.notify.message import EXAMPLES, LISTED_IDS, Key, Message, example, iso, lost_example, spread
from osdetect.notify.outbox import ENTRY, Entry, Lane, Outgoing, outbox_index

_BUCKETS = 1_000
Link = Callable[[Mapping[str, Any]], str]
"""The link to an alert's event, for an alert's `_source`; empty: none."""


class AlertsAway(ClusterUnavailable):
    """The alerts of one message cannot be read now: their index may be closed, or without a primary. The cluster is there.

    Args:
        index: theirs.
        error: what came of reading them.
    """

    def __init__(self, index: str, error: IndexAway) -> None:
        super().__init__(error.what, cause=error.cause, cure=error.cure, status=error.status)
        self.index = index


class Behind(msgspec.Struct, frozen=True):
    """A lane, and the last entry for it."""

    lane: Lane
    latest: int
    """Its sequence number."""

    @property
    def waits(self) -> bool:
        """Whether there are alerts to tell that are in no message."""
        return self.latest > (self.lane.going.upto if self.lane.going else self.lane.upto)


class Outbox(msgspec.Struct, frozen=True):
    """A namespace's outbox as one pass sees it."""

    cluster: Cluster
    namespace: str
    shard: Shard

    @classmethod
    def now(cls, cluster: Cluster, namespace: str) -> "Outbox | None":
        """The outbox, its entries visible; None when there is none yet.

        Raises:
            ClusterError: it cannot be read.
        """
        shards = shards_of(cluster, outbox_index(namespace))
        if not shards:
            return None
        if len(shards) != 1:
            raise ClusterRefused(
                f"{outbox_index(namespace)} has {len(shards)} shards",
                cause="its entries are told apart by the sequence numbers of one",
                cure="move it away and install its template: osdetect deploy",
            )
        make_visible(cluster, shards)
        return cls(cluster, namespace, shards[0])

    def lanes(self, channel: str) -> Iterator[Behind]:
        """Every lane of the channel.

        Raises:
            ClusterError: they cannot be read.
        """
        for buckets in self._buckets(channel):
            lanes = [Lane(channel, rule_id) for rule_id, _ in buckets]
            index = outbox_index(self.namespace)
            stored = self.cluster.read_documents((index, lane.id) for lane in lanes)
            for lane, (_, latest), found in zip(lanes, buckets, stored, strict=True):
                if found.get("found"):
                    version = Version(found["_seq_no"], found["_primary_term"])
                    yield Behind(lane.read(found["_source"], version), latest)
                else:
                    yield Behind(lane, latest)

    def channels(self) -> tuple[str, ...]:
        """The channels that have entries."""
        terms = {"channels": {"terms": {"field": "channel", "size": 10_000}}}
        body = {"size": 0, "query": {"term": {"kind": ENTRY}}, "aggs": terms}
        path = f"/{outbox_index(self.namespace)}/_search"
        reply = self.cluster.request("POST", path, body=body)
        return tuple(sorted(one["key"] for one in reply["aggregations"]["channels"]["buckets"]))

    def waiting(self, lane: Lane) -> int:
        """How many entries behind the lane are in no message."""
        after = lane.going.upto if lane.going else lane.upto
        bounds = {"range": {"_seq_no": {"gt": after, "lte": self.shard.checkpoint}}}
        body = {"query": {"bool": {"filter": [bounds, *_of(lane.channel, lane.rule_id)]}}}
        return int(
            self.cluster.request("POST", f"/{outbox_index(self.namespace)}/_count", body=body)["count"]
        )

    def _buckets(self, channel: str) -> Iterator[Sequence[tuple[str, int]]]:
        """For each rule with entries of the channel, the sequence number of the last."""
        after: Any = None
        while True:
            by_rule = {
                "size": _BUCKETS,
                "sources": [{"rule": {"terms": {"field": "rule.id"}}}],
                **({"after": after} if after else {}),
            }
            body = {
                "size": 0,
                "query": {"bool": {"filter": [_upto(self.shard.checkpoint), *_of(channel)]}},
                "aggs": {"rules": {"composite": by_rule, "aggs": {"latest": {"max": {"field": "_seq_no"}}}}},
            }
            params = {"allow_partial_search_results": "false", "filter_path": "aggregations"}
            path = f"/{self.shard.index}/_search"
            found = self.cluster.request("POST", path, params=params, body=body)["aggregations"]["rules"]
            if found["buckets"]:
                yield [(one["key"]["rule"], int(one["latest"]["value"])) for one in found["buckets"]]
            after = found.get("after_key")
            if after is None or not found["buckets"]:
                return


def formed(
    outbox: Outbox, behind: Behind, now: datetime, link: Link, away: Container[str] = ()
) -> Lane | None:
    """The lane with its next message on the way; it is not written yet.

    Args:
        outbox: the namespace's.
        behind: the lane.
        now: when the message is made.
        link: see `Link`.
        away: indices that are not to be asked. A message that shows alerts of one is not made: None.

    Raises:
        AlertsAway: the entries can be read, and the alerts that the message shows cannot.
        ClusterError: the entries cannot be read, or the cluster is away.
    """
    lane = behind.lane
    key, count = Key(lane.channel), 0
    ids: list[str] = []
    first: list[Entry] = []
    times = ("", "")
    query = {"bool": {"filter": list(_of(lane.channel, lane.rule_id))}}
    for page in pages(outbox.cluster, Wanted(outbox.shard, lane.upto, behind.latest, query)):
        entries = [Entry.stored(one.source) for one in page]
        for entry in entries:
            key.add(entry.id)
        count += len(entries)
        ids += [entry.id for entry in entries[: LISTED_IDS - len(ids)]]
        first += entries[: EXAMPLES - len(first)]
        times = spread((*times, *(entry.at for entry in entries)))
    if not count:  # the outbox was deleted meanwhile
        raise ClusterRefused(f"{outbox.shard.index} was deleted", cure="run the command again")
    if any(entry.index in away for entry in first):
        return None
    message = Message(
        key=key.text(),
        channel=lane.channel,
        namespace=outbox.namespace,
        made=iso(now),
        rule=first[0].rule,
        count=count,
        first=times[0],
        last=times[1],
        ids=tuple(ids),
        alerts=tuple(_examples(outbox.cluster, first, link)),
    )
    return replace(lane, going=Outgoing(message, behind.latest))


def _examples(cluster: Cluster, entries: Sequence[Entry], link: Link) -> Iterator[dict[str, Any]]:
    stored: dict[tuple[str, str], Mapping[str, Any]] = {}
    for index in dict.fromkeys(entry.index for entry in entries):  # each by itself: to know which is away
        named = [(index, entry.id) for entry in entries if entry.index == index]
        try:
            with for_one_index(cluster):
                stored.update(zip(named, cluster.read_documents(named), strict=True))
        except IndexAway as error:
            raise AlertsAway(index, error) from error
    for entry in entries:
        found = stored[entry.index, entry.id]
        if found.get("found"):
            yield example(entry.id, entry.index, found["_source"], link(found["_source"]))
        else:
            yield lost_example(entry.id, entry.index, entry.rule)


def _of(channel: str, rule_id: str = "") -> tuple[dict[str, Any], ...]:
    wanted = {"kind": ENTRY, "channel": channel, **({"rule.id": rule_id} if rule_id else {})}
    return tuple({"term": {field: value}} for field, value in wanted.items())


def _upto(checkpoint: int) -> dict[str, Any]:
    return {"range": {"_seq_no": {"lte": checkpoint}}}
