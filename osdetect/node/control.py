"""start, status, logs, stop: what may be done to a node, each safe against all the others."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from osdetect.errors import NodeError
from osdetect.node.account import account_of_node
from osdetect.node.artifacts import locked
from osdetect.node.exclusive import exclusive
from osdetect.node.home import ensure_home
from osdetect.node.java import java_for
from osdetect.node.journal import tail
from osdetect.node.options import NodeOptions, NodeStatus, RunningNode
from osdetect.node.places import (
    CACHE_VARIABLE,
    DATA_VARIABLE,
    NodePlace,
    cache_root,
    make_passable,
    node_place,
    require_passable,
)
from osdetect.node.processes import alive, end, marked, resident_bytes
from osdetect.node.progress import OnProgress, Progress, Stage, ignore
from osdetect.node.startup import Ground, bring_up, probe_of
from osdetect.node.state import State, read_state

_OTHER_START_S = 900.0
"""Another start of the same node may be downloading; beyond its own time to get ready."""
_STOP_S = 30.0
_HUNG_S = 15.0
"""A node that runs and does not answer for so long is not waited for."""
_PAUSE = 0.2


@contextmanager
def _told() -> Iterator[None]:
    """The system's refusals (no permission, disk full, read-only) as failures of the node."""
    try:
        yield
    except OSError as refused:
        raise NodeError(
            f"a file of the embedded node could not be used: {refused.filename or 'the system refused'}",
            cause=refused.strerror or type(refused).__name__,
            cure=f"see to that file, or set {DATA_VARIABLE} and {CACHE_VARIABLE} to folders of your own",
        ) from refused


@_told()
def start(options: NodeOptions, *, on_progress: OnProgress = ignore) -> RunningNode:
    """Have the node of that name run: find it, or start it (downloading what is missing first).

    It goes on when this process ends. An interruption (KeyboardInterrupt) ends what was half started.

    Raises:
        NodeError: it could not be made ready, with the reason and a cure.
        UsageError: an environment variable cannot be used.
    """
    place = node_place(options.name)
    account = account_of_node()
    notes: list[str] = []

    def report(progress: Progress) -> None:
        if progress.stage is Stage.NOTE:
            notes.append(progress.text)
        on_progress(progress)

    cache = make_passable(cache_root())
    require_passable(cache, account, CACHE_VARIABLE)
    require_passable(make_passable(place.directory.parent), account, DATA_VARIABLE)
    with exclusive(place.lock_file, f"starting {options.name}", _OTHER_START_S + options.ready_timeout_s):
        running = _running(place)
        if running:
            return _as_asked(running, options)
        _clear(place)
        make_passable(place.directory)
        try:
            java = java_for(account, cache)  # first: without it the download would be for nothing
            artifacts = locked(options.variant)
            home = ensure_home(artifacts, cache, report)
            ground = Ground(place, options, artifacts, home, java, account, datetime.now(UTC))
            node = bring_up(ground, report)
        except BaseException:
            _discard(place, ephemeral=options.ephemeral)
            raise
        return replace(node, notes=(*notes, *node.notes))


@_told()
def status(name: str = "default") -> NodeStatus | None:
    """How the node of that name is; None if it does not run."""
    state = read_state(node_place(name).state_file)
    if state is None or not alive(state.process):
        return None
    health = probe_of(state).health()
    return NodeStatus(
        node=replace(state.node, already_running=True),
        answering=bool(health),
        health=health,
        memory_bytes=resident_bytes(state.process.pid),
    )


@_told()
def logs(lines: int = 50, name: str = "default") -> tuple[str, ...]:
    """The last lines of the node's log, of the run that wrote last.

    Raises:
        NodeError: no node of that name ever ran, or it deleted its log when it stopped.
    """
    place = node_place(name)
    written = [path for path in place.directory.glob("*/logs/node.log") if not path.is_symlink()]
    if not written:
        raise NodeError(
            f"there is no log of a node called {name}", cure=f"start one: osdetect node up --name {name}"
        )
    return tail(max(written, key=_modified), lines)


@_told()
def stop(name: str = "default", *, timeout: float = _STOP_S) -> RunningNode | None:
    """End the node of that name, and delete what an ephemeral one wrote.

    Args:
        name: of the node.
        timeout: seconds until it is killed; what it acknowledged is on disk either way.

    Returns:
        What was stopped; None if nothing ran.

    Raises:
        NodeError: another process is starting it and takes very long.
    """
    place = node_place(name)
    if not place.directory.exists():
        return None
    with exclusive(place.lock_file, f"stopping {name}", _OTHER_START_S):
        running = _running(place)
        if running:
            end(running.process, timeout)
        _clear(place)
        _discard(place, ephemeral=True)
    return running.node if running else None


def _running(place: NodePlace) -> State | None:
    """The node that was made ready and whose very process lives."""
    state = read_state(place.state_file)
    return state if state and state.ready and alive(state.process) else None


def _as_asked(running: State, options: NodeOptions) -> RunningNode:
    """The running node, unless it is another kind than what was asked for, or hangs."""
    differences = [
        text
        for text, differs in (
            (f"it runs on port {running.port}", options.port not in {None, running.port}),
            (f"it is the {running.variant} variant", options.variant is not running.variant),
            (
                "it is ephemeral" if running.node.ephemeral else "it keeps its data",
                options.ephemeral is not running.node.ephemeral,
            ),
        )
        if differs
    ]
    if differences:
        raise NodeError(
            f"a node called {options.name} already runs, and not as asked",
            cause=", ".join(differences),
            cure=f"stop it first: osdetect node down --name {options.name}; or choose another --name",
        )
    deadline = time.monotonic() + _HUNG_S
    while not probe_of(running).health():
        if time.monotonic() > deadline:
            raise NodeError(
                f"the node {options.name} runs (pid {running.process.pid}) but does not answer",
                cure=f"osdetect node down --name {options.name}, and start it again",
            )
        time.sleep(_PAUSE)
    return replace(running.node, already_running=True)


def _clear(place: NodePlace) -> None:
    """End what a killed start left running, and forget it. We hold the lock: no one else is at it."""
    for process in marked(place.directory):
        end(process, _STOP_S)
    place.state_file.unlink(missing_ok=True)
    for leftover in place.directory.glob("state-*"):
        leftover.unlink()
    _remove(place.storage("ephemeral").directory)


def _discard(place: NodePlace, *, ephemeral: bool) -> None:
    """Delete what an ephemeral node wrote, and the node's folder and lock if nothing is left of it."""
    if ephemeral:
        _remove(place.storage("ephemeral").directory)
    if place.directory.is_dir() and not any(place.directory.iterdir()):
        place.directory.rmdir()
        place.lock_file.unlink(missing_ok=True)


def _remove(directory: Path) -> None:
    if directory.is_dir():
        shutil.rmtree(directory)


def _modified(path: Path) -> float:
    return path.stat().st_mtime
