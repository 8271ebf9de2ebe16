"""Which fields of an index are dates: only there a range, an order or the least of times is what it should be."""

from collections.abc import Iterable
from urllib.parse import quote

from osdetect.cluster import Cluster
from osdetect.errors import IndexAway
from osdetect.follow.pages import of_one_index

_DATES = frozenset({"date", "date_nanos"})
_OF_EVERY_INDEX = "_id"
"""A shard that answers has this field: the request answers 200 without any when none did."""


def date_fields(cluster: Cluster, index: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that the index has as dates, each once; none of an index that is no more.

    Raises:
        IndexRefused: the index may not be asked.
        IndexAway: none of its shards answered.
    """
    asked = tuple(dict.fromkeys(paths))
    # OpenSearch docs, "Field capabilities"
    params = {"fields": ",".join((*asked, _OF_EVERY_INDEX)), "filter_path": "fields.*.*.type,error,status"}
    path = f"/{quote(index, safe='')}/_field_caps"
    with of_one_index(cluster):
        reply = cluster.request("GET", path, params=params, accept=(404,))
    fields = reply.get("fields", {})
    if "error" not in reply and _OF_EVERY_INDEX not in fields:
        raise IndexAway(
            f"no shard of {index} told its fields",
            cure="see the cluster's health, and whether the index may be read (index.blocks.read)",
        )
    return tuple(one for one in asked if fields.get(one, {}).keys() & _DATES)
