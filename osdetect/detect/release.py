"""The live release: the rules as deployed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from osdetect.cluster import Cluster, every_page
from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.stored_rule import FORMAT, StoredRule
from osdetect.errors import ClusterRefused, ClusterUnavailable, RuleError
from osdetect.follow import Shard, StoredEvent, shards_of
from osdetect.schema.projection import Projection
from osdetect.tuning import Mode
from osdetect.vocabulary import RULES_ALIAS, RULES_PREFIX

PAGE = 1_000
FOR_CLOUDTRAIL: Sequence[Mapping[str, Any]] = (
    {"term": {"logsource.product": "aws"}},
    {"terms": {"logsource.service": ["", "cloudtrail"]}},
    {"term": {"logsource.category": ""}},
)
"""Filters of the rules that a detector of CloudTrail events runs: a release may hold others (`LogSource.covers_cloudtrail`)."""


class Release(msgspec.Struct, frozen=True):
    """The rules that a run judges by."""

    index: str
    """The rules index itself, not the alias: a deploy in the middle of a run changes nothing in it."""
    rules: dict[str, StoredRule]
    """Those that are judged."""
    switched_off: tuple[StoredRule, ...]
    """Those that are not."""
    unreadable: tuple[RuleError, ...]
    """Stored rules that are none; they do not run, and the run says so."""
    projection: Projection
    dialect: Dialect = RAW
    """Where the events that the rules are for hold what their records said."""

    @property
    def name(self) -> str:
        """The release's own part of the index name."""
        return self.index.removeprefix(RULES_PREFIX)

    def opened(self, events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        """The events with the objects for which they have JSON text in the release's dialect."""
        if not self.dialect.json_text:
            return events
        return [StoredEvent(event.at, source=self.dialect.opened(event.source)) for event in events]


def live_release(cluster: Cluster) -> Release:
    """Read the deployed rules for CloudTrail.

    Raises:
        ClusterRefused: nothing is deployed, or it does not say for which events.
    """
    return read_release(cluster, live_index(cluster))


def read_release(cluster: Cluster, index: str) -> Release:
    """Read the rules for CloudTrail of a rules index.

    Raises:
        ClusterRefused: it does not say for which events they are, or its rules have a format that this version does not read:
            to judge events by none would pass over them.
    """
    rules: dict[str, StoredRule] = {}
    unreadable: list[RuleError] = []
    for rule_id, source in stored_rules(cluster, index, ["rule", "threat", "detection"]):
        _require_format(index, source)
        try:
            rules[rule_id] = StoredRule.from_source(rule_id, source)
        except RuleError as error:
            unreadable.append(_unreadable(rule_id, error))
    on = {name: rule for name, rule in rules.items() if rule.tuning.mode is not Mode.OFF}
    return Release(
        index=index,
        rules=on,
        switched_off=tuple(rule for name, rule in rules.items() if name not in on),
        unreadable=tuple(unreadable),
        projection=Projection.of(on.values()),
        dialect=_dialect(cluster, index),
    )


def stored_rules(
    cluster: Cluster, index: str, fields: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The id and these fields of each rule for CloudTrail of a rules index, in order of the ids.

    Raises:
        ClusterError: they cannot be read.
    """
    body = {
        "size": PAGE,
        "query": {"bool": {"filter": list(FOR_CLOUDTRAIL)}},
        "_source": list(fields),
        "sort": [{"rule.id": "asc"}],
    }
    # A replica may lag behind a refresh.
    for hits in every_page(cluster, f"/{index}/_search", body, params={"preference": "_primary"}):
        yield from ((hit["_id"], hit["_source"]) for hit in hits)


def _dialect(cluster: Cluster, index: str) -> Dialect:
    """The release's dialect; one that names none is for raw records."""
    reply = cluster.request("GET", f"/{index}/_mapping")
    meta: dict[str, Any] = reply.get(index, {}).get("mappings", {}).get("_meta", {})
    if "dialect" not in meta:
        return RAW
    found = Dialect.from_json(meta["dialect"])
    if found is None:
        raise ClusterRefused(
            f"the rules index {index} does not say in which dialect its events are",
            cause="its _meta.dialect is not what osdetect deploys",
            cure="deploy the rules again: osdetect deploy",
        )
    return found


def _require_format(index: str, source: Mapping[str, Any]) -> None:
    match source:
        case {"detection": {"format": int(version)}} if version != FORMAT:
            raise ClusterRefused(
                f"the rules of {index} cannot be run by this version of osdetect",
                cause=f"they have the format {version}, this osdetect reads {FORMAT}",
                cure="run the version that deployed them, or deploy them again: osdetect deploy",
            )


def _unreadable(rule_id: str, error: RuleError) -> RuleError:
    return RuleError(
        f"the deployed rule {rule_id} cannot be read",
        cause=error.cause or error.what,
        cure="deploy the rules again: osdetect deploy",
    )


def live_index(cluster: Cluster) -> str:
    """The rules index that is live.

    Raises:
        ClusterRefused: nothing is deployed.
    """
    return live_shards(cluster)[0].index


def live_shards(cluster: Cluster) -> tuple[Shard, ...]:
    """The shards of the rules index that is live: they change when another is, and with each write to it.

    Raises:
        ClusterRefused: nothing is deployed.
        ClusterUnavailable: the rules are there and cannot be read at present.
    """
    shards = shards_of(cluster, RULES_ALIAS)
    if not shards and cluster.request("GET", f"/_alias/{RULES_ALIAS}", accept=(404,)).get("error") is None:
        # So it is for some moments after a node came back.
        raise ClusterUnavailable(
            "the deployed rules cannot be read at present",
            cause=f"no copy of any shard of {RULES_ALIAS} is up",
            cure="wait until the node that holds it is back; osdetect doctor shows the shards",
        )
    indices = {shard.index for shard in shards if shard.index.startswith(RULES_PREFIX)}
    if len(indices) != 1:
        raise ClusterRefused(
            "no rules are deployed" if not indices else f"{RULES_ALIAS} stands for {len(indices)} indices",
            cause=f"the alias {RULES_ALIAS} must stand for one rules index",
            cure="deploy rules: osdetect deploy",
        )
    return shards


def previous_index(cluster: Cluster, live: str) -> str | None:
    """The release that was live before the live one was deployed, or else was made last before it; None when none is kept.

    Raises:
        ClusterError: the releases cannot be read.
    """
    params = {"filter_path": "*.settings.index.creation_date,*.mappings._meta"}
    found = cluster.request("GET", f"/{RULES_PREFIX}*", params=params)
    made = {
        name: int(entry["settings"]["index"]["creation_date"])
        for name, entry in found.items()
        if entry.get("mappings", {}).get("_meta", {}).get("complete") is True
    }
    follows = found.get(live, {}).get("mappings", {}).get("_meta", {}).get("release", {}).get("follows")
    if follows in made:
        return str(follows)
    before = [name for name in made if name != live and made[name] <= made.get(live, 0)]
    return max(before, key=lambda name: made[name], default=None)
