"""Rule files: what each of their documents became."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from osdetect.errors import RuleError
from osdetect.expr import leaves
from osdetect.sigma.correlation import Correlation, is_correlation, read_correlation
from osdetect.sigma.filters import Filter, read_filter
from osdetect.sigma.gather import FileResult, Names, gather
from osdetect.sigma.listing import list_files
from osdetect.sigma.options import DEFAULT, ReadOptions
from osdetect.sigma.rule import LogSource, Rule, RuleSet
from osdetect.sigma.text_file import read_text
from osdetect.source import SourceText

if TYPE_CHECKING:  # nobody who takes rules from the cache needs YAML
    from osdetect.sigma.yaml_text import Document


def read_rules(
    paths: Iterable[Path],
    options: ReadOptions = DEFAULT,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RuleSet[Rule]:
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
    results: list[FileResult[Rule]] = []
    for done, file in enumerate(files):
        on_progress(done, len(files))
        try:
            results.append(read_file(read_text(file), options))
        except RuleError as refusal:
            results.append(FileResult(refused=(refusal,)))
    on_progress(len(files), len(files))
    return gather([*results, FileResult(refused=refused)], files=len(files))


def read_file(source: SourceText, options: ReadOptions = DEFAULT) -> FileResult[Rule]:
    """What a file's documents are."""
    from osdetect.sigma.actions import with_actions  # noqa: PLC0415  # YAML takes a while to import
    from osdetect.sigma.yaml_text import documents  # noqa: PLC0415  # as above

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


MAX_TESTS = 30_000
"""Tests of one file's rules, after which no more of its rules are read: 100 KB of text could ask for millions."""


class _Found:
    """What was found in a file so far."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.filters: list[Filter] = []
        self.correlations: list[Correlation] = []
        self.refused: list[RuleError] = []
        self.warnings: list[RuleError] = []
        self.elsewhere: list[Names] = []
        self._tests = 0

    def add(self, document: "Document", options: ReadOptions) -> None:
        # pySigma takes half a second to import
        from osdetect.sigma.reader import log_source_of, read_rule  # noqa: PLC0415

        if is_correlation(document):
            self.correlations.append(read_correlation(document))
            return
        logsource = log_source_of(document)
        if not options.every_log_source and not _may_concern_cloudtrail(document, logsource):
            self.elsewhere.append(_names(document))
        elif self._tests > MAX_TESTS:
            raise document.error(
                f"the rules before this one ask for more than {MAX_TESTS:,} tests", cure="split the file"
            )
        elif "filter" in document.data:
            self.filters.append(read_filter(document, options))
            self._tests += sum(1 for _ in leaves(self.filters[-1].tree))
        else:
            rule, warnings = read_rule(document, logsource, options)
            self.rules.append(rule)
            self._tests += sum(1 for _ in leaves(rule.tree))
            self.warnings += warnings

    def result(self) -> FileResult[Rule]:
        return FileResult(
            tuple(self.rules),
            tuple(self.filters),
            tuple(self.correlations),
            tuple(self.refused),
            tuple(self.warnings),
            tuple(self.elsewhere),
        )


def _names(document: "Document") -> Names:
    """What a correlation may call the rule that the document is by."""
    data = document.data
    if "filter" in data:
        return ()
    given = (str(data.get("id", "")).lower(), data.get("name"), data.get("title"))
    return tuple(name for name in given if isinstance(name, str) and name)


def _may_concern_cloudtrail(document: "Document", logsource: LogSource) -> bool:
    """A filter's log source may leave out what it does not care for."""
    if "filter" not in document.data:
        return logsource.covers_cloudtrail()
    return (
        logsource.product in {"", "aws"}
        and logsource.service in {"", "cloudtrail"}
        and not logsource.category
    )
