"""Taking osdetect out of a cluster: only what carries its mark, each thing by its whole name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from osdetect.cluster import Cluster
from osdetect.deploy.lock import DeployLock, deploy_lock
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


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in the cluster that is called as osdetect's things are."""

    kind: Kind
    name: str
    share: Share
    ours: bool
    """Whether it carries osdetect's mark; what does not is left alone, whatever is asked for."""
    documents: int = 0

    @property
    def path(self) -> str:
        """Its address."""
        return _PATHS[self.kind] + self.name

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
    if index == STATE_INDEX:
        return Share.STATE
    return next((share for prefix, share in _SHARES.items() if index.startswith(prefix)), None)


def _documents(cluster: Cluster) -> dict[str, int]:
    params = {"filter_path": "indices.*.primaries.docs.count", "expand_wildcards": "all"}
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
        yield Thing(Kind.PIPELINE, name, Share.DEPLOYED, f"[{OWNER} " in str(body.get("description", "")))


def chosen_things(found: Sequence[Thing], shares: Sequence[Share]) -> tuple[Thing, ...]:
    """Those of ours that belong to the shares, in the order in which they go.

    Indices before templates, which would make them anew, and templates before the pipelines that they name; the state last: it
    holds the lock.
    """
    ours = [one for one in found if one.ours and one.share in shares]
    last = Thing(Kind.INDEX, STATE_INDEX, Share.STATE, ours=True)
    return tuple(sorted(ours, key=lambda one: (one.path == last.path, list(Kind).index(one.kind))))


def destroy(cluster: Cluster, shares: Sequence[Share]) -> tuple[Thing, ...]:
    """Delete what carries osdetect's mark and belongs to the shares, one by one; what was deleted.

    Raises:
        ClusterBusy: a deploy is under way.
        ClusterError: the cluster did not do it; the same command goes on.
    """
    if all(one.name != STATE_INDEX for one in found_things(cluster)):
        return _deleted(cluster, shares, None)  # no deploy can be under way without the state or its template
    with deploy_lock(cluster) as lock:
        return _deleted(cluster, shares, lock)


def _deleted(cluster: Cluster, shares: Sequence[Share], lock: DeployLock | None) -> tuple[Thing, ...]:
    chosen = chosen_things(found_things(cluster), shares)
    for one in chosen:
        if lock is not None and one.name == STATE_INDEX and one.kind is Kind.INDEX:
            lock.forget()
        cluster.request("DELETE", one.path, accept=(404,))
    return chosen
