"""The workers of an episode: as many as planned at any time; one that is killed is followed by another."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tests.harness.plan import Plan, Stroke

_WAIT_S = 120.0


class Forker:
    """The process that workers are forked from (`tests.harness.forker`)."""

    def __init__(self, environment: Mapping[str, str], variant: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.forker", variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C is for the harness, which ends episodes in order
        )
        self._started: queue.Queue[int] = queue.Queue()
        self.on_end: Callable[[int, int], None] = lambda _pid, _status: None
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, log: Path, arguments: Sequence[str], *, narrow: bool) -> int:
        """A worker; gives its process id."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(
                json.dumps({"log": str(log), "narrow": narrow, "arguments": list(arguments)}) + "\n"
            )
            self._process.stdin.flush()
            return self._started.get(timeout=_WAIT_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "started" in said:
                self._started.put(said["started"])
            else:
                self.on_end(said["ended"], said["status"])

    def close(self) -> None:
        """No more workers."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_WAIT_S)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Ended(msgspec.Struct, frozen=True):
    """A worker that ended though nobody had killed it."""

    pid: int
    status: int
    said: str


class Crew:
    """Keeps the planned number of workers running."""

    def __init__(self, forker: Forker, arguments: Sequence[str], log: Path, plan: Plan) -> None:
        self._forker, self._arguments, self._log, self._plan = forker, arguments, log, plan
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._killed: set[int] = set()
        self._timers: list[threading.Timer] = []
        self._closing = False
        self._all_ended = threading.Condition(self._lock)
        self.by_itself: list[Ended] = []
        self.started = 0
        forker.on_end = self._ended
        for _ in range(plan.workers):
            self._start()

    def _start(self) -> None:
        pid = self._forker.start(self._log, self._arguments, narrow=self._plan.narrow)
        with self._lock:
            self._running.add(pid)
            self.started += 1
            late = self._closing
        if late:
            self._signal(pid, signal.SIGKILL)

    def struck(self, pid: int, stroke: Stroke) -> None:
        """A worker is about to be killed or stopped; a stopped one goes on when another had the time to take over."""
        with self._lock:
            if stroke is Stroke.KILL:
                self._killed.add(pid)
                return
            timer = threading.Timer(self._plan.lease_s * 2 + 0.5, self._signal, (pid, signal.SIGCONT))
            timer.daemon = True
            self._timers.append(timer)
        timer.start()

    def _ended(self, pid: int, status: int) -> None:
        with self._lock:
            self._running.discard(pid)
            if pid not in self._killed and not self._closing:
                self.by_itself.append(Ended(pid, status, self._log.read_text(errors="replace")[-1500:]))
            self._all_ended.notify_all()
            if self._closing:
                return
        # Not in this thread: it is the one that hears of starts.
        threading.Timer(0.4, self._start).start()

    def all_awake(self) -> bool:
        """Whether no worker is stopped any more."""
        with self._lock:
            return not any(timer.is_alive() for timer in self._timers)

    def close(self) -> None:
        """End all workers, and wait until they ended."""
        with self._lock:
            self._closing = True
            running = set(self._running)
        for timer in self._timers:
            timer.cancel()
        for pid in running:
            self._signal(pid, signal.SIGCONT)
            self._signal(pid, signal.SIGTERM)
        if not self._wait(10.0):
            with self._lock:
                running = set(self._running)
            for pid in running:
                self._signal(pid, signal.SIGKILL)
            self._wait(_WAIT_S)

    def _wait(self, seconds: float) -> bool:
        ends = time.monotonic() + seconds
        with self._lock:
            while self._running and time.monotonic() < ends:
                self._all_ended.wait(0.2)
            return not self._running

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
