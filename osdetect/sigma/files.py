"""Rule files and folders: which files are read, in which order, and what each document became."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from osdetect.errors import InputError, RuleError, Where
from osdetect.sigma.correlation import Correlation, is_correlation, read_correlation, resolve
from osdetect.sigma.filters import Filter, apply_filters, read_filter
from osdetect.sigma.options import DEFAULT, ReadOptions
from osdetect.sigma.rule import LogSource, Rule, RuleSet
from osdetect.sigma.text_file import read_text
from osdetect.sigma.yaml_text import Document, documents
from osdetect.source import SourceText

SUFFIXES = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class FileResult:
    """What one file held; a function of its text and of the options."""

    rules: tuple[Rule, ...] = ()
    filters: tuple[Filter, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    refused: tuple[RuleError, ...] = ()
    warnings: tuple[RuleError, ...] = ()
    other_sources: int = 0


def read_rules(
    paths: Iterable[Path],
    options: ReadOptions = DEFAULT,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RuleSet:
    """Read every rule in the files and folders, in the order of their names.

    A broken file, document or rule is refused with its place and never stops the others. The same id twice:
    the first stays, the second is refused.

    Args:
        paths: rule files, and folders that hold some.
        options: which log sources, placeholders and pipelines.
        on_progress: told the number of files read, and of all.

    Raises:
        InputError: a path does not exist, or there is no rule file in any of them.
    """
    files, refused = list_files(paths)
    results = []
    for done, file in enumerate(files):
        on_progress(done, len(files))
        try:
            results.append(read_file(read_text(file), options))
        except RuleError as refusal:
            results.append(FileResult(refused=(refusal,)))
    on_progress(len(files), len(files))
    return gather([*results, FileResult(refused=refused)], files=len(files))


def list_files(paths: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[RuleError, ...]]:
    """The rule files that the paths name, in order, and what cannot be one.

    Raises:
        InputError: a path does not exist, or there is no rule file in any of them.
    """
    refused: list[RuleError] = []
    given = list(paths)
    files = tuple(file for path in given for file in _rule_files(path, refused))
    if not files and not refused:
        raise InputError(
            "no rule files found",
            cause=f"no {' or '.join(SUFFIXES)} file in {', '.join(map(str, given)) or 'nothing'}",
            cure="name a Sigma rule file, or a folder that holds some",
        )
    return files, tuple(refused)


def _rule_files(path: Path, refused: list[RuleError]) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise InputError(f"{path} does not exist", cure="name a Sigma rule file, or a folder that holds some")
    root = path.resolve()
    for folder, subfolders, names in os.walk(path, onerror=lambda e: refused.append(_unreadable(e))):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.endswith(SUFFIXES):
                continue
            file = Path(folder, name)
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                refused.append(
                    RuleError(
                        "this link leads out of its folder",
                        where=Where(str(file)),
                        cure="name the file itself",
                    )
                )
            elif file.is_file():
                yield file
            else:
                refused.append(RuleError("this is not a plain file", where=Where(str(file))))


def _unreadable(error: OSError) -> RuleError:
    return RuleError("this cannot be read", cause=str(error.strerror), where=Where(str(error.filename)))


def read_file(source: SourceText, options: ReadOptions = DEFAULT) -> FileResult:
    """What a file's documents are."""
    from osdetect.sigma.actions import with_actions  # noqa: PLC0415  # beside its only user

    found = _Found()
    for one in with_actions(documents(source)):
        if isinstance(one, RuleError):
            found.refused.append(one)
            continue
        document, warning = one
        try:
            found.add(document, options)
        except RuleError as refusal:
            found.refused.append(refusal)
        found.warnings.extend([warning] if warning else [])
    return found.result()


class _Found:
    """What was found in a file so far."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.filters: list[Filter] = []
        self.correlations: list[Correlation] = []
        self.refused: list[RuleError] = []
        self.warnings: list[RuleError] = []
        self.other_sources = 0

    def add(self, document: Document, options: ReadOptions) -> None:
        # pySigma takes half a second to import
        from osdetect.sigma.reader import log_source_of, read_rule  # noqa: PLC0415

        if is_correlation(document):
            self.correlations.append(read_correlation(document))
            return
        logsource = log_source_of(document)
        if not options.every_log_source and not _may_concern_cloudtrail(document, logsource):
            self.other_sources += 1
        elif "filter" in document.data:
            self.filters.append(read_filter(document, options))
        else:
            rule, warnings = read_rule(document, logsource, options)
            self.rules.append(rule)
            self.warnings += warnings

    def result(self) -> FileResult:
        return FileResult(
            tuple(self.rules),
            tuple(self.filters),
            tuple(self.correlations),
            tuple(self.refused),
            tuple(self.warnings),
            self.other_sources,
        )


def _may_concern_cloudtrail(document: Document, logsource: LogSource) -> bool:
    """A filter's log source may leave out what it does not care for."""
    if "filter" not in document.data:
        return logsource.covers_cloudtrail()
    return (
        logsource.product in {"", "aws"}
        and logsource.service in {"", "cloudtrail"}
        and not logsource.category
    )


def gather(results: Iterable[FileResult], *, files: int) -> RuleSet:
    """One rule set of what the files held: each id once, filters applied, correlations resolved."""
    everything = tuple(results)
    rules: dict[str, Rule] = {}
    doubles: list[Rule] = []
    refused = [refusal for result in everything for refusal in result.refused]
    for rule in (rule for result in everything for rule in result.rules):
        first = rules.setdefault(rule.id, rule)
        if first is not rule:
            refused.append(_taken(first, rule))
            doubles.extend([rule] if rule.hash() == first.hash() else [])
    correlations = tuple(one for result in everything for one in result.correlations)
    resolved = resolve(correlations, rules.values(), doubles=doubles)
    filters = tuple(one for result in everything for one in result.filters)
    filtered = apply_filters(tuple(rules.values()), filters, resolved.correlations)
    return RuleSet(
        rules=filtered.rules,
        correlations=resolved.correlations,
        refused=(*refused, *resolved.refused),
        other_sources=sum(result.other_sources for result in everything),
        files=files,
        warnings=(*(one for result in everything for one in result.warnings), *filtered.warnings),
    )


def _taken(first: Rule, second: Rule) -> RuleError:
    same = "the same rule" if first.hash() == second.hash() else "another rule"
    return RuleError(
        f"the id {second.id} is taken",
        cause=f"{same} has it: {first.where}",
        cure="give one of them a new id, or leave one out",
        where=second.where,
    )
