"""Unpacking at once: only of what is one gzip member to its last byte, and the same text."""

import gzip
import random
import zlib

import pytest

from osdetect.cloudtrail import inflate

TEXT = b'{"Records":[' + b",".join(b'{"n":%d}' % number for number in range(5_000)) + b"]}"
MEMBER = gzip.compress(TEXT)


@pytest.fixture(params=["zlib", "isal"], autouse=True)
def _library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(inflate, "_at_once", zlib.decompress)
        monkeypatch.setattr(inflate, "_crc32", zlib.crc32)
    else:
        pytest.importorskip("isal")


def test_a_member_is_unpacked() -> None:
    assert inflate.unpacked_at_once(MEMBER) == TEXT
    named = b"\x1f\x8b\x08\x08" + MEMBER[4:10] + b"name.json\0" + MEMBER[10:]
    assert inflate.unpacked_at_once(named) == TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MEMBER[:5],
        MEMBER[:-1],
        MEMBER[:-8],
        MEMBER + b"\0",
        MEMBER + b"x",
        MEMBER + MEMBER,
        MEMBER + gzip.compress(b"other"),
        gzip.compress(b"x" * len(TEXT)) + MEMBER,
        MEMBER + b'{"Records":[]}' + MEMBER[-8:],
        MEMBER + MEMBER[-8:],
        MEMBER[:-8] + bytes(4) + MEMBER[-4:],
        MEMBER[:-4] + (len(TEXT) - 1).to_bytes(4, "little"),
        MEMBER[:-4] + (1).to_bytes(4, "little"),
        MEMBER[:-4] + b"\xff\xff\xff\xff",
        MEMBER[:100] + b"\xff" * 50 + MEMBER[150:],
        gzip.compress(b""),
        TEXT,
    ],
    ids=range(18),
)
def test_anything_else_is_not(data: bytes) -> None:
    assert inflate.unpacked_at_once(data) is None


def test_a_change_anywhere_never_gives_another_text() -> None:
    chance = random.Random(1)
    for _ in range(2_000):
        at = chance.randrange(10, len(MEMBER))
        changed = MEMBER[:at] + bytes([MEMBER[at] ^ (1 << chance.randrange(8))]) + MEMBER[at + 1 :]
        # Bits behind the last block, up to the next byte, say nothing.
        assert inflate.unpacked_at_once(changed) in {None, TEXT}


def test_a_text_that_is_larger_than_a_piece_is_left() -> None:
    assert inflate.unpacked_at_once(gzip.compress(bytes(inflate._PIECE))) is not None
    assert inflate.unpacked_at_once(gzip.compress(bytes(inflate._PIECE + 1))) is None
