"""What the workers made, against what follows from what was acknowledged."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.material import ask
from tests.harness.crew import Ended
from tests.harness.truth import Pair, Truth

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that is not as promised; all empty when all is well."""

    missed: tuple[Pair, ...]
    doubled: tuple[Pair, ...]
    strange: tuple[str, ...]
    """Alerts that follow from nothing, or with another id than the pair's own."""
    dead_letters: int
    unaccounted: tuple[str, ...]
    """Runs whose events are not all judged or dead-lettered."""
    ended: tuple[Ended, ...]
    behind: str
    """What was not caught up in time."""
    writers: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not any(
            (
                self.missed,
                self.doubled,
                self.strange,
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


@dataclass(frozen=True, slots=True)
class Found:
    """An alert as it is stored."""

    index: str
    id: str
    pair: Pair


def stored_alerts(url: str, namespace: str) -> list[Found]:
    """Every alert of the namespace."""
    pattern = f"osdetect-alerts-{namespace}-*"
    ask(url, "POST", f"/{pattern}/_refresh?ignore_unavailable=true")
    fields = ["rule.id", "event.id", "osdetect.source.index", "osdetect.source.id"]
    body: dict[str, Any] = {"size": 5_000, "sort": ["_doc"], "_source": fields}
    reply = ask(url, "POST", f"/{pattern}/_search?scroll=1m&ignore_unavailable=true", body)
    found: list[Found] = []
    while hits := reply["hits"]["hits"]:
        found += [Found(hit["_index"], hit["_id"], _pair(hit["_source"])) for hit in hits]
        reply = ask(url, "POST", "/_search/scroll", {"scroll": "1m", "scroll_id": reply["_scroll_id"]})
    ask(url, "DELETE", "/_search/scroll", {"scroll_id": reply["_scroll_id"]})
    return found


def _pair(source: dict[str, Any]) -> Pair:
    stands = source["osdetect"]["source"]
    return source["rule"]["id"], source.get("event", {}).get("id") or f"{stands['index']}/{stands['id']}"


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
    alerts = stored_alerts(url, namespace)
    counted = Counter(alert.pair for alert in alerts)
    may = truth.may()
    strange = [
        f"{alert.id} in {alert.index} for rule {alert.pair[0]} event {alert.pair[1]}"
        for alert in alerts
        if alert.id not in may.get(alert.pair, ())
    ]
    return Verdict(
        missed=tuple(sorted(truth.must(lasting) - counted.keys())),
        doubled=tuple(sorted(pair for pair, times in counted.items() if times > 1)),
        strange=tuple(strange),
        dead_letters=_count(url, f"osdetect-deadletter-{namespace}"),
        unaccounted=tuple(_unaccounted(url, namespace)),
        ended=ended,
        behind=behind,
        writers=writers,
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
        stored = run["matches"] == run["alerts_created"] + run["alerts_there"]
        # Right after its node came back, or was made, an index may have shards that nobody can read; the next pass does.
        complete = run["outcome"] == "complete" or run["shards_not_judged"]
        if not (whole and stored and complete):
            yield str(run)
