"""Where a shard that was never judged begins when old events are not wanted."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from osdetect.cluster import Cluster
from osdetect.errors import ClusterError, ClusterRefused, IndexRefused
from osdetect.follow import Shard, of_index, only

_GONE = 404
_TIMES = ("@timestamp", "eventTime")


def last_before(cluster: Cluster, shard: Shard, since: datetime) -> int:
    """The sequence number before the shard's first event of that time or later; its checkpoint when there is none up to there.

    What is above the checkpoint may be seen already, and events with smaller numbers not yet. Events that stand behind it
    are judged whatever their time: one that comes late is not passed over.

    Raises:
        IndexRefused: the index has no field of a date type that says when its events happened, or may not be searched.
        ClusterError: it could not be asked.
    """
    try:
        return _last_before(cluster, shard, since)
    except ClusterError as error:
        if isinstance(error, ClusterRefused) and error.status == _GONE:
            return -1  # deleted since its shards were listed: nothing is passed over
        raise of_index(error) from error


def _last_before(cluster: Cluster, shard: Shard, since: datetime) -> int:
    field = _time_field(cluster, shard.index)
    body: dict[str, Any] = {
        "size": 1,
        "query": {"range": {field: {"gte": since.isoformat()}}},
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "_source": False,
        "track_total_hits": False,
    }
    params = {**only(shard), "filter_path": "hits.hits._seq_no"}
    reply = cluster.request("POST", f"/{shard.index}/_search", params=params, body=body)
    hits = reply.get("hits", {}).get("hits", ())
    return min(int(hits[0]["_seq_no"]) - 1, shard.checkpoint) if hits else shard.checkpoint


def _time_field(cluster: Cluster, index: str) -> str:
    # OpenSearch docs, "Field capabilities"
    params = {"fields": ",".join(_TIMES), "filter_path": "fields.*.*.type"}
    reply = cluster.request("GET", f"/{quote(index, safe='')}/_field_caps", params=params)
    fields = reply.get("fields", {})
    found = next((name for name in _TIMES if fields.get(name, {}).keys() & {"date", "date_nanos"}), None)
    if found is None:
        raise IndexRefused(
            f"--since cannot be told of {index}",
            cause=f"none of its fields {' and '.join(_TIMES)} is of type date",
            cure="leave out --since: judging begins at the first event",
        )
    return found
