"""Two nodes that are one cluster: the first holds the cluster's state and outlives the second, which holds primaries."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]

from osdetect.node import NodeOptions, RunningNode, configure, start, stop
from osdetect.node.places import node_place
from osdetect.node.ports import is_free
from tests.faults.material import ask


class Pair:
    """The two nodes; all requests go to the first."""

    def __init__(self) -> None:
        self._names = (f"pair-a-{os.getpid()}", f"pair-b-{os.getpid()}")
        self._transport = next(port for port in range(21_000 + os.getpid() % 5_000, 32_000) if is_free(port))
        self.first = self._start(0)
        self.second = self._start(1)
        self.wait("wait_for_nodes=2")

    @staticmethod
    @contextmanager
    def of_nodes() -> Iterator["Pair"]:
        """Started, and stopped with all that they hold."""
        made = Pair()
        try:
            yield made
        finally:
            for name in reversed(made._names):
                stop(name)
                shutil.rmtree(node_place(name).directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """Of the first node."""
        return self.first.url

    def wait(self, condition: str) -> None:
        """Until the cluster's health is as asked (OpenSearch docs, "Cluster health")."""
        health = ask(self.url, "GET", f"/_cluster/health?timeout=60s&{condition}")
        assert not health["timed_out"], health

    def kill_second(self) -> None:
        """As if its machine had lost its power."""
        process = psutil.Process(self.second.pid)
        process.kill()
        process.wait(30)

    def start_second(self) -> None:
        """On the data that it had."""
        self.second = self._start(1)
        self.wait("wait_for_nodes=2")

    def _start(self, number: int) -> RunningNode:
        """Start a node of the cluster; the product itself never makes one of several nodes."""
        alone = configure.settings

        def together(launch: configure.Launch, more: dict[str, object]) -> dict[str, object]:
            made = alone(launch, more)
            del made["discovery.type"]
            return {
                **made,
                "cluster.name": self._names[0],
                "cluster.initial_cluster_manager_nodes": [self._names[0]],
                "discovery.seed_hosts": [f"{configure.LOOPBACK}:{self._transport}"],
                "transport.port": self._transport if number == 0 else "9300-9999",
                "node.roles": ["cluster_manager", "data", "ingest"] if number == 0 else ["data"],
            }

        configure.settings = together
        try:
            return start(NodeOptions(name=self._names[number], heap_mb=512))
        finally:
            configure.settings = alone

    @property
    def second_name(self) -> str:
        """The second node's name in the cluster."""
        return self._names[1]
