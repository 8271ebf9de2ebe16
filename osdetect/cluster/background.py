"""A request under way while other work goes on."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> "Future[T]":
    """Do `work` in a thread of its own; the future gives its result or raises what it raised.

    The thread is a daemon: Ctrl-C ends the process without waiting for a cluster that hangs. What is left half done is
    harmless, since doing it again adds nothing.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  # it is raised again in the thread that waits
            outcome.set_exception(error)

    Thread(target=run, daemon=True, name="osdetect-request").start()
    return outcome
