"""Which fields of an index are dates: only there a range, an order or the least of times is what it should be."""

from collections.abc import Iterable
from urllib.parse import quote

from osdetect.cluster import Cluster
from osdetect.follow.pages import of_one_index

_DATES = frozenset({"date", "date_nanos"})


def date_fields(cluster: Cluster, index: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that the index has as dates, each once; none of an index that is no more.

    Raises:
        IndexRefused: the index may not be asked.
        ClusterError: it could not be asked.
    """
    asked = tuple(dict.fromkeys(paths))
    # OpenSearch docs, "Field capabilities"
    params = {"fields": ",".join(asked), "filter_path": "fields.*.*.type"}
    path = f"/{quote(index, safe='')}/_field_caps"
    with of_one_index():
        fields = cluster.request("GET", path, params=params, accept=(404,)).get("fields", {})
    return tuple(one for one in asked if fields.get(one, {}).keys() & _DATES)
