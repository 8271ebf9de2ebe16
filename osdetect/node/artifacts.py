"""The lock: which artifacts make a node, where each goes in its home, and what each must hash to.

`artifacts.json` is written by `python -m osdetect.node.lock` and read here; nothing is resolved at run time.
"""

import hashlib
import json
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

LOCK_FILE = Path(__file__).with_name("artifacts.json")
FORMAT = 1


class Variant(StrEnum):
    """Which of the two locked sets a node is made from."""

    PLAIN = "plain"
    """No TLS, no users: the server and its modules."""
    SECURED = "secured"
    """The newest server for which the security plugin is published, with that plugin."""


class Artifact(msgspec.Struct, frozen=True):
    """One published file. `size` is in bytes; `path` is relative to the home of the node.

    `path` names a file for a jar, and the folder that it is unpacked into for a zip.
    """

    coordinates: str
    """group:artifact:version."""
    packaging: str
    path: PurePosixPath
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        """The name of its file in the cache: its content's hash, so that it can never be another content."""
        return f"{self.sha256}.{self.packaging}"


class Plugin(msgspec.Struct, frozen=True):
    """A module or plugin of the server: what its `plugin-descriptor.properties` must say."""

    name: str
    description: str
    classname: str
    extends: tuple[str, ...]


class ArtifactSet(msgspec.Struct, frozen=True):
    """Everything that one variant of the node is assembled from."""

    variant: Variant
    version: str
    """Of the OpenSearch server."""
    modules: tuple[Plugin, ...]
    artifacts: tuple[Artifact, ...]

    @property
    def size(self) -> int:
        """Bytes to download into an empty cache."""
        return sum(artifact.size for artifact in self.artifacts)

    @property
    def identity(self) -> str:
        """The server's version and a hash of the whole set: another set is another home."""
        text = repr((self.version, self.modules, self.artifacts)).encode()
        return f"opensearch-{self.version}-{hashlib.sha256(text).hexdigest()[:12]}"


def locked(variant: Variant) -> ArtifactSet:
    """The locked set of `variant`, from the file that the package carries."""
    document = json.loads(LOCK_FILE.read_bytes())
    if document["format"] != FORMAT:
        raise ValueError(f"{LOCK_FILE.name} has format {document['format']}, not {FORMAT}")
    return _set(variant, document["sets"][variant.value])


def _set(variant: Variant, entry: dict[str, Any]) -> ArtifactSet:
    return ArtifactSet(
        variant=variant,
        version=entry["version"],
        modules=tuple(
            Plugin(m["name"], m["description"], m["classname"], tuple(m["extends"])) for m in entry["modules"]
        ),
        artifacts=tuple(
            Artifact(a["coordinates"], a["packaging"], PurePosixPath(a["path"]), a["sha256"], a["size"])
            for a in entry["artifacts"]
        ),
    )
