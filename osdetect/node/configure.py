"""The server's configuration and its command line.

Settings: OpenSearch documentation, "Configuring OpenSearch" (network, discovery and gateway, cluster settings).
"""

import json
from pathlib import Path

import msgspec

from osdetect.node.options import NodeOptions, Profile
from osdetect.node.places import Storage
from osdetect.node.processes import MAIN_CLASS, MARKER

LOOPBACK = "127.0.0.1"
_TRANSPORT_PORTS = "9300-9999"
"""The server takes the first free one; nothing else ever connects to it."""

_JVM = (
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    # Java 24 and newer warn of native code and of sun.misc.Unsafe, which Lucene, JNA and Netty use.
    "--enable-native-access=ALL-UNNAMED",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "--sun-misc-unsafe-memory-access=allow",
)
_PROFILES = {
    Profile.FAST_START: ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
    Profile.THROUGHPUT: (),
}

_LOGGING = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:opensearch.logs.base_path}/node.log
appender.file.filePattern = ${sys:opensearch.logs.base_path}/node-%i.log.gz
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""


class Launch(msgspec.Struct, frozen=True):
    """Everything that the process is started from."""

    java: Path
    home: Path
    node_directory: Path
    storage: Storage
    port: int
    options: NodeOptions


def settings(launch: Launch, more: dict[str, object]) -> dict[str, object]:
    """What `opensearch.yml` says; `more` comes from the secured variant."""
    return {
        "cluster.name": f"osdetect-{launch.options.name}",
        "node.name": launch.options.name,
        "path.data": str(launch.storage.data),
        "path.logs": str(launch.storage.logs),
        "http.host": LOOPBACK,
        "http.port": launch.port,
        "transport.host": LOOPBACK,
        "transport.port": _TRANSPORT_PORTS,
        "discovery.type": "single-node",
        # On a laptop's nearly full disk the watermarks would stop allocation, or make every index read-only, in
        # the middle of an investigation. There is no other node to move a shard to.
        "cluster.routing.allocation.disk.threshold_enabled": False,
        # A stray `DELETE /*` must name what it deletes.
        "action.destructive_requires_name": True,
        **more,
    }


def write_configuration(launch: Launch, more: dict[str, object]) -> None:
    """Write `opensearch.yml` and `log4j2.properties`; JSON values are YAML values."""
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in settings(launch, more).items()]
    for name, text in (("opensearch.yml", "".join(lines)), ("log4j2.properties", _LOGGING)):
        path = launch.storage.config / name
        path.unlink(missing_ok=True)  # the folder belongs to the node's account: follow no link there
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
        path.chmod(0o644)


def command(launch: Launch) -> list[str]:
    """Program and arguments of the server."""
    heap = launch.options.heap_mb
    return [
        str(launch.java),
        f"-Xms{min(heap, 256)}m",
        f"-Xmx{heap}m",
        f"-XX:MaxDirectMemorySize={heap // 2}m",
        *_JVM,
        *_PROFILES[launch.options.profile],
        f"-XX:ErrorFile={launch.storage.logs}/java-crash.log",
        f"-Djava.io.tmpdir={launch.storage.tmp}",
        f"{MARKER}{launch.node_directory}",
        f"-Dopensearch.path.home={launch.home}",
        f"-Dopensearch.path.conf={launch.storage.config}",
        "-Dopensearch.distribution.type=tar",
        "-cp",
        f"{launch.home}/lib/*",
        MAIN_CLASS,
    ]
