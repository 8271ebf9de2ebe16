"""Hunting: what rules would have alerted on, over stored events of a span of time. Nothing is stored.

Candidates come from the rules' search queries where the index has the mapping that those are made for, and else from every
event of the span; the verdict on each is the detector's own (`judge`). So the matches of a hunt are those that the detector
finds in the same events by the same rules: as many alerts, where no rule is in shadow or gathers matches into one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.detect.by_search import UNSTAMPED, in_time, searchable
from osdetect.detect.factored import Query
from osdetect.detect.in_process import Candidate, InProcess
from osdetect.detect.judge import Alert, Unjudged, Withheld, judge
from osdetect.detect.release import Release
from osdetect.detect.searches import Searches
from osdetect.detect.watched import Target
from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.match import Why
from osdetect.documents.told import RunReference, happened_at
from osdetect.errors import ClusterError, ClusterUnavailable, IndexAway, IndexRefused
from osdetect.follow import Readable, Shard, StoredEvent, Together, Wanted, date_fields, pages
from osdetect.tuning import Tuning
from osdetect.vocabulary import UNDATED

WINDOW = 200_000
"""Sequence numbers of one search: what it found is remembered to tell apart what several searches find."""
_SECOND = timedelta(seconds=1)


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
        return {
            **({"gte": _moved(self.since, -_SECOND).isoformat()} if self.since else {}),
            **({"lte": _moved(self.until, _SECOND).isoformat()} if self.until else {}),
        }


def _moved(moment: datetime, by: timedelta) -> datetime:
    """A time and so much, as far as the calendar goes."""
    try:
        return moment + by
    except OverflowError:
        return moment


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
        self.not_read: tuple[ClusterError, ...] = ()
        """Indices that cannot be read now, or not whole, and why: not all of them is in the figures."""

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
        shards, self.not_read = readable_shards(self._cluster, self._options.target)
        self.shards = len(shards)
        total = sum(shard.checkpoint + 1 for shard in shards)
        passed = 0
        plans: dict[str, tuple[Query | None, bool]] = {}
        refused: dict[str, ClusterError] = {}
        for shard in shards:
            if shard.index in refused:
                continue
            try:
                if shard.index not in plans:
                    plans[shard.index] = self._plan(shard.index)
                for wanted in _windows(shard, plans[shard.index][0]):
                    yield from self._window(wanted, by_search=plans[shard.index][1])
                    passed += wanted.upto - wanted.after
                    on_progress(passed, total)
            except (IndexRefused, IndexAway) as error:
                refused[shard.index] = error
                if refused.keys() >= {one.index for one in shards}:
                    raise
                self.not_read = (*self.not_read, error)

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
        dates = date_fields(self._cluster, index, (*said, "@timestamp"))
        return (in_time(dates, bounds) if said and set(said) <= set(dates) else None), by_search

    def _window(self, wanted: Wanted, *, by_search: bool) -> Iterator[Alert | Withheld]:
        if not by_search or self._searches is None:
            yield from self._read(pages(self._cluster, wanted))
            return
        together = Together(self._cluster, wanted, self._searches)
        try:
            yield from self._read(together.pages())
        except ClusterError as error:  # this way alone: the rest is read instead
            patient = not isinstance(error, ClusterUnavailable)
            self.unsearched = tuple(dict.fromkeys((*self.unsearched, wanted.shard.index)))
            left = (
                tuple(event for event in page if event.at.place not in together.given)
                for page in pages(self._cluster, wanted, patient=patient)
            )
            yield from self._read(left)

    def _read(self, found: Iterable[Sequence[StoredEvent]]) -> Iterator[Alert | Withheld]:
        for page in found:
            self.read += len(page)
            yield from self._judged(page)

    def _judged(self, page: Sequence[StoredEvent]) -> Iterator[Alert | Withheld]:
        events = self._release.opened(page)
        candidates = in_span(self._engine.candidates(events), self._options.span, self._release.dialect)
        for verdict in judge(candidates, self._release, self._options.namespace, self._run):
            if isinstance(verdict, Unjudged):
                self.unjudged.append(verdict)
            elif isinstance(verdict, (Alert, Withheld)) and self._first(verdict):
                if isinstance(verdict, Withheld) and verdict.why is Why.EXCEPTED:
                    self.excepted += 1
                else:
                    self.matches += 1
                    self.undated += verdict.index.endswith(UNDATED)
                yield verdict

    def _first(self, match: Alert | Withheld) -> bool:
        """Whether it is new: the same record in two indices makes one match."""
        key = bytes.fromhex(match.id)
        if key in self._told:
            return False
        self._told.add(key)
        return True


def readable_shards(cluster: Cluster, target: str) -> tuple[tuple[Shard, ...], tuple[ClusterError, ...]]:
    """The shards of the target that can be read, all of them visible, and why its other indices cannot be.

    Raises:
        ClusterError: none can be.
    """
    looked = Target.look(cluster, target)
    hidden = looked.hidden.result()
    hidden |= Readable(cluster).partial(one for one in looked.shards if one.index not in hidden)
    return tuple(one for one in looked.shards if one.index not in hidden), tuple(hidden.values())


def in_span(candidates: Iterable[Candidate], span: Span, dialect: Dialect) -> Iterator[Candidate]:
    """Those of events of the span, and of events that could be."""
    for event, rule_id in candidates:
        try:
            moment = happened_at(event.source, dialect)
        except RecursionError:  # as deep as that it cannot be judged either, which is then told
            moment = None
        if span.holds(moment):
            yield event, rule_id


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
