"""The cache of compiled rules: the same bytes with it and without, and nothing taken from one that is not whole."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest
from msgspec.structs import replace

from osdetect.compiler import compile_rule, compile_texts
from osdetect.compiler.cache import Cache
from osdetect.compiler.compiled_file import CompiledFile, compiled_rule
from osdetect.compiler.ruleset import CompiledRules, compile_files, salt
from osdetect.errors import RuleError
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions, read_rules
from osdetect.source import SourceText

FIELDS = EventFields.shipped()
RULE = """\
title: {title}
id: {id}
name: called_{number}
logsource: {{product: aws, service: cloudtrail}}
tags: [attack.t1098.001]
detection:
  selection:
    eventName: {title}
    userAgent|re: 'curl/[0-9]+'
  other:
    errorCode|contains: Denied
  timeframe: 5m
  condition: selection and not other
"""
CORRELATION = """\
title: Many
id: 5b6a7e0c-23d5-4c3f-9d4e-2f4c8ad7b001
correlation:
  type: temporal
  rules: [called_1, called_2]
  group-by: [userIdentity.arn]
  timespan: 5m
"""
FILTER = """\
title: Not the scanner
id: 5b6a7e0c-23d5-4c3f-9d4e-2f4c8ad7b002
logsource: {product: aws, service: cloudtrail}
filter:
  rules: [called_1]
  selection:
    sourceIPAddress: 192.0.2.7
  condition: not selection
"""
BROKEN = "title: Broken\nlogsource: {product: aws}\ndetection:\n  a: {b: [}\n"


def _rule(number: int, title: str = "") -> str:
    return RULE.format(
        title=title or f"Call{number}", number=number, id=f"0f0e0d0c-0000-4000-8000-{number:012}"
    )


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder of rules, with a correlation, a file that cannot be read, and an id that is there twice."""
    place = tmp_path / "rules"
    (place / "inner").mkdir(parents=True)
    for number in range(1, 6):
        (place / f"{number}.yml").write_text(_rule(number), encoding="utf-8")
    (place / "inner" / "again.yml").write_text(_rule(2, "Other"), encoding="utf-8")
    (place / "inner" / "broken.yml").write_text(BROKEN, encoding="utf-8")
    (place / "many.yml").write_text(CORRELATION, encoding="utf-8")
    (place / "latin.yml").write_bytes(b"title: \xe9\n")
    return place


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the cache is."""
    return tmp_path / "cache" / "rules"


def _compile(rules: Path, cache: Path | None) -> CompiledRules:
    return compile_files([rules], fields=FIELDS, cache_folder=cache)


def _said(done: CompiledRules) -> object:
    """All that must not depend on the cache."""
    return (
        [(one.id, one.where, one.document, one.kept.words) for one in done.rules],
        done.read.correlations,
        [(str(error), error.cure, error.where) for error in done.read.refused],
        [(str(error), error.cure, error.where) for error in done.read.warnings],
        done.read.files,
        done.read.other_sources,
    )


def test_cold_warm_and_without_a_cache_come_to_the_same(rules: Path, kept: Path) -> None:
    plain, cold, warm = _compile(rules, None), _compile(rules, kept), _compile(rules, kept)
    assert _said(plain) == _said(cold) == _said(warm)
    assert (plain.cached, cold.cached, warm.cached) == (0, 0, warm.read.files - 1)  # one is no UTF-8
    assert not (*plain.notes, *cold.notes, *warm.notes)
    assert len(plain.rules) == 5
    assert len(plain.read.correlations) == 1
    assert len(plain.read.refused) == 3


def test_what_was_kept_is_what_is_read_and_compiled(rules: Path, kept: Path) -> None:
    _compile(rules, kept)
    warm, read = _compile(rules, kept), read_rules([rules])
    assert warm.cached
    assert tuple(one.rule for one in warm.rules) == read.rules
    assert tuple(one.compiled for one in warm.rules) == tuple(compile_rule(one, FIELDS) for one in read.rules)
    assert warm.read.correlations == read.correlations


@pytest.mark.parametrize("program", [compile_texts._PROGRAM, "import sys; sys.exit(1)", "print('')"])
def test_several_processes_come_to_the_same_as_one_and_what_one_leaves_undone_is_done(
    rules: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    alone = _compile(rules, None)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(compile_texts, "MANY", 2)
    monkeypatch.setattr(compile_texts, "processors", lambda: 3)
    monkeypatch.setattr(compile_texts, "_PROGRAM", program)
    done = compile_files([rules], fields=FIELDS, cache_folder=kept, on_progress=lambda *now: told.append(now))
    assert _said(done) == _said(alone)
    assert told[-1] == (9, 9)


def test_another_process_is_started_and_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "osdetect").mkdir()
    (tmp_path / "osdetect" / "__init__.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    source = SourceText("a.yml", _rule(1))
    with ExitStack() as opened:
        other = compile_texts._Other(compile_texts.Share.of([source, source], ReadOptions(), FIELDS), opened)
        results = other.results()
    assert results == (compile_texts.compile_text(source, ReadOptions(), FIELDS),) * 2


def test_a_changed_file_alone_is_compiled_again(rules: Path, kept: Path) -> None:
    before = _compile(rules, kept)
    (rules / "3.yml").write_text(_rule(3, "Changed"), encoding="utf-8")
    after = _compile(rules, kept)
    assert after.cached == after.read.files - 2
    assert [one.title for one in after.rules if one.title not in {old.title for old in before.rules}] == [
        "Changed"
    ]
    assert _said(after) == _said(_compile(rules, None))


def test_a_file_may_be_called_something_else(rules: Path, kept: Path) -> None:
    _compile(rules, kept)
    moved = rules.rename(rules.with_name("moved"))
    done = _compile(moved, kept)
    assert done.cached == done.read.files - 1
    assert _said(done) == _said(_compile(moved, None))
    assert all(error.where and error.where.file.startswith(str(moved)) for error in done.read.refused)


def test_a_filter_is_applied_to_kept_rules_and_gone_when_it_is_gone(rules: Path, kept: Path) -> None:
    unfiltered = _compile(rules, kept)
    (rules / "filter.yml").write_text(FILTER, encoding="utf-8")
    for _ in range(2):
        filtered = _compile(rules, kept)
        assert _said(filtered) == _said(_compile(rules, None))
        assert tuple(one.rule for one in filtered.rules) == read_rules([rules]).rules
        assert [bool(one.rule.filters) for one in filtered.rules] == [True, False, False, False, False]
        # Only what a filter is for was made again: the others are as they were kept.
        assert [one.kept == old.kept for one, old in zip(filtered.rules, unfiltered.rules, strict=True)] == [
            False, True, True, True, True
        ]  # fmt: skip
    (rules / "filter.yml").unlink()
    assert _said(_compile(rules, kept)) == _said(unfiltered)


def test_a_kept_rule_that_no_filter_is_for_is_not_taken_apart(rules: Path, kept: Path) -> None:
    (rules / "filter.yml").write_text(FILTER, encoding="utf-8")
    _compile(rules, kept)
    cache = Cache(kept, salt(ReadOptions(), FIELDS))
    pack = cache.load()
    broken = {key: bytes(pack.get(key) or b"") for key in pack.places}
    for key, value in broken.items():
        entry = CompiledFile.decode(value)
        if entry.rules and entry.rules[0].name != "called_1":
            words = tuple(replace(rule, words=b"not JSON") for rule in entry.rules)
            broken[key] = replace(entry, rules=words).encode()
    assert cache.store(broken, used=tuple(broken)) is None
    done = _compile(rules, kept)
    assert done.cached == done.read.files - 1
    assert [one.document for one in done.rules] == [one.document for one in _compile(rules, None).rules]
    with pytest.raises(RuleError):
        _ = done.rules[1].rule


def test_what_rules_for_other_log_sources_are_called_is_kept(rules: Path, kept: Path) -> None:
    windows = _rule(7, "Logon").replace("product: aws, service: cloudtrail", "product: windows")
    (rules / "windows.yml").write_text(windows, encoding="utf-8")
    named = CORRELATION.replace("called_1, called_2", "called_7").replace("b001", "b003")
    (rules / "logons.yml").write_text(named, encoding="utf-8")
    cold, warm = _compile(rules, kept), _compile(rules, kept)
    assert _said(cold) == _said(warm) == _said(_compile(rules, None))
    assert warm.cached == warm.read.files - 1
    assert (warm.read.other_sources, len(warm.read.correlations), len(warm.read.refused)) == (2, 1, 3)


_PROGRAM = """
import sys, hashlib
from pathlib import Path
from osdetect.compiler.ruleset import compile_files
from osdetect.schema.event_fields import EventFields
cache = Path(sys.argv[2]) if sys.argv[2] else None
done = compile_files([Path(sys.argv[1])], fields=EventFields.shipped(), cache_folder=cache)
imported = ",".join(name for name in ("sigma", "yaml") if name in sys.modules)
print(hashlib.sha256(b"\\n".join(one.document for one in done.rules)).hexdigest(), done.cached > 0, imported)
"""


def test_the_bytes_depend_neither_on_the_hash_seed_nor_on_the_order_that_a_folder_lists(
    tmp_path: Path, kept: Path
) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    shutil.copytree(folder("rules"), there)
    files = sorted(path.relative_to(there) for path in there.rglob("*.yml"))
    for file in reversed(files):  # on most file systems a folder lists in the order of making, or of a hash
        (back / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(there / file, back / file)

    def run(rules: Path, cache: Path | str, seed: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(rules), str(cache)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout.split()

    plain = run(there, "", "1")
    assert run(back, "", "2")[0] == plain[0]
    assert run(there, kept, "3") == [plain[0], "False", "sigma,yaml"]
    assert run(back, kept, "4") == [plain[0], "True"]  # and neither pySigma nor YAML is imported for that


def test_whatever_a_result_depends_on_makes_another_salt() -> None:
    options = [
        ReadOptions(),
        ReadOptions(every_log_source=True),
        ReadOptions(placeholders={"admins": ("a",)}),
        ReadOptions(placeholders={"admins": ("a", "b")}),
    ]
    fields = [FIELDS, EventFields(FIELDS.keywords - {"eventName"}, FIELDS.ips, FIELDS.ignore_above)]
    salts = {salt(option, known) for option in options for known in fields}
    assert len(salts) == len(options) * len(fields)
    assert salt(ReadOptions(), FIELDS) in salts


def _flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(bytes(data))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit of the head": lambda file: _flip(file, 60),
    "a bit of the checksum": lambda file: _flip(file, 20),
    "a bit of a value": lambda file: _flip(file, -5),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "empty": lambda file: file.write_bytes(b""),
    "something else": lambda file: file.write_bytes(os.urandom(5_000)),
    "writable by others": lambda file: file.chmod(0o666),
    "in a folder that others write to": lambda file: file.parent.chmod(0o777),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_cache_that_cannot_be_trusted_is_named_and_left_out(rules: Path, kept: Path, damage: str) -> None:
    wanted = _compile(rules, kept)
    (file,) = kept.iterdir()
    DAMAGE[damage](file)
    done = _compile(rules, kept)
    assert done.cached == 0
    assert _said(done) == _said(wanted)
    assert len(done.notes) >= 1
    assert all("cache" in note.what and note.cause and note.cure for note in done.notes)
    kept.chmod(0o700)
    _compile(rules, kept)
    healed = _compile(rules, kept)
    assert (healed.cached, healed.notes) == (healed.read.files - 1, ())


def test_a_link_in_place_of_the_cache_is_not_followed(rules: Path, kept: Path, tmp_path: Path) -> None:
    _compile(rules, kept)
    (file,) = kept.iterdir()
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    done = _compile(rules, kept)
    assert (done.cached, len(done.notes)) == (0, 1)


def test_an_entry_with_another_form_is_named_and_compiled_again(rules: Path, kept: Path) -> None:
    wanted = _compile(rules, kept)
    cache = Cache(kept, salt(ReadOptions(), FIELDS))
    keys = tuple(cache.load().places)
    assert cache.store(dict.fromkeys(keys, b"\x93\x01\x02\x03"), used=keys) is None
    done = _compile(rules, kept)
    assert _said(done) == _said(wanted)
    assert [note.what for note in done.notes] == ["an entry of the cache of compiled rules cannot be read"]


def test_a_cache_that_cannot_be_written_is_named(rules: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    done = _compile(rules, blocked / "rules")
    assert _said(done) == _said(_compile(rules, None))
    assert done.notes


def test_nobody_else_can_read_the_cache(rules: Path, kept: Path) -> None:
    _compile(rules, kept)
    (file,) = kept.iterdir()
    assert (kept.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"all":', b'"any":'), (b'"equals":', b'"number":'), (b'"title":', b'"titel":')]
)
def test_a_kept_rule_that_was_tampered_with_is_refused(old: bytes, new: bytes) -> None:
    rule = read_rules([folder("rules")]).rules[0]
    done = compiled_rule(rule, FIELDS)
    assert old in done.kept.words
    words = done.kept.words.replace(old, new)
    for digest in (done.kept.hash, hashlib.sha256(words).hexdigest()[:32]):
        forged = replace(done, kept=replace(done.kept, words=words, hash=digest))
        if digest == done.kept.hash or old != b'"all":':  # any for all is a rule as well, of another hash
            with pytest.raises(RuleError):
                _ = forged.rule
        with pytest.raises(RuleError) if digest != done.kept.hash else nullcontext():
            _ = forged.compiled
