"""Which shards a target has, and up to which sequence number each may be read.

The bound is the primary's global checkpoint: every operation up to it is on all in-sync copies, so no event
with a smaller number can still appear. The highest visible number would be no such bound: under concurrent writers
an event with a smaller number can become visible later (OpenSearch docs, "Index stats", `seq_no`).
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Cluster, from_between, refresh
from osdetect.errors import ClusterError, ClusterUnavailable

NO_SUCH_INDEX = "index_not_found_exception"


class Shard(msgspec.Struct, frozen=True, order=True):
    """A primary shard of a concrete index."""

    index: str
    index_uuid: str
    number: int
    checkpoint: int
    """The global checkpoint: -1 when the shard never had an operation."""
    history: str = ""
    """Of its sequence numbers: another one when they may have begun anew, as of an index that was restored in its own place or
    given a stale or empty primary. Its uuid stays the same then. Empty: not known."""


def only(shard: Shard) -> dict[str, str]:
    """Parameters of a search that asks the primary of one shard, and gives all of the answer or none."""
    return {
        "preference": f"_shards:{shard.number}|_primary",
        "allow_partial_search_results": "false",  # a part would move the cursor over what is not in it
    }


def shards_of(cluster: Cluster, target: str) -> tuple[Shard, ...]:
    """The shards of an index, a pattern, an alias or a data stream, in a fixed order.

    A target that stands for nothing yet has no shards. One whose primary does not answer is not among them (`incomplete`).
    """
    one = "indices.*.shards.*"
    params = {
        "level": "shards",
        "expand_wildcards": "open",
        "ignore_unavailable": "true",
        "filter_path": f"indices.*.uuid,{one}.routing,{one}.seq_no,{one}.commit.user_data.history_uuid",
    }
    reply = cluster.request(
        "GET", f"/{quote(target, safe='*,-._')}/_stats/docs", params=params, accept=(404,)
    )
    found = [
        Shard(
            name, entry["uuid"], int(number), int(primary["seq_no"]["global_checkpoint"]), _history(primary)
        )
        for name, entry in reply.get("indices", {}).items()
        for number, copies in entry.get("shards", {}).items()
        if "seq_no" in (primary := _primary(copies))
    ]
    return tuple(sorted(found))


def incomplete(cluster: Cluster, target: str, shards: Iterable[Shard]) -> dict[str, ClusterError]:
    """The target's indices of which a shard cannot be read now, for want of a primary, and which that is.

    Args:
        cluster: where.
        target: as for `shards_of`.
        shards: what that found.

    Raises:
        ClusterError: the cluster could not be asked.
    """
    params = {
        "expand_wildcards": "open",
        "ignore_unavailable": "true",
        "flat_settings": "true",
        "filter_path": "*.settings",
    }
    names = "index.number_of_shards,index.uuid"
    path = f"/{quote(target, safe='*,-._')}/_settings/{names}"
    reply = cluster.request("GET", path, params=params, accept=(404,))
    there = {(shard.index_uuid, shard.number) for shard in shards}
    found: dict[str, ClusterError] = {}
    for name, entry in sorted(reply.items()):
        settings = entry.get("settings", {}) if isinstance(entry, dict) else {}
        uuid, expected = settings.get("index.uuid", ""), int(settings.get("index.number_of_shards", 0))
        absent = [number for number in range(expected) if (uuid, number) not in there]
        if absent:
            found[name] = ClusterUnavailable(
                f"shard {', '.join(map(str, absent))} of {name} has no primary",
                cure="see the cluster's health: its events are judged when it is back",
            )
    return found


def make_visible(cluster: Cluster, shards: Iterable[Shard]) -> None:
    """Let searches see all that the shards' checkpoints cover: for after those were read.

    Raises:
        ClusterUnavailable: a shard could not be refreshed; a search would pass over what it has not made visible.
        ClusterRefused: the cluster refused it.
    """
    for error in unseen(cluster, shards).values():
        raise error


def unseen(cluster: Cluster, shards: Iterable[Shard]) -> dict[str, ClusterError]:
    """The same for as many indices as can be; those that cannot, and why."""
    failed: dict[str, ClusterError] = {}
    for index in sorted({shard.index for shard in shards}):
        try:
            refresh(cluster, index, accept=(404,))  # deleted meanwhile
        except ClusterError as error:
            failed[index] = error
    return failed


def still_there(cluster: Cluster, shard: Shard) -> bool:
    """Whether the shard's index has its name yet.

    A search names an index, not its uuid, and the name may be another one's by then. No uuid comes back: if it is the
    same after a search, the search was of that index.

    Raises:
        ClusterUnavailable: what was answered is not the cluster's.
        ClusterError: it could not be asked.
    """
    params = {"filter_path": "*.settings.index.uuid"}
    asked = f"/{shard.index}/_settings"
    reply = cluster.request("GET", asked, params=params, accept=(404,))
    match reply:
        case {"error": {"type": str(kind)}} if kind == NO_SUCH_INDEX:
            return False
        case {"error": _}:
            raise from_between(reply, f"GET {asked}")
        case _:  # by another name: this one is an alias by now
            uuid = reply.get(shard.index, {}).get("settings", {}).get("index", {}).get("uuid")
            return bool(uuid == shard.index_uuid)


def _history(primary: Mapping[str, Any]) -> str:
    return str(primary.get("commit", {}).get("user_data", {}).get("history_uuid", ""))


def _primary(copies: list[dict[str, Any]]) -> dict[str, Any]:
    return next((copy for copy in copies if copy["routing"].get("primary")), {})
