"""What the workers made, against what follows from what was acknowledged."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from osdetect.documents.match import gathered_id
from tests.faults.material import ACCOUNT, ask
from tests.harness.crew import Ended
from tests.harness.material import GATHERED_RULE, SUPPRESSION
from tests.harness.truth import Pair, Truth

_SHOWN = 8


class Verdict(msgspec.Struct, frozen=True):
    """Everything that is not as promised, empty when all is well; and how much was looked at."""

    missed: tuple[Pair, ...]
    doubled: tuple[Pair, ...]
    strange: tuple[str, ...]
    """Alerts that follow from nothing, or with another id than the pair's own."""
    miscounted: tuple[str, ...]
    """Alerts of groups that say another number than there are matches, or are not there, or of no group."""
    dead_letters: int
    unaccounted: tuple[str, ...]
    """Runs whose events are not all judged or dead-lettered."""
    ended: tuple[Ended, ...]
    behind: str
    """What was not caught up in time."""
    writers: tuple[str, ...]
    withheld: int
    """Matches in shadow or in a group, which is none of it."""

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not any(
            (
                self.missed,
                self.doubled,
                self.strange,
                self.miscounted,
                self.dead_letters,
                self.unaccounted,
                self.ended,
                self.behind,
                self.writers,
            )
        )

    def lines(self) -> Iterator[str]:
        """What is wrong, for people."""
        for name, pairs in (("missed", self.missed), ("doubled", self.doubled)):
            if pairs:
                yield f"{name} {len(pairs)}: " + "; ".join(f"rule {r} event {e}" for r, e in pairs[:_SHOWN])
        for name, texts in (
            ("strange", self.strange),
            ("miscounted", self.miscounted),
            ("unaccounted", self.unaccounted),
            ("writer", self.writers),
        ):
            if texts:
                yield f"{name} {len(texts)}: " + "; ".join(texts[:_SHOWN])
        if self.dead_letters:
            yield f"dead letters: {self.dead_letters}"
        if self.behind:
            yield f"not caught up: {self.behind}"
        for one in self.ended:
            yield f"worker {one.pid} ended by itself with status {one.status}; the log ends:\n{one.said}"


class Found(msgspec.Struct, frozen=True):
    """An alert as it is stored."""

    index: str
    id: str
    pair: Pair
    group: str = ""
    """Of a match: the alert that it belongs to."""
    count: int = 0
    """Of the alert of a group: the matches that it says it has."""
    stands: str = ""
    """Of a match: where its event stood."""


def stored_alerts(url: str, namespace: str) -> list[Found]:
    """Every alert of the namespace."""
    fields = [
        "rule.id",
        "event.id",
        "osdetect.source.index",
        "osdetect.source.id",
        "osdetect.suppression.count",
    ]
    return [
        Found(
            hit["_index"],
            hit["_id"],
            _pair(hit["_source"]),
            count=hit["_source"]["osdetect"].get("suppression", {}).get("count", 0),
        )
        for hit in _all_of(url, f"osdetect-alerts-{namespace}-*", fields)
    ]


def stored_matches(url: str, namespace: str) -> list[Found]:
    """Every match of the namespace that made no alert of its own."""
    return [
        Found(
            hit["_index"],
            hit["_id"],
            _match_pair(hit["_source"]),
            hit["_source"].get("group", ""),
            stands="{index}/{id} as number {seq_no} of shard {shard}".format(**hit["_source"]["event"]),
        )
        for hit in _all_of(url, f"osdetect-matches-{namespace}-*", ["rule.id", "event", "group"])
    ]


def _all_of(url: str, pattern: str, fields: list[str]) -> list[dict[str, Any]]:
    ask(url, "POST", f"/{pattern}/_refresh?ignore_unavailable=true")
    body: dict[str, Any] = {"size": 5_000, "sort": ["_doc"], "_source": fields}
    reply = ask(url, "POST", f"/{pattern}/_search?scroll=1m&ignore_unavailable=true", body)
    found: list[dict[str, Any]] = []
    while hits := reply["hits"]["hits"]:
        found += hits
        reply = ask(url, "POST", "/_search/scroll", {"scroll": "1m", "scroll_id": reply["_scroll_id"]})
    ask(url, "DELETE", "/_search/scroll", {"scroll_id": reply["_scroll_id"]})
    return found


def _pair(source: dict[str, Any]) -> Pair:
    stands = source["osdetect"]["source"]
    return source["rule"]["id"], source.get("event", {}).get("id") or f"{stands['index']}/{stands['id']}"


def _match_pair(source: dict[str, Any]) -> Pair:
    event = source["event"]
    named = event["id"].removeprefix(f"{ACCOUNT}-")
    return source["rule"]["id"], named if named != event["id"] else f"{event['index']}/{event['id']}"


def _ids(found: Found, of_alert: set[str]) -> set[str]:
    """The ids that it may have, of those that the pair's alert may have."""
    return {gathered_id(one, SUPPRESSION) for one in of_alert} if found.group else of_alert


def _miscounted(groups: list[Found], matches: list[Found]) -> Iterator[str]:
    """Alerts of groups, against their matches."""
    there = Counter(match.group for match in matches if match.group)
    said = Counter({alert.id: alert.count for alert in groups})
    if len(said) < len(groups):
        yield f"{len(groups) - len(said)} groups have an alert in two indices"
    for group in sorted(there.keys() | said.keys()):
        if there[group] != said[group]:
            of = "; ".join(match.stands for match in matches if match.group == group)
            yield f"group {group}: {there[group]} matches, the alert says {said[group]}; of the events {of}"


def judge(
    url: str,
    namespace: str,
    truth: Truth,
    lasting: frozenset[str],
    *,
    ended: tuple[Ended, ...],
    behind: str,
    writers: tuple[str, ...],
) -> Verdict:
    """Compare, when the workers have ended.

    Args:
        url: the node, past all proxies.
        namespace: the episode's.
        truth: what was written.
        lasting: the rules that were deployed from beginning to end.
        ended: workers that ended by themselves.
        behind: what was not caught up.
        writers: what stopped writers.
    """
    stored, matches = stored_alerts(url, namespace), stored_matches(url, namespace)
    groups = [alert for alert in stored if alert.pair[0] == GATHERED_RULE]
    alerts = [alert for alert in stored if alert.pair[0] != GATHERED_RULE] + matches
    counted = Counter(alert.pair for alert in alerts)
    may = truth.may()
    strange = [
        f"{alert.id} in {alert.index} for rule {alert.pair[0]} event {alert.pair[1]}"
        for alert in alerts
        if alert.id not in _ids(alert, may.get(alert.pair, set()))
    ]
    return Verdict(
        missed=tuple(sorted(truth.must(lasting) - counted.keys())),
        doubled=tuple(sorted(pair for pair, times in counted.items() if times > 1)),
        strange=tuple(strange),
        miscounted=tuple(_miscounted(groups, matches)),
        dead_letters=_count(url, f"osdetect-deadletter-{namespace}"),
        unaccounted=tuple(_unaccounted(url, namespace)),
        ended=ended,
        behind=behind,
        writers=writers,
        withheld=len(matches),
    )


def _count(url: str, index: str) -> int:
    options = "ignore_unavailable=true&allow_no_indices=true"
    ask(url, "POST", f"/{index}/_refresh?{options}")
    return int(ask(url, "GET", f"/{index}/_count?{options}")["count"])


def _unaccounted(url: str, namespace: str) -> Iterator[str]:
    ask(url, "POST", "/osdetect-runs-*/_refresh?ignore_unavailable=true")
    body = {"size": 1_000, "query": {"term": {"run.namespace": namespace}}}
    reply = ask(url, "POST", "/osdetect-runs-*/_search?ignore_unavailable=true", body)
    for hit in reply["hits"]["hits"]:
        run = hit["_source"]["run"]
        whole = run["events"] == run["judged"] + run["deadlettered"]
        alerts = run["alerts_created"] + run["alerts_there"]
        stored = run["matches"] == alerts + run["gathered"] + run["shadowed"]
        # Right after its node came back, or was made, an index may have shards that nobody can read; the next pass does.
        # A worker that is told to end does so amid a pass of which another one did a part.
        complete = run["outcome"] in {"complete", "interrupted"} or run["shards_not_judged"]
        if not (whole and stored and complete):
            yield str(run)
