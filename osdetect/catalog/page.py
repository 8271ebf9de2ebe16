"""All that is said about one rule. HTML, Markdown, JSON and the terminal show the same page."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import orjson

from osdetect.catalog.attack_rows import TacticRow, coverage
from osdetect.catalog.corpus import Corpus, Watcher
from osdetect.catalog.entries import Entry
from osdetect.catalog.evidence import NO_EVIDENCE, Evidence, Hits
from osdetect.catalog.history import Histories, History
from osdetect.catalog.limits import USUAL, Cut, Limits, Listed
from osdetect.catalog.predicates import Indicator
from osdetect.catalog.stages import Stage
from osdetect.compiler import compile_rule
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import Rule

SOURCE = "Sigma"
"""What the rules are written in."""


class CountedIndicator(msgspec.Struct, frozen=True):
    """An indicator, and how many other rules of the platform look for the same."""

    indicator: Indicator
    others: int


class Query(msgspec.Struct, frozen=True):
    """What OpenSearch is given for the rule."""

    search: Cut
    """The search query for stored events, as indented JSON."""
    kind: str
    """How the percolator pre-filters it."""
    reason: str


class Mention(msgspec.Struct, frozen=True):
    """Another rule, as a page speaks of it."""

    id: str
    title: str
    source: str
    note: str


class RulePage(msgspec.Struct, frozen=True):
    """The page of a rule; its parts are in the order in which they are shown."""

    entry: Entry
    description: Cut
    coverage: tuple[TacticRow, ...]
    same_action: Listed[Mention]
    body: Cut
    stages: Listed[Stage]
    indicators: Listed[CountedIndicator]
    query: Query | None
    """None for a correlation, which is no query."""
    evidence: Evidence
    hits: Hits | None
    """None when no cluster was asked."""
    near: Listed[Mention]
    subsumes: Listed[Mention]
    subsumed_by: Listed[Mention]
    history: History


class Known(msgspec.Struct, frozen=True):
    """What pages say that the rules themselves do not: facts from elsewhere."""

    evidence: Mapping[str, Evidence]
    hits: Mapping[str, Hits] | None
    """Of the rules that have any; None when no cluster was asked."""
    histories: Histories


class Pages:
    """Makes the page of each rule of a corpus."""

    def __init__(self, corpus: Corpus, known: Known, fields: EventFields) -> None:
        self.corpus = corpus
        self.known = known
        self._fields = fields

    def of(self, entry: Entry, limits: Limits = USUAL) -> RulePage:
        """The page of a rule of the corpus, with no more of each part than the limits allow."""
        neighbours = self.corpus.neighbours(entry)
        counted = tuple(
            CountedIndicator(one, self.corpus.others_looking_for(entry, one)) for one in entry.indicators
        )
        return RulePage(
            entry=entry,
            description=limits.cut(entry.rule.description.strip(), limits.description),
            coverage=coverage(entry.rule.tags),
            same_action=limits.listed(tuple(map(_watcher, self.corpus.same_action(entry)))),
            body=limits.cut(entry.text, limits.body),
            stages=limits.listed(entry.stages),
            indicators=limits.listed(counted),
            query=self._query(entry, limits),
            evidence=self.known.evidence.get(entry.id, NO_EVIDENCE),
            hits=self._hits(entry),
            near=limits.listed(tuple(mention(one, f"{share} % in common") for one, share in neighbours.near)),
            subsumes=limits.listed(tuple(map(mention, neighbours.subsumes))),
            subsumed_by=limits.listed(tuple(map(mention, neighbours.subsumed_by))),
            history=self.known.histories.of(Path(entry.rule.where.file)),
        )

    def _query(self, entry: Entry, limits: Limits) -> Query | None:
        if not isinstance(entry.rule, Rule):
            return None
        compiled = compile_rule(entry.rule, self._fields)
        written = orjson.dumps(compiled.source["search"], option=orjson.OPT_INDENT_2).decode()
        return Query(limits.cut(written, limits.query), compiled.prefilter.word, compiled.prefilter.reason)

    def _hits(self, entry: Entry) -> Hits | None:
        if self.known.hits is None:
            return None
        return self.known.hits.get(entry.id, Hits(0, "", ""))


def mention(entry: Entry, note: str = "") -> Mention:
    """A rule as other pages speak of it."""
    return Mention(entry.id, entry.rule.title, SOURCE, note)


def _watcher(one: Watcher) -> Mention:
    return mention(one.entry, "for another service" if one.other_service else "")
