"""What was made of a file's bytes before: one pack of entries for each state of everything else it depends on.

    FOLDER/SALT.pack      magic, checksum of the rest, salt, number of entries, keys, ends of values, values

A key is the hash of the salt and of a file's bytes, so an entry never grows stale: what changes makes another key.
A pack is read whole and checked whole, and replaced by renaming: a reader sees the old one or the new one, and of
two writers the last one's entries stay. The folder is the user's alone (0700). A pack that is damaged, cut short, of
another salt, or that anybody else could have written is left unread and named; the work is then done again.
"""

import hashlib
import os
import stat
import struct
import sys
import tempfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec

from osdetect.errors import OsdetectError

MAGIC = f"osdetect-pack-1-{sys.byteorder}".encode()
"""A folder may be shared between machines: numbers are written as this one writes them."""
MAX_PACK = 64 << 20
"""Bytes of values in one pack; the entries that were not used last are dropped first."""
MAX_FOLDER = 192 << 20
"""Bytes of all packs; the pack that was not used longest is dropped first."""
ABANDONED = 3_600
"""Seconds after which a half-written file is that of a process which died."""
_KEY = 32
_HEAD = struct.Struct(f"<{len(MAGIC)}s32s32sI")
"""Magic, checksum of all behind the checksum, salt, number of entries."""
_CHECKED_FROM = len(MAGIC) + 32


class CacheUnused(OsdetectError):
    """The cache cannot be read or written. The work is done without it and comes to the same."""


def digest_of(parts: Iterable[bytes]) -> bytes:
    """32 bytes that change with any of the parts, with their order and with where one ends."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


class Pack(msgspec.Struct, frozen=True):
    """The entries that were read, each a part of one block of bytes, and what was wrong with it."""

    places: Mapping[bytes, tuple[int, int]] = msgspec.field(default_factory=dict)
    """For a key the beginning and the end of its value, least recently used first."""
    block: bytes = b""
    complaint: CacheUnused | None = None

    def get(self, key: bytes) -> memoryview | None:
        """The value of a key."""
        place = self.places.get(key)
        return memoryview(self.block)[place[0] : place[1]] if place else None


class Cache(msgspec.Struct, frozen=True):
    """A folder of packs, and the salt of the one that is used."""

    folder: Path
    salt: bytes

    @property
    def file(self) -> Path:
        """The pack of this salt."""
        return self.folder / f"{self.salt.hex()[:32]}.pack"

    def key(self, content: bytes) -> bytes:
        """The key for a file's bytes."""
        return hashlib.sha256(self.salt + content).digest()

    def load(self) -> Pack:
        """What is stored; an empty pack, with a complaint, if it cannot be trusted. Marks the pack as used."""
        try:
            block = self._read()
            places = _places(block, self.salt)
        except FileNotFoundError:
            return Pack()
        except OSError as error:
            return Pack(complaint=_unused(self.file, "read", str(error.strerror)))
        except ValueError as error:
            return Pack(complaint=_unused(self.file, "used", str(error)))
        return Pack(places, block)

    def _read(self) -> bytes:
        _require_private(self.folder.lstat(), "the folder")
        descriptor = os.open(self.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            found = os.fstat(descriptor)
            _require_private(found, "the file")
            if not stat.S_ISREG(found.st_mode) or found.st_size > 2 * MAX_PACK:
                raise ValueError("it is no file that osdetect wrote")
            with suppress(OSError):  # a cache that can only be read is used all the same
                os.utime(descriptor)
            return opened.read()

    def store(self, fresh: Mapping[bytes, bytes], *, used: Sequence[bytes]) -> CacheUnused | None:
        """Write the pack again, with these entries added.

        Args:
            fresh: the entries that the pack lacks.
            used: the keys that were asked for, which stay longest.

        Returns:
            Why it could not be written. That is no failure of what the caller does.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_private(self.folder.lstat(), "the folder")
            # Read again: another process may have added to it meanwhile.
            entries = _kept(self.load(), fresh, used)
            _replace(self.file, _packed(self.salt, entries))
            _prune(self.folder, keep=self.file)
        except OSError as error:
            return _unused(self.folder, "written", str(error.strerror))
        except ValueError as error:
            return _unused(self.folder, "used", str(error))
        return None


def _unused(path: Path, done: str, cause: str) -> CacheUnused:
    return CacheUnused(
        f"the cache of compiled rules cannot be {done}: {path}",
        cause=cause,
        cure="nothing was lost; delete the folder if this stays so, or set OSDETECT_CACHE_DIR to another one",
    )


def _require_private(found: os.stat_result, what: str) -> None:
    """Refuse what somebody else could have written."""
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ValueError(f"{what} is not this user's alone")


def _places(block: bytes, salt: bytes) -> dict[bytes, tuple[int, int]]:
    """Where each value stands.

    Raises:
        ValueError: the block is not what `_packed` wrote for this salt.
    """
    if len(block) < _HEAD.size:
        raise ValueError("it is cut short")
    magic, checksum, of_salt, count = _HEAD.unpack_from(block)
    if magic != MAGIC or of_salt != salt:
        raise ValueError("it was not written for this state of osdetect")
    if hashlib.sha256(memoryview(block)[_CHECKED_FROM:]).digest() != checksum:
        raise ValueError("its checksum does not fit: it is damaged")
    keys_end = _HEAD.size + count * _KEY
    values = keys_end + count * 8
    if values > len(block):
        raise ValueError("it is damaged: it has more keys than bytes")
    ends = array("Q", block[keys_end:values])
    bounds = [values, *(values + end for end in ends)]
    if any(start > end for start, end in pairwise(bounds)) or bounds[-1] != len(block):
        raise ValueError("it is damaged: its values do not follow each other")
    keys = (block[at : at + _KEY] for at in range(_HEAD.size, keys_end, _KEY))
    return dict(zip(keys, pairwise(bounds), strict=True))


def _packed(salt: bytes, entries: Mapping[bytes, bytes | memoryview]) -> bytes:
    ends = array("Q", accumulate(len(value) for value in entries.values()))
    rest = b"".join((salt, struct.pack("<I", len(entries)), *entries, ends.tobytes(), *entries.values()))
    return MAGIC + hashlib.sha256(rest).digest() + rest


def _kept(pack: Pack, fresh: Mapping[bytes, bytes], used: Sequence[bytes]) -> dict[bytes, bytes | memoryview]:
    """The entries that fit, least recently used first."""
    asked = dict.fromkeys(used)
    ordered = (*(key for key in pack.places if key not in asked), *asked)
    values = {key: fresh.get(key) or pack.get(key) for key in ordered}
    entries: dict[bytes, bytes | memoryview] = {}
    size = 0
    for key, value in reversed(values.items()):
        size += len(value or b"")
        if size > MAX_PACK:
            break
        if value is not None:
            entries[key] = value
    return dict(reversed(entries.items()))


def _replace(file: Path, block: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(block)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _prune(folder: Path, keep: Path) -> None:
    """Delete packs beyond the bound, the least recently used first, and what dead processes left half-written."""
    now = keep.stat().st_mtime
    packs: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process prunes at the same time
            found = path.lstat()
            if path.suffix == ".part" and found.st_mtime < now - ABANDONED:
                path.unlink()
            elif path.suffix == ".pack" and path != keep:
                packs.append((found.st_mtime, found.st_size, path))
    size = keep.stat().st_size
    for _, of_this, path in sorted(packs, reverse=True):
        size += of_this
        if size > MAX_FOLDER:
            path.unlink(missing_ok=True)
