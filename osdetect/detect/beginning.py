"""Where a shard that was never judged begins when old events are not wanted."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from osdetect.cluster import Cluster
from osdetect.errors import IndexRefused
from osdetect.follow import Shard, date_fields, of_one_index, only, still_there

_TIMES = ("@timestamp", "eventTime")
_NONE = -1
"""Of a shard whose index was deleted since it was listed: nothing is passed over."""


def last_before(cluster: Cluster, shard: Shard, since: datetime) -> int:
    """The sequence number before the shard's first event of that time or later, or of a time that cannot be told.

    Its checkpoint when there is none up to there.

    What is above the checkpoint may be seen already, and events with smaller numbers not yet. Events that stand behind it
    are judged whatever their time: one that comes late is not passed over.

    Raises:
        IndexRefused: the index has no field of a date type that says when its events happened, or may not be searched.
        ClusterError: it could not be asked.
    """
    times = date_fields(cluster, shard.index, _TIMES)
    if not times:
        if not still_there(cluster, shard):
            return _NONE
        raise IndexRefused(
            f"--since cannot be told of {shard.index}",
            cause=f"none of its fields {' and '.join(_TIMES)} is of type date",
            cure="leave out --since: judging begins at the first event",
        )
    then = [{"range": {path: {"gte": since.isoformat()}}} for path in times]
    undated = {"bool": {"must_not": [{"exists": {"field": path}} for path in times]}}
    body: dict[str, Any] = {
        "size": 1,
        "query": {"bool": {"should": [*then, undated], "minimum_should_match": 1}},
        "sort": [{"_seq_no": "asc"}],
        "seq_no_primary_term": True,
        "_source": False,
        "track_total_hits": False,
    }
    path = f"/{quote(shard.index, safe='')}/_search"
    with of_one_index(cluster):
        reply = cluster.request("POST", path, params=only(shard), body=body, accept=(404,))
    if "hits" not in reply:
        return _NONE
    hits = reply["hits"]["hits"]
    return min(int(hits[0]["_seq_no"]) - 1, shard.checkpoint) if hits else shard.checkpoint
