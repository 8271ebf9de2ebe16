"""Artifacts into the per-user cache, each verified against the lock before it gets its name there.

jgo downloads: it knows where published artifacts are. `OSDETECT_MAVEN_MIRROR` names another repository.
A file is downloaded to a temporary folder and moved into place only when its size and hash are right; so a
cached file is whole, or something damaged it afterwards, which every start checks.
"""

import hashlib
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from osdetect import settings
from osdetect.errors import NodeError
from osdetect.node.artifacts import Artifact, ArtifactSet
from osdetect.node.progress import OnProgress, Progress, Stage

MIRROR_VARIABLE = "OSDETECT_MAVEN_MIRROR"
THREADS = 8
ATTEMPTS = 3
TIMEOUT_S = 20
"""Of silence, in one HTTP request."""


class Fetched(msgspec.Struct, frozen=True):
    """The outcome of `fetch`: what was downloaded, and which cached files were damaged."""

    downloaded: int
    damaged: tuple[Artifact, ...]


def fetch(wanted: ArtifactSet, cache: Path, on_progress: OnProgress) -> Fetched:
    """Make every artifact of `wanted` a verified file in `cache`; the network is used only for what is not.

    Raises:
        NodeError: an artifact could not be downloaded, or what came is not what the lock says.
    """
    cache.mkdir(parents=True, exist_ok=True)
    distinct = {artifact.sha256: artifact for artifact in wanted.artifacts}.values()
    with ThreadPoolExecutor(THREADS) as pool:
        states = list(pool.map(lambda artifact: state_of(cache / artifact.filename, artifact), distinct))
    missing = [
        artifact for artifact, state in zip(distinct, states, strict=True) if state is not FileState.WHOLE
    ]
    damaged = tuple(
        artifact for artifact, state in zip(distinct, states, strict=True) if state is FileState.DAMAGED
    )
    for artifact in damaged:
        on_progress(
            Progress(Stage.NOTE, 0, 0, f"the cached {artifact.coordinates} was damaged and is fetched anew")
        )
    if missing:
        _download(missing, cache, on_progress)
    return Fetched(len(missing), damaged)


class FileState(Enum):
    """Of a file in the cache."""

    WHOLE = "whole"
    MISSING = "missing"
    DAMAGED = "damaged"


def state_of(path: Path, artifact: Artifact) -> FileState:
    """Whether `path` holds exactly `artifact`."""
    if not path.is_file():
        return FileState.MISSING
    if path.stat().st_size != artifact.size:
        return FileState.DAMAGED
    return FileState.WHOLE if sha256_of(path) == artifact.sha256 else FileState.DAMAGED


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(missing: list[Artifact], cache: Path, on_progress: OnProgress) -> None:
    counter = _Counter(sum(artifact.size for artifact in missing), on_progress)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as directory:
        context = _context(Path(directory), counter)
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(_fetch_one, artifact, context, cache) for artifact in missing]
            try:
                for future in running:
                    future.result()
            except BaseException:
                counter.cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _context(directory: Path, counter: "_Counter") -> Any:
    """jgo, writing below `directory` and reporting the bytes that arrive to `counter`."""
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - an extra, and only needed here
    except ImportError as absent:
        raise NodeError(
            "the embedded node must be downloaded first, and jgo is not installed to do it",
            cure="pip install 'osdetect[embedded]'",
        ) from absent
    # Its warnings would be printed: what matters to us is an exception, or a hash that we compare ourselves.
    logging.getLogger("jgo").addHandler(logging.NullHandler())
    mirror = settings.text("maven_mirror").rstrip("/")
    return MavenContext(
        resolver=PythonResolver(progress_callback=counter.file),
        repo_cache=directory,
        remote_repos={"mirror": mirror} if mirror else None,
        timeout=TIMEOUT_S,
    )


def _fetch_one(artifact: Artifact, context: Any, cache: Path) -> None:
    group, name, version = artifact.coordinates.split(":")
    remote = context.project(group, name).at_version(version).artifact(packaging=artifact.packaging)
    failure: Exception | None = None
    for _attempt in range(ATTEMPTS):
        remote.cached_path.unlink(missing_ok=True)
        try:
            path = remote.resolve()
        # jgo raises RuntimeError for an answer other than 200; requests' failures are OSErrors.
        except (RuntimeError, OSError) as failed:
            failure = failed
            continue
        if state_of(path, artifact) is FileState.WHOLE:
            path.chmod(0o644)
            path.replace(cache / artifact.filename)
            return
        failure = None
    raise _not_fetched(artifact, failure)


def _not_fetched(artifact: Artifact, failure: Exception | None) -> NodeError:
    if failure is None:
        return NodeError(
            f"{artifact.coordinates} was downloaded {ATTEMPTS} times and is not the file that the lock names",
            cause="its size or its SHA-256 differs: the repository or something on the way changes it",
            cure=f"set {MIRROR_VARIABLE} to a repository that serves the published files",
        )
    return NodeError(
        f"{artifact.coordinates} is not in the cache and could not be downloaded",
        cause=f"{type(failure).__name__}: {failure}"[:300],
        cure=f"connect to the network, or set {MIRROR_VARIABLE} to the URL of a reachable Maven repository;"
        " once everything is cached the node starts without network",
    )


class _Cancelled(Exception):
    """The start was interrupted, or another artifact failed for good."""


class _Counter:
    """Adds up the bytes that all threads receive."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._total = total
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._done = 0
        self.cancelled = threading.Event()

    @contextmanager
    def file(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """What jgo calls for each file: the context's value takes the bytes that came."""
        yield self._add

    def _add(self, count: int) -> None:
        if self.cancelled.is_set():
            raise _Cancelled
        with self._lock:
            # A file that is fetched twice counts twice: never show more than all.
            self._done = min(self._done + count, self._total)
            self._on_progress(Progress(Stage.FETCH, self._done, self._total))
