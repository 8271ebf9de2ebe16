"""What is in a pack's folder, as a file in it: by it `list` knows what was edited, and `update` what changed."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson

from osdetect.errors import InputError

MANIFEST = ".manifest.json"
UPSTREAM = ".upstream"
"""The folder of files as the source has them, where an overlay made others of them."""
ADDED = "_overlay"
"""The folder of rules that only an overlay has."""


class HeldRule(msgspec.Struct, frozen=True):
    """A rule of a pack."""

    id: str
    title: str
    file: str
    digest: str


class Manifest(msgspec.Struct, frozen=True):
    """The files of a pack and the rules in them."""

    files: Mapping[str, str]
    """The SHA-256 of each file, by its path."""
    rules: tuple[HeldRule, ...]

    def to_bytes(self) -> bytes:
        """The file."""
        rules = [[one.id, one.title, one.file, one.digest] for one in self.rules]
        data = {"files": dict(sorted(self.files.items())), "rules": sorted(rules)}
        return orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def by_id(self) -> Mapping[str, HeldRule]:
        """The rules by id; a second rule of an id, which no command takes, is not looked at."""
        return {one.id: one for one in reversed(self.rules)}


def manifest_of(files: Mapping[str, bytes], rules: Iterable[HeldRule]) -> Manifest:
    """The manifest of these files."""
    # In the order of the file: of several rules of one id the same one is looked at, now and when it is read back.
    ordered = sorted(rules, key=lambda one: (one.id, one.title, one.file, one.digest))
    return Manifest({path: hashlib.sha256(data).hexdigest() for path, data in files.items()}, tuple(ordered))


def manifest_from(data: bytes, name: str) -> Manifest:
    """What the file says.

    Raises:
        InputError: it is damaged.
    """
    try:
        read: dict[str, Any] = orjson.loads(data)
        files = {str(path): str(digest) for path, digest in read["files"].items()}
        return Manifest(files, tuple(HeldRule(*map(str, one)) for one in read["rules"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the list of files in the pack {name} is damaged",
            cause=f"{MANIFEST}: {type(error).__name__}",
            cure=f"osdetect packs update {name} --discard-edits",
        ) from error
