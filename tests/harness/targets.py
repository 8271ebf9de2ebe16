"""The indices of an episode, of every kind that a target may stand for."""

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from tests.faults.material import ask
from tests.harness.plan import Plan

OWN, PLAIN, REBORN, ROLLING = "own", "plain", "reborn", "rolling"
KINDS = (OWN, PLAIN, REBORN, ROLLING)
_SLOW = {
    "dynamic": False,
    "properties": {
        "requestParameters": {"properties": {"blob": {"type": "wildcard", "doc_values": False}}},
    },
}
"""Takes long to index a large event, so that small ones with higher sequence numbers are visible before it."""
STREAM_TEMPLATE = "faults-stream"


def install_stream_template(url: str) -> None:
    """What makes `faults-NAMESPACE-stream` a data stream."""
    body = {
        "index_patterns": ["faults-*-stream"],
        "data_stream": {},
        "priority": 400,
        "template": {"settings": {"index.number_of_replicas": 0}, "mappings": {"dynamic": False}},
    }
    ask(url, "PUT", f"/_index_template/{STREAM_TEMPLATE}", body)


class Target(msgspec.Struct):
    """Where writers write. `lock` is held while the index is written to or replaced."""

    kind: str
    name: str
    uuid: str
    """Of the index, or the name where indices follow each other."""
    lock: AbstractContextManager[Any] = msgspec.field(default_factory=nullcontext)


class Targets:
    """Made at the start of an episode, deleted at its end."""

    def __init__(self, url: str, namespace: str, plan: Plan) -> None:
        self._url, self._plan, self._namespace = url, plan, namespace
        self.pattern = f"osdetect-cloudtrail-{namespace}-*,faults-{namespace}-*"
        prefix = f"faults-{namespace}"
        own = self._made(OWN, f"osdetect-cloudtrail-{namespace}-2024.05", {})
        interval = "60s" if plan.restart else "500ms"
        translog = {"translog.durability": plan.durability, "translog.sync_interval": interval}
        plain = self._made(PLAIN, f"{prefix}-plain", translog, mappings=_SLOW)
        reborn = self._made(REBORN, f"{prefix}-reborn", {})
        reborn.lock = threading.Lock()
        self.all = (own, plain, reborn, self._rolling(prefix))

    def by(self, kind: str) -> Target:
        """The target of that kind."""
        return self.all[KINDS.index(kind)]

    def _made(self, kind: str, name: str, settings: dict[str, Any], **more: Any) -> Target:
        self._create(name, settings, **more)
        return Target(kind, name, self._uuid(name))

    def _create(self, name: str, settings: dict[str, Any], **more: Any) -> None:
        index = {"number_of_shards": self._plan.shards, "refresh_interval": "30s", **settings}
        if name.startswith("faults-"):
            index["number_of_replicas"] = self._plan.replicas
            more.setdefault("mappings", {"dynamic": False})
        ask(self._url, "PUT", f"/{name}?wait_for_active_shards=1", {"settings": {"index": index}, **more})

    def _rolling(self, prefix: str) -> Target:
        if self._plan.stream:
            name = f"{prefix}-stream"
            ask(self._url, "PUT", f"/_data_stream/{name}")
        else:
            name = f"{prefix}-roll"
            self._create(f"{name}-000001", {}, aliases={name: {"is_write_index": True}})
        return Target(ROLLING, name, name)

    def roll_over(self) -> None:
        """Go on in a new index."""
        ask(self._url, "POST", f"/{self.by(ROLLING).name}/_rollover")

    def sync(self) -> None:
        """Let the index that is lazy to write to the disk write all."""
        ask(self._url, "POST", f"/{self.by(PLAIN).name}/_flush?force=true")

    def replace(self) -> str:
        """Delete an index and make it again; gives the uuid that went. The caller holds its lock."""
        target = self.by(REBORN)
        gone = target.uuid
        ask(self._url, "DELETE", f"/{target.name}")
        self._create(target.name, {})
        target.uuid = self._uuid(target.name)
        return gone

    def _uuid(self, name: str) -> str:
        reply = ask(self._url, "GET", f"/{name}/_settings?filter_path=*.settings.index.uuid")
        return str(reply[name]["settings"]["index"]["uuid"])

    def delete(self) -> None:
        """Take all away that the episode made, with what the workers made of it."""
        if self._plan.stream:
            ask(self._url, "DELETE", f"/_data_stream/{self.by(ROLLING).name}")
        patterns = ",".join(
            (
                f"faults-{self._namespace}-*",
                f"osdetect-cloudtrail-{self._namespace}-*",
                f"osdetect-alerts-{self._namespace}-*",
                f"osdetect-matches-{self._namespace}-*",
                f"osdetect-deadletter-{self._namespace}",
            )
        )
        options = "ignore_unavailable=true&allow_no_indices=true&expand_wildcards=all"
        there = ask(self._url, "GET", f"/{patterns}/_settings/index.uuid?{options}")
        if there:
            ask(self._url, "DELETE", f"/{','.join(there)}")
