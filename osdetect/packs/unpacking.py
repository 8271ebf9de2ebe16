"""A stream that is being unpacked, read with bounds: a small archive can be made to become any number of bytes."""

import gzip
import io

from osdetect.packs.limits import MAX_SOURCE_BYTES, Gate

MAX_RATIO = 100
"""Bytes out for a byte in. Rules come to 10; only what was made for it comes to more."""
_FREE = 16 << 20
"""Bytes that may come out of however few."""
_MAX_READ = 4 << 20
"""Bytes that are read at once: headers of tar say how long they are, and are read whole."""
_STEP = 1 << 16


class Unpacking(io.RawIOBase):
    """What tarfile reads from. It counts, and goes forward only."""

    def __init__(self, inflated: gzip.GzipFile, packed: int, gate: Gate) -> None:
        super().__init__()
        self._inflated = inflated
        self._most = min(MAX_SOURCE_BYTES, max(_FREE, packed * MAX_RATIO))
        self._gate = gate
        self._at = 0
        self.last = b""
        """What was read last."""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Forward."""
        return True

    def tell(self) -> int:
        """The bytes that came out so far."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end.

        Raises:
            InputError: more comes out than a pack can have.
        """
        if not 0 <= size <= _MAX_READ:
            raise self._gate.too_much("a header in it is longer than any file's name")
        data = self.last = self._inflated.read(size)
        self._at += len(data)
        if self._at > self._most:
            raise self._gate.too_much(f"its archive unpacks to more than {self._most >> 20} MiB")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Forward to a place, by reading up to it.

        Raises:
            ValueError: it lies behind.
        """
        if whence != io.SEEK_SET or offset < self._at:
            raise ValueError("an archive is read forward")
        while self._at < offset and self.read(min(_STEP, offset - self._at)):
            pass
        return self._at
