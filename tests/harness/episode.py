"""One episode: writers, workers and faults at once; then calm, until all is caught up; then the verdict."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.material import ask
from tests.faults.proxy import FaultProxy
from tests.harness.crew import Crew, Forker
from tests.harness.ground import Ground
from tests.harness.injector import Injector
from tests.harness.plan import WRITERS, Plan
from tests.harness.points import Points
from tests.harness.targets import REBORN, Targets
from tests.harness.truth import Truth
from tests.harness.verdict import Verdict, judge
from tests.harness.writers import Writer

CATCH_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
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
        wrong = "\n  ".join(self.verdict.lines())
        return f"seed {self.plan.seed}: {'kept' if self.verdict.kept else 'BROKEN'}\n  {self.plan}\n  {wrong}"


class Stage:
    """What episodes share: the node, the listener at the named points, and the process that workers are forked from."""

    def __init__(self, ground: Ground, points: Points, forker: Forker) -> None:
        self.ground, self.points, self.forker = ground, points, forker
        self.episodes = 0

    @staticmethod
    @contextmanager
    def on(ground: Ground, variant: str = "") -> Iterator["Stage"]:
        """A stage on that node, for the product or a wrong variant of it."""
        with Points(ground.folder) as points:
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
        self.episodes += 1
        namespace = f"e{self.episodes}"
        ground = self.ground
        with ground.connected() as cluster:
            ground.judge.deploy(cluster, second=False)
        targets = Targets(ground.url, namespace, plan)
        injector = Injector(plan.faults)
        log = ground.folder / f"workers-{plan.seed}.log"
        log.write_text("")
        with FaultProxy(ground.url, injector) as proxy:
            arguments = (
                *("detect", "--every", "1s", "--lease", f"{plan.lease_s}s"),
                *("--namespace", namespace, "--target", targets.pattern),
            )
            crew = Crew(self.forker, (*arguments, "--url", proxy.url), log, plan.workers, plan.lease_s)
            self.points.arm(plan.blows, crew.struck)
            try:
                run = _Run(ground, plan, targets, injector, crew, namespace)
                print("TIMES setup", time.monotonic()-started)
                run.write()
                print("TIMES write", time.monotonic()-started)
                behind = run.catch_up()
                print("TIMES caught", time.monotonic()-started)
            finally:
                crew.close()
        print("TIMES closed", time.monotonic()-started)
        verdict = judge(
            ground.url,
            namespace,
            run.truth,
            ground.judge.lasting,
            ended=tuple(crew.by_itself),
            behind=behind,
            writers=run.failures(),
        )
        t=[time.monotonic()]
        targets.delete()
        print("TIMES delete",time.monotonic()-t[0])
        done = injector.done + self.points.done + run.done
        events = len(set(run.truth.identities()))
        pairs = len(run.truth.must(ground.judge.lasting))
        return Outcome(plan, verdict, events, pairs, done, crew.started, time.monotonic() - started)


class _Run:
    """The part of an episode in which things happen."""

    def __init__(
        self, ground: Ground, plan: Plan, targets: Targets, injector: Injector, crew: Crew, namespace: str
    ) -> None:
        self._ground, self._plan, self._targets = ground, plan, targets
        self._injector, self._crew, self._namespace = injector, crew, namespace
        self.truth = Truth()
        self.done: Counter[str] = Counter()
        judge = ground.judge
        self._writers = [Writer(n, ground.url, plan, targets, judge, self.truth) for n in range(WRITERS)]

    def failures(self) -> tuple[str, ...]:
        """What stopped writers."""
        return tuple(writer.failure for writer in self._writers if writer.failure)

    def write(self) -> None:
        """All writers, and meanwhile what happens to the indices, the rules and the node."""
        for writer in self._writers:
            writer.start()
        time.sleep(0.5)
        self._targets.roll_over()
        self.done["rollover"] += 1
        if self._plan.reborn:
            time.sleep(0.3)
            self._replace_index()
        if self._plan.deploy:
            with self._ground.connected() as cluster:
                self._ground.judge.deploy(cluster, second=True)
            self.done["deploy"] += 1
        if self._plan.restart:
            self._ground.restart()
            self.done["node killed and started"] += 1
        for writer in self._writers:
            writer.join()

    def _replace_index(self) -> None:
        target = self._targets.by(REBORN)
        with target.lock:
            self.truth.index_gone(self._targets.replace())
        self.done["index made again"] += 1

    def catch_up(self) -> str:
        """Wait until every cursor is at its checkpoint and no worker is stopped; gives what is not, in the end."""
        self._injector.calm = True
        ends = time.monotonic() + CATCH_UP_S
        while True:
            behind = self._behind()
            if not behind and self._crew.all_awake():
                return ""
            if time.monotonic() > ends:
                return behind or "a worker is still stopped"
            time.sleep(0.2)

    def _behind(self) -> str:
        url = self._ground.url
        stats = ask(url, "GET", f"/{self._targets.pattern}/_stats/docs?level=shards&expand_wildcards=open")
        ends = {
            f"cursor:detect:{self._namespace}:{entry['uuid']}:{number}": copy["seq_no"]["global_checkpoint"]
            for entry in stats["indices"].values()
            for number, copies in entry["shards"].items()
            for copy in copies
            if copy["routing"]["primary"] and copy["seq_no"]["global_checkpoint"] >= 0
        }
        body = {"docs": [{"_index": "osdetect-state", "_id": cursor} for cursor in ends]}
        stored: list[dict[str, Any]] = ask(url, "POST", "/_mget", body)["docs"] if ends else []
        at = {one["_id"]: one["_source"]["cursor"] for one in stored if one.get("found")}
        return "; ".join(
            f"{cursor} at {at.get(cursor)} of {end}"
            for cursor, end in ends.items()
            if cursor not in at or at[cursor]["seq_no"] < end or at[cursor].get("owed")
        )
