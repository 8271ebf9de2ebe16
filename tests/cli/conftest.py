"""The program as a user runs it: a process of its own, its two outputs and its exit status."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from osdetect.cli.main import run
from tests.faults.proxy import FaultProxy


class Ran(msgspec.Struct, frozen=True):
    """What a command came to."""

    status: int
    out: str
    err: str


Osdetect = Callable[..., Ran]


def environment(**extra: str) -> dict[str, str]:
    """Ours, without settings of osdetect's that would lead a test elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OSDETECT_") or name in ("OSDETECT_CACHE_DIR", "OSDETECT_MAVEN_MIRROR")
    }
    return {**kept, "OSDETECT_RETRY_FOR_S": "2", "OSDETECT_PROFILE": "", **extra}


def start(*arguments: object, **extra: str) -> "subprocess.Popen[str]":
    """The program, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "osdetect", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**extra),
    )


@pytest.fixture
def osdetect(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Osdetect:
    """Runs a command line in this process (starting Python costs seconds) and checks what holds for every command."""

    def ran(*arguments: object, **extra: str) -> Ran:
        with monkeypatch.context() as patch:
            for name in set(os.environ) - set(environment()):
                patch.delenv(name)
            for name, value in environment(**extra).items():
                patch.setenv(name, value)
            capfd.readouterr()
            status = run(list(map(str, arguments)))
            sys.stdout.flush()
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out, err
        assert "\x1b[" not in out + err, "no colours where nobody sees them"
        return Ran(status, out, err)

    return ran


@pytest.fixture
def proxy(fresh_cluster: str) -> Iterator[FaultProxy]:
    with FaultProxy(fresh_cluster, lambda _asked: None) as made:
        yield made


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """Settings under which no embedded node is found."""
    return {"OSDETECT_DATA_DIR": str(tmp_path / "no-data")}
