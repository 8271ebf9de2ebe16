"""Folders of their own for the tests of the node, which share the user's artifact cache."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from osdetect.node import Variant, stop
from osdetect.node.artifacts import locked
from osdetect.node.fetch import fetch
from osdetect.node.places import CACHE_VARIABLE, DATA_VARIABLE, cache_root, make_passable
from osdetect.node.progress import ignore

UNREACHABLE = "http://127.0.0.1:1/repository"
"""A mirror that nobody answers at: the network is as good as cut."""


@pytest.fixture
def data_dir(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data root; every node in it is stopped afterwards."""
    root = folder / "data"
    monkeypatch.setenv(DATA_VARIABLE, str(root))
    yield root
    for node in root.glob("nodes/*/"):
        stop(node.name)


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """The user's cache of artifacts, complete for the plain node."""
    cache = make_passable(cache_root()) / "artifacts"
    fetch(locked(Variant.PLAIN), cache, ignore)
    return cache


@pytest.fixture
def own_cache(folder: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own with all artifacts in it, and no network to fetch others."""
    cache = folder / "cache"
    (cache / "artifacts").mkdir(parents=True)
    for artifact in locked(Variant.PLAIN).artifacts:
        shutil.copyfile(artifacts / artifact.filename, cache / "artifacts" / artifact.filename)
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    monkeypatch.setenv("OSDETECT_MAVEN_MIRROR", UNREACHABLE)
    return cache


@pytest.fixture
def starter() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs a piece of Python in a process of its own, in a session of its own; killed afterwards."""
    running: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from osdetect.node import *\n{code}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()
