"""The harness's own node: killed and started again in the middle of an episode."""

import os
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from osdetect.cluster import Cluster
from osdetect.node import NodeOptions, RunningNode, configure, start, stop
from osdetect.node.places import node_place
from osdetect.node.processes import alive
from osdetect.node.state import read_state
from tests.faults.material import connect
from tests.harness.material import RULES, Judge
from tests.harness.targets import install_stream_template

_AS_SIXTEEN = "-XX:ActiveProcessorCount=16"
"""As many write threads as a machine with 16 processors has: an event is overtaken by another one far more often."""


class Ground:
    """A node, with the rules deployed."""

    def __init__(self, folder: Path, rules: tuple[str, ...] = RULES, *, name: str = "") -> None:
        self._options = NodeOptions(name=name or f"faults-{os.getpid()}", heap_mb=768)
        self._node: RunningNode | None = None
        self.folder = folder
        self.judge = Judge.of(folder, rules)

    @property
    def url(self) -> str:
        """Of the node."""
        assert self._node is not None
        return self._node.url

    def __enter__(self) -> Self:
        if _AS_SIXTEEN not in configure._JVM:
            configure._JVM = (*configure._JVM, _AS_SIXTEEN)  # type: ignore[misc]  # no option of the product
        self._node = start(self._options)
        install_stream_template(self.url)
        with self.connected() as cluster:
            self.judge.deploy(cluster, second=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._options.name)
        shutil.rmtree(node_place(self._options.name).directory, ignore_errors=True)

    def connected(self) -> Cluster:
        """A connection past all faults."""
        return connect(self.url, retry_for_s=30.0)

    def restart(self) -> None:
        """Kill the node and start it again on its data and at its port."""
        assert self._node is not None
        state = read_state(node_place(self._options.name).state_file)
        assert state is not None
        os.kill(self._node.pid, signal.SIGKILL)
        while alive(state.process):
            pass
        port = int(self.url.rpartition(":")[2])
        self._node = start(NodeOptions(name=self._options.name, heap_mb=self._options.heap_mb, port=port))
