"""Taking osdetect out of a cluster: only what carries its mark, each thing by its whole name."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Cluster
from osdetect.deploy.lock import DeployLock, deploy_lock
from osdetect.deploy.rewriting import SPARE
from osdetect.vocabulary import (
    ALERTS_PREFIX,
    DEADLETTER_PREFIX,
    EVENTS_PREFIX,
    MATCHES_PREFIX,
    OUTBOX_PREFIX,
    OWNER,
    RULES_PREFIX,
    RUNS_PREFIX,
    STATE_INDEX,
)


class Share(StrEnum):
    """What belongs together: what a deploy made, and three kinds of what was gathered since."""

    DEPLOYED = "deployed"
    """Rules, templates and pipelines: another deploy brings them back."""
    ALERTS = "alerts"
    """Alerts, withheld matches and the outbox."""
    EVENTS = "events"
    """Events and dead letters."""
    STATE = "state"
    """Cursors, the ledger of loaded files, and the reports of runs."""


_SHARES = {
    RULES_PREFIX: Share.DEPLOYED,
    ALERTS_PREFIX: Share.ALERTS,
    MATCHES_PREFIX: Share.ALERTS,
    OUTBOX_PREFIX: Share.ALERTS,
    EVENTS_PREFIX: Share.EVENTS,
    DEADLETTER_PREFIX: Share.EVENTS,
    RUNS_PREFIX: Share.STATE,
}


class Kind(StrEnum):
    """What a thing is."""

    INDEX = "index"
    TEMPLATE = "template"
    PIPELINE = "pipeline"


_PATHS = {Kind.INDEX: "/", Kind.TEMPLATE: "/_index_template/", Kind.PIPELINE: "/_ingest/pipeline/"}


_WILDCARDS = frozenset("*?,")


class Thing(msgspec.Struct, frozen=True):
    """Something in the cluster that is called as osdetect's things are."""

    kind: Kind
    name: str
    share: Share
    ours: bool
    """Whether it carries osdetect's mark and can be meant alone; else it is left alone, whatever is asked for."""
    documents: int = 0

    @property
    def path(self) -> str:
        """Its address: of this one thing, also when a percent sign in its name would make a wildcard of it."""
        return _PATHS[self.kind] + quote(self.name, safe="")

    @property
    def why_not(self) -> str:
        """Why one that is not ours is left alone."""
        return (
            "has a name that stands for others"
            if _WILDCARDS & set(self.name)
            else "carries no mark of osdetect"
        )

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "kind": self.kind.value,
            "name": self.name,
            "share": self.share.value,
            **({"documents": self.documents} if self.kind is Kind.INDEX else {}),
        }


def found_things(cluster: Cluster) -> tuple[Thing, ...]:
    """All that is called as osdetect's things are. Nothing is written.

    Raises:
        ClusterError: the cluster cannot be asked.
    """
    return (*_indices(cluster), *_templates(cluster), *_pipelines(cluster))


def _indices(cluster: Cluster) -> Iterator[Thing]:
    params = {"filter_path": "*.settings.index.uuid,*.mappings._meta.owner", "expand_wildcards": "all"}
    found = cluster.request("GET", f"/{OWNER}-*", params=params, accept=(404,))
    counted = _documents(cluster)
    for name in sorted(found):
        share = _share(name)
        if share is None:
            continue  # an alias of such a name leads to it, or osdetect calls no index so
        owner = found[name].get("mappings", {}).get("_meta", {}).get("owner")
        yield Thing(Kind.INDEX, name, share, owner == OWNER, counted.get(name, 0))


def _share(index: str) -> Share | None:
    index = index.removeprefix(SPARE)  # left by a deploy that was killed while it wrote that index anew
    if index == STATE_INDEX:
        return Share.STATE
    return next((share for prefix, share in _SHARES.items() if index.startswith(prefix)), None)


def _documents(cluster: Cluster) -> dict[str, int]:
    params = {
        "filter_path": "indices.*.primaries.docs.count",
        "expand_wildcards": "all",
        "forbid_closed_indices": "false",  # a closed one has no numbers, and is no reason to give none of the others
    }
    reply = cluster.request("GET", f"/{OWNER}-*/_stats/docs", params=params, accept=(404,))
    return {name: int(one["primaries"]["docs"]["count"]) for name, one in reply.get("indices", {}).items()}


def _templates(cluster: Cluster) -> Iterator[Thing]:
    reply = cluster.request("GET", f"/_index_template/{OWNER}-*", accept=(404,))
    for one in reply.get("index_templates", ()):
        meta = one["index_template"].get("_meta", {})
        yield Thing(Kind.TEMPLATE, one["name"], Share.DEPLOYED, meta.get("owner") == OWNER)


def _pipelines(cluster: Cluster) -> Iterator[Thing]:
    reply: Mapping[str, Any] = cluster.request("GET", f"/_ingest/pipeline/{OWNER}-*", accept=(404,))
    for name, body in reply.items():
        marked = f"[{OWNER} " in str(body.get("description", ""))
        # OpenSearch takes a pipeline of the name `osdetect-*`, and its deletion for that of every one that fits.
        yield Thing(Kind.PIPELINE, name, Share.DEPLOYED, marked and not _WILDCARDS & set(name))


def chosen_things(found: Sequence[Thing], shares: Sequence[Share]) -> tuple[Thing, ...]:
    """Those of ours that belong to the shares, in the order in which they go.

    Indices before templates, which would make them anew, and templates before the pipelines that they name; the state last: it
    holds the lock.
    """
    ours = [one for one in found if one.ours and one.share in shares]
    last = Thing(Kind.INDEX, STATE_INDEX, Share.STATE, ours=True)
    return tuple(sorted(ours, key=lambda one: (one.path == last.path, list(Kind).index(one.kind))))


def destroy(cluster: Cluster, chosen: Sequence[Thing]) -> tuple[Thing, ...]:
    """Delete these things, one by one, as far as they are still there and carry osdetect's mark; what was deleted.

    What came since they were chosen stays: nobody was asked about it.

    Raises:
        ClusterBusy: a deploy is under way.
        ClusterError: the cluster did not do it; the same command goes on.
    """
    if all(one.name != STATE_INDEX for one in found_things(cluster)):
        return _deleted(cluster, chosen, None)  # no deploy can be under way without the state or its template
    with deploy_lock(cluster) as lock:
        return _deleted(cluster, chosen, lock)


def _deleted(cluster: Cluster, chosen: Sequence[Thing], lock: DeployLock | None) -> tuple[Thing, ...]:
    there = {one.path for one in found_things(cluster) if one.ours}
    gone = tuple(one for one in chosen if one.path in there)
    for one in gone:
        if lock is not None and one.name == STATE_INDEX and one.kind is Kind.INDEX:
            lock.forget()
        cluster.request("DELETE", one.path, accept=(404,))
    return gone
