"""The other end of `osdetect.follow.points`: hears where each worker is, and kills or stops it as planned."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.plan import Blow, Stroke


class Points:
    """A Unix socket. A worker says `NAME PID` there and waits for a line, if it lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.path))
        self._socket.listen(64)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._lock = threading.Lock()
        self._blows: dict[tuple[str, int], Stroke] = {}
        self._struck: Callable[[int, Stroke], None] = lambda _pid, _stroke: None
        self.reached: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        self.path.unlink()

    def arm(self, blows: tuple[Blow, ...], struck: Callable[[int, Stroke], None]) -> None:
        """Begin an episode: `struck` is told of each process before it is struck."""
        with self._lock:
            self._blows = {(one.point, one.nth): one.stroke for one in blows}
            self._struck = struck
            self.reached, self.done = Counter(), Counter()

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the worker was killed meanwhile
            said = connection.recv(256).decode().split()
            if len(said) == 2:
                self._decide(said[0], int(said[1]))
            connection.sendall(b"go\n")

    def _decide(self, name: str, pid: int) -> None:
        with self._lock:
            self.reached[name] += 1
            stroke = self._blows.get((name, self.reached[name]))
            if stroke is None:
                return
            self.done[f"{stroke} at {name}"] += 1
            self._struck(pid, stroke)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if stroke is Stroke.KILL else signal.SIGSTOP)
