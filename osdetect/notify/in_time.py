"""A connection that ends in time, whatever the other side does: the time-out of a socket is for each read only."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self


class InTime:
    """A context manager around one attempt: what `dial` made within it is cut when the time is over.

    Looking up the host's name cannot be cut; the system's resolver has limits of its own, and nothing is sent behind them.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._over = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for one in self._watched:
                one.close()
            self._watched.clear()

    def dial(self, host: str, port: int) -> socket.socket:
        """A connection to the host; each of its addresses gets its share of the time.

        Raises:
            OSError: it cannot be reached, or not in time.
        """
        failed = OSError(f"no address is known of {host}")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for number, (family, kind, protocol, _, address) in enumerate(found):
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(self._left() / (len(found) - number))
                made.connect(address)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.settimeout(self._left())
                self._watch(made)
            except OSError as error:
                made.close()
                failed = error
            else:
                return made
        raise failed

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"it took longer than {self.seconds:g} s")
        return left

    def _watch(self, made: socket.socket) -> None:
        """Keep a second handle: TLS takes the first one away, and has no name to be cut by while it shakes hands."""
        with self._lock:
            self._watched.append(made.dup())
            over = self._over
        if over:
            self._cut()

    def _cut(self) -> None:
        with self._lock:
            self._over = True
            for one in self._watched:
                with suppress(OSError):  # it ended just now
                    one.shutdown(socket.SHUT_RDWR)
