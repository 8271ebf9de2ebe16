"""Signals that end a command gracefully: the first asks, the second does not."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Asked:
    """Whether a signal asked for the end, and which.

    Made by `asked_by_signals`. It waits on a pipe and not on a lock: a handler runs in the thread that it interrupts, which
    may hold that lock.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
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
        """The handler: the first signal asks, the second ends the command at once.

        Raises:
            KeyboardInterrupt: it was asked already.
        """
        if self.asked:
            raise KeyboardInterrupt
        self.by = signal.Signals(number)
        os.write(self._writing, b".")  # stays in the pipe: every wait from now on ends at once


@contextmanager
def asked_by_signals() -> Iterator[Asked]:
    """SIGTERM and Ctrl-C ask, instead of ending the command where it stands, while the body runs."""
    reading, writing = os.pipe()
    asked = Asked(reading, writing)
    before = {number: signal.signal(number, asked.take) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
