"""The packs of the cache: their bounds, and several processes at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from osdetect.compiler import cache as cache_module
from osdetect.compiler.cache import ABANDONED, Cache, Pack

SALT = bytes(range(32))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches."""
    monkeypatch.setattr(cache_module, "MAX_PACK", 1_000)
    monkeypatch.setattr(cache_module, "MAX_FOLDER", 2_500)


@pytest.mark.usefixtures("small")
def test_a_full_pack_drops_what_was_not_used_last(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "rules", SALT)
    values = {cache.key(bytes([number])): bytes([number]) * 300 for number in range(4)}
    first, second, third, fourth = values
    cache.store({key: values[key] for key in (first, second, third)}, used=(first, second, third))
    cache.store({fourth: values[fourth]}, used=(first, fourth))
    assert set(cache.load().places) == {first, third, fourth}


@pytest.mark.usefixtures("small")
def test_a_full_folder_drops_the_pack_that_was_not_used_longest(tmp_path: Path) -> None:
    place = tmp_path / "rules"
    caches = [Cache(place, bytes([number]) * 32) for number in range(4)]
    for age, cache in enumerate(caches):
        cache.store({cache.key(b""): b"x" * 900}, used=(cache.key(b""),))
        if cache.file.exists():
            os.utime(cache.file, (1_000_000 + age, 1_000_000 + age))
    assert [cache.file.exists() for cache in caches] == [False, False, True, True]


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "rules", SALT)
    cache.store({cache.key(b"a"): b"1"}, used=(cache.key(b"a"),))
    old, young = cache.folder / "old.part", cache.folder / "young.part"
    for file in (old, young):
        file.write_bytes(b"half")
    written = cache.file.stat().st_mtime - ABANDONED - 10
    os.utime(old, (written, written))
    cache.store({cache.key(b"b"): b"2"}, used=(cache.key(b"b"),))
    assert (old.exists(), young.exists()) == (False, True)


_WRITER = """
import sys
from pathlib import Path
from osdetect.compiler.cache import Cache
cache = Cache(Path(sys.argv[1]), bytes(range(32)))
for number in range(40):
    content = f"{sys.argv[2]} {number}".encode()
    key = cache.key(content)
    complaint = cache.store({key: content * 500}, used=(key,))
    pack = cache.load()
    assert complaint is None and pack.complaint is None, (complaint, pack.complaint)
    assert all(len(pack.get(key)) for key in pack.places)
"""


def test_processes_may_write_at_the_same_time(tmp_path: Path) -> None:
    place = tmp_path / "rules"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(place), name], stderr=subprocess.PIPE, text=True)
        for name in ("a", "b", "c")
    ]
    assert [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers] == [("", 0)] * 3
    pack = Cache(place, SALT).load()
    assert pack.complaint is None
    assert len(pack.places) >= 40
    assert [path.suffix for path in place.iterdir()] == [".pack"]


def test_an_absent_cache_is_an_empty_one(tmp_path: Path) -> None:
    assert Cache(tmp_path / "nowhere", SALT).load() == Pack()
