"""Batches under way: a few at once, finished in the order they were sent."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread

from osdetect.load.batch import Batch
from osdetect.load.deliver import Delivered


@dataclass(frozen=True, slots=True)
class _Sent:
    ids: frozenset[str]
    outcome: "Future[Delivered]"


class Flight:
    """At most `width` batches under way, each in a thread of its own.

    The threads are daemons: Ctrl-C ends the process without waiting for a request. What it leaves is harmless, since
    doing the same again adds nothing.
    """

    def __init__(
        self, send: Callable[[Batch], Delivered], finished: Callable[[Delivered], None], width: int
    ) -> None:
        self._send = send
        self._finished = finished
        self._width = width
        self._sent: deque[_Sent] = deque()

    def launch(self, batch: Batch) -> None:
        """Send `batch` as soon as there is room.

        Two records with one id must not be under way at once: which of them gets it would be chance.

        Raises:
            ClusterError: an earlier batch failed.
        """
        while self._sent and (
            len(self._sent) >= self._width or any(not sent.ids.isdisjoint(batch.ids) for sent in self._sent)
        ):
            self._land()
        outcome: Future[Delivered] = Future()
        Thread(target=self._run, args=(batch, outcome), daemon=True, name="osdetect-bulk").start()
        self._sent.append(_Sent(frozenset(batch.ids), outcome))

    def land_all(self) -> None:
        """Wait for what is under way.

        Raises:
            ClusterError: a batch failed.
        """
        while self._sent:
            self._land()

    def _land(self) -> None:
        self._finished(self._sent.popleft().outcome.result())

    def _run(self, batch: Batch, outcome: "Future[Delivered]") -> None:
        try:
            outcome.set_result(self._send(batch))
        except BaseException as error:  # noqa: BLE001  # it is raised again in the thread that waits
            outcome.set_exception(error)
