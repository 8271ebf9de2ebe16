"""The harness's own node: killed and started again in the middle of an episode."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]

from osdetect.cluster import Cluster
from osdetect.node import NodeOptions, RunningNode, configure, start, stop
from osdetect.node.places import node_place
from osdetect.node.ports import is_free
from tests.faults.material import ask, connect
from tests.harness.material import Judge
from tests.harness.targets import install_stream_template

_AS_SIXTEEN = "-XX:ActiveProcessorCount=16"
"""As many write threads as a machine with 16 processors has: an event is overtaken by another one far more often."""


class Ground:
    """A node, with the rules deployed. Several episodes may be played on it at once."""

    def __init__(self, folder: Path) -> None:
        self._options = NodeOptions(name=f"faults-{os.getpid()}", heap_mb=1536, port=_lasting_port())
        self._node: RunningNode | None = None
        self._changed = threading.Condition()
        self._users, self._down = 0, False
        self._numbers = count(1)
        self._restarted: set[Callable[[], None]] = set()
        self._deploying, self._second_live = threading.Lock(), False
        self.folder = folder
        self.judge = Judge.of(folder)

    @property
    def url(self) -> str:
        """Of the node."""
        assert self._node is not None
        return self._node.url

    def __enter__(self) -> Self:
        self._node = _start_as_sixteen(self._options)
        try:
            self._prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _prepare(self) -> None:
        # Nobody waits for what becomes visible by itself: the product refreshes what it will read.
        calm = {"persistent": {"cluster.default.index.refresh_interval": "30s"}}
        ask(self.url, "PUT", "/_cluster/settings", calm)
        install_stream_template(self.url)
        with self.connected() as cluster:
            self.judge.deploy(cluster, second=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._options.name)
        shutil.rmtree(node_place(self._options.name).directory, ignore_errors=True)

    def fresh_namespace(self) -> str:
        """A name that no episode had yet on this node."""
        return f"e{next(self._numbers)}"

    def cpu_s(self) -> float:
        """Processor seconds that the node used, since it was last started."""
        assert self._node is not None
        times = psutil.Process(self._node.pid).cpu_times()
        return float(times.user + times.system)

    def connected(self) -> Cluster:
        """A connection past all faults."""
        return connect(self.url, retry_for_s=60.0)

    def deploy_other(self) -> None:
        """Make the other one of the two releases live."""
        with self._deploying, self.up(), self.connected() as cluster:
            self._second_live = not self._second_live
            self.judge.deploy(cluster, second=self._second_live)

    def tell_of_restarts(self, tell: Callable[[], None]) -> None:
        """An episode begins: it must know when acknowledged writes may have been lost."""
        with self._changed:
            self._restarted.add(tell)

    def tell_no_more(self, tell: Callable[[], None]) -> None:
        """An episode ended."""
        with self._changed:
            self._restarted.discard(tell)

    @contextmanager
    def up(self) -> Iterator[None]:
        """The node is not killed during this: for what the harness itself asks. Writers and workers take no such care."""
        with self._changed:
            self._changed.wait_for(lambda: not self._down)
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def restart(self) -> None:
        """Kill the node and start it again on its data and at its port."""
        with self._changed:
            self._changed.wait_for(lambda: not self._down)
            self._down = True
            self._changed.wait_for(lambda: not self._users)
        try:
            self._kill_and_start()
        finally:
            with self._changed:
                self._down = False
                for tell in self._restarted:
                    tell()
                self._changed.notify_all()

    def _kill_and_start(self) -> None:
        assert self._node is not None
        process = psutil.Process(self._node.pid)
        process.kill()
        process.wait(30)
        self._node = _start_as_sixteen(self._options)
        ask(self.url, "GET", "/_cluster/health?wait_for_status=yellow&timeout=60s")


def _lasting_port() -> int:
    """A free port that the system gives to no client: while the node is down, nothing else may come to sit on it."""
    ports = Random(os.getpid()).sample(range(20_000, 32_000), 100)
    return next(port for port in ports if is_free(port))


def _start_as_sixteen(options: NodeOptions) -> RunningNode:
    """Start a node with a Java option that the product has no use for."""
    before = configure._JVM
    configure._JVM = (*before, _AS_SIXTEEN)  # type: ignore[assignment]
    try:
        return start(options)
    finally:
        configure._JVM = before
