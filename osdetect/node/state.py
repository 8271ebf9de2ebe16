"""The state file: which process is the node, and how to reach it. Written by who starts it, under the node's lock."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from osdetect.node.artifacts import Variant
from osdetect.node.options import Credentials, RunningNode
from osdetect.node.processes import Identity

FORMAT = 1


class State(msgspec.Struct, frozen=True):
    """A node that was started. `ready` is false from its launch until it answers."""

    process: Identity
    variant: Variant
    port: int
    heap_mb: int
    storage: Path
    ready: bool
    node: RunningNode


def write_state(path: Path, state: State) -> None:
    """Replace the file as a whole: a reader sees the old text or the new one."""
    node = state.node
    document = {
        "format": FORMAT,
        "process": {"pid": state.process.pid, "born": state.process.born},
        "variant": state.variant.value,
        "port": state.port,
        "heap_mb": state.heap_mb,
        "storage": str(state.storage),
        "ready": state.ready,
        "node": {
            "name": node.name,
            "url": node.url,
            "version": node.version,
            "ephemeral": node.ephemeral,
            "data_dir": str(node.data_dir),
            "log_file": str(node.log_file),
            "seconds_to_ready": node.seconds_to_ready,
            "credentials": _credentials_out(node.credentials),
        },
    }
    descriptor, temporary = tempfile.mkstemp(prefix="state-", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=1)
        stream.flush()
        os.fsync(descriptor)
    Path(temporary).replace(path)


def read_state(path: Path) -> State | None:
    """What the file says; None if there is none, or nothing that this version wrote."""
    try:
        document = json.loads(path.read_bytes())
        return _state(document) if document["format"] == FORMAT else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _state(document: dict[str, Any]) -> State:
    process = Identity(int(document["process"]["pid"]), str(document["process"]["born"]))
    node = document["node"]
    return State(
        process=process,
        variant=Variant(document["variant"]),
        port=int(document["port"]),
        heap_mb=int(document["heap_mb"]),
        storage=Path(document["storage"]),
        ready=bool(document["ready"]),
        node=RunningNode(
            name=node["name"],
            url=node["url"],
            pid=process.pid,
            version=node["version"],
            ephemeral=bool(node["ephemeral"]),
            data_dir=Path(node["data_dir"]),
            log_file=Path(node["log_file"]),
            seconds_to_ready=float(node["seconds_to_ready"]),
            credentials=_credentials_in(node["credentials"]),
        ),
    )


def _credentials_out(credentials: Credentials | None) -> dict[str, str] | None:
    if credentials is None:
        return None
    return {
        "ca_file": str(credentials.ca_file),
        "admin_user": credentials.admin_user,
        "password_file": str(credentials.password_file),
    }


def _credentials_in(entry: dict[str, str] | None) -> Credentials | None:
    if entry is None:
        return None
    return Credentials(Path(entry["ca_file"]), entry["admin_user"], Path(entry["password_file"]))
