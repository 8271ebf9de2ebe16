"""One episode: writers, workers and faults at once; then calm, until all is caught up; then the verdict."""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.faults.material import ask
from tests.faults.proxy import FaultProxy
from tests.harness.crew import Crew, Forker
from tests.harness.ground import Ground
from tests.harness.injector import Injector
from tests.harness.plan import WRITERS, Plan
from tests.harness.points import Points
from tests.harness.targets import PLAIN, REBORN, Targets
from tests.harness.truth import Truth
from tests.harness.verdict import Verdict, judge
from tests.harness.writers import Writer

CATCH_UP_S = 240.0
"""Since the node was last killed, for this episode or another. A machine that many share is slow; one that is stuck is stuck."""


class Outcome(msgspec.Struct, frozen=True):
    """How an episode went."""

    plan: Plan
    verdict: Verdict
    events: int
    """Distinct events that were written."""
    pairs: int
    """Alerts that had to be there."""
    done: Counter[str]
    """Faults that were really done, by kind."""
    workers: int
    """Processes that were started."""
    seconds: float

    def told(self) -> str:
        """For people: the seed first."""
        head = (
            f"seed {self.plan.seed}: {'kept' if self.verdict.kept else 'BROKEN'}, {self.events} events, "
            f"{self.pairs} alerts, {self.done.total()} faults, {self.workers} workers, {self.seconds:.1f} s"
        )
        if self.verdict.kept:
            return head
        return "\n  ".join((head, str(self.plan), *self.verdict.lines()))


class Stage:
    """Where one episode is played at a time: a listener at the named points, a process that workers are forked from."""

    def __init__(self, ground: Ground, points: Points, forker: Forker) -> None:
        self._ground, self._points, self._forker = ground, points, forker

    @staticmethod
    @contextmanager
    def on(ground: Ground, name: str, variant: str = "") -> Iterator["Stage"]:
        """A stage on that node, for the product or a wrong variant of it; names are lower-case letters and digits."""
        with Points(ground.folder / f"points-{name}") as points:
            environment = {
                "OSDETECT_TEST_POINTS": str(points.path),
                "OSDETECT_RETRY_FOR_S": "2",
                "OSDETECT_TIMEOUT_S": "20",
            }
            forker = Forker(environment, variant)
            try:
                yield Stage(ground, points, forker)
            finally:
                forker.close()

    def play(self, plan: Plan) -> Outcome:
        """Play an episode."""
        started = time.monotonic()
        ground = self._ground
        namespace = ground.fresh_namespace()
        with ground.up():
            targets = Targets(ground.url, namespace, plan)
        injector = Injector(plan.faults)
        log = ground.folder / f"workers-{plan.seed}.log"
        log.write_text("")
        with FaultProxy(ground.url, injector) as proxy:
            arguments = (
                *("detect", "--every", "1s", "--lease", f"{plan.lease_s}", "--url", proxy.url),
                *("--namespace", namespace, "--target", targets.pattern),
                *(("--method", plan.method) if plan.method else ()),
            )
            crew = Crew(self._forker, arguments, log, plan)
            self._points.arm(plan.blows, crew.struck)
            run = _Run(ground, plan, targets, injector, crew, namespace)
            ground.tell_of_restarts(run.restarted)
            try:
                run.write()
                behind = run.catch_up()
            finally:
                ground.tell_no_more(run.restarted)
                crew.close()
        with ground.up():
            verdict = judge(
                ground.url,
                namespace,
                run.truth,
                ground.judge.lasting,
                ended=tuple(crew.by_itself),
                behind=behind,
                writers=run.failures(),
            )
            targets.delete()
        return Outcome(
            plan,
            verdict,
            events=len(set(run.truth.identities())),
            pairs=len(run.truth.must(ground.judge.lasting)),
            done=injector.done + self._points.done + run.done,
            workers=crew.started,
            seconds=time.monotonic() - started,
        )


class _Run:
    """The part of an episode in which things happen."""

    def __init__(
        self, ground: Ground, plan: Plan, targets: Targets, injector: Injector, crew: Crew, namespace: str
    ) -> None:
        self._ground, self._plan, self._targets = ground, plan, targets
        self._injector, self._crew, self._namespace = injector, crew, namespace
        self.truth = Truth()
        self._calm_since = time.monotonic()
        self.done: Counter[str] = Counter()
        judge = ground.judge
        self._writers = [Writer(n, ground.url, plan, targets, judge, self.truth) for n in range(WRITERS)]

    def failures(self) -> tuple[str, ...]:
        """What stopped writers."""
        return tuple(writer.failure for writer in self._writers if writer.failure)

    def restarted(self) -> None:
        """The node was killed and started, for this episode or for another one."""
        self._calm_since = time.monotonic()
        self.done["node killed and started"] += 1
        if self._plan.durability == "async":
            self.truth.may_be_lost(self._targets.by(PLAIN).uuid)

    def write(self) -> None:
        """All writers, and meanwhile what happens to the indices, the rules and the node."""
        for writer in self._writers:
            writer.start()
        time.sleep(1.0)
        with self._ground.up():
            self._targets.roll_over()
        self.done["rollover"] += 1
        if self._plan.reborn:
            time.sleep(0.3)
            self._replace_index()
        if self._plan.deploy:
            self._ground.deploy_other()
            self.done["deploy"] += 1
        if self._plan.restart:
            time.sleep(self._plan.restart_after_s)
            self._ground.restart()
        for writer in self._writers:
            writer.join()

    def _replace_index(self) -> None:
        target = self._targets.by(REBORN)
        with self._ground.up(), target.lock:
            self.truth.index_gone(self._targets.replace())
        self.done["index made again"] += 1

    def catch_up(self) -> str:
        """Wait until every cursor is at its checkpoint and no worker is stopped; gives what is not, in the end."""
        self._injector.calm = True
        with self._ground.up():
            self._targets.sync()
        self._calm_since = time.monotonic()
        while True:
            with self._ground.up():
                behind = self._behind()
            if not behind and self._crew.all_awake():
                return ""
            if time.monotonic() > self._calm_since + CATCH_UP_S:
                return behind or "a worker is still stopped"
            time.sleep(0.5)

    def _behind(self) -> str:
        url = self._ground.url
        stats = ask(url, "GET", f"/{self._targets.pattern}/_stats/docs?level=shards&expand_wildcards=open")
        copies = {
            f"cursor:detect:{self._namespace}:{entry['uuid']}:{number}": copy["seq_no"]
            for entry in stats["indices"].values()
            for number, copies in entry["shards"].items()
            for copy in copies
            if copy["routing"]["primary"] and copy["seq_no"]["max_seq_no"] >= 0
        }
        ends = {cursor: seq_no["max_seq_no"] for cursor, seq_no in copies.items()}
        body = {"docs": [{"_index": "osdetect-state", "_id": cursor} for cursor in ends]}
        stored: list[dict[str, Any]] = ask(url, "POST", "/_mget", body)["docs"] if ends else []
        at = {one["_id"]: one["_source"]["cursor"] for one in stored if one.get("found")}
        behind = [
            f"{cursor} at {at.get(cursor)} of {end}"
            for cursor, end in ends.items()
            if cursor not in at or at[cursor]["seq_no"] < end or at[cursor].get("owed")
        ]
        return "; ".join((*behind, *self._left_behind(ends)))

    def _left_behind(self, there: Collection[str]) -> Iterator[str]:
        """Cursors of shards that are no more, which nobody has finished yet."""
        url = self._ground.url
        ask(url, "POST", "/osdetect-state/_refresh")
        query = {"bool": {"filter": [{"term": {"kind": "cursor"}}, {"term": {"namespace": self._namespace}}]}}
        found = ask(url, "POST", "/osdetect-state/_search", {"size": 1_000, "query": query})["hits"]["hits"]
        for hit in found:
            if hit["_id"] not in there and (lease := hit["_source"]["cursor"].get("lease")):
                yield f"{hit['_id']}, of an index that is gone, is left to {lease['worker']}"
