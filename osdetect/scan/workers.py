"""The worker processes: started early, fed tasks, replaced when one dies.

They are started afresh, not forked: a fork would carry along what the scanning process has imported and its threads.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any, Self

from osdetect.errors import OutputError
from osdetect.scan.plan import Done, Setup, Task, Trouble

_POLL = 0.1
"""Seconds between two looks at whether to stop."""
_GRACE = 0.5
"""Seconds that workers get to tell what they found when the scan is stopped."""
_DEATHS = 20
"""Workers that may die before osdetect takes it for a fault of the machine."""


class ScanFailed(OutputError):
    """The scan cannot go on: no room for temporary files, or the worker processes do not live."""


@dataclass(frozen=True, slots=True)
class Died:
    """A worker process ended before its task did."""

    how: str


@dataclass(slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    pipe: Connection
    task: Task | None = None


class Workers:
    """Some worker processes. Use as a context manager: they end with it."""

    def __init__(self, number: int) -> None:
        self._seed = str(secrets.randbelow(1 << 32))
        self._setup: Setup | None = None
        self._deaths = 0
        self._waiting: deque[Task] = deque()
        self._all = [self._started() for _ in range(max(1, number))]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids, for who measures them."""
        return tuple(worker.process.pid for worker in self._all)

    def _started(self) -> _Worker:
        ours, theirs = Pipe()
        # The search path is passed on as it is: nothing is imported from the folder that the user happens to be in.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from osdetect.scan.worker import main; main({theirs.fileno()})"
        )
        debug = bool(os.environ.get("OSDETECT_DEBUG"))
        process = subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if debug else subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
            # One seed for all, because what they count by hash is put together.
            env={**os.environ, "PYTHONHASHSEED": self._seed},
        )
        theirs.close()
        return _Worker(process, ours)

    def set_up(self, setup: Setup) -> None:
        """Tell them what to judge by."""
        self._setup = setup
        for number, worker in enumerate(self._all):
            try:
                worker.pipe.send(setup)
            except OSError:
                self._replace(number)

    def add(self, tasks: Iterable[Task]) -> None:
        """Put tasks before those that wait."""
        self._waiting.extendleft(reversed(tuple(tasks)))

    def answers(self, stop: Callable[[], bool]) -> Iterator[tuple[Task, Any]]:
        """Have the tasks done; every answer with its task, `Done` or `Died` as the last of each.

        Args:
            stop: asked often; once it says yes no task is begun, and those under way are given up.

        Raises:
            ScanFailed: a worker cannot go on.
        """
        deadline = 0.0
        while True:
            if not deadline and stop():
                deadline = time.monotonic() + _GRACE
                self._give_up()
            if not deadline:
                self._hand_out()
            busy = {worker.pipe: worker for worker in self._all if worker.task is not None}
            if not busy:
                if self._waiting and not deadline:  # those that were to have it are dead, and replaced
                    continue
                return
            if deadline and time.monotonic() > deadline:
                self._kill(busy.values())
                return
            for pipe in wait(list(busy), timeout=_POLL):
                assert isinstance(pipe, Connection)  # nothing else is waited for
                yield self._answer(busy[pipe])

    def _hand_out(self) -> None:
        for number, worker in enumerate(self._all):
            if not self._waiting:
                return
            if worker.task is None:
                task = self._waiting.popleft()
                try:
                    worker.pipe.send(task)
                except OSError:
                    self._waiting.appendleft(task)
                    self._replace(number)
                else:
                    worker.task = task

    def _give_up(self) -> None:
        self._waiting.clear()
        for worker in self._all:
            if worker.task is not None:
                worker.process.send_signal(signal.SIGUSR1)

    def _kill(self, workers: Iterable[_Worker]) -> None:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()
            self._replace(self._all.index(worker))

    def _answer(self, worker: _Worker) -> tuple[Task, Any]:
        task = worker.task
        assert task is not None  # idle workers are not listened to
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            how = _how(worker.process)
            self._replace(self._all.index(worker))
            return task, Died(how)
        if isinstance(answer, Trouble):
            raise ScanFailed(answer.what, cause=answer.cause, cure=answer.cure)
        if isinstance(answer, Done):
            worker.task = None
        return task, answer

    def _replace(self, number: int) -> None:
        """Another worker in a dead one's place.

        Raises:
            ScanFailed: too many have died.
        """
        dead = self._all[number]
        dead.pipe.close()
        self._deaths += 1
        if self._deaths > _DEATHS:
            raise ScanFailed(
                f"{self._deaths} worker processes have ended before their time",
                cause=_how(dead.process),
                cure="OSDETECT_DEBUG=1 shows what they say; fewer --jobs take less memory",
            )
        _how(dead.process)
        self._all[number] = self._started()
        if self._setup is not None:
            with suppress(OSError):  # it is dead already: met when it is given a task
                self._all[number].pipe.send(self._setup)

    def close(self) -> None:
        """End all workers."""
        for worker in self._all:
            worker.pipe.close()
        for worker in self._all:
            worker.process.kill()
            worker.process.wait()


def _how(process: "subprocess.Popen[bytes]") -> str:
    """How a process ended; it is ended if it lives."""
    try:
        status = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    return f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}"
