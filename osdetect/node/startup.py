"""From a chosen port to a server that answers, or to nothing at all."""

import time
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from osdetect.errors import NodeError
from osdetect.node.account import Account
from osdetect.node.artifacts import ArtifactSet
from osdetect.node.configure import LOOPBACK, Launch, command, write_configuration
from osdetect.node.journal import Journal
from osdetect.node.options import DEFAULT_PORT, NodeOptions, RunningNode
from osdetect.node.places import NodePlace
from osdetect.node.ports import choose_port
from osdetect.node.probe import Probe
from osdetect.node.processes import Identity, alive, end, identify, launch, marked
from osdetect.node.progress import OnProgress, Progress, Stage
from osdetect.node.security import make_users, prepare, secrets_of
from osdetect.node.state import State, write_state

_PAUSE = 0.1
_STOP_S = 10.0
"""Given to a half-started server to end by itself."""
_RECOVERY_S = 30.0
"""Given to the indices of earlier starts to come up, once the server answers."""
_PORT_TRIES = 3
"""Another program may take the free port before the server does."""


class Ground(msgspec.Struct, frozen=True):
    """What is in place before a start: files, Java, account."""

    place: NodePlace
    options: NodeOptions
    artifacts: ArtifactSet
    home: Path
    java: Path
    account: Account | None
    now: datetime
    """For the certificates of the secured variant."""


def bring_up(ground: Ground, on_progress: OnProgress) -> RunningNode:
    """Start the server and wait until it answers; on any failure or interruption nothing of it is left running.

    Raises:
        NodeError: it ended, or it did not answer in time; with its last words.
    """
    for attempt in range(1, _PORT_TRIES + 1):
        port = choose_port(ground.options.port)
        try:
            return _bring_up_on(port, ground, on_progress)
        except _PortLost as lost:
            if ground.options.port is not None or attempt == _PORT_TRIES:
                raise lost.failure from None
    raise AssertionError("the last attempt returned or raised")


class _PortLost(Exception):
    """The port was taken between our choice and the server's."""

    def __init__(self, failure: NodeError) -> None:
        super().__init__(failure.what)
        self.failure = failure


def _bring_up_on(port: int, ground: Ground, on_progress: OnProgress) -> RunningNode:
    storage = ground.place.storage(ground.options.storage)
    storage.create(ground.account)
    plan = Launch(ground.java, ground.home, ground.place.directory, storage, port, ground.options)
    secured = ground.options.secured
    write_configuration(plan, prepare(storage, ground.home, ground.account, ground.now) if secured else {})
    journal = Journal.from_now(storage)
    began = time.monotonic()
    try:
        state = _launched(plan, ground, journal)
        probe = probe_of(state)
        _await_answer(state.process, probe, journal, ground.options.ready_timeout_s, on_progress)
        if secured:
            make_users(secrets_of(storage.directory), state.node.url, on_progress)
        notes = (*_port_note(port, ground.options), *_await_recovery(state.process, probe))
        node = replace(state.node, seconds_to_ready=round(time.monotonic() - began, 2))
        write_state(ground.place.state_file, replace(state, ready=True, node=node))
    except BaseException:
        for process in marked(ground.place.directory):
            end(process, _STOP_S)
        ground.place.state_file.unlink(missing_ok=True)
        raise
    return replace(node, notes=notes)


def _launched(plan: Launch, ground: Ground, journal: Journal) -> State:
    """Start the process and write down which it is, before anything is waited for."""
    storage = plan.storage
    pid = launch(
        command(plan), account=ground.account, directory=storage.directory, output=storage.console_file
    )
    process = identify(pid)
    if process is None:
        raise journal.failure("the server ended at once")
    secured = ground.options.secured
    node = RunningNode(
        name=ground.options.name,
        url=f"{'https' if secured else 'http'}://{LOOPBACK}:{plan.port}",
        pid=pid,
        version=ground.artifacts.version,
        ephemeral=ground.options.ephemeral,
        data_dir=storage.data,
        log_file=storage.log_file,
        seconds_to_ready=0.0,
        credentials=secrets_of(storage.directory).credentials if secured else None,
    )
    state = State(
        process=process,
        variant=ground.artifacts.variant,
        port=plan.port,
        heap_mb=ground.options.heap_mb,
        storage=storage.directory,
        ready=False,
        node=node,
    )
    write_state(ground.place.state_file, state)
    return state


def probe_of(state: State) -> Probe:
    """Asks the node of `state`, as the administrator if it is secured."""
    url = state.node.url
    return secrets_of(state.storage).probe(url) if state.node.credentials else Probe(url)


def _await_answer(
    process: Identity, probe: Probe, journal: Journal, timeout: float, on_progress: OnProgress
) -> None:
    """Wait until the server on the port is the process that we started, and it has a cluster state."""
    began = time.monotonic()
    while True:
        waited = time.monotonic() - began
        if probe.process_id() == process.pid and probe.health():
            return
        if not alive(process):
            failure = journal.failure("the server ended before it was ready")
            raise _PortLost(failure) if "BindHttpException" in journal.text() else failure
        if waited > timeout:
            raise journal.failure(f"the server did not answer within {timeout:.0f} s")
        on_progress(Progress(Stage.START, int(waited), int(timeout)))
        time.sleep(_PAUSE)


def _await_recovery(process: Identity, probe: Probe) -> tuple[str, ...]:
    """Wait for the indices of earlier starts; a note if some do not come up."""
    deadline = time.monotonic() + _RECOVERY_S
    while probe.health() == "red":
        if time.monotonic() > deadline or not alive(process):
            return ("some indices of earlier starts did not come up (health: red); see: osdetect node logs",)
        time.sleep(_PAUSE)
    return ()


def _port_note(port: int, options: NodeOptions) -> tuple[str, ...]:
    if options.port is None and port != DEFAULT_PORT:
        return (f"port {DEFAULT_PORT} is taken by another program: the node uses {port}",)
    return ()
