"""The worker processes: copies of the scanning process, fed tasks, replaced when one dies.

They are forked when the rules are ready, so that these are there once in memory and nothing is imported again, and that all have
one seed of hashes, because what they count by hash is put together. The scanning process has no threads then.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any, Self

import msgspec

from osdetect.errors import OsdetectError, OutputError
from osdetect.scan.copied import Process, copied
from osdetect.scan.plan import Done, Setup, Task, Trouble
from osdetect.scan.worker import Bench, serve

_POLL = 0.1
"""Seconds between two looks at whether to stop."""
_GRACE = 0.5
"""Seconds that workers get to tell what they found when the scan is stopped."""
_DEATHS = 20
"""Workers that may die before osdetect takes it for a fault of the machine."""


class ScanFailed(OutputError):
    """The scan cannot go on: no room for temporary files, or the worker processes do not live."""


class NoRoom(ScanFailed):
    """A worker could not write what it found; what was told before is good."""


class Died(msgspec.Struct, frozen=True):
    """A worker process ended before its task did."""

    how: str


class _Worker(msgspec.Struct):
    process: Process
    pipe: Connection
    task: Task | None = None


class Workers:
    """Some worker processes. Use as a context manager: they end with it."""

    def __init__(self, number: int) -> None:
        self.number = max(1, number)
        """How many there are."""
        self._bench: Bench | None = None
        self._deaths = 0
        self._trouble: Trouble | None = None
        self._waiting: deque[Task] = deque()
        self._all: list[_Worker] = []

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

    def set_up(self, setup: Setup) -> None:
        """Start them, with what to judge by.

        Raises:
            ScanFailed: the rules cannot be used.
        """
        try:
            self._bench = Bench(setup)
        except OsdetectError as error:
            raise ScanFailed(error.what, cause=error.cause, cure=error.cure) from None
        self._all = []
        for _ in range(self.number):
            self._all.append(self._started())

    def _started(self) -> _Worker:
        bench = self._bench
        assert bench is not None  # `set_up` comes first
        ours, theirs = Pipe()
        # A copy that kept the ends of others open would keep these from seeing that the scanning process is gone.
        unwanted = [ours, *(worker.pipe for worker in self._all)]
        process = copied(lambda stopped: serve(bench, theirs, stopped), unwanted)
        theirs.close()
        return _Worker(process, ours)

    def add(self, tasks: Iterable[Task]) -> None:
        """Put tasks before those that wait."""
        self._waiting.extendleft(reversed(tuple(tasks)))

    def answers(self, stop: Callable[[], bool]) -> Iterator[tuple[Task, Any]]:
        """Have the tasks done; every answer with its task, `Done` or `Died` as the last of each.

        Args:
            stop: asked often; once it says yes no task is begun, and those under way are given up.

        Raises:
            ScanFailed: workers do not live.
            NoRoom: a worker cannot write; raised in the end, when what the others have found is told.
        """
        deadline = 0.0
        while True:
            if not deadline and (self._trouble is not None or stop()):
                deadline = time.monotonic() + _GRACE
                self._give_up()
            if not deadline:
                self._hand_out()
            busy = {worker.pipe: worker for worker in self._all if worker.task is not None}
            if not busy:
                if self._waiting and not deadline:  # those that were to have it are dead, and replaced
                    continue
                break
            if deadline and time.monotonic() > deadline:
                self._kill(busy.values())
                break
            for pipe in wait(list(busy), timeout=_POLL):
                assert isinstance(pipe, Connection)  # nothing else is waited for
                answer = self._answer(busy[pipe])
                if answer is not None:
                    yield answer
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise NoRoom(trouble.what, cause=trouble.cause, cure=trouble.cure)

    def give_up(self) -> None:
        """Have no task done any more."""
        self._waiting.clear()
        self._kill([worker for worker in self._all if worker.task is not None])

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
                worker.process.give_up()

    def _kill(self, workers: Iterable[_Worker]) -> None:
        for worker in workers:
            worker.process.end()
            self._replace(self._all.index(worker))

    def _answer(self, worker: _Worker) -> tuple[Task, Any] | None:
        task = worker.task
        assert task is not None  # idle workers are not listened to
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            how = worker.process.how()
            self._replace(self._all.index(worker))
            return task, Died(how)
        if isinstance(answer, Trouble):
            self._trouble = self._trouble or answer
            self._kill([worker])
            return None
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
        how = dead.process.how()
        self._deaths += 1
        if self._deaths > _DEATHS:
            raise ScanFailed(
                f"{self._deaths} worker processes have ended before their time",
                cause=how,
                cure="OSDETECT_DEBUG=1 shows what they say; fewer --jobs take less memory",
            )
        self._all[number] = self._started()

    def close(self) -> None:
        """End all workers."""
        for worker in self._all:
            worker.pipe.close()
        for worker in self._all:
            worker.process.end()
        self._all = []
