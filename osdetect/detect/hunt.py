"""Hunting: what rules would have alerted on, over stored events of a span of time. Nothing is stored.

Candidates come from the rules' search queries where the index has the mapping that those are made for, and else from every
event of the span; the verdict on each is the detector's own (`judge`). So the matches of a hunt are those that the detector
finds in the same events by the same rules: as many alerts, where no rule is in shadow or gathers matches into one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.detect.by_search import UNSTAMPED, in_time, searchable
from osdetect.detect.factored import Query
from osdetect.detect.in_process import Candidate, InProcess
from osdetect.detect.judge import Alert, Unjudged, Withheld, judge
from osdetect.detect.release import Release
from osdetect.detect.searches import Searches
from osdetect.documents.dialect import RAW
from osdetect.documents.match import Why
from osdetect.documents.told import RunReference, happened_at
from osdetect.follow import Shard, StoredEvent, Together, Wanted, make_visible, pages, shards_of
from osdetect.tuning import Tuning
from osdetect.vocabulary import UNDATED

WINDOW = 200_000
"""Sequence numbers of one search: what it found is remembered to tell apart what several searches find."""
_DATES = frozenset({"date", "date_nanos"})


class Span(msgspec.Struct, frozen=True):
    """The events' own times that are asked for; None: no bound."""

    since: datetime | None = None
    """Included."""
    until: datetime | None = None
    """Not included."""

    def holds(self, moment: datetime | None) -> bool:
        """Whether a time is in it. An event without a usable time could be: it is."""
        if moment is None:
            return True
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)

    def bounds(self) -> dict[str, str]:
        """As a range query says it, and a second more at each end; empty where there is no bound."""
        second = timedelta(seconds=1)
        return {
            **({"gte": (self.since - second).isoformat()} if self.since else {}),
            **({"lte": (self.until + second).isoformat()} if self.until else {}),
        }


class HuntOptions(msgspec.Struct, frozen=True):
    """Where and when is hunted."""

    namespace: str
    target: str
    """Index, pattern, alias or data stream."""
    span: Span


class Hunt:
    """One hunt; counts what it did while its alerts are read."""

    def __init__(
        self,
        cluster: Cluster,
        release: Release,
        searches: Searches | None,
        options: HuntOptions,
        run: RunReference,
        *,
        tuned: bool = False,
    ) -> None:
        """See the class.

        Args:
            cluster: where.
            release: the rules.
            searches: find each event that a rule may hold for (`deployed_searches`); None: there are none.
            options: which events.
            run: named in the alerts as the detector's run would be.
            tuned: let modes and suppression withhold matches as they do for the detector (`verdicts` gives these too).
        """
        self._release = release if tuned else _each_match(release)
        self._cluster, self._searches = cluster, searches
        self._options, self._run = options, run
        self._engine = InProcess(self._release)
        self._told: set[bytes] = set()
        self.shards = 0
        self.read = 0
        """Events that were read: what the searches found, and all of the span where there was no search."""
        self.unsearched: tuple[str, ...] = ()
        """Indices of which every event of the span was read."""
        self.matches = 0
        self.undated = 0
        """Matches whose events have no usable time: they may be in the span or not."""
        self.excepted = 0
        """Matches that an exception is for."""
        self.unjudged: list[Unjudged] = []

    def alerts(self, on_progress: Callable[[int, int], None]) -> Iterator[Alert]:
        """What the rules would have alerted on, each once, shard by shard.

        Args:
            on_progress: told sequence numbers passed, and sequence numbers to pass.

        Raises:
            ClusterError: the events could not be read.
        """
        return (one for one in self.verdicts(on_progress) if isinstance(one, Alert))

    def verdicts(self, on_progress: Callable[[int, int], None]) -> Iterator[Alert | Withheld]:
        """The same with the matches that make no alert of their own, each once.

        Args:
            on_progress: told sequence numbers passed, and sequence numbers to pass.

        Raises:
            ClusterError: the events could not be read.
        """
        shards = shards_of(self._cluster, self._options.target)
        make_visible(self._cluster, shards)
        self.shards = len(shards)
        total = sum(shard.checkpoint + 1 for shard in shards)
        passed = 0
        plans: dict[str, tuple[Query | None, bool]] = {}
        for shard in shards:
            if shard.index not in plans:
                plans[shard.index] = self._plan(shard.index)
            for wanted in _windows(shard, plans[shard.index][0]):
                yield from self._window(wanted, by_search=plans[shard.index][1])
                passed += wanted.upto - wanted.after
                on_progress(passed, total)

    def _plan(self, index: str) -> tuple[Query | None, bool]:
        """How an index is read: the query of the span, if one can be asked, and whether the rules' queries can."""
        dialect, bounds = self._release.dialect, self._options.span.bounds()
        ours = dialect == RAW and searchable(self._cluster, index)
        by_search = ours and self._searches is not None
        if not by_search:
            self.unsearched = (*self.unsearched, index)
        if not bounds:
            return None, by_search
        if ours:
            return in_time(["@timestamp"], bounds, UNSTAMPED), by_search
        said = dialect.paths.get("eventTime", ())
        dates = _dates(self._cluster, index, (*said, "@timestamp"))
        return (in_time(dates, bounds) if said and set(said) <= set(dates) else None), by_search

    def _window(self, wanted: Wanted, *, by_search: bool) -> Iterator[Alert | Withheld]:
        read = (
            Together(self._cluster, wanted, self._searches).pages()
            if by_search and self._searches is not None
            else pages(self._cluster, wanted)
        )
        for page in read:
            self.read += len(page)
            yield from self._judged(page)

    def _judged(self, page: Sequence[StoredEvent]) -> Iterator[Alert | Withheld]:
        events = self._release.opened(page)
        for verdict in judge(
            self._in_span(self._engine.candidates(events)), self._release, self._options.namespace, self._run
        ):
            if isinstance(verdict, Unjudged):
                self.unjudged.append(verdict)
            elif isinstance(verdict, (Alert, Withheld)) and self._first(verdict):
                if isinstance(verdict, Withheld) and verdict.why is Why.EXCEPTED:
                    self.excepted += 1
                else:
                    self.matches += 1
                    self.undated += verdict.index.endswith(UNDATED)
                yield verdict

    def _in_span(self, candidates: Iterator[Candidate]) -> Iterator[Candidate]:
        for event, rule_id in candidates:
            try:
                moment = happened_at(event.source, self._release.dialect)
            except RecursionError:  # as deep as that it cannot be judged either, which is then told
                moment = None
            if self._options.span.holds(moment):
                yield event, rule_id

    def _first(self, match: Alert | Withheld) -> bool:
        """Whether it is new: the same record in two indices makes one match."""
        key = bytes.fromhex(match.id)
        if key in self._told:
            return False
        self._told.add(key)
        return True


def _each_match(release: Release) -> Release:
    """The rules with their exceptions alone: each match is to be told, whatever the detector makes of it."""
    rules = {
        rule.id: replace(rule, tuning=Tuning(exceptions=rule.tuning.exceptions))
        for rule in release.rules.values()
    }
    return replace(release, rules=rules)


def _windows(shard: Shard, query: Query | None) -> Iterator[Wanted]:
    for after in range(-1, shard.checkpoint, WINDOW):
        yield Wanted(shard, after, min(after + WINDOW, shard.checkpoint), query)


def _dates(cluster: Cluster, index: str, paths: Sequence[str]) -> Sequence[str]:
    """Those of the paths that the index has as dates: only there a range of times finds what it should."""
    wanted = ",".join(quote(path, safe="@") for path in paths)
    reply = cluster.request("GET", f"/{index}/_mapping/field/{wanted}", accept=(404,))
    fields: Mapping[str, Any] = reply.get(index, {}).get("mappings", {})
    return [
        path
        for path in dict.fromkeys(paths)
        if any(one.get("type") in _DATES for one in fields.get(path, {}).get("mapping", {}).values())
    ]
