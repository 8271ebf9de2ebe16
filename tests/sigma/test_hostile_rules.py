"""Rule text is hostile: whatever stands in a file, reading ends soon, in little memory, with a rule or a refusal at its place."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from osdetect.errors import InputError, RuleError, UsageError
from osdetect.sigma import Rule, RuleSet, read_rules
from osdetect.sigma.pipelines import load_pipelines
from osdetect.sigma.placeholders import read_placeholders
from osdetect.sigma.text_file import MAX_BYTES
from tests.sigma.hostile import HEAD, HOSTILE, READ, content

JUDGE = Path(__file__).with_name("judge.py")
SECONDS = 4.0
"""Of processor time for one rule: each takes less than one on an idle machine; beside other work they count for more."""
MEMORY = 300 << 20
"""Bytes that the whole process ever holds."""
GOOD = HEAD + "detection:\n  a: {f: x}\n  condition: a\n"

Judged = Mapping[str, Mapping[str, Any]]


def _judged(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """What a process of its own makes of each file; a few at a time, so that one that kills it takes few along."""
    names = list(files)
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(names), 20):
        some = names[start : start + 20]
        command = [sys.executable, str(JUDGE), *(str(files[name]) for name in some)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        lines = done.stdout.splitlines()
        assert len(lines) == len(some), (
            f"it ended at {some[len(lines)]!r}: {done.returncode} {done.stderr[-500:]}"
        )
        found |= {name: json.loads(line) for name, line in zip(some, lines, strict=True)}
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """What came of every hostile file."""
    folder = tmp_path_factory.mktemp("hostile")
    files = {name: folder / f"{number}.yml" for number, name in enumerate(HOSTILE)}
    for name, file in files.items():
        file.write_bytes(content(HOSTILE[name]))
    return _judged(files)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_read_or_refused_at_its_place(judged: Judged, name: str) -> None:
    wanted, found = HOSTILE[name], judged[name]
    assert found["crash"] == ""
    if wanted.refused == READ:
        assert found["refused"] == []
        return
    assert wanted.refused in found["refused"][0]["text"]
    for refusal in found["refused"]:
        assert len(refusal["place"]) == 2
        assert all(refusal["place"]) or not wanted.placed
        assert len(refusal["text"]) < 2_000


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_takes_little_time_and_memory(judged: Judged, name: str) -> None:
    assert judged[name]["seconds"] < SECONDS * max(1, judged[name]["rules"])
    assert judged[name]["peak"] < MEMORY


def test_many_hostile_files_are_refused_and_the_good_one_among_them_is_read(tmp_path: Path) -> None:
    for number, name in enumerate(list(HOSTILE)[:30]):
        (tmp_path / f"{number}.yml").write_bytes(content(HOSTILE[name]).replace(b"6f0b2a0e", b"7f0b2a0e"))
    (tmp_path / "good.yml").write_text(GOOD)
    read = read_rules([tmp_path])
    assert "6f0b2a0e-2a35-4f3c-9a5e-0d6c1b7f3a11" in {rule.id for rule in read.rules}
    assert len(read.refused) > 15


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good rule."""
    made = tmp_path / "rules"
    made.mkdir()
    (made / "good.yml").write_text(GOOD)
    return made


def _whats(read: RuleSet[Rule]) -> list[str]:
    assert [rule.title for rule in read.rules] == ["T"]
    return [refusal.what for refusal in read.refused]


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/environ", "../outside.yml"]
)
def test_a_link_out_of_the_folder_is_not_followed(folder: Path, target: str) -> None:
    (folder.parent / "outside.yml").write_text(GOOD)
    (folder / "link.yml").symlink_to(target)
    assert _whats(read_rules([folder])) == ["this link leads out of its folder"]


def test_loops_of_links_end(folder: Path) -> None:
    (folder / "itself.yml").symlink_to("itself.yml")
    (folder / "up").symlink_to(folder)
    (folder / "one.yml").symlink_to("two.yml")
    (folder / "two.yml").symlink_to("one.yml")
    found = read_rules([folder])
    assert [rule.title for rule in found.rules] == ["T"]
    assert len(found.refused) == 3
    assert {len(str(refusal.where)) > 0 for refusal in found.refused} == {True}


@pytest.mark.timeout(20)
def test_what_is_no_plain_file_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yml")
    (folder / "gone.yml").symlink_to("nowhere.yml")
    assert _whats(read_rules([folder])) == ["this is not a plain file"] * 2


def test_a_file_that_cannot_be_read_is_refused() -> None:
    """Reading one's own memory at the address 0 fails for everybody, also for root."""
    (refusal,) = read_rules([Path("/proc/self/mem")]).refused
    assert refusal.what == "this cannot be read"
    assert refusal.cause


def test_devices_are_no_rule_files() -> None:
    with pytest.raises(InputError):
        read_rules([Path("/dev/zero")])


def test_five_thousand_empty_files_are_read_soon(folder: Path) -> None:
    for number in range(5_000):
        (folder / f"{number}.yml").touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    found = read_rules([folder])
    assert (found.files, len(found.rules), found.refused) == (5_001, 1, ())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 2 * SECONDS


_FILES: Mapping[str, bytes] = {
    **{name: content(HOSTILE[name]) for name in HOSTILE if not HOSTILE[name].placed},
    **{
        name: content(HOSTILE[name])
        for name in (
            "alias bomb",
            "billion laughs by merge keys",
            "alias to itself",
            "100,000 brackets",
            "100,000 braces",
            "nested by dashes",
            "a tag of Python with a text",
            "duplicate key",
            "boolean that is none",
            "moment that is none",
            "sexagesimal fraction",
            "NUL bytes",
            "UTF-16 without a mark",
        )
    },
    "a list": b"- a\n- b\n",
    "a text": b"x\n",
    "a value that is a map": b"a: {b: c}\n",
    "a value that is empty": b"a: []\n",
    "values that are lists": b"a: [[b]]\n",
}


def _hostile_files(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    for number, (name, data) in enumerate(_FILES.items()):
        file = tmp_path / f"{number}.yml"
        file.write_bytes(data)
        yield name, file


def test_a_hostile_file_of_placeholders_is_refused(tmp_path: Path) -> None:
    for name, file in _hostile_files(tmp_path):
        with pytest.raises(RuleError) as refused:
            read_placeholders(file)
        assert refused.value.where is not None, name


def test_a_hostile_pipeline_is_refused(tmp_path: Path) -> None:
    for name, file in _hostile_files(tmp_path):
        with pytest.raises(UsageError) as refused:
            load_pipelines([str(file)])
        assert refused.value.where is not None, name


def test_more_values_than_a_placeholder_may_have_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "many.yml"
    file.write_text("a:\n" + "- x\n" * 10_001)
    with pytest.raises(RuleError, match="between 1 and 10,000"):
        read_placeholders(file)
    file.write_bytes(b"a: " + b"x" * MAX_BYTES)
    with pytest.raises(RuleError, match="larger than 1 MiB"):
        read_placeholders(file)
