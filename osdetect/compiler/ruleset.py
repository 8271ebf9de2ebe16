"""Rule files to compiled rules: each file once for its content, then all of them together.

What a file comes to depends on its text and on what the salt says: this osdetect, the libraries that read rules, how
rules are read, and the event mapping. It does not depend on its name, nor on other files: ids that are taken, filters on
other files' rules and correlations come after, in `osdetect.sigma.gather`. Without filters no tree is looked at there: a
compiled rule has all that is asked of it. A filter makes another rule of each that it is for; those are compiled again.
"""

import platform
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache as once
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import msgspec
import orjson

from osdetect import __version__
from osdetect.compiler.cache import Cache, CacheUnused, Pack, digest_of
from osdetect.compiler.compile_texts import compile_texts
from osdetect.compiler.compiled_file import CompiledFile, CompiledRule
from osdetect.compiler.kept_documents import restored
from osdetect.errors import RuleError
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions, RuleSet
from osdetect.sigma.correlation_rule import Correlation
from osdetect.sigma.filters import Filter
from osdetect.sigma.gather import FileResult, gather
from osdetect.sigma.listing import list_files
from osdetect.sigma.options import DEFAULT
from osdetect.sigma.text_file import read_text
from osdetect.source import SourceText

LIBRARIES = ("google-re2", "msgspec", "orjson", "pysigma", "pyyaml")
"""Whose version may change what a rule comes to."""
PACKAGES = ("sigma", "expr", "compiler", "schema", "documents")
"""Whose text may."""

Progress = Callable[[int, int], None]
CompiledResult: TypeAlias = FileResult[CompiledRule]


class CompiledRules(msgspec.Struct, frozen=True):
    """What rule files came to."""

    read: RuleSet[CompiledRule]
    cached: int
    """Files that had been compiled before, so that only their bytes were read."""
    notes: tuple[CacheUnused, ...]
    """What is wrong with the cache; it changes nothing of the above."""

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        """The rules of the set."""
        return self.read.rules


def compile_files(
    paths: Iterable[Path],
    options: ReadOptions = DEFAULT,
    *,
    fields: EventFields,
    cache_folder: Path | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> CompiledRules:
    """Read and compile every rule in the files and folders. The same texts and options give the same bytes.

    Args:
        paths: rule files, and folders that hold some.
        options: which log sources, placeholders and pipelines.
        fields: what the event index knows of each field, for the search queries.
        cache_folder: where results are kept by content; None to keep none.
        on_progress: told the number of files done, and of all.

    Raises:
        InputError: a path does not exist, or there is no rule file in any of them.
    """
    files, refused = list_files(paths)
    cache = Cache(cache_folder, salt(options, fields)) if cache_folder else None
    work = _Work(options, fields, cache, cache.load() if cache else Pack())
    results: list[CompiledResult] = [FileResult(refused=refused), *work.files(files, on_progress)]
    notes = work.keep()
    return CompiledRules(gather(results, files=len(files)), work.cached, notes)


class _Work:
    """One pass over files: what was asked of the cache, and what is new to it."""

    def __init__(self, options: ReadOptions, fields: EventFields, cache: Cache | None, pack: Pack) -> None:
        self._options, self._fields, self._cache, self._pack = options, fields, cache, pack
        self._notes = [pack.complaint] if pack.complaint else []
        self.used: list[bytes] = []
        self.fresh: dict[bytes, bytes] = {}
        self.cached = 0

    def files(self, paths: Sequence[Path], on_progress: Progress) -> list[CompiledResult]:
        """What each file came to, now or before."""
        results: dict[int, CompiledResult] = {}
        missing: dict[int, SourceText] = {}
        for number, path in enumerate(paths):
            try:
                source = read_text(path)
            except RuleError as refusal:
                results[number] = FileResult(refused=(refusal,))
                continue
            kept = self._kept(source) if self._cache else None
            if kept is None:
                missing[number] = source
            else:
                results[number] = kept
        before = len(results)
        compiled = compile_texts(
            tuple(missing.values()),
            self._options,
            self._fields,
            lambda done, _all: on_progress(before + done, len(paths)),
        )
        for (number, source), one in zip(missing.items(), compiled, strict=True):
            results[number] = self._new(source, one)
        on_progress(len(paths), len(paths))
        return [results[number] for number in range(len(paths))]

    def _kept(self, source: SourceText) -> CompiledResult | None:
        assert self._cache is not None  # or nobody asks
        # A text that was decoded from UTF-8 can be encoded again.
        key = self._cache.key(source.text.encode())
        self.used.append(key)
        value = self._pack.get(key)
        if value is None:
            return None
        try:
            found = _in_file(CompiledFile.decode(value), source.name, self._fields)
        except (ValueError, RuleError) as error:
            self._notes.append(
                CacheUnused(
                    "an entry of the cache of compiled rules cannot be read",
                    cause=str(error)[:200],
                    cure="nothing was lost: its file was compiled again",
                )
            )
            return None
        self.cached += 1
        return found

    def _new(self, source: SourceText, compiled: CompiledFile) -> CompiledResult:
        if self._cache is not None:
            self.fresh[self._cache.key(source.text.encode())] = compiled.encode()
        return _in_file(compiled, source.name, self._fields)

    def keep(self) -> tuple[CacheUnused, ...]:
        """Store what is new. What is wrong with the cache, each kind of it once."""
        complaint = self._cache.store(self.fresh, used=self.used) if self._cache and self.fresh else None
        notes = [*self._notes, *([complaint] if complaint else [])]
        return tuple({note.what: note for note in notes}.values())


def _in_file(compiled: CompiledFile, name: str, fields: EventFields) -> CompiledResult:
    """What was compiled, under this name.

    Raises:
        ValueError, RuleError: what was kept of a filter or correlation is none.
    """
    return FileResult(
        rules=tuple(CompiledRule(name, rule, fields) for rule in compiled.rules),
        filters=tuple(restored(Filter, one, name) for one in compiled.filters),
        correlations=tuple(restored(Correlation, one, name) for one in compiled.correlations),
        refused=tuple(notice.error(name) for notice in compiled.refused),
        warnings=tuple(notice.error(name) for notice in compiled.warnings),
        elsewhere=compiled.elsewhere,
    )


def salt(options: ReadOptions, fields: EventFields) -> bytes:
    """32 bytes that change with everything but a file's text that its result depends on."""
    said = {
        "osdetect": __version__,
        "python": [platform.python_version(), unicodedata.unidata_version],
        "libraries": {name: version(name) for name in LIBRARIES},
        "every_log_source": options.every_log_source,
        "placeholders": {name: list(values) for name, values in options.placeholders.items()},
        "pipeline": options.pipeline.digest if options.pipeline else None,
        "fields": [sorted(fields.keywords), dict(fields.ips), fields.ignore_above, sorted(fields.hollow)],
    }
    return digest_of((orjson.dumps(said, option=orjson.OPT_SORT_KEYS), _own_text()))


@once
def _own_text() -> bytes:
    """A digest of the source of what reads and compiles rules, and of the names that go into documents.

    So an edit of osdetect makes another cache, also where its version stays the same.
    """
    package = Path(__file__).resolve().parents[1]
    files = [*package.glob("*.py"), *(file for name in PACKAGES for file in (package / name).rglob("*.py"))]
    named = {str(file.relative_to(package)): file for file in files}
    named["attack.json"] = folder("mappings") / "attack.json"
    return digest_of(part for name in sorted(named) for part in (name.encode(), named[name].read_bytes()))
