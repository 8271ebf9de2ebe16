"""An update that is killed leaves the old pack or the new one, and whoever comes after goes on from there."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osdetect import packs
from osdetect.packs import Change, Selection, State
from tests.packs.conftest import Packs
from tests.packs.material import Repository, held, rule

_EVENTS = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.listdir", "ctypes.dlsym"})
"""What Python's audit tells of the file system, before it is done; `ctypes.dlsym` stands before the exchange."""


def killed_at(number: int, root: Path, action: str) -> bool:
    """Do the action in a process of its own that is killed before its so many-th touch of `root`; whether it was."""
    child = os.fork()
    if not child:
        _die_at(number, root)
        status = 1
        try:
            if action == "update":
                (done,) = packs.update(root)
                status = 0 if isinstance(done, Change) else 1
            else:
                packs.remove(root, "source")
                status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    if os.WIFSIGNALED(ended):
        return True
    assert os.waitstatus_to_exitcode(ended) == 0
    return False


def _die_at(number: int, root: Path) -> None:
    left = [number]
    top = str(root)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        inside = event == "ctypes.dlsym" or (arguments and str(arguments[0]).startswith(top))
        if event in _EVENTS and inside:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)


@pytest.fixture
def ready(tmp_path: Path, root: Path) -> tuple[Path, dict[str, str], dict[str, str]]:
    """A pack with a new state of its source before it; what it holds, and what it will."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.yml").write_text(rule("First"), encoding="utf-8")
    (source / "gone.yml").write_text(rule("Gone"), encoding="utf-8")
    packs.add(root, packs.source_of(str(source)), Selection())
    old = held(root)
    (source / "a.yml").write_text(rule("First", level="low"), encoding="utf-8")
    (source / "b.yml").write_text(rule("Second"), encoding="utf-8")
    (source / "gone.yml").unlink()
    new = {"source/a.yml": rule("First", level="low"), "source/b.yml": rule("Second")}
    return source, old, new


def _moments(root: Path, action: str) -> Iterator[tuple[int, Path]]:
    """The repository, killed at each touch in turn, until none is left."""
    kept = root.with_name("kept")
    shutil.copytree(root, kept, symlinks=True)
    number = 0
    while True:
        shutil.rmtree(root)
        shutil.copytree(kept, root, symlinks=True)
        if not killed_at(number, root, action):
            assert number > 15
            return
        yield number, root
        number += 1


def _left(root: Path) -> list[str]:
    return sorted(path.name for path in (*root.iterdir(), *(root / "packs").iterdir()))


def test_an_update_killed_at_any_touch_of_a_file_leaves_the_old_pack_or_the_new(
    root: Path, ready: tuple[Path, dict[str, str], dict[str, str]]
) -> None:
    _, old, new = ready
    states = []
    for number, here in _moments(root, "update"):
        found = held(here)
        assert found in (old, new), number
        (listed,) = packs.listed(here)
        assert listed.state is State.CLEAN, number
        assert held(here) == found, "what was visible stays what it was"
        assert _left(here) == ["osdetect.packs.lock", "packs", "source"], "nothing is left behind"
        states.append(found == new)
    assert states == sorted(states)
    assert {*states} == {False, True}
    assert held(root) == new


def test_a_removal_killed_at_any_touch_leaves_the_pack_or_none(
    root: Path, ready: tuple[Path, dict[str, str], dict[str, str]]
) -> None:
    _, old, _ = ready
    for number, here in _moments(root, "remove"):
        found = held(here)
        assert found in (old, {}), number
        listed = packs.listed(here)
        assert [one.state for one in listed] == ([State.CLEAN] if found else []), number
        assert _left(here) == ["osdetect.packs.lock", "packs", *(["source"] if found else [])], number


def test_a_second_command_says_that_another_is_at_work(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    packs("add", upstream.folder)
    code = (
        "import sys, time; from pathlib import Path; from osdetect.packs.place import held\n"
        "with held(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holding = subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True)
    try:
        assert holding.stdout
        assert holding.stdout.readline() == "held\n"
        done = packs("update")
        assert done.status == 4
        assert "another osdetect" in done.err
    finally:
        holding.kill()
        holding.communicate()
    assert packs("update").status == 0


def test_ctrl_c_while_a_source_does_not_answer_ends_at_once(root: Path, tmp_path: Path) -> None:
    """A stand-in for git that never answers shows that it is ended with all that it started."""
    folder = tmp_path / "bin"
    folder.mkdir()
    slow = folder / "git"
    pids = tmp_path / "pids"
    slow.write_text(
        f"#!/bin/sh\nsleep 300 &\necho $$ $! > {pids}.new; mv {pids}.new {pids}\nwait\n", encoding="utf-8"
    )
    slow.chmod(0o755)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "osdetect",
            "packs",
            "add",
            "https://127.0.0.1:1/rules.git",
            "--root",
            str(root),
        ],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not pids.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    for pid in map(int, pids.read_text(encoding="utf-8").split()):
        assert _ended(pid)
    assert not (root / "osdetect.packs.lock").exists()


def _ended(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
