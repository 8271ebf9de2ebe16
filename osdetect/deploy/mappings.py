"""Install what `mappings/` holds: index templates and ingest pipelines, each only when it changed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from osdetect.cluster import Cluster
from osdetect.deploy.schema import Schema, behind, migrate, schema_of
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
        ClusterRefused: something of the same name is there that osdetect did not make, or a later osdetect did.
    """
    older = behind(cluster, schemas())
    return tuple(resource.name for resource in shipped() if _install(cluster, resource, older))


def schemas() -> tuple[Schema, ...]:
    """The kinds of index that osdetect makes."""
    return tuple(schema_of(one.name, one.body) for one in shipped() if "index_patterns" in one.body)


def _install(cluster: Cluster, resource: Resource, older: frozenset[str]) -> bool:
    owner, digest = standing(cluster, resource)
    schema = schema_of(resource.name, resource.body) if "index_patterns" in resource.body else None
    late = schema is not None and schema.name in older
    if owner == OWNER and digest == resource.digest and not late:
        return False
    if owner not in (OWNER, None):
        raise ClusterRefused(
            f"{resource.path} is there already, and osdetect did not make it",
            cause="it carries no mark of osdetect",
            cure=f"rename or delete it: DELETE {resource.path}",
        )
    if schema is not None:
        migrate(cluster, schema)  # before the template: killed in between, the next deploy does both again
    cluster.request("PUT", resource.path, body=resource.body)
    return True


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
