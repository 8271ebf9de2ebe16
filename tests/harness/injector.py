"""The planned faults, done by the proxy to the workers' requests."""

import threading
from collections import Counter

from tests.faults.proxy import TOO_MANY, Asked, BusyItems, Cut, Delay, Fault, Reply, refusal
from tests.harness import plan
from tests.harness.plan import Asks, Harm

_BURST = 5
_AWAY = refusal(503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered]")
_HALF = Reply(
    200,
    {
        "_shards": {
            "total": 2,
            "successful": 0,
            "failed": 1,
            "failures": [
                {"shard": 0, "status": "INTERNAL_SERVER_ERROR", "reason": {"type": "engine_exception"}}
            ],
        }
    },
)


def asks(asked: Asked) -> Asks | None:
    """What the request is for; None for those that no fault is planned for."""
    path = asked.path
    if path == "/_bulk":
        return Asks.ALERTS
    if path.startswith("/osdetect-state/_"):
        return Asks.CURSOR if asked.method == "PUT" else None
    if path.startswith("/osdetect-runs-"):
        return Asks.RUN
    if path == "/_mget":
        return Asks.LOOK
    if path.endswith("/_refresh"):
        return Asks.REFRESH
    if "/_stats" in path:
        return Asks.CHECKPOINT
    if path.endswith("/_search"):
        if path.startswith("/osdetect-rules"):
            return Asks.PERCOLATE if b'"percolate"' in asked.body else Asks.RULES
        return Asks.PAGE
    return None


class Injector:
    """Decides for the proxy, one request at a time; counts what it did."""

    def __init__(self, faults: tuple[plan.Fault, ...]) -> None:
        self._faults = {(one.asks, one.nth): one.harm for one in faults}
        self._asked: Counter[Asks] = Counter()
        self._away = 0
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        self.calm = False
        """No more faults: let them catch up."""

    def __call__(self, asked: Asked) -> Fault | None:
        """What to do to the request."""
        with self._lock:
            if self.calm:
                return None
            if self._away:
                self._away -= 1
                self.done[f"{Harm.AWAY}"] += 1
                return _AWAY
            what = asks(asked)
            if what is None:
                return None
            self._asked[what] += 1
            harm = self._faults.get((what, self._asked[what]))
            if harm is None:
                return None
            self.done[f"{harm}"] += 1
            return self._fault(harm, asked)

    def _fault(self, harm: Harm, asked: Asked) -> Fault:
        match harm:
            case Harm.CUT:
                return Cut()
            case Harm.CUT_AFTER:
                return Cut(after=True)
            case Harm.BUSY:
                return TOO_MANY
            case Harm.BUSY_ITEMS:
                pairs = asked.body.count(b"\n") // 2
                return BusyItems(frozenset(range(0, pairs, 2)))
            case Harm.AWAY:
                self._away = _BURST - 1
                return _AWAY
            case Harm.SLOW:
                return Delay(0.7)
            case Harm.HALF:
                return _HALF
