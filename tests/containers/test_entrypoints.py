"""Every command line in docker/, word for word, run against a real node: but for paths and addresses, which are another machine's."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from osdetect.cli.main import run
from osdetect.dashboards.saved_objects import build
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import environment, start
from tests.containers.material import COMPOSE, Entrypoint, entrypoints
from tests.dashboards.server import DashboardsServer
from tests.packs.material import rule

ALL = list(entrypoints())
ONCE = [one for one in ALL if "--every" not in one.words]
GOING_ON = [one for one in ALL if "--every" in one.words]
_DASHBOARDS = ("https://dashboards:5601", "http://dashboards:5601")
_CHANNELS = '[channels.out]\nkind = "stdout"\n'


@pytest.fixture(scope="module")
def dashboards() -> Iterator[DashboardsServer]:
    with DashboardsServer() as made:
        yield made


@pytest.fixture(scope="module")
def world(
    node_url: str, dashboards: DashboardsServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A node with rules on it, and what the paths of the files stand for here."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "rules").mkdir()
    (folder / "rules/one.yml").write_text(rule("CreateUser"), encoding="utf-8")
    (folder / "channels.toml").write_text(_CHANNELS, encoding="utf-8")
    environment_before = environment(OSDETECT_URL=node_url)
    subprocess.run(
        [sys.executable, "-m", "osdetect", "scenario", str(folder / "logs")],
        env=environment_before,
        check=True,
        timeout=60,
        capture_output=True,
    )
    yield {
        "/rules": str(folder / "rules"),
        "/etc/osdetect/rules": str(folder / "rules"),
        "/logs": str(folder / "logs"),
        "/var/lib/cloudtrail": str(folder / "logs"),
        "/etc/osdetect/channels.toml": str(folder / "channels.toml"),
        "/channels/channels.toml": str(folder / "channels.toml"),
        "0.0.0.0:9464": "127.0.0.1:0",
        "127.0.0.1:9464": "127.0.0.1:0",
        "0.0.0.0:9465": "127.0.0.1:0",
        **dict.fromkeys(_DASHBOARDS, dashboards.url),
    }
    shutil.rmtree(folder)


def _here(one: Entrypoint, world: dict[str, str]) -> list[str]:
    return [world.get(word, word) for word in one.words]


def _in_order() -> list[Entrypoint]:
    order = ("deploy", "load", "detect", "status")
    return sorted(ONCE, key=lambda one: order.index(one.words[0]))


def test_there_are_entrypoints_of_every_kind() -> None:
    assert {one.words[0] for one in ALL} == {"deploy", "detect", "load", "notify", "status"}
    assert len({one.place for one in ALL}) == len(ALL) > 15


def test_what_runs_once_runs(
    world: dict[str, str],
    dashboards: DashboardsServer,
    fresh_cluster: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OSDETECT_URL", fresh_cluster)
    for one in _in_order():
        status = run(_here(one, world))
        said = capfd.readouterr()
        assert status == ExitCode.OK, (one.place, said.out, said.err)
    assert {one.place for one in ONCE if "--dashboards" in one.words} == {
        "compose.yaml:import",
        "compose.dev.yaml:import",
    }
    assert len(dashboards.stored) == len(build())


def test_what_goes_on_goes_on_and_ends_when_it_is_told(world: dict[str, str], fresh_cluster: str) -> None:
    """All of them at once: starting Python takes most of the time."""
    assert run(["deploy", world["/rules"], "--url", fresh_cluster]) == ExitCode.OK
    different = {tuple(_here(one, world)): one for one in GOING_ON}
    running = {one.place: start(*words, OSDETECT_URL=fresh_cluster) for words, one in different.items()}
    try:
        for place, process in running.items():
            assert process.stderr is not None
            assert "started" in process.stderr.readline(), place
        time.sleep(0.2)
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        for place, process in running.items():
            _, err = process.communicate(timeout=30)
            assert process.returncode == ExitCode.OK, (place, err)
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


@pytest.mark.parametrize(("service", "port"), [("detect", 9464), ("notify", 9465)])
def test_a_health_check_tells_well_from_ill(
    fresh_cluster: str, world: dict[str, str], service: str, port: int
) -> None:
    said = COMPOSE["compose.yaml"]["services"][service]
    check = said["healthcheck"]["test"]
    assert check[:3] == ["CMD", "python", "-c"]
    assert run(["deploy", world["/rules"], "--url", fresh_cluster]) == ExitCode.OK
    free = _free_port()
    asking = check[3].replace(str(port), str(free))
    assert asking != check[3]
    assert _python(asking) != 0
    listen = {f"0.0.0.0:{port}": f"127.0.0.1:{free}"}
    process = start(
        *({**world, **listen}.get(word, word) for word in said["command"]), OSDETECT_URL=fresh_cluster
    )
    try:
        assert process.stderr is not None
        assert "started" in process.stderr.readline()
        deadline = time.monotonic() + 30
        while _python(asking) != 0:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        process.kill()
        process.communicate()


def _python(code: str) -> int:
    quiet = {**environment(), "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=20, check=False, env=quiet
    )
    return done.returncode


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
