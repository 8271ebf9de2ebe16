"""Install what `mappings/` holds: index templates and ingest pipelines, each only when it changed."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from osdetect.cluster import Cluster
from osdetect.deploy.schema import Schema, behind, migrate, schema_of
from osdetect.errors import ClusterRefused
from osdetect.resources import folder
from osdetect.vocabulary import OWNER


class Resource(msgspec.Struct, frozen=True):
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


def outdated(cluster: Cluster, resources: Sequence[Resource]) -> tuple[Resource, ...]:
    """Those that are missing, or differ from what stands there, be that of an older version or edited by hand.

    A template of which some index is of an older schema is among them as well.

    Raises:
        ClusterRefused: something of the same name is there that osdetect did not make, or a later osdetect did.
    """
    older = behind(cluster, schemas(resources))
    found = [(resource, standing(cluster, resource)) for resource in resources]
    foreign = next((resource for resource, there in found if there.foreign), None)
    if foreign is not None:
        raise ClusterRefused(
            f"{foreign.path} is there already, and osdetect did not make it",
            cause="it carries no mark of osdetect",
            cure=f"rename or delete it: DELETE {foreign.path}",
        )
    return tuple(resource for resource, there in found if there.differs or resource.name in older)


def install(cluster: Cluster, resources: Sequence[Resource] | None = None) -> tuple[str, ...]:
    """Put these in their places; their names. Indices of older schemas are brought along.

    Args:
        cluster: where.
        resources: None: those that are missing or differ from what is shipped.

    Raises:
        ClusterRefused: something of the same name is there that osdetect did not make.
        ClusterError: the cluster did not take one.
    """
    wanted = outdated(cluster, shipped()) if resources is None else resources
    for resource in wanted:
        # Before the template: killed in between, the next deploy does both again.
        for schema in schemas([resource]):
            migrate(cluster, schema)
        cluster.request("PUT", resource.path, body=resource.body)
    return tuple(resource.name for resource in wanted)


def schemas(resources: Sequence[Resource]) -> tuple[Schema, ...]:
    """The kinds of index that the templates among them make."""
    return tuple(schema_of(one.name, one.body) for one in resources if "index_patterns" in one.body)


class Standing(msgspec.Struct, frozen=True):
    """What stands where a resource of ours belongs."""

    owner: str | None
    """None when nothing stands there."""
    digest: str
    """Of the content that was installed, as it says itself."""
    differs: tuple[str, ...]
    """Dotted paths at which it is not what is shipped."""

    @property
    def foreign(self) -> bool:
        """Whether somebody else made it."""
        return self.owner not in (OWNER, None)


def standing(cluster: Cluster, resource: Resource) -> Standing:
    """What stands at the resource's place, compared with the resource."""
    body = _standing_body(cluster.request("GET", resource.path, accept=(404,)), resource.name)
    if body is None:
        return Standing(None, "", ("",))
    owner, digest = _marks(body)
    there, wanted = _flat(_normal(body)), _flat(_normal(resource.body))
    paths = sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name))
    return Standing(owner, digest, tuple(paths))


def _standing_body(reply: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    for one in reply.get("index_templates", ()):
        if one.get("name") == name:
            body: Mapping[str, Any] = one["index_template"]
            return body
    pipeline = reply.get(name)
    return pipeline if isinstance(pipeline, Mapping) else None


def _marks(body: Mapping[str, Any]) -> tuple[str, str]:
    """Owner and digest that a template or pipeline says of itself."""
    if "index_patterns" in body:
        meta = body.get("_meta", {})
        return str(meta.get("owner", "")), str(meta.get("digest", ""))
    marked = str(body.get("description", "")).rpartition(f"[{OWNER} ")
    return (OWNER, marked[2].removesuffix("]")) if marked[1] else ("", "")


def _normal(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its settings as the cluster gives them back: each a text under its full name."""
    template = body.get("template", {})
    settings = _flat(template.get("settings", {}))
    full = {name if name.startswith("index.") else f"index.{name}": value for name, value in settings.items()}
    texts = {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in full.items()
    }
    return {**body, "template": {**template, "settings": texts}}


def _flat(data: Any, path: str = "") -> dict[str, Any]:
    """Each value that is no object by its dotted path; empty objects and lists say nothing."""
    if isinstance(data, Mapping):
        inner = (_flat(value, f"{path}.{name}" if path else str(name)) for name, value in data.items())
        return {name: value for part in inner for name, value in part.items()}
    return {} if data in ([], None) else {path: data}
