"""An index written anew under its own name, when its fields are mapped otherwise than they were.

    X           no writes any more
    spare       made with the new mapping, filled from X, counted, and only then called whole
    X           deleted; the spare is cloned to its name (hard links, a moment); the spare is deleted

Ids and sources stay, so alerts still lead to their events, and what is judged or loaded again adds nothing. Killed
anywhere, the next deploy goes on: there is always X, or a spare that is whole. The spare's name is in no pattern of ours,
so nobody reads its documents as well.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from osdetect.cluster import Cluster, refresh
from osdetect.deploy.releases import address
from osdetect.errors import ClusterError
from osdetect.vocabulary import OWNER

SPARE = f"{OWNER}-migrating-"
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_WHOLE = "whole"


def rewrite(cluster: Cluster, index: str, template: Mapping[str, Any], script: str) -> None:
    """Give the index the template's mapping, by writing it anew.

    Args:
        cluster: where.
        index: one that is there.
        template: settings and mappings of a new index.
        script: what becomes of each document on the way (Painless); empty: nothing.

    Raises:
        ClusterRefused: the cluster does not take a change, or a document.
        ClusterError: documents are missing from what was written anew.
    """
    spare = SPARE + index
    cluster.request("DELETE", f"{address(spare)}", accept=(404,))  # half filled by a deploy that was killed
    cluster.request("PUT", f"{address(index)}/_settings", body={"index.blocks.write": True})
    refresh(cluster, index)
    settings = _settings(cluster, index, template)
    meta = {**template["mappings"]["_meta"], _WHOLE: False}
    cluster.create_index(spare, {"settings": settings, "mappings": {**template["mappings"], "_meta": meta}})
    body: dict[str, Any] = {"source": {"index": index}, "dest": {"index": spare, "pipeline": "_none"}}
    if script:
        body["script"] = _painless(script, unchanged="index")
    _copy(cluster, "/_reindex", body)
    refresh(cluster, spare)
    there, copied = _count(cluster, index), _count(cluster, spare)
    if there != copied:
        raise ClusterError(
            f"{index} holds {there} documents, and what was written anew holds {copied}",
            cure="run the same command again; the index is as it was, but takes no writes until then",
        )
    cluster.request("PUT", f"{address(spare)}/_mapping", body={"_meta": {**meta, _WHOLE: True}})
    cluster.request("DELETE", f"{address(index)}")
    _replace(cluster, index, template["mappings"]["_meta"])


def update_documents(cluster: Cluster, index: str, script: str) -> None:
    """Let the script change each document that it has something to change of; the others stay as they are.

    Raises:
        ClusterError: a document was not taken, or the node that was at it went away.
    """
    refresh(cluster, index)
    body = {"script": _painless(script, unchanged="noop")}
    _copy(cluster, f"{address(index)}/_update_by_query", body, pipeline="_none")


def _painless(source: str, *, unchanged: str) -> dict[str, Any]:
    """`unchanged`: what is done with a document that the script leaves as it is."""
    return {"lang": "painless", "source": source, "params": {"unchanged": unchanged}}


def finish_rewriting(cluster: Cluster, patterns: Sequence[str]) -> None:
    """Go on where a deploy was killed between making a spare whole and putting it in its index's place.

    A spare that is not whole is deleted.
    """
    params = {"filter_path": "*.mappings._meta", "expand_wildcards": "open"}
    found = cluster.request("GET", f"/{SPARE}*/_mapping", params=params, accept=(404,))
    for spare, entry in found.items():
        index = spare.removeprefix(SPARE)
        meta = entry.get("mappings", {}).get("_meta", {})
        ours = meta.get("owner") == OWNER and any(fnmatchcase(index, pattern) for pattern in patterns)
        if ours and meta.get(_WHOLE) is True:
            _discard_old(cluster, index, meta["version"])
            _replace(cluster, index, {name: value for name, value in meta.items() if name != _WHOLE})
        elif ours:  # half filled: its index is as it was, or was deleted since
            cluster.request("DELETE", address(spare), accept=(404,))


def _discard_old(cluster: Cluster, index: str, version: int) -> None:
    """Delete the index that the spare was made of, if it is still there; one that a writer made since stays."""
    reply = cluster.request("GET", f"/{quote(index, safe='')}/_mapping", accept=(404,))
    meta = reply.get(index, {}).get("mappings", {}).get("_meta", {})
    if index in reply and meta.get("version", 0) < version:
        cluster.request("DELETE", f"{address(index)}")


def _replace(cluster: Cluster, index: str, meta: Mapping[str, Any]) -> None:
    """Put the whole spare in the index's place. A writer may have made the index anew meanwhile: then it gets what lacks."""
    spare = SPARE + index
    cluster.request("PUT", f"{address(spare)}/_settings", body={"index.blocks.write": True})
    open_again = {"settings": {"index.blocks.write": False}}
    reply = cluster.request(
        "POST", f"{address(spare)}/_clone{address(index)}", body=open_again, accept=(400,)
    )
    if "error" in reply:
        if reply["error"].get("type") != "resource_already_exists_exception":
            raise ClusterError(f"{spare} cannot be given its name {index}", cause=str(reply["error"])[:300])
        dest = {"index": index, "pipeline": "_none", "op_type": "create"}
        _copy(cluster, "/_reindex", {"conflicts": "proceed", "source": {"index": spare}, "dest": dest})
    health = {"wait_for_status": "yellow", "wait_for_no_initializing_shards": "true", "timeout": "60s"}
    cluster.request("GET", f"/_cluster/health/{index}", params=health, accept=(408,))
    refresh(cluster, index)
    cluster.request("PUT", f"{address(index)}/_settings", body={"index.blocks.write": None})
    cluster.request("PUT", f"{address(index)}/_mapping", body={"_meta": meta})
    if _count(cluster, index) < _count(cluster, spare):
        raise ClusterError(f"{index} holds less than {spare}", cure="run the same command again")
    cluster.request("DELETE", f"{address(spare)}")


def _settings(cluster: Cluster, index: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a new index, with as many shards as this one has."""
    reply = cluster.request("GET", f"{address(index)}/_settings", params={"flat_settings": "true"})
    shards = reply[index]["settings"].get("index.number_of_shards", "1")
    settings: dict[str, Any] = template.get("settings", {}).get("index", {})
    return {"index": {**settings, "number_of_shards": int(shards)}}


def _count(cluster: Cluster, index: str) -> int:
    return int(cluster.request("GET", f"{address(index)}/_count")["count"])


def _copy(cluster: Cluster, path: str, body: Mapping[str, Any], **params: str) -> None:
    """Copy or update documents, however long it takes (OpenSearch docs, "Reindex document", wait_for_completion).

    Raises:
        ClusterError: a document was not taken, or the node that was at it went away.
    """
    task = cluster.request("POST", path, params={"wait_for_completion": "false", **params}, body=body)["task"]
    pause = _PAUSE_S
    while not (reply := cluster.request("GET", f"/_tasks/{quote(task, safe=':')}", accept=(404,))).get(
        "completed"
    ):
        if "task" not in reply:
            raise ClusterError(
                "the copying of an index ended without a word",
                cause="the node that was at it may have gone away",
                cure="run the same command again",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
    failures: Iterable[Any] = reply.get("response", {}).get("failures", ())
    failed = [str(one.get("cause", one))[:300] for one in failures] + (
        [str(reply["error"])] if "error" in reply else []
    )
    if failed:
        raise ClusterError(
            f"{len(failed)} documents could not be written",
            cause=failed[0],
            cure="run the same command again",
        )
