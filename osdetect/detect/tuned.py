"""How deployed rules are tuned, and how many matches that withheld."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import msgspec

from osdetect.cluster import Cluster, refresh
from osdetect.detect.release import live_release
from osdetect.documents.match import Why
from osdetect.documents.stored_rule import StoredRule
from osdetect.tuning import Mode, RuleException
from osdetect.vocabulary import MATCHES_PREFIX

_PAGE = 1_000


class Tuned(msgspec.Struct, frozen=True):
    """One setting or exception of one rule."""

    rule_id: str
    title: str
    what: str
    hits: int
    """Matches that it withheld, in all months that are kept."""
    first: str
    """The time of the first of their events; empty if there is none."""
    last: str
    exception: RuleException | None = None

    def to_json(self, today: date) -> dict[str, Any]:
        """For machines."""
        one = self.exception
        return {
            "rule": {"id": self.rule_id, "name": self.title},
            "what": self.what,
            "hits": self.hits,
            "first": self.first or None,
            "last": self.last or None,
            "exception": None
            if one is None
            else {
                "id": one.id,
                "title": one.title,
                "owner": one.owner,
                "reason": one.reason,
                "expires": one.expires.isoformat(),
                "expired": one.expires <= today,
            },
        }


class _Hits(msgspec.Struct, frozen=True):
    count: int = 0
    first: str = ""
    last: str = ""


_NONE = _Hits()


def tuned_rules(cluster: Cluster, namespace: str) -> tuple[Tuned, ...]:
    """Every setting and exception of the deployed rules, by title.

    Raises:
        ClusterError: nothing is deployed, or it cannot be read.
    """
    hits = dict(_hits(cluster, namespace))
    release = live_release(cluster)
    rules = sorted((*release.rules.values(), *release.switched_off), key=lambda one: (_title(one), one.id))
    return tuple(found for rule in rules for found in _of(rule, hits))


def _of(rule: StoredRule, hits: Mapping[tuple[str, str, str], _Hits]) -> Iterator[Tuned]:
    def tuned(what: str, why: Why | None, exception: RuleException | None = None) -> Tuned:
        key = (why.value if why else "", rule.id, exception.id if exception else "")
        told = hits.get(key, _NONE)
        return Tuned(rule.id, _title(rule), what, told.count, told.first, told.last, exception)

    tuning = rule.tuning
    if tuning.mode is not Mode.ALERT:
        yield tuned(f"mode {tuning.mode}", Why.SHADOW if tuning.mode is Mode.SHADOW else None)
    if tuning.suppression is not None:
        fields = ", ".join(tuning.suppression.group_by) or "the rule"
        yield tuned(f"one alert for {fields} in {tuning.suppression.window_s} s", Why.GATHERED)
    for one in tuning.exceptions:
        yield tuned(f"exception {one.title}", Why.EXCEPTED, one)


def _title(rule: StoredRule) -> str:
    return str(rule.words["rule"].get("name", rule.id))


def _hits(cluster: Cluster, namespace: str) -> Iterator[tuple[tuple[str, str, str], _Hits]]:
    """Counts of withheld matches by why, rule and exception."""
    pattern = f"{MATCHES_PREFIX}{namespace}-*"
    refresh(cluster, pattern, params={"ignore_unavailable": "true"})
    sources = [
        {"why": {"terms": {"field": "why"}}},
        {"rule": {"terms": {"field": "rule.id"}}},
        {"exception": {"terms": {"field": "exception.id", "missing_bucket": True}}},
    ]
    times = {"first": {"min": {"field": "@timestamp"}}, "last": {"max": {"field": "@timestamp"}}}
    after: Mapping[str, Any] | None = None
    while True:
        composite = {"size": _PAGE, "sources": sources, **({"after": after} if after else {})}
        body = {"size": 0, "aggs": {"by": {"composite": composite, "aggs": times}}}
        params = {"ignore_unavailable": "true", "allow_partial_search_results": "false"}
        reply = cluster.request("POST", f"/{pattern}/_search", params=params, body=body)
        found = reply.get("aggregations", {}).get("by", {})
        for bucket in found.get("buckets", ()):
            key = bucket["key"]
            told = _Hits(
                int(bucket["doc_count"]),
                str(bucket["first"].get("value_as_string", "")),
                str(bucket["last"].get("value_as_string", "")),
            )
            yield (key["why"], key["rule"], key["exception"] or ""), told
        after = found.get("after_key")
        if not after:
            return
