"""Sixteen writers at once, with raw bulk requests; what is acknowledged goes into the truth."""

import http.client
import json
import threading
import time
from collections.abc import Sequence
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.harness.material import Event, Judge, event, restamped
from tests.harness.plan import Plan
from tests.harness.targets import OWN, PLAIN, REBORN, ROLLING, Target, Targets
from tests.harness.truth import Truth

_GIVE_UP_S = 90.0
_PASSING = frozenset({429, 500, 502, 503, 504})


class _Action(msgspec.Struct, frozen=True):
    operation: str
    target: Target
    uuid: str
    event: Event

    def lines(self) -> bytes:
        head = json.dumps({self.operation: {"_index": self.target.name, "_id": self.event.id}}).encode()
        return head + b"\n" + (b"" if self.operation == "delete" else self.event.body + b"\n")


class Writer(threading.Thread):
    """Writes its batches, each until it is acknowledged; every choice comes from its seed."""

    def __init__(
        self, number: int, url: str, plan: Plan, targets: Targets, judge: Judge, truth: Truth
    ) -> None:
        super().__init__(daemon=True, name=f"writer-{number}")
        self._rng = Random(f"{plan.seed}/{number}")
        self._address = urlsplit(url).netloc
        self._plan, self._targets, self._judge, self._truth = plan, targets, judge, truth
        self._connection: http.client.HTTPConnection | None = None
        self._sent: list[tuple[Target, Event]] = []
        self.failure = ""

    def run(self) -> None:
        try:
            for _ in range(self._plan.batches):
                self._batch()
                time.sleep(self._rng.random() * 0.6)
        except Exception as error:  # noqa: BLE001  # the episode fails by it
            self.failure = f"{self.name}: {type(error).__name__}: {error}"
        finally:
            if self._connection:
                self._connection.close()

    def _batch(self) -> None:
        rng = self._rng
        target = self._targets.by(rng.choice((OWN, OWN, PLAIN, PLAIN, REBORN, ROLLING)))
        fresh = [self._event(target) for _ in range(rng.randint(1, 4))]
        self._deliver("create", target, fresh)
        self._sent += [(target, one) for one in fresh]
        if rng.random() < 0.15:
            self._deliver("create", target, fresh)
        if rng.random() < 0.25:
            self._redeliver()
        if rng.random() < 0.15:
            self._overwrite()
        if rng.random() < 0.10:
            self._take_back()

    def _event(self, target: Target) -> Event:
        rng = self._rng
        named = target.kind in (OWN, ROLLING) or rng.random() < 0.6
        made = event(rng, self._judge, largest=self._plan.largest, named=named)
        return restamped(made, rng) if target.kind == ROLLING else made

    def _redeliver(self) -> None:
        """The same record once more, into another index, perhaps from another shipper."""
        target, one = self._rng.choice(self._sent)
        other = self._targets.by(self._rng.choice((PLAIN, REBORN, ROLLING)))
        if one.named and other is not target and not one.body.endswith(b'T00:00:00Z"}'):
            self._deliver("create", other, [restamped(one, self._rng)])

    def _overwrite(self) -> None:
        found = [place for place in self._sent if place[0].kind in (OWN, PLAIN) and place[1].named]
        if found:
            target, one = self._rng.choice(found)
            changed = event(self._rng, self._judge, largest=self._plan.largest, again=one.event_id)
            self._deliver("index", target, [changed])
            self._sent.remove((target, one))

    def _take_back(self) -> None:
        found = [place for place in self._sent if place[0].kind in (OWN, PLAIN)]
        if found:
            place = self._rng.choice(found)
            self._sent.remove(place)
            self._deliver("delete", place[0], [place[1]])

    def _deliver(self, operation: str, target: Target, events: Sequence[Event]) -> None:
        """Until all is acknowledged; what an index loses between two attempts is written into the next of its name."""
        waiting = list(events)
        ends = time.monotonic() + _GIVE_UP_S
        while waiting:
            if time.monotonic() > ends:
                raise TimeoutError(f"{operation} into {target.name} was not acknowledged")
            with target.lock:
                waiting = self._attempt([_Action(operation, target, target.uuid, one) for one in waiting])
            if waiting:
                time.sleep(0.1)

    def _attempt(self, actions: Sequence[_Action]) -> list[Event]:
        """One request; gives the events that must be sent again."""
        for action in actions:
            if action.operation == "delete":
                self._truth.deleting(action.uuid, action.event)
            else:
                self._truth.began(action.target.name, action.uuid, action.event)
        items = self._bulk(b"".join(action.lines() for action in actions))
        if items is None:
            return [action.event for action in actions]
        again = []
        for action, item in zip(actions, items, strict=True):
            (answer,) = item.values()
            status = int(answer["status"])
            # A node that has just started knows no alias for a moment.
            if status in _PASSING or answer.get("error", {}).get("type") == "invalid_index_name_exception":
                again.append(action.event)
            elif action.operation == "delete" or status in (200, 201, 409):
                if action.operation != "delete":
                    self._truth.stands(action.uuid, action.event)
            else:
                raise AssertionError(f"{action.target.name} refused an event: {answer}")
        return again

    def _bulk(self, body: bytes) -> list[dict[str, Any]] | None:
        """The items of the answer; None when there was none, or none from a cluster that works."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._address, timeout=60)
            self._connection.request("POST", "/_bulk", body, {"content-type": "application/x-ndjson"})
            reply = self._connection.getresponse()
            answer = reply.read()
        except (OSError, http.client.HTTPException):
            if self._connection:
                self._connection.close()
            self._connection = None
            return None
        if reply.status in _PASSING:
            return None
        assert reply.status == 200, answer[:500]
        items: list[dict[str, Any]] = json.loads(answer)["items"]
        return items
