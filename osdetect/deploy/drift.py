"""Drift: what somebody changed in the cluster since the deploy, and where."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from osdetect.cluster import Cluster
from osdetect.deploy.mappings import Resource, shipped, standing
from osdetect.deploy.releases import (
    Kept,
    address,
    aliased,
    digest_of,
    kept_releases,
    named_by,
    sorted_json,
    stored_documents,
)
from osdetect.vocabulary import RULES_ALIAS

_PATHS = 5


class Kind(StrEnum):
    """What drifted."""

    RULE = "rule"
    RELEASE = "release"
    ALIAS = "alias"
    TEMPLATE = "template"
    PIPELINE = "pipeline"


class Drift(msgspec.Struct, frozen=True):
    """One thing that is not as it was deployed."""

    kind: Kind
    name: str
    """The rule's id, the index, or the template's or pipeline's name."""
    what: str
    """What is the matter with it."""
    title: str = ""
    """The rule's, as it is now."""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "kind": self.kind.value,
            "name": self.name,
            "what": self.what,
            **({"title": self.title} if self.title else {}),
        }


def find_drift(cluster: Cluster) -> tuple[Drift, ...]:
    """Everything that is not as the last deploy left it. Nothing is written.

    Raises:
        ClusterError: the cluster cannot be asked.
    """
    return (*_rules(cluster), *(one for resource in shipped() for one in _resource(cluster, resource)))


def _rules(cluster: Cluster) -> Iterator[Drift]:
    there = aliased(cluster)
    kept = {one.index: one for one in kept_releases(cluster)}
    if len(there) != 1:
        said = (
            f"it stands for {', '.join(there)}: a detector refuses that"
            if there
            else "it stands for no index"
        )
        if there or kept:
            yield Drift(Kind.ALIAS, RULES_ALIAS, said)
        else:
            yield Drift(Kind.ALIAS, RULES_ALIAS, "nothing is deployed")
    for index in there:
        live = kept.get(index)
        if live is None:
            yield Drift(Kind.ALIAS, RULES_ALIAS, f"it stands for {index}, which no deploy made")
        else:
            yield from _release(cluster, live)


def _release(cluster: Cluster, live: Kept) -> Iterator[Drift]:
    if live.closed:
        yield Drift(
            Kind.RELEASE,
            live.index,
            f"it is closed, and no detector can read it: POST {address(live.index)}/_open",
        )
        return
    if not live.complete:
        yield Drift(Kind.RELEASE, live.index, "it is live, and its _meta does not say that it is complete")
    if live.alias_edited:
        yield Drift(Kind.ALIAS, RULES_ALIAS, "it has a filter or other options, which no deploy gives it")
    if live.dialect is None:
        yield Drift(Kind.RELEASE, live.index, "its _meta.dialect is not what a deploy writes")
    digests: dict[str, str] = {}
    documents: list[tuple[str, bytes]] = []
    titles: dict[str, str] = {}
    for rule_id, source in stored_documents(cluster, live.index):
        document = sorted_json(source)
        digests[rule_id] = digest_of(document)
        documents.append((rule_id, document))
        rule = source.get("rule")
        titles[rule_id] = str(rule.get("name", ""))[:300] if isinstance(rule, dict) else ""
    whole = not live.refused and live.dialect is not None
    name = named_by(sorted(documents), live.dialect, live.shards) if whole and live.dialect else live.index
    changed = list(_documents(live, digests, titles)) if live.digests else []
    yield from changed
    if not changed and name != live.index:
        yield Drift(
            Kind.RELEASE,
            live.index,
            "its rules are not those that it is named by: some were edited, deleted or added"
            + (" and its _meta.digests with them" if live.digests else ""),
        )


def _documents(live: Kept, digests: dict[str, str], titles: dict[str, str]) -> Iterator[Drift]:
    for rule_id in sorted(digests.keys() | live.digests.keys()):
        there, due = digests.get(rule_id), live.digests.get(rule_id)
        if there == due:
            continue
        what = "it was deleted" if there is None else "no deploy added it" if due is None else "it was edited"
        yield Drift(Kind.RULE, rule_id, what, titles.get(rule_id, ""))


def _resource(cluster: Cluster, resource: Resource) -> Iterator[Drift]:
    kind = Kind.PIPELINE if resource.path.startswith("/_ingest/") else Kind.TEMPLATE
    there = standing(cluster, resource)
    if there.owner is None:
        yield Drift(kind, resource.name, "it is missing")
    elif there.foreign:
        yield Drift(kind, resource.name, "it carries no mark of osdetect: somebody replaced it")
    elif there.digest != resource.digest:
        yield Drift(kind, resource.name, "it is of another version of osdetect, or its mark was edited")
    elif there.differs:
        more = f" and {len(there.differs) - _PATHS} more" if len(there.differs) > _PATHS else ""
        yield Drift(kind, resource.name, f"edited at {', '.join(there.differs[:_PATHS])}{more}")
