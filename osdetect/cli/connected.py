"""Reaching a cluster for a command that goes on for ever: one that is away at its start is waited for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from osdetect.cli.signals import Asked
from osdetect.cluster import Cluster
from osdetect.detect.schedule import pause_s
from osdetect.errors import ClusterUnavailable
from osdetect.status.logs import Log


@contextmanager
def connected(
    reach: Callable[[], Cluster],
    asked: Asked,
    log: Log,
    failed: Callable[[str], object] = lambda _reason: None,
) -> Iterator[Cluster | None]:
    """The cluster, as soon as it is there; None when a signal came first.

    A worker and its cluster are often started at the same time, by the same supervisor. To end, and be started again, would cost more
    than to wait, and would look like a fault of the worker.

    Args:
        reach: connects, or raises `ClusterUnavailable`.
        asked: ends the waiting; the cluster then repeats nothing any more.
        log: is told of each failure.
        failed: is told of each failure, too.

    Raises:
        ClusterRefused: it is there and will never do: wrong password, wrong certificate, too old.
    """
    failures = 0
    while not asked.asked:
        try:
            cluster = reach()
        except ClusterUnavailable as error:
            failures += 1
            failed(str(error))
            pause = pause_s(failures)
            said = {"what": error.what, "cause": error.cause, "cure": error.cure}
            log.warning("the cluster is away at the start", **said, next_attempt_s=round(pause, 1))
            asked.wait(pause)
            continue
        with cluster:
            cluster.hurry_when(lambda: asked.asked, asked.wait)
            yield cluster
        return
    yield None
