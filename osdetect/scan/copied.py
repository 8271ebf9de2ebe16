"""Copies of this process (fork), which do something and end."""

import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NoReturn

from osdetect.scan.worker import Stopped

_PATIENCE = 1.0
"""Seconds that a process may take to end once its pipe is closed."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Process:
    """A copy that was made."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def _ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status is not None

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def give_up(self) -> None:
        """Have it give up its task."""
        self._signal(signal.SIGUSR1)

    def end(self) -> None:
        """Kill it, if it lives, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def how(self) -> str:
        """How it ended; it is ended if it lives."""
        deadline = time.monotonic() + _PATIENCE
        while not self._ended() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.end()
        status = self._status or 0
        return f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}"


def copied(work: Callable[[Stopped], None], unwanted: Sequence[Connection]) -> Process:
    """A copy of this process that does this work, in a session of its own, and then ends.

    Args:
        work: is given the handler of SIGUSR1. Standard input and output lead nowhere for it.
        unwanted: connections that the copy closes.
    """
    # None of these may come to the copy before it has its own handlers.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        with warnings.catch_warnings():
            # From 3.12 on Python warns of threads of others, whose locks stay locked; the work asks for none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            _work(work, unwanted, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Process(pid)


def _work(
    work: Callable[[Stopped], None], unwanted: Sequence[Connection], before: set[int | signal.Signals]
) -> NoReturn:
    debug = bool(os.environ.get("OSDETECT_DEBUG"))
    status = 1
    try:
        os.setsid()
        stopped = Stopped()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, stopped)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1) if debug else (0, 1, 2):
            os.dup2(nowhere, standard)
        for connection in unwanted:
            connection.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        work(stopped)
        status = 0
    except BaseException:  # noqa: BLE001  # none may get from the copy into what the scanning process was doing
        if debug:
            traceback.print_exc()
    finally:
        # Nothing that the scanning process has to do at its end is this one's to do.
        os._exit(status)
