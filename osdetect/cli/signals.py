"""Signals that end a command gracefully: the first asks, the second does not."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_S = 60.0
"""After the first signal, how long a command may take to come to its end: a cluster that hangs does not hold it longer."""
_HINT = b"\nending behind the batch at hand; once more ends it at once\n"


class Asked:
    """Whether a signal asked for the end, and which.

    Made by `asked_by_signals`. It waits on a pipe and not on a lock: a handler runs in the thread that it interrupts, which
    may hold that lock.
    """

    def __init__(self, reading: int, writing: int, grace_s: float) -> None:
        self._reading, self._writing, self._grace_s = reading, writing, grace_s
        self.by: signal.Signals | None = None
        """The first signal that came."""

    @property
    def asked(self) -> bool:
        """Whether one came."""
        return self.by is not None

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a signal comes; whether one came."""
        if not self.asked and seconds > 0:
            select.select([self._reading], [], [], seconds)
        return self.asked

    def take(self, number: int, _frame: FrameType | None) -> None:
        """The handler: the first signal asks, the second ends the command at once; so does the end of the grace.

        Raises:
            KeyboardInterrupt: it was asked already.
        """
        if self.asked:
            raise KeyboardInterrupt
        self.by = signal.Signals(number)
        os.write(self._writing, b".")  # stays in the pipe: every wait from now on ends at once
        signal.setitimer(signal.ITIMER_REAL, self._grace_s)
        if os.isatty(2):
            os.write(2, _HINT)  # not through sys.stderr, in whose middle this may be


@contextmanager
def asked_by_signals(grace_s: float = GRACE_S) -> Iterator[Asked]:
    """SIGTERM and Ctrl-C ask, instead of ending the command where it stands, while the body runs."""
    reading, writing = os.pipe()
    asked = Asked(reading, writing, grace_s)
    before = {number: signal.signal(number, asked.take) for number in (*_SIGNALS, signal.SIGALRM)}
    try:
        yield asked
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
