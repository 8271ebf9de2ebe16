"""The home of the server: `lib/`, `modules/`, `plugins/`, assembled from verified artifacts.

Layout: OpenSearch 3.8.0, `org.opensearch.env.Environment` (path.home) and `org.opensearch.plugins.PluginsService`
(modules and plugins are folders with a `plugin-descriptor.properties`). A home is built beside its place and
renamed into it, so that it is there as a whole or not at all; it is never changed afterwards.
"""

import json
import os
import shutil
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from osdetect.errors import NodeError
from osdetect.node.artifacts import ArtifactSet, Plugin, Variant
from osdetect.node.exclusive import exclusive
from osdetect.node.fetch import THREADS, fetch, sha256_of
from osdetect.node.progress import OnProgress, Progress, Stage

MANIFEST = "manifest.json"
"""In a home: the size and hash of each of its files, taken when it was built."""
_LOCK_TIMEOUT_S = 900
"""Another process may be downloading 70 MB over a slow line."""
_UNPACKED_LIMIT = 300_000_000
"""Bytes that a zip may unpack to; the security plugin takes 60 million."""


def ensure_home(wanted: ArtifactSet, cache: Path, on_progress: OnProgress) -> Path:
    """The verified home of `wanted` below `cache`, downloaded and built if it must be.

    Raises:
        NodeError: something could not be downloaded, or another process holds the cache for too long.
    """
    home = cache / "homes" / wanted.identity
    with exclusive(cache / "cache.lock", "filling the cache", _LOCK_TIMEOUT_S):
        _sweep(cache)
        if not home.is_dir():
            fetch(wanted, cache / "artifacts", on_progress)
            _build(wanted, cache, home, on_progress)
        elif damage := damaged(home):
            on_progress(Progress(Stage.NOTE, 0, 0, f"{damage[0]} in {home} was damaged: it is built anew"))
            fetch(wanted, cache / "artifacts", on_progress)
            _build(wanted, cache, home, on_progress)
    return home


def damaged(home: Path) -> list[str]:
    """The files of a home that are not as they were built, by their paths in it."""
    try:
        manifest = json.loads((home / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return [MANIFEST]

    def differs(entry: tuple[str, list[object]]) -> bool:
        name, (size, digest) = entry
        path = home / name
        return not path.is_file() or path.stat().st_size != size or sha256_of(path) != digest

    with ThreadPoolExecutor(THREADS) as pool:
        entries = list(manifest.items())
        return [name for (name, _), bad in zip(entries, pool.map(differs, entries), strict=True) if bad]


def _sweep(cache: Path) -> None:
    """Remove what a killed process left half-made; nobody else is at work, since we hold the lock."""
    for leftover in (*cache.glob("artifacts/fetch-*"), *cache.glob("homes/build-*")):
        shutil.rmtree(leftover)


def _build(wanted: ArtifactSet, cache: Path, home: Path, on_progress: OnProgress) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="build-", dir=home.parent))
    for folder in ("bin", "extensions", "lib", "modules", "plugins"):  # the server would make those that lack
        (building / folder).mkdir()
    for count, artifact in enumerate(wanted.artifacts, start=1):
        source = cache / "artifacts" / artifact.filename
        target = building / artifact.path
        if artifact.packaging == "zip":
            _unpack(source, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source, target)
        on_progress(Progress(Stage.ASSEMBLE, count, len(wanted.artifacts)))
    for module in wanted.modules:
        _describe(module, wanted.version, building / "modules" / module.name)
    if wanted.variant is Variant.SECURED:
        _free_standing(building / "plugins")
    _seal(building)
    if home.exists():
        home.rename(building.with_name(f"{building.name}-old"))  # swept by the next start
    building.rename(home)


def _link(source: Path, target: Path) -> None:
    """A hard link where the file system has them, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _unpack(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _UNPACKED_LIMIT:
            raise NodeError(f"{source.name} unpacks to more than {_UNPACKED_LIMIT:,} bytes")
        if any(".." in PurePosixPath(member.filename).parts for member in members):
            raise NodeError(f"{source.name} holds a path that leaves its folder")
        archive.extractall(target)


def _describe(plugin: Plugin, version: str, folder: Path) -> None:
    """The descriptor that the published jar of a module lacks (`org.opensearch.plugins.PluginInfo`)."""
    lines = {
        "name": plugin.name,
        "description": plugin.description,
        "version": version,
        "opensearch.version": version,
        "java.version": "21",
        "classname": plugin.classname,
        "extended.plugins": ",".join(plugin.extends),
    }
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    (folder / "plugin-descriptor.properties").write_text(text, encoding="utf-8")


def _free_standing(plugins: Path) -> None:
    """Let each plugin load without those that it extends optionally and that are not here."""
    for descriptor in plugins.glob("*/plugin-descriptor.properties"):
        lines = descriptor.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if not line.startswith("extended.plugins")]
        descriptor.write_text("\n".join([*kept, "extended.plugins=", ""]), encoding="utf-8")


def _seal(building: Path) -> None:
    """Write the manifest, and let every account read the home whatever our umask is."""
    files = sorted(path for path in building.rglob("*") if path.is_file())
    manifest = {str(path.relative_to(building)): [path.stat().st_size, sha256_of(path)] for path in files}
    (building / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in (building, *building.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
