"""Rules with what a page about them needs beside their meaning: the text, the layout, the pack."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from osdetect.catalog.licences import OWN_PACK, Licences
from osdetect.catalog.operations import operations, services
from osdetect.catalog.predicates import Indicator, indicators
from osdetect.catalog.stages import Stage, correlation_stages, stages_of
from osdetect.errors import RuleError, Where
from osdetect.resources import folder
from osdetect.sigma import LogSource, ReadOptions, Rule, RuleSet, read_rules
from osdetect.sigma.check_documents import rule_documents
from osdetect.sigma.correlation import Correlation, Resolved
from osdetect.sigma.selections import layout_of, text_of
from osdetect.sigma.yaml_text import Document


class Entry(msgspec.Struct, frozen=True):
    """A rule of the catalog."""

    rule: Rule | Correlation
    logsource: LogSource
    pack: str
    file: str
    """As a path below the folder that was named: the same wherever that folder is."""
    licence: str
    """What the licence file next to the rules begins with, and where it is; for a rule that names none itself."""
    text: str
    """The document as it is written."""
    stages: tuple[Stage, ...]
    indicators: tuple[Indicator, ...]
    operations: tuple[str, ...]
    services: tuple[str, ...]

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id

    @property
    def platform(self) -> str:
        """The log source's product; empty where the rule is for any."""
        return self.logsource.product

    @property
    def source_label(self) -> str:
        """The log source in a few words, for example "aws cloudtrail"."""
        one = self.logsource
        return " ".join(word for word in (one.product, one.service, one.category) if word) or "any"


class Catalog(msgspec.Struct, frozen=True):
    """The rules of some files and folders, and what could not be read of them."""

    entries: tuple[Entry, ...]
    """By title, then id."""
    refused: tuple[RuleError, ...]
    files: int
    named: tuple[Path, ...]
    """The files and folders that were read."""
    read: RuleSet[Rule]
    """The rules themselves, for those who run their tests."""

    def below(self, text: str) -> str:
        """A text with the folders that were named taken from its paths: it then says the same wherever they are."""
        for root in self.named:
            whole, rest = (str(root), root.name) if root.is_file() else (f"{root}/", "")
            text = re.sub(rf"(?<!\S){re.escape(whole)}", rest, text)  # where a path begins, not within one
        return text

    def place(self, where: Where | None) -> str:
        """Where something is, as a path below the folder that was named."""
        return "" if where is None else str(replace(where, file=placed(Path(where.file), self.named)[1]))


def read_catalog(
    paths: Sequence[Path],
    placeholders: Mapping[str, tuple[str, ...]],
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Catalog:
    """Read every rule in the files and folders, for any log source.

    Args:
        paths: rule files and folders; the rules that come with osdetect when there are none.
        placeholders: what `%placeholders%` stand for.
        on_progress: told the number of files read, and of all.

    Raises:
        InputError: a path does not exist, or there is no rule file in any of them.
    """
    named = list(paths) or [folder("rules")]
    options = ReadOptions(every_log_source=True, placeholders=placeholders)
    read = read_rules(named, options, on_progress)
    documents = {_place(document): document for document in rule_documents(named)}
    made = _Maker(read, documents, named, options)
    rules = [made.of_rule(rule) for rule in read.rules]
    correlations = [made.of_correlation(one) for one in read.correlations]
    entries = sorted([*rules, *correlations], key=lambda one: (one.rule.title.casefold(), one.id))
    return Catalog(tuple(entries), read.refused, read.files, tuple(named), read)


def _place(document: Document) -> tuple[str, int]:
    return document.source.name, document.place(())[0]


class _Maker:
    """Puts rules and the documents that they were read from together."""

    def __init__(
        self,
        read: RuleSet[Rule],
        documents: Mapping[tuple[str, int], Document],
        named: Iterable[Path],
        options: ReadOptions,
    ) -> None:
        self._documents = documents
        self._named = tuple(named)
        self._licences = Licences(self._named)
        self._options = options
        self._sources = {rule.id: rule.logsource for rule in read.rules}
        self._titles = {
            **{rule.id: rule.title for rule in read.rules},
            **{one.correlation.id: one.correlation.title for one in read.correlations},
        }

    def of_rule(self, rule: Rule) -> Entry:
        """The entry of a detection rule."""
        document = self._document(rule.where)
        place = Path(rule.where.file)
        pack, file = placed(place, self._named)
        return Entry(
            rule=rule,
            logsource=rule.logsource,
            pack=pack,
            file=file,
            licence=self._licences.of(place, pack),
            text=text_of(document),
            stages=stages_of(layout_of(document, self._options)),
            indicators=indicators(rule.tree),
            operations=operations(rule.logsource.product, rule.tree),
            services=services(rule.logsource.product, rule.tree),
        )

    def of_correlation(self, resolved: Resolved) -> Entry:
        """The entry of a correlation rule: its log source is that of the first rule that it stands on."""
        one = resolved.correlation
        place = Path(one.where.file)
        pack, file = placed(place, self._named)
        return Entry(
            rule=one,
            logsource=self._sources[resolved.bases[0]],
            pack=pack,
            file=file,
            licence=self._licences.of(place, pack),
            text=text_of(self._document(one.where)),
            stages=correlation_stages(resolved, [self._titles[rule] for rule in resolved.rules]),
            indicators=(),
            operations=(),
            services=(),
        )

    def _document(self, where: Where) -> Document:
        return self._documents[where.file, where.line]


def placed(file: Path, named: Iterable[Path]) -> tuple[str, str]:
    """The pack that a file belongs to, and its path below the folder that was named.

    A pack is the first folder below the one that was named; files that stand directly in that belong to its own.
    """
    for root in named:
        if root == file:
            return file.absolute().parent.name, file.name
        if file.is_relative_to(root):
            below = file.relative_to(root)
            inner = len(below.parts) > 1
            pack = below.parts[0] if inner else root.absolute().name
            own = inner and root.absolute() == folder("rules").absolute()
            return OWN_PACK if own else pack, below.as_posix()
    return file.absolute().parent.name, file.name
