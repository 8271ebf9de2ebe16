"""The cache of artifacts and the home that is built from it: whole, or healed, or a clear refusal."""

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from osdetect.errors import NodeError
from osdetect.node import NodeOptions, Progress, Stage, Variant, start
from osdetect.node.artifacts import ArtifactSet, locked
from osdetect.node.fetch import FileState, fetch, state_of
from osdetect.node.home import MANIFEST, damaged, ensure_home
from osdetect.node.progress import ignore

LOCKED = locked(Variant.PLAIN)
SMALL = min(LOCKED.artifacts, key=lambda artifact: artifact.size)


@pytest.fixture
def mirror(artifacts: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository on this machine that serves one artifact; the folder that it serves."""
    served = folder / "mirror"
    group, name, version = SMALL.coordinates.split(":")
    path = served / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    path.parent.mkdir(parents=True)
    shutil.copyfile(artifacts / SMALL.filename, path)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, directory=str(served), **kwargs)  # type: ignore[arg-type]  # passed on

        def log_message(self, *_args: object) -> None:
            """Tests print nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OSDETECT_MAVEN_MIRROR", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield path
    server.shutdown()
    thread.join()
    server.server_close()


def _notes(seen: list[Progress]) -> list[str]:
    return [progress.text for progress in seen if progress.stage is Stage.NOTE]


@pytest.mark.parametrize(
    "damage", [b"", b"short", b"?" * SMALL.size], ids=["empty", "truncated", "same size"]
)
def test_a_damaged_cached_file_is_fetched_anew_and_named(
    own_cache: Path, mirror: Path, damage: bytes
) -> None:
    assert mirror.is_file()
    cached = own_cache / "artifacts" / SMALL.filename
    cached.write_bytes(damage)
    assert state_of(cached, SMALL) is FileState.DAMAGED
    seen: list[Progress] = []
    fetched = fetch(LOCKED, own_cache / "artifacts", seen.append)
    assert fetched.downloaded == 1
    assert fetched.damaged == (SMALL,)
    assert SMALL.coordinates in _notes(seen)[0]
    assert state_of(cached, SMALL) is FileState.WHOLE
    assert seen[-1] == Progress(Stage.FETCH, SMALL.size, SMALL.size)


def test_a_mirror_that_serves_other_content_is_refused(own_cache: Path, mirror: Path) -> None:
    mirror.write_bytes(b"not that jar")
    cached = own_cache / "artifacts" / SMALL.filename
    cached.unlink()
    with pytest.raises(NodeError, match="is not the file that the lock names") as refused:
        fetch(LOCKED, own_cache / "artifacts", ignore)
    assert "OSDETECT_MAVEN_MIRROR" in refused.value.cure
    assert not cached.exists()


def test_without_network_a_missing_artifact_is_named_with_a_cure(own_cache: Path, data_dir: Path) -> None:
    assert not data_dir.exists()
    (own_cache / "artifacts" / SMALL.filename).unlink()
    with pytest.raises(NodeError, match="could not be downloaded") as refused:
        start(NodeOptions(name="offline", ephemeral=True))
    assert SMALL.coordinates in refused.value.what
    assert "connect to the network" in refused.value.cure
    assert [path for path in (own_cache / "artifacts").iterdir() if path.is_dir()] == []


def test_a_damaged_home_is_built_anew_from_the_cache(own_cache: Path) -> None:
    home = ensure_home(LOCKED, own_cache, ignore)
    assert damaged(home) == []
    jar = home / SMALL.path
    jar.unlink()
    jar.write_bytes(b"damaged")
    seen: list[Progress] = []
    assert ensure_home(LOCKED, own_cache, seen.append) == home
    assert str(SMALL.path) in _notes(seen)[0]
    assert damaged(home) == []
    (home / MANIFEST).write_text("{")
    assert damaged(home) == [MANIFEST]


def test_two_processes_that_build_the_same_home_at_once_both_get_it_whole(
    own_cache: Path, starter: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    code = (
        "from pathlib import Path\n"
        "from osdetect.node.artifacts import locked\n"
        "from osdetect.node.home import ensure_home\n"
        "from osdetect.node.progress import ignore\n"
        f"print(ensure_home(locked(Variant.PLAIN), Path({str(own_cache)!r}), ignore))"
    )
    outputs = [process.communicate(timeout=60) for process in (starter(code), starter(code))]
    homes = {Path(output.strip()) for output, _error in outputs}
    assert len(homes) == 1, outputs
    assert damaged(homes.pop()) == []
    assert [path.name for path in (own_cache / "homes").iterdir()] == [LOCKED.identity]


def test_what_a_killed_build_left_is_swept_and_every_account_may_read_the_home(own_cache: Path) -> None:
    leftover = own_cache / "homes" / "build-left"
    leftover.mkdir(parents=True)
    (leftover / "half").write_text("a file")
    before = os.umask(0o077)
    try:
        home = ensure_home(LOCKED, own_cache, ignore)
    finally:
        os.umask(before)
    assert not leftover.exists()
    assert all(path.stat().st_mode & 0o004 for path in (home, *home.rglob("*")))


@pytest.mark.parametrize("variant", Variant)
def test_the_lock_names_each_file_once_with_its_size_and_hash(variant: Variant) -> None:
    wanted: ArtifactSet = locked(variant)
    paths = [artifact.path for artifact in wanted.artifacts]
    assert len(set(paths)) == len(paths)
    for artifact in wanted.artifacts:
        assert len(artifact.sha256) == 64
        assert artifact.size > 0
        assert not artifact.path.is_absolute()
        assert ".." not in artifact.path.parts
        assert artifact.coordinates.count(":") == 2
    assert {module.name for module in wanted.modules} >= {"percolator", "transport-netty4", "ingest-common"}
