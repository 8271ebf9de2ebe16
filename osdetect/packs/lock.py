"""The lock file: for each pack where it came from, in which state, under which terms, and what of it was taken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson

from osdetect.errors import InputError, OsdetectError, Where
from osdetect.packs.licence import Licence
from osdetect.packs.overlay import Action
from osdetect.packs.selection import Selection, selection_of
from osdetect.packs.source import Kind, Source, check_name, source_of

FORMAT = 1


class Applied(msgspec.Struct, frozen=True):
    """An overlay as it was applied."""

    id: str
    action: Action
    file: str
    digest: str
    """Of the overlay."""
    base: str
    """The digest of the rule that the overlay was written for; empty if the source had none of that id."""
    conflict: bool = False
    """Whether the source says something else by now."""


class Pack(msgspec.Struct, frozen=True):
    """An entry of the lock file."""

    name: str
    source: Source
    revision: str
    licence: Licence
    selection: Selection
    content: str
    """The SHA-256 of the manifest, which has those of all files."""
    rules: int
    refused: tuple[str, ...]
    """Files and rules of the source that cannot be read, or are not taken because they are hostile: path and reason."""
    overlays: tuple[Applied, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        source = {"kind": self.source.kind.value, "location": self.source.location}
        return {
            "source": {
                **source,
                **({"ref": self.source.ref} if self.source.ref else {}),
                **({"folder": self.source.folder} if self.source.folder else {}),
            },
            "revision": self.revision,
            "licence": {
                "name": self.licence.name,
                "files": list(self.licence.files),
                "named_by_rules": list(self.licence.named_by_rules),
                "authors": self.licence.authors,
            },
            "selection": self.selection.to_json(),
            "content": self.content,
            "rules": self.rules,
            "refused": list(self.refused),
            "overlays": [
                {
                    "id": one.id,
                    "action": one.action.value,
                    "file": one.file,
                    "sha256": one.digest,
                    "base": one.base,
                    "conflict": one.conflict,
                }
                for one in self.overlays
            ],
        }


def pack_from(name: str, data: Any) -> Pack:
    """An entry as it stands in the file."""
    source, licence = data["source"], data["licence"]
    return Pack(
        name=check_name(name),
        source=source_of(
            source["location"],
            kind=Kind(source["kind"]),
            ref=source.get("ref", ""),
            folder=source.get("folder", ""),
        ),
        revision=str(data["revision"]),
        licence=Licence(
            str(licence["name"]),
            tuple(map(str, licence["files"])),
            tuple(map(str, licence["named_by_rules"])),
            int(licence["authors"]),
        ),
        selection=selection_of(data["selection"]),
        content=str(data["content"]),
        rules=int(data["rules"]),
        refused=_refused(data["refused"]),
        overlays=tuple(_applied(one) for one in data["overlays"]),
    )


def _refused(said: Any) -> tuple[str, ...]:
    """An older osdetect wrote how many they are: then none of them is known."""
    if isinstance(said, int):
        return (f"{said} that were only counted",) if said else ()
    return tuple(map(str, said))


def _applied(data: Any) -> Applied:
    return Applied(
        id=str(data["id"]),
        action=Action(data["action"]),
        file=str(data["file"]),
        digest=str(data["sha256"]),
        base=str(data["base"]),
        conflict=bool(data["conflict"]),
    )


def read_lock(file: Path) -> Mapping[str, Pack]:
    """The packs of a lock file, by name; none if there is no file.

    Raises:
        InputError: it is damaged.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _damaged(file, str(error.strerror or error)) from error
    try:
        read = orjson.loads(data)
        if read["format"] != FORMAT:
            raise _damaged(file, f"its format is {read['format']!r}, and this osdetect knows {FORMAT}")
        return {name: pack_from(name, one) for name, one in read["packs"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(file, f"{type(error).__name__}: {error}"[:200]) from error
    except OsdetectError as error:
        raise _damaged(file, str(error)) from error


def _damaged(file: Path, cause: str) -> InputError:
    return InputError(
        "the lock file of the packs cannot be read",
        cause=cause,
        cure="restore it from the history of your repository",
        where=Where(str(file)),
    )


def lock_bytes(packs: Mapping[str, Pack]) -> bytes:
    """The lock file's content: the same packs give the same bytes."""
    data = {"format": FORMAT, "packs": {name: packs[name].to_json() for name in sorted(packs)}}
    return orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
