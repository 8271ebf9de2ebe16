"""A release: a set of rules in an index of its own, made live by moving one alias.

The index's name is a function of the rules' content, so the same rules are the same release. It is filled, counted
and only then given the alias, in one atomic request: a detector sees the old set or the new one, never a part.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Cluster, index_action, refresh
from osdetect.deploy.limit import Limit
from osdetect.deploy.lock import DeployLock, deploy_lock, whoever
from osdetect.deploy.mappings import Resource, install, outdated, shipped
from osdetect.deploy.releases import (
    Deployable,
    Kept,
    Stamp,
    address,
    aliased,
    digest_of,
    kept_releases,
    release_index,
    remembered,
    sorted_json,
    stored_documents,
)
from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.stored_rule import FORMAT
from osdetect.errors import ClusterError, ClusterRefused, RuleError
from osdetect.schema.projection import VALUES, column_key
from osdetect.vocabulary import OWNER, RULES_ALIAS, RULES_PREFIX, STATE_INDEX

BATCH = 500
"""Rules of one request, if they are no more than these bytes together."""
BATCH_BYTES = 8 << 20
KEPT = 5
"""Releases that stay in the cluster, the live one among them; older ones are deleted."""

Progress = Callable[[int, int], None]


class Refused(msgspec.Struct, frozen=True):
    """A rule that the cluster did not take."""

    rule_id: str
    reason: str


class DeployReport(msgspec.Struct, frozen=True):
    """What a deploy did."""

    index: str
    """The live rules index."""
    rules: int
    """Rules in it."""
    changed: bool
    """False when all of this was there already."""
    installed: tuple[str, ...]
    """Templates and pipelines that were written."""
    refused: tuple[Refused, ...]
    deleted: tuple[str, ...]
    """Older releases that were deleted."""
    removed: Mapping[str, str]
    """Id and title of each rule that was live and is no more."""
    repaired: tuple[str, ...] = ()
    """Ids of the documents of a release that was there already, which somebody had edited, deleted or added."""
    taken_over: str = ""
    """Who held the lock of a deploy that died; empty when nobody did."""


class _Wanted(msgspec.Struct, frozen=True):
    """What is to be live."""

    index: str
    rules: tuple[Deployable, ...]
    dialect: Dialect
    shards: int
    commit: str
    limit: Limit | None
    on_progress: Progress


def deploy(
    cluster: Cluster,
    compiled: Sequence[Deployable],
    *,
    on_progress: Progress,
    dialect: Dialect = RAW,
    shards: int = 1,
    commit: str = "",
    limit: Limit | None = None,
) -> DeployReport:
    """Make this set of rules the live one.

    Args:
        cluster: where.
        compiled: the rules.
        on_progress: called with rules written and rules in all.
        dialect: of the events that the rules were compiled for; the release remembers it.
        shards: of the rules index: so many nodes can share percolation.
        commit: of the git repository that the rules are in; the release remembers it.
        limit: how many live rules may go; None: all.

    Raises:
        ClusterBusy: another deploy is under way.
        Guarded: more rules would go than are allowed.
        ClusterRefused: no percolator, a missing right, or every rule was refused.
        ClusterUnavailable: the cluster went away; the release that was live still is.
    """
    cluster.require_percolator()
    ordered = tuple(sorted(compiled, key=lambda one: one.id))
    index = release_index(ordered, dialect, shards)
    wanted = _Wanted(index, ordered, dialect, shards, commit, limit, on_progress)
    pending = outdated(cluster, shipped())
    if not pending and (unchanged := _unchanged(cluster, wanted)):
        on_progress(len(ordered), len(ordered))
        return unchanged
    # The index that holds the lock must be born from its template.
    first = [resource for resource in pending if resource.name == STATE_INDEX]
    installed = install(cluster, first)
    with deploy_lock(cluster) as lock:
        return _deployed(cluster, wanted, lock, [one for one in pending if one not in first], installed)


def _unchanged(cluster: Cluster, wanted: _Wanted) -> DeployReport | None:
    """The report when just these rules are live, document by document."""
    kept = _live(cluster, wanted.index)
    if kept is None or kept.alias_edited:
        return None
    wrong, extra = _unlike(cluster, wanted)
    if extra or any(one.id not in kept.refused for one in wrong):
        return None
    refused = tuple(Refused(one.id, kept.refused[one.id]) for one in wrong)
    return DeployReport(wanted.index, len(wanted.rules) - len(refused), False, (), refused, (), {})


def _live(cluster: Cluster, index: str) -> Kept | None:
    """The release in this index if it is complete and the only live one."""
    if aliased(cluster) != (index,):
        return None
    return next((one for one in kept_releases(cluster) if one.index == index and one.complete), None)


def _unlike(cluster: Cluster, wanted: _Wanted) -> tuple[list[Deployable], list[str]]:
    """The rules whose documents are not in the index as they should be, and the ids that should not be there."""
    missing = {one.id: one for one in wanted.rules}
    extra: list[str] = []
    for rule_id, source in stored_documents(cluster, wanted.index):
        one = missing.get(rule_id)
        if one is None:
            extra.append(rule_id)
        elif sorted_json(source) == one.document:
            del missing[rule_id]
    return list(missing.values()), extra


def _deployed(
    cluster: Cluster,
    wanted: _Wanted,
    lock: DeployLock,
    pending: Sequence[Resource],
    installed: tuple[str, ...],
) -> DeployReport:
    ordered, index = wanted.rules, wanted.index
    removed = _removed(cluster, wanted)
    installed = (*installed, *install(cluster, pending))
    live = _live(cluster, index)
    fresh = _create(cluster, wanted)
    wrong, extra = (list(ordered), []) if fresh else _unlike(cluster, wanted)
    for rule_id in extra:
        cluster.request("DELETE", f"/{index}/_doc/{quote(rule_id, safe='')}", accept=(404,))
    refused = _fill(cluster, index, wrong, wanted.on_progress)
    if ordered and len(refused) == len(ordered):
        if fresh:
            cluster.request("DELETE", f"/{index}")
        raise ClusterRefused("the cluster refused every rule", cause=refused[0].reason)
    taken = len(ordered) - len(refused)
    stamp = live.stamp if live else _stamp(cluster, wanted, taken)
    _complete(cluster, wanted, refused, stamp)
    lock.require()
    if live is None or live.alias_edited:
        make_live(cluster, index)
    bad = {one.rule_id for one in refused}
    repaired = () if fresh else (*(one.id for one in wrong if one.id not in bad), *extra)
    changed = live is None or live.alias_edited or bool(installed) or bool(repaired)
    return DeployReport(
        index,
        taken,
        changed,
        installed,
        refused,
        _prune(cluster, index, stamp.follows),
        removed,
        tuple(sorted(repaired)),
        lock.taken_over,
    )


def _removed(cluster: Cluster, wanted: _Wanted) -> dict[str, str]:
    """The live rules that are not wanted any more.

    Raises:
        Guarded: they are more than may go.
    """
    live = {
        rule_id: str((source.get("rule") or {}).get("name", ""))
        for index in aliased(cluster)  # and not through the alias, which somebody may have given a filter
        for rule_id, source in stored_documents(cluster, index, ("rule.name",))
    }
    ids = {one.id for one in wanted.rules}
    removed = {rule_id: title for rule_id, title in live.items() if rule_id not in ids}
    if wanted.limit is not None:
        wanted.limit.check(removed, len(live))
    return removed


def _stamp(cluster: Cluster, wanted: _Wanted, rules: int) -> Stamp:
    before = aliased(cluster)
    return Stamp(
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        by=whoever(),
        commit=wanted.commit,
        rules=rules,
        follows=before[0] if len(before) == 1 else "",
    )


def _meta(cluster: Cluster, index: str) -> dict[str, Any]:
    reply = cluster.request("GET", f"/{index}/_mapping", accept=(404,))
    found: dict[str, Any] = reply.get(index, {}).get("mappings", {}).get("_meta", {})
    return found


def _count(cluster: Cluster, index: str) -> int:
    return int(cluster.request("GET", f"/{index}/_count")["count"])


def _create(cluster: Cluster, wanted: _Wanted) -> bool:
    """Make the index with a column for each path that the rules name; what a killed deploy left goes first.

    False when a deploy made it and came to its end, or it is live whatever it says of itself: what is in it is kept.
    """
    index = wanted.index
    left = _meta(cluster, index)
    if left and left.get("owner") != OWNER:
        raise _foreign(index)
    if left.get("complete") is True or index in aliased(cluster):
        return False
    if left:
        cluster.request("DELETE", f"/{index}", accept=(404,))
    paths = sorted({path for one in wanted.rules for path in one.columns})
    columns = {column_key(path): {"type": "keyword", "doc_values": False} for path in paths}
    mappings = {
        "_meta": {"owner": OWNER, "format": FORMAT, "complete": False, **remembered(wanted.dialect)},
        "properties": {VALUES: {"type": "object", "dynamic": False, "properties": columns}},
    }
    settings = {} if wanted.shards == 1 else {"settings": {"index.number_of_shards": wanted.shards}}
    if not cluster.create_index(index, {"mappings": mappings, **settings}):
        _require_ours(cluster, index)
    return True


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


def _complete(cluster: Cluster, wanted: _Wanted, refused: Sequence[Refused], stamp: Stamp) -> None:
    """Check that all is there, and say so in the index."""
    index = wanted.index
    _require_ours(cluster, index)
    refresh(cluster, index)
    found, due = _count(cluster, index), len(wanted.rules) - len(refused)
    if found != due:
        raise _disturbed(f"the rules index {index} holds {found} rules instead of {due}")
    bad = {one.rule_id: one.reason for one in refused}
    meta = {
        "owner": OWNER,
        "format": FORMAT,
        "complete": True,
        "refused": bad,
        "release": stamp.to_json(),
        "digests": {one.id: digest_of(one.document) for one in wanted.rules if one.id not in bad},
        **remembered(wanted.dialect),
    }
    cluster.request("PUT", f"/{index}/_mapping", body={"_meta": meta})


def make_live(cluster: Cluster, index: str) -> None:
    """Move the alias to the index, in one request.

    Raises:
        ClusterError: it was not moved, as far as can be told.
    """
    actions = [
        {"remove": {"index": f"{RULES_PREFIX}*", "alias": RULES_ALIAS, "must_exist": False}},
        {"add": {"index": index, "alias": RULES_ALIAS}},
    ]
    cluster.request("POST", "/_aliases", body={"actions": actions})


def _prune(cluster: Cluster, live: str, before: str) -> tuple[str, ...]:
    """Delete all but the live release, the one before it, and those deployed last; only indices that a deploy made."""
    # Whoever was stopped behind the switch for long may not delete what another deploy made live since.
    others = [one.index for one in kept_releases(cluster) if one.index != live and not one.live]
    ordered = sorted(others, key=lambda name: name != before)  # stable: the one before, then the newest
    old = ordered[KEPT - 1 :]
    for name in old:
        cluster.request("DELETE", address(name), accept=(404,))
    return tuple(old)


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
