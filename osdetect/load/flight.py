"""Batches under way: a few at once, finished in the order they were sent."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import msgspec

from osdetect.cluster.background import in_background
from osdetect.load.batch import Batch
from osdetect.load.deliver import Delivered


class _Sent(msgspec.Struct, frozen=True):
    ids: frozenset[str]
    outcome: "Future[Delivered]"


class Flight:
    """At most `width` batches under way."""

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
        self._sent.append(_Sent(frozenset(batch.ids), in_background(partial(self._send, batch))))

    def land_all(self) -> None:
        """Wait for what is under way.

        Raises:
            ClusterError: a batch failed.
        """
        while self._sent:
            self._land()

    def _land(self) -> None:
        self._finished(self._sent.popleft().outcome.result())
