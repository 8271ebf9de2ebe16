"""The text of a file piece by piece, unpacked on the way, so that no file is too large for memory.

ISA-L unpacks about three times as fast as zlib and is used where the optional package `isal` is installed. What a broken
stream still gives is decided by zlib alone, so that it does not depend on what is installed.
"""

import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, cast

import msgspec

from osdetect.cloudtrail.unpack import is_gzip
from osdetect.errors import RecordError, Where

try:
    from isal import isal_zlib
except ImportError:
    _FAILURES: tuple[type[Exception], ...] = (zlib.error,)
    _inflater: Callable[[int], Any] = zlib.decompressobj
    _at_once: Callable[[bytes, int, int], bytes] = zlib.decompress
    _crc32: Callable[[bytes], int] = zlib.crc32
else:
    _FAILURES = (zlib.error, cast("type[Exception]", isal_zlib.error))
    _inflater = isal_zlib.decompressobj
    _at_once = isal_zlib.decompress
    _crc32 = isal_zlib.crc32

_GZIP = 31
"""Window bits for a gzip header and trailer with the largest window (zlib manual, inflateInit2)."""
_READ = 1 << 20
"""How much is read of a file at once."""
_MORE = 1 << 12
"""And how much more, should the file have grown."""
_PIECE = 4 << 20
"""The most text that is unpacked at once."""
_SMALL = 64 << 10
"""A file up to this size is unpacked at once, whatever it says of its text: deflate makes it at most 1,032 times as large."""
_CAREFUL = 256
"""How much a broken stream is fed at once: the text is lost from the step that fails, not before."""
_ALWAYS_ALLOWED = 16 << 20
NOT_GZIP = "bytes that are not gzip follow the gzip data"
ENDS_EARLY = "the gzip data ends before its end"


class Pieces(msgspec.Struct):
    """An open file and, while `texts` goes through it, how far it came and why it broke off."""

    path: str
    file: int
    """Its descriptor."""
    size: int
    """Bytes that it had when it was opened."""
    expansion: int
    """The most times that gzip may make text larger, once there are 16 MiB of it."""
    stored_bytes: int = 0
    """Bytes of the file that were read."""
    text_bytes: int = 0
    broken: str = ""
    _hash: Any = msgspec.field(default_factory=hashlib.sha256)

    @staticmethod
    def open(path: str, expansion: int) -> "Pieces":
        """Open a file for reading.

        Raises:
            RecordError: it cannot be opened, or is no plain file.
        """
        try:
            # Without O_NONBLOCK, opening a pipe that was put in the file's place would wait for a writer.
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            known = os.fstat(file)
            if not stat.S_ISREG(known.st_mode):
                os.close(file)
                raise RecordError("this is not a plain file", where=Where(path))
        except OSError as error:
            raise _unreadable(path, error) from None
        return Pieces(path, file, known.st_size, expansion)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.file)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes read so far."""
        return bytes(self._hash.digest())

    def texts(self) -> Iterator[bytes]:
        """The text, in pieces of at most 4 MiB.

        Raises:
            RecordError: the file cannot be read further.
        """
        first = self._read(_READ)
        if not is_gzip(first):
            while first:
                self.text_bytes += len(first)
                yield first
                first = self._read(_READ)
            return
        if self.stored_bytes == self.size <= _SMALL and (text := unpacked_at_once(first)):
            more = self._read(_READ)
            if not more:
                self.text_bytes = len(text)
                yield text
                return
            first += more  # the file has grown
        try:
            for text in self._members(first, _READ, _inflater):
                self.text_bytes += len(text)
                yield text
                if self._too_large():
                    return
        except _FAILURES:
            yield from self._salvaged()

    def _too_large(self) -> bool:
        if self.text_bytes <= max(self.stored_bytes * self.expansion, _ALWAYS_ALLOWED):
            return False
        self.broken = (
            f"{self.stored_bytes:,} bytes unpack to more than {self.text_bytes:,}, as a gzip bomb does"
        )
        return True

    def _salvaged(self) -> Iterator[bytes]:
        """What zlib still gives of a broken stream behind the text that was taken already."""
        passed, taken = 0, self.text_bytes
        self._rewind()
        try:
            for text in self._members(self._read(_CAREFUL), _CAREFUL, zlib.decompressobj):
                new = text[max(0, taken - passed) :]
                passed += len(text)
                if new:
                    self.text_bytes += len(new)
                    yield new
        except zlib.error as error:
            self.broken = f"the gzip data is corrupt ({error})"
        while self._read(_READ):  # the file's digest is of all of it
            pass

    def _rewind(self) -> None:
        os.lseek(self.file, 0, os.SEEK_SET)
        self._hash = hashlib.sha256()
        self.stored_bytes = 0

    def _members(self, data: bytes, step: int, inflater: Callable[[int], Any]) -> Iterator[bytes]:
        """The gzip members, one after the other. Zeros between and behind them are padding, as gzip(1) has it."""
        while data:
            while len(data) < 2 and (more := self._read(step)):
                data += more
            if not is_gzip(data):
                self.broken = NOT_GZIP
                return
            stream = inflater(_GZIP)
            while not stream.eof:
                yield stream.decompress(data, _PIECE)
                if stream.eof:
                    break
                data = stream.unconsumed_tail or self._read(step)
                if not data:
                    while text := stream.decompress(b"", _PIECE):
                        yield text
                    if not stream.eof:
                        self.broken = ENDS_EARLY
                        return
            data = stream.unused_data.lstrip(b"\0")
            while not data and (more := self._read(step)):
                data = more.lstrip(b"\0")

    def _read(self, size: int) -> bytes:
        left = max(self.size - self.stored_bytes, 0)
        try:
            # As much is asked for as there is: Python sets memory aside for all of it.
            data = os.read(self.file, min(size, left + _MORE))
        except OSError as error:
            raise _unreadable(self.path, error) from None
        self.stored_bytes += len(data)
        self._hash.update(data)
        return data


def unpacked_at_once(data: bytes) -> bytes | None:
    """The text of gzip data that is one member and nothing else (RFC 1952); None where that is not certain.

    It takes two thirds of the time of unpacking piece by piece, because the data says how long the text is.
    """
    size = int.from_bytes(data[-4:], "little")
    if not 0 < size <= _PIECE:
        return None
    try:
        text = _at_once(data, _GZIP, size + 1)
    except _FAILURES:
        return None
    # Behind a member stand the checksum and the length of its text. Only one that ends the data has these there first.
    end = _crc32(text).to_bytes(4, "little") + (len(text) & 0xFFFF_FFFF).to_bytes(4, "little")
    return text if data.find(end) == len(data) - len(end) else None


def _unreadable(path: str, error: OSError) -> RecordError:
    return RecordError(
        "the file cannot be read",
        cause=error.strerror or str(error),
        cure="check its permissions",
        where=Where(path),
    )
