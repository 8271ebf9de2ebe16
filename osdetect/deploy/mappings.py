"""Install what `mappings/` holds: index templates and ingest pipelines, each only when it changed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from osdetect.cluster import Cluster
from osdetect.errors import ClusterRefused
from osdetect.resources import folder
from osdetect.vocabulary import OWNER


@dataclass(frozen=True, slots=True)
class Resource:
    """A template or pipeline of ours: where it goes and what it says."""

    name: str
    path: str
    body: dict[str, Any]
    digest: str
    """16 hexadecimal digits of its content; installed with it, so that a change is seen."""


_KINDS = {".template.json": "/_index_template/", ".pipeline.json": "/_ingest/pipeline/"}


def shipped() -> tuple[Resource, ...]:
    """Every template and pipeline in `mappings/`, by name; pipelines first, because templates name them."""
    files = sorted(folder("mappings").glob("*.json"), key=lambda file: (".template." in file.name, file.name))
    return tuple(
        _resource(file, suffix, place)
        for file in files
        for suffix, place in _KINDS.items()
        if file.name.endswith(suffix)
    )


def _resource(file: Path, suffix: str, place: str) -> Resource:
    body = orjson.loads(file.read_bytes())
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    name = f"{OWNER}-{file.name.removesuffix(suffix)}"
    if suffix == ".pipeline.json":  # a pipeline has no _meta: its description carries owner and digest
        body["description"] = f"{body.get('description', '')} {_mark(digest)}".strip()
    else:
        body["_meta"] = {**body.get("_meta", {}), "owner": OWNER, "digest": digest}
    return Resource(name, place + name, body, digest)


def _mark(digest: str) -> str:
    return f"[{OWNER} {digest}]"


def install(cluster: Cluster) -> tuple[str, ...]:
    """Install what is missing or differs; the names of what was written, none when all was there.

    Raises:
        ClusterRefused: something of the same name is there that osdetect did not make.
    """
    return tuple(resource.name for resource in shipped() if _install(cluster, resource))


def _install(cluster: Cluster, resource: Resource) -> bool:
    owner, digest = standing(cluster, resource)
    if owner == OWNER and digest == resource.digest:
        return False
    if owner not in (OWNER, None):
        raise ClusterRefused(
            f"{resource.path} is there already, and osdetect did not make it",
            cause="it carries no mark of osdetect",
            cure=f"rename or delete it: DELETE {resource.path}",
        )
    if owner == OWNER:
        _renew_indices(
            cluster, resource
        )  # before the template: killed in between, the next deploy does both again
    cluster.request("PUT", resource.path, body=resource.body)
    return True


def _renew_indices(cluster: Cluster, resource: Resource) -> None:
    """Give the indices that an older template made what the new one adds: a template is read only at an index's birth.

    OpenSearch refuses what would change a field that is there (OpenSearch docs, "Put mapping"); such a change needs
    indices of another name.
    """
    mappings = resource.body.get("template", {}).get("mappings", {})
    added = {
        name: part for name, part in mappings.items() if name != "_meta"
    }  # each index has a _meta of its own
    patterns = ",".join(resource.body.get("index_patterns", ()))
    if added and patterns:
        options = {"ignore_unavailable": "true", "allow_no_indices": "true", "expand_wildcards": "open"}
        if cluster.request("GET", f"/{patterns}/_alias", params=options, accept=(404,)):
            cluster.request("PUT", f"/{patterns}/_mapping", params=options, body=added)


def standing(cluster: Cluster, resource: Resource) -> tuple[str | None, str]:
    """Owner and digest of what stands at the resource's place; owner None when nothing does."""
    reply = cluster.request("GET", resource.path, accept=(404,))
    if "index_templates" in reply:
        meta = reply["index_templates"][0]["index_template"].get("_meta", {})
        return str(meta.get("owner", "")), str(meta.get("digest", ""))
    if resource.name not in reply:
        return None, ""
    marked = str(reply[resource.name].get("description", "")).rpartition(f"[{OWNER} ")
    return (OWNER, marked[2].removesuffix("]")) if marked[1] else ("", "")
