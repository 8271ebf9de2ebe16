"""The schema of each kind of index, and how indices of an older one are brought to it.

An index carries the version of its schema in its mapping's `_meta`. Most steps only add fields, which an index takes in
place; a step that changes what is there writes the index anew (`osdetect.deploy.rewriting`). A newer schema than ours
is left alone: this osdetect is the old one then.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from osdetect.cluster import Cluster
from osdetect.deploy.releases import address
from osdetect.deploy.rewriting import SPARE, finish_rewriting, rewrite, update_documents
from osdetect.errors import ClusterRefused
from osdetect.resources import folder
from osdetect.vocabulary import OWNER

_TOGETHER = 5
"""Names in one address: OpenSearch takes 4,096 bytes (setting http.max_initial_line_length)."""


class Step(msgspec.Struct, frozen=True):
    """What one version of a schema changed."""

    to: int
    why: str
    rewrites: bool = False
    """Whether fields that were there are mapped otherwise: then each document is indexed again."""
    updates: bool = False
    """Whether documents say something that they did not: `SCRIPTS` adds it."""


STEPS: Mapping[str, tuple[Step, ...]] = {
    "alerts": (Step(2, "what people do with an alert, and the group that it stands for"),),
    "events": (
        Step(
            2,
            "ids are no longer kept by columns; an event says whether it holds a text that searches cannot see",
            rewrites=True,
            updates=True,
        ),
        Step(3, "an event names the fields that it has without a value", updates=True),
    ),
    "runs": (Step(2, "owed, gathered and withheld matches"),),
}
"""By template, in order: every version after the first. A template that is not here is at version 1."""
SCRIPTS: Mapping[str, str] = {"events": "events.painless"}
"""In `mappings/migrations/`: brings a document of any older version to this one, and leaves one of this as it is."""


class Schema(msgspec.Struct, frozen=True):
    """A kind of index as this osdetect makes it."""

    name: str
    """Of its template's file."""
    patterns: tuple[str, ...]
    template: Mapping[str, Any]
    """Settings and mappings of a new index."""

    @property
    def version(self) -> int:
        """The version that this osdetect writes."""
        return int(self.template["mappings"]["_meta"]["version"])

    @property
    def additions(self) -> dict[str, Any]:
        """What an index of an older version can be given in place; each index has a `_meta` of its own."""
        return {name: part for name, part in self.template["mappings"].items() if name != "_meta"}


def schema_of(name: str, body: Mapping[str, Any]) -> Schema:
    """The schema that an index template makes."""
    return Schema(name.removeprefix(f"{OWNER}-"), tuple(body["index_patterns"]), body["template"])


def version_of(meta: Mapping[str, Any]) -> int | None:
    """The version that a `_meta` says; none of a release of rules, which is never migrated but made anew."""
    version = meta.get("version")
    return version if isinstance(version, int) else None


def _older(meta: Mapping[str, Any], schema: "Schema") -> bool:
    version = version_of(meta)
    return version is not None and version < schema.version


def behind(cluster: Cluster, schemas: Sequence[Schema]) -> frozenset[str]:
    """The templates of which some index is of an older version, or is being brought to this one; by name.

    Raises:
        ClusterRefused: an index or a template is of a later version than this osdetect knows.
    """
    params = {"filter_path": "index_templates.name,index_templates.index_template._meta"}
    reply = cluster.request("GET", f"/_index_template/{OWNER}-*", params=params, accept=(404,))
    templates = {
        str(one["name"]): one.get("index_template", {}).get("_meta", {})
        for one in reply.get("index_templates", ())
    }
    metas = _metas(cluster, [f"{OWNER}-*"])
    found = set()
    for schema in schemas:
        own = templates.get(f"{OWNER}-{schema.name}", {})
        _require_known(schema, "template", f"{OWNER}-{schema.name}", own)
        for name, meta in metas.items():
            if any(fnmatchcase(name.removeprefix(SPARE), pattern) for pattern in schema.patterns):
                _require_known(schema, "index", name, meta)
                if _older(meta, schema) or name.startswith(SPARE):
                    found.add(f"{OWNER}-{schema.name}")
    return frozenset(found)


def _require_known(schema: Schema, kind: str, name: str, meta: Mapping[str, Any]) -> None:
    version = version_of(meta)
    if meta.get("owner") == OWNER and version is not None and version > schema.version:
        raise ClusterRefused(
            f"the {kind} {name} has schema {version}; this osdetect knows {schema.version}",
            cause="a later osdetect made it, and this one could damage what it does not know",
            cure="deploy with the osdetect that made it, or a later one; nothing was changed",
        )


def migrate(cluster: Cluster, schema: Schema) -> tuple[str, ...]:
    """Bring every index of this kind to its version; the names of those that were behind.

    Killed anywhere and run again, it goes on: an index says that it is of a version only when it is.

    Raises:
        ClusterRefused: the cluster does not take a change.
        ClusterError: what was written anew is not whole.
    """
    finish_rewriting(cluster, schema.patterns)
    found = _metas(cluster, schema.patterns)
    older = [name for name, meta in found.items() if _older(meta, schema)]
    for name in older:
        if any(step.rewrites for step in _ahead(schema, found[name])):
            rewrite(cluster, name, schema.template, _script(schema))
    found = _metas(cluster, schema.patterns)
    for some in _some(list(found)):
        cluster.request("PUT", f"/{','.join(some)}/_mapping", body=schema.additions)
    for name, meta in found.items():
        if _older(meta, schema):
            if any(step.updates for step in _ahead(schema, meta)):
                update_documents(cluster, name, _script(schema))
            own = {**meta, **schema.template["mappings"]["_meta"]}
            cluster.request("PUT", f"{address(name)}/_mapping", body={"_meta": own})
    return tuple(older)


def _ahead(schema: Schema, meta: Mapping[str, Any]) -> tuple[Step, ...]:
    return tuple(step for step in STEPS.get(schema.name, ()) if step.to > (version_of(meta) or 0))


def _script(schema: Schema) -> str:
    file = SCRIPTS.get(schema.name)
    return (folder("mappings") / "migrations" / file).read_text("utf-8") if file else ""


def _metas(cluster: Cluster, patterns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Our indices of these patterns with the `_meta` of each."""
    options = {"ignore_unavailable": "true", "allow_no_indices": "true", "expand_wildcards": "open"}
    params = {**options, "filter_path": "*.mappings._meta"}
    found = cluster.request("GET", f"/{','.join(patterns)}/_mapping", params=params, accept=(404,))
    metas = {name: entry.get("mappings", {}).get("_meta", {}) for name, entry in found.items()}
    return {name: meta for name, meta in sorted(metas.items()) if meta.get("owner") == OWNER}


def _some(names: Sequence[str]) -> Iterable[Sequence[str]]:
    """A few at a time, as they stand in an address."""
    quoted = [address(name).removeprefix("/") for name in names]
    for at in range(0, len(quoted), _TOGETHER):
        yield quoted[at : at + _TOGETHER]
