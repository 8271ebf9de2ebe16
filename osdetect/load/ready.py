"""Is this cluster set up for events? Asked before the first record, so that no index gets a guessed mapping."""

import json
from collections.abc import Mapping
from typing import Any

from osdetect import resources
from osdetect.cluster import Cluster
from osdetect.errors import ClusterRefused, UsageError
from osdetect.load.options import LoadOptions
from osdetect.vocabulary import DEADLETTER_PREFIX, EVENTS_PREFIX, OWNER, STATE_INDEX, UNDATED


def require_templates(cluster: Cluster, namespace: str) -> None:
    """Check that new indices would get our mappings (OpenSearch docs, "Simulate index templates").

    The template that would win is looked at, whatever its name: one of somebody else's with a higher priority counts.

    Raises:
        ClusterRefused: a template is missing, older or newer than this program, or overruled.
    """
    for file, index in (
        ("events", f"{EVENTS_PREFIX}{namespace}-{UNDATED}"),
        ("deadletter", f"{DEADLETTER_PREFIX}{namespace}"),
        ("state", STATE_INDEX),
    ):
        reply = cluster.request("POST", f"/_index_template/_simulate_index/{index}")
        found = _meta(reply)
        wanted = _meta(
            json.loads((resources.folder("mappings") / f"{file}.template.json").read_text("utf-8"))
        )
        if found.get("owner") != OWNER:
            raise ClusterRefused(
                f"the cluster has no template of osdetect for {index}",
                cause="without it OpenSearch would guess the mapping from the first record and refuse later ones",
                cure="run `osdetect deploy` first",
            )
        if _version(found) > _version(wanted):
            raise ClusterRefused(
                f"the template for {index} is of version {_version(found)}, this osdetect knows {_version(wanted)}",
                cause="a later osdetect deployed it, and this one could store what that one does not understand",
                cure="load with the osdetect that deployed it, or a later one",
            )
        if _version(found) < _version(wanted):
            raise ClusterRefused(
                f"the template for {index} is of version {_version(found)}, this osdetect needs {_version(wanted)}",
                cure="run `osdetect deploy` again",
            )


def _meta(template: Any) -> Mapping[str, Any]:
    """`template.mappings._meta` of a template or of a simulation's reply, as far as it is there."""
    for name in ("template", "mappings", "_meta"):
        template = template.get(name) if isinstance(template, Mapping) else None
    return template if isinstance(template, Mapping) else {}


def _version(meta: Mapping[str, Any]) -> int:
    version = meta.get("version")
    return version if isinstance(version, int) else 0


def settle_partition(cluster: Cluster, options: LoadOptions) -> None:
    """Remember, at a namespace's first load, whether its indices are by month or by day; hold later loads to it.

    An id is unique within an index only: the same record in a month's and in a day's index would be there twice.

    Raises:
        UsageError: the namespace is partitioned the other way.
    """
    doc_id = f"namespace:{options.namespace}"
    source = {"kind": "namespace", "namespace": options.namespace, "by_day": options.by_day}
    if cluster.create_document(STATE_INDEX, doc_id, source):
        return
    stored = cluster.read_document(STATE_INDEX, doc_id)
    if stored is not None and stored.source.get("by_day") is not options.by_day:
        has, wants = ("day", "month") if stored.source.get("by_day") else ("month", "day")
        raise UsageError(
            f"the namespace {options.namespace!r} has an index for each {has}, not for each {wants}",
            cause="a record stored in both kinds of index would be there twice",
            cure=f"load it by {has}, or give another --namespace",
        )
