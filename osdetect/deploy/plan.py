"""What a deploy would change: rules added, changed, removed and unchanged, and the templates and pipelines it would write."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import orjson

from osdetect.cluster import Cluster
from osdetect.deploy.difference import Difference, rule_differences
from osdetect.deploy.mappings import outdated, shipped
from osdetect.deploy.releases import (
    Deployable,
    Kept,
    aliased,
    kept_releases,
    release_index,
    sorted_json,
    stored_documents,
)
from osdetect.documents.dialect import RAW, Dialect


class Fate(StrEnum):
    """What becomes of a rule."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class RulePlan(msgspec.Struct, frozen=True):
    """A rule that is not as it was."""

    id: str
    title: str
    level: str
    fate: Fate
    old: Mapping[str, Any] | None
    """The deployed document; None for one that is added."""
    new: Mapping[str, Any] | None
    differences: tuple[Difference, ...] = ()

    @property
    def meaning(self) -> bool:
        """Whether it changes which events alert, or what becomes of the alerts."""
        return self.fate is not Fate.CHANGED or any(one.meaning for one in self.differences)

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "id": self.id,
            "title": self.title,
            "level": self.level,
            "change": self.fate.value,
            "meaning": self.meaning,
            "differences": [one.to_json() for one in self.differences],
        }


class Plan(msgspec.Struct, frozen=True):
    """What a deploy of these rules would do."""

    live: Kept | None
    """The live release; None when there is none."""
    index: str
    """The rules index that would be live."""
    rules: tuple[RulePlan, ...]
    unchanged: int
    """Rules that are live already as they are."""
    resources: tuple[str, ...]
    """Templates and pipelines that would be written."""
    others: tuple[str, ...]
    """What else would change, in words."""

    @property
    def deployed(self) -> int:
        """Rules that are live."""
        return self.unchanged + sum(one.old is not None for one in self.rules)

    @property
    def changes(self) -> bool:
        """Whether a deploy would change anything."""
        return bool(self.rules or self.resources or self.others)

    def of(self, fate: Fate) -> tuple[RulePlan, ...]:
        """The rules of that fate."""
        return tuple(one for one in self.rules if one.fate is fate)


def make_plan(
    cluster: Cluster,
    compiled: Sequence[Deployable],
    *,
    dialect: Dialect = RAW,
    shards: int = 1,
) -> Plan:
    """Compare the rules with those that are live. Nothing is written.

    Args:
        cluster: where.
        compiled: the rules.
        dialect: of the events that they were compiled for.
        shards: of the rules index.

    Raises:
        ClusterError: what is there cannot be read, or somebody else's stands in its place.
        RuleError: a compiled rule is none.
    """
    index = release_index(sorted(compiled, key=lambda one: one.id), dialect, shards)
    pending = outdated(cluster, shipped())
    there = aliased(cluster)
    live = next((one for one in kept_releases(cluster) if there == (one.index,)), None)
    wanted = {one.id: one for one in compiled}
    for rule_id in live.refused if live and live.index == index else ():
        wanted.pop(rule_id, None)  # asked for and refused before: no change
    deployed = stored_documents(cluster, live.index) if live else ()
    rules, unchanged = compared(deployed, {key: one.document for key, one in wanted.items()})
    others = _others(live, there, index, dialect, shards, rules)
    return Plan(live, index, rules, unchanged, tuple(one.name for one in pending), others)


def compared(
    old: Iterable[tuple[str, Mapping[str, Any]]], new: Mapping[str, bytes]
) -> tuple[tuple[RulePlan, ...], int]:
    """The rules that are not the same in two releases, and how many are.

    Args:
        old: ids and documents of the one.
        new: those of the other, as JSON with sorted keys.

    Raises:
        RuleError: a document of the other is none that osdetect deploys.
    """
    left = dict(new)
    rules: list[RulePlan] = []
    unchanged = 0
    for rule_id, source in old:
        document = left.pop(rule_id, None)
        if document is not None and sorted_json(source) == document:
            unchanged += 1
        else:
            rules.append(_planned(rule_id, source, document))
    rules += [_planned(rule_id, None, document) for rule_id, document in left.items()]
    return tuple(sorted(rules, key=lambda one: (list(Fate).index(one.fate), one.title, one.id))), unchanged


def _planned(rule_id: str, old: Mapping[str, Any] | None, document: bytes | None) -> RulePlan:
    new: dict[str, Any] | None = orjson.loads(document) if document is not None else None
    words = _words(new if new is not None else old)
    title, level = str(words.get("name", ""))[:300], str(words.get("level", ""))[:40]
    if new is None:
        return RulePlan(rule_id, title, level, Fate.REMOVED, old, None)
    if old is None:
        return RulePlan(rule_id, title, level, Fate.ADDED, None, new)
    return RulePlan(rule_id, title, level, Fate.CHANGED, old, new, rule_differences(rule_id, old, new))


def _words(source: Mapping[str, Any] | None) -> Mapping[str, Any]:
    words = (source or {}).get("rule")
    return words if isinstance(words, Mapping) else {}


def _others(
    live: Kept | None,
    there: Sequence[str],
    index: str,
    dialect: Dialect,
    shards: int,
    rules: Sequence[RulePlan],
) -> tuple[str, ...]:
    """What is not about one rule: dialect, shards, and a release that is not as its deploy left it."""
    if live is None:
        return (f"the alias stands for {', '.join(there)}, and not for one release",) if there else ()
    found = []
    if not live.complete:
        found.append(f"the live index {live.index} is not complete")
    if live.alias_edited:
        found.append(
            "the alias has a filter or other options, which somebody gave it; a deploy takes them away"
        )
    if live.dialect != dialect:
        was = live.dialect.name if live.dialect else "one that cannot be read"
        found.append(f"the dialect of the events: {was}, then {dialect.name}")
    if live.shards != shards:
        found.append(f"the shards of the rules index: {live.shards}, then {shards}")
    if rules and live.index == index:
        found.append(
            "these rules were deployed and have been edited in the cluster since; a deploy mends them"
        )
    if not rules and not found and live.index != index:
        found.append("the rules index gets another name: what is remembered of its rules has changed")
    return tuple(found)
