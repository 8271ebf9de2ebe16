"""A release: a set of rules in an index of its own, made live by moving one alias.

The index's name is a function of the rules' content, so the same rules are the same release. It is filled, counted
and only then given the alias, in one atomic request: a detector sees the old set or the new one, never a part.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from osdetect.cluster import Cluster, index_action
from osdetect.deploy.mappings import install
from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.stored_rule import FORMAT
from osdetect.errors import ClusterError, ClusterRefused, RuleError
from osdetect.schema.projection import VALUES, column_key
from osdetect.vocabulary import OWNER, RULES_ALIAS, RULES_PREFIX

BATCH = 500
"""Rules of one request, if they are no more than these bytes together."""
BATCH_BYTES = 8 << 20
KEPT = 5
"""Releases that stay in the cluster, the live one among them; older ones are deleted."""

Progress = Callable[[int, int], None]


class Deployable(Protocol):
    """What is deployed of a compiled rule: of one that was kept no tree is built."""

    @property
    def id(self) -> str:
        """The rule's id."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The paths whose values its stored query asks for."""
        ...

    @property
    def document(self) -> bytes:
        """Its percolator document: JSON with sorted keys on one line, sent and hashed as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that the cluster did not take."""

    rule_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What a deploy did."""

    index: str
    """The live rules index."""
    rules: int
    """Rules in it."""
    changed: bool
    """False when this release was live already."""
    installed: tuple[str, ...]
    """Templates and pipelines that were written."""
    refused: tuple[Refused, ...]
    deleted: tuple[str, ...]
    """Older releases that were deleted."""


def deploy(
    cluster: Cluster,
    compiled: Sequence[Deployable],
    *,
    on_progress: Progress,
    dialect: Dialect = RAW,
    shards: int = 1,
) -> DeployReport:
    """Make this set of rules the live one.

    Args:
        cluster: where.
        compiled: the rules.
        on_progress: called with rules written and rules in all.
        dialect: of the events that the rules were compiled for; the release remembers it.
        shards: of the rules index: so many nodes can share percolation.

    Raises:
        ClusterRefused: no percolator, a missing right, or every rule was refused.
        ClusterUnavailable: the cluster went away; the release that was live still is.
    """
    cluster.require_percolator()
    installed = install(cluster)
    ordered = sorted(compiled, key=lambda one: one.id)
    index = release_index(ordered, dialect, shards)
    if _is_live(cluster, index):
        on_progress(len(ordered), len(ordered))
        return DeployReport(
            index, _count(cluster, index), bool(installed), installed, _recorded(cluster, index, ordered), ()
        )
    _create(cluster, index, ordered, dialect, shards)
    refused = _fill(cluster, index, ordered, on_progress)
    if ordered and len(refused) == len(ordered):
        cluster.request("DELETE", f"/{index}")
        raise ClusterRefused("the cluster refused every rule", cause=refused[0].reason)
    _finish(cluster, index, ordered, refused, dialect)
    return DeployReport(index, len(ordered) - len(refused), True, installed, refused, _prune(cluster, index))


def release_index(compiled: Iterable[Deployable], dialect: Dialect = RAW, shards: int = 1) -> str:
    """The name of the index for this set of rules: a function of what is stored for them, their dialect and their shards."""
    digest = hashlib.sha256(str(FORMAT).encode())
    digest.update(orjson.dumps(_remembered(dialect), option=orjson.OPT_SORT_KEYS))
    if shards != 1:
        digest.update(b"shards %d" % shards)
    for one in compiled:
        digest.update(orjson.dumps([one.id, orjson.Fragment(one.document)]))
    return RULES_PREFIX + digest.hexdigest()[:16]


def _meta(cluster: Cluster, index: str) -> dict[str, Any]:
    reply = cluster.request("GET", f"/{index}/_mapping", accept=(404,))
    found: dict[str, Any] = reply.get(index, {}).get("mappings", {}).get("_meta", {})
    return found


def _is_live(cluster: Cluster, index: str) -> bool:
    reply = cluster.request("GET", f"/{RULES_PREFIX}*/_alias/{RULES_ALIAS}", accept=(404,))
    return set(reply) == {index} and _meta(cluster, index).get("complete") is True


def _count(cluster: Cluster, index: str) -> int:
    return int(cluster.request("GET", f"/{index}/_count")["count"])


def _create(
    cluster: Cluster, index: str, compiled: Sequence[Deployable], dialect: Dialect, shards: int
) -> None:
    """Make the index with a column for each path that the rules name; what a killed deploy left goes first."""
    left = _meta(cluster, index)
    if left and left.get("owner") != OWNER:
        raise _foreign(index)
    if left.get("complete") is True:
        return
    if left:
        cluster.request("DELETE", f"/{index}", accept=(404,))
    paths = sorted({path for one in compiled for path in one.columns})
    columns = {column_key(path): {"type": "keyword", "doc_values": False} for path in paths}
    mappings = {
        "_meta": {"owner": OWNER, "format": FORMAT, "complete": False, **_remembered(dialect)},
        "properties": {VALUES: {"type": "object", "dynamic": False, "properties": columns}},
    }
    settings = {} if shards == 1 else {"settings": {"index.number_of_shards": shards}}
    if not cluster.create_index(index, {"mappings": mappings, **settings}):
        _require_ours(cluster, index)


def _require_ours(cluster: Cluster, index: str) -> None:
    """Check that the index is the one that a deploy made.

    Another deploy of the same rules may have deleted it meanwhile; a bulk request then makes it again, without the
    columns that the stored queries name, and it carries no more than the template's mark.

    Raises:
        ClusterRefused: it is somebody else's.
        ClusterError: another deploy of the same rules is under way.
    """
    found = _meta(cluster, index)
    if found.get("owner") != OWNER:
        raise _foreign(index)
    if "complete" not in found:
        raise _disturbed(f"the rules index {index} was deleted while it was filled")


def _foreign(index: str) -> ClusterRefused:
    return ClusterRefused(
        f"the index {index} is there already, and osdetect did not make it",
        cause="it carries no mark of osdetect",
        cure=f"rename or delete it: DELETE /{index}",
    )


def _disturbed(what: str) -> ClusterError:
    return ClusterError(
        what, cause="another deploy of the same rules may have been under way", cure="run the command again"
    )


def _fill(
    cluster: Cluster, index: str, compiled: Sequence[Deployable], on_progress: Progress
) -> tuple[Refused, ...]:
    refused: list[Refused] = []
    done = 0
    for batch in _batches(compiled):
        outcomes = cluster.bulk([index_action(index, one.id, one.document) for one in batch])
        refused += [
            Refused(one.id, outcome.reason)
            for one, outcome in zip(batch, outcomes, strict=True)
            if outcome.failed
        ]
        done += len(batch)
        on_progress(done, len(compiled))
    return tuple(refused)


def _batches(compiled: Sequence[Deployable]) -> Iterator[Sequence[Deployable]]:
    start = size = 0
    for end, one in enumerate(compiled):
        size += len(one.document)
        if end - start == BATCH or (end > start and size > BATCH_BYTES):
            yield compiled[start:end]
            start, size = end, len(one.document)
    if start < len(compiled):
        yield compiled[start:]


def _remembered(dialect: Dialect) -> dict[str, Any]:
    """What the index says of its dialect; of raw records it says nothing."""
    return {} if dialect == RAW else {"dialect": dialect.to_json()}


def _finish(
    cluster: Cluster, index: str, compiled: Sequence[Deployable], refused: Sequence[Refused], dialect: Dialect
) -> None:
    """Check that all is there, say so in the index, and move the alias to it in one request."""
    _require_ours(cluster, index)
    cluster.request("POST", f"/{index}/_refresh")
    found, wanted = _count(cluster, index), len(compiled) - len(refused)
    if found != wanted:
        raise _disturbed(f"the rules index {index} holds {found} rules instead of {wanted}")
    meta = {
        "owner": OWNER,
        "format": FORMAT,
        "complete": True,
        "refused": {one.rule_id: one.reason for one in refused},
        **_remembered(dialect),
    }
    cluster.request("PUT", f"/{index}/_mapping", body={"_meta": meta})
    actions = [
        {"remove": {"index": f"{RULES_PREFIX}*", "alias": RULES_ALIAS, "must_exist": False}},
        {"add": {"index": index, "alias": RULES_ALIAS}},
    ]
    cluster.request("POST", "/_aliases", body={"actions": actions})


def _recorded(cluster: Cluster, index: str, compiled: Sequence[Deployable]) -> tuple[Refused, ...]:
    """What the cluster refused when this release was filled: said again each time it is deployed."""
    refused = _meta(cluster, index).get("refused", {})
    return tuple(Refused(one.id, str(refused[one.id])) for one in compiled if one.id in refused)


def _prune(cluster: Cluster, live: str) -> tuple[str, ...]:
    """Delete all but the newest releases; only indices that a deploy made.

    Our template gives its mark to any index of such a name; `complete` is written by a deploy alone.
    """
    params = {"filter_path": "*.settings.index.creation_date,*.mappings._meta"}
    found = cluster.request("GET", f"/{RULES_PREFIX}*", params=params)
    ours = {
        name: int(entry["settings"]["index"]["creation_date"])
        for name, entry in found.items()
        if name != live and _made_by_deploy(entry.get("mappings", {}).get("_meta", {}))
    }
    old = sorted(ours, key=lambda name: ours[name], reverse=True)[KEPT - 1 :]
    for name in old:
        cluster.request("DELETE", f"/{name}", accept=(404,))
    return tuple(old)


def _made_by_deploy(meta: Mapping[str, Any]) -> bool:
    return meta.get("owner") == OWNER and "complete" in meta


def refusals(report: DeployReport) -> tuple[RuleError, ...]:
    """The refused rules as errors that a user can read."""
    return tuple(
        RuleError(
            f"the cluster refused the rule {one.rule_id}",
            cause=one.reason,
            cure="report this: osdetect should not compile to a query that OpenSearch refuses",
        )
        for one in report.refused
    )
