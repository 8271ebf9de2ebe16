"""Sets of record numbers, a bit for each: there may be millions."""

from collections.abc import Iterator

import msgspec


class Marks(msgspec.Struct):
    """Some records of one file."""

    bits: bytearray = msgspec.field(default_factory=bytearray)

    def add(self, number: int) -> None:
        """Take a record in."""
        byte = number >> 3
        if byte >= len(self.bits):
            self.bits.extend(bytes(byte + 1 - len(self.bits)))
        self.bits[byte] |= 1 << (number & 7)

    def __contains__(self, number: object) -> bool:
        assert isinstance(number, int)  # of a record
        byte = number >> 3
        return byte < len(self.bits) and bool(self.bits[byte] >> (number & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        """The numbers, in order."""
        for place, byte in enumerate(self.bits):
            if byte:
                yield from (place * 8 + bit for bit in range(8) if byte >> bit & 1)

    @property
    def last(self) -> int:
        """The greatest number, or 0."""
        return len(self.bits) * 8 - (8 - self.bits[-1].bit_length()) - 1 if self.bits else 0
