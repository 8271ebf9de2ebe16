"""Writes `artifacts.json` anew: `python -m osdetect.node.lock`. For maintainers; needs the network.

What is wanted stands in the tables below. jgo resolves it to the exact files; each is downloaded once, measured
and hashed. The result is reviewed and committed like any other change.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from osdetect.node.artifacts import FORMAT, LOCK_FILE, Variant

THREADS = 8


class Module(msgspec.Struct, frozen=True):
    """One module of the server: its directory name, its artifact, and what its descriptor says."""

    name: str
    artifact: str
    classname: str
    description: str
    extends: tuple[str, ...] = ()


SERVER = ("opensearch", "opensearch-plugin-classloader", "opensearch-agent-bootstrap")

MODULES = (
    Module(
        "percolator",
        "percolator-client",
        "org.opensearch.percolator.PercolatorModulePlugin",
        "Stores queries and finds those that a document matches",
    ),
    Module(
        "transport-netty4",
        "transport-netty4-client",
        "org.opensearch.transport.Netty4ModulePlugin",
        "HTTP and transport by Netty",
    ),
    Module(
        "lang-painless",
        "lang-painless",
        "org.opensearch.painless.PainlessModulePlugin",
        "The scripting language of ingest pipelines and updates",
    ),
    Module(
        "ingest-common",
        "ingest-common",
        "org.opensearch.ingest.common.IngestCommonModulePlugin",
        "The usual ingest processors",
        extends=("lang-painless",),
    ),
    Module(
        "mapper-extras",
        "mapper-extras-client",
        "org.opensearch.index.mapper.MapperExtrasModulePlugin",
        "More field types",
    ),
    Module(
        "reindex",
        "reindex-client",
        "org.opensearch.index.reindex.ReindexModulePlugin",
        "Reindex, update and delete by query",
    ),
    Module(
        "parent-join",
        "parent-join-client",
        "org.opensearch.join.ParentJoinModulePlugin",
        "The join field type",
    ),
    Module(
        "lang-mustache",
        "lang-mustache-client",
        "org.opensearch.script.mustache.MustacheModulePlugin",
        "Templates of searches",
    ),
    Module(
        "lang-expression",
        "lang-expression",
        "org.opensearch.script.expression.ExpressionModulePlugin",
        "Numeric expressions in sorts and aggregations",
    ),
    Module(
        "aggs-matrix-stats",
        "aggs-matrix-stats-client",
        "org.opensearch.search.aggregations.matrix.MatrixAggregationModulePlugin",
        "Statistics over several fields",
    ),
)

VERSIONS = {Variant.PLAIN: "3.8.0", Variant.SECURED: "3.4.0"}

SECURITY_DIRECTORY = "plugins/opensearch-security"
SECURITY = (
    # (coordinates, packaging, where it goes): the zip brings its own jars and leaves one out.
    (("org.opensearch.plugin", "opensearch-security", "3.4.0.0"), "zip", SECURITY_DIRECTORY),
    (("org.apache.commons", "commons-collections4", "4.4"), "jar", SECURITY_DIRECTORY),
)

LEFT_OUT = {
    # Native code of HTTP/3 for five platforms, 12 MB; the node speaks HTTP/1.1 on the loopback interface.
    ("io.netty", "netty-codec-native-quic"),
}


def main() -> int:
    """Resolve both sets and write the lock file."""
    with tempfile.TemporaryDirectory() as directory:
        sets = {variant.value: _resolve(variant, Path(directory)) for variant in Variant}
    LOCK_FILE.write_text(json.dumps({"format": FORMAT, "sets": sets}, indent=1) + "\n", encoding="utf-8")
    for name, entry in sets.items():
        size = sum(artifact["size"] for artifact in entry["artifacts"])
        sys.stdout.write(
            f"{name}: OpenSearch {entry['version']}, {len(entry['artifacts'])} files, {size:,} bytes\n"
        )
    return 0


def _resolve(variant: Variant, directory: Path) -> dict[str, Any]:
    version = VERSIONS[variant]
    closure = _Closure(directory)
    server = closure.of(f"org.opensearch:{name}:{version}" for name in SERVER)
    logging = next(found.version for found in server if found.artifactId == "log4j-api")
    server += closure.of([f"org.apache.logging.log4j:log4j-core:{logging}"])
    wanted = dict(_placed(server, "lib", set()))
    held = {(found.groupId, found.artifactId) for found in wanted.values()}
    for module in MODULES:
        found = closure.of([f"org.opensearch.plugin:{module.artifact}:{version}"])
        wanted.update(_placed(found, f"modules/{module.name}", held))
    if variant is Variant.SECURED:
        for coordinates, packaging, place in SECURITY:
            artifact = closure.exactly(*coordinates, packaging)
            wanted[place if packaging == "zip" else f"{place}/{artifact.filename}"] = artifact
    distinct = {artifact.key: artifact for artifact in wanted.values()}  # two modules may share a jar
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda artifact: artifact.resolve(), distinct.values()))
    entries = [_entry(place, artifact) for place, artifact in wanted.items()]
    return {
        "version": version,
        "modules": [
            {
                "name": m.name,
                "description": m.description,
                "classname": m.classname,
                "extends": list(m.extends),
            }
            for m in MODULES
        ],
        "artifacts": sorted(entries, key=lambda entry: str(entry["path"])),
    }


class _Closure:
    """What a set of artifacts needs at run time, by jgo's resolver."""

    def __init__(self, directory: Path) -> None:
        from jgo.maven import MavenContext  # noqa: PLC0415 - slow to import, and only maintainers need it

        self._context = MavenContext(repo_cache=directory, timeout=60)

    def exactly(self, group: str, name: str, version: str, packaging: str) -> Any:
        return self._context.project(group, name).at_version(version).artifact(packaging=packaging)

    def of(self, coordinates: Iterable[str]) -> list[Any]:
        wanted = [self._context.create_dependency(text) for text in coordinates]
        inputs, needed = self._context.resolver.resolve(wanted)
        return [found.artifact for found in (*inputs, *needed)]


def _placed(found: Iterable[Any], place: str, held: set[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """Where each artifact goes, without those left out and those that the server's own `lib/` holds."""
    for artifact in found:
        key = (artifact.groupId, artifact.artifactId)
        if key not in held and key not in LEFT_OUT:
            yield f"{place}/{artifact.filename}", artifact


def _entry(place: str, artifact: Any) -> dict[str, Any]:
    content = artifact.resolve().read_bytes()
    return {
        "coordinates": f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}",
        "packaging": artifact.packaging,
        "path": place,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


if __name__ == "__main__":
    sys.exit(main())
