"""The candidates of a range of a shard, batch by batch, each found in the way that is expected to be cheapest."""

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.detect.by_search import deployed_searches, searchable
from osdetect.detect.costs import Costs, Method
from osdetect.detect.in_process import Candidate, InProcess
from osdetect.detect.percolate import Percolator
from osdetect.detect.release import Release
from osdetect.detect.searches import Searches
from osdetect.documents.dialect import RAW
from osdetect.errors import ClusterError, ClusterRefused, ClusterUnavailable
from osdetect.follow import FIRST_PAGE, Readable, Shard, StoredEvent, Together, Wanted, pages, reached

_FEWEST = 500
"""Sequence numbers for which no search is worth it."""
SMALLEST_WINDOW = 2_000
FIRST_WINDOW = 20_000
_LARGEST_WINDOW = 200_000
_FORBIDDEN = 403
_OF_ONE_INDEX = ("index_closed_exception", "Result window is too large")
"""What the cluster says when a search is refused for what the index is."""
_WINDOW_S = 2.0
"""A window grows while all that is done with it takes less than this."""


class Batch(msgspec.Struct, frozen=True):
    """Events of a range, and the pairs of them to judge."""

    upto: int
    """The last sequence number dealt with."""
    events: int
    method: Method
    candidates: Iterable[Candidate]
    """To be read once, and wholly, before the next batch is asked for."""


class Finder:
    """Finds the candidates of one release. Keeps what it learned for the next range."""

    def __init__(
        self,
        cluster: Cluster,
        release: Release,
        method: Method | None = None,
        window: int = FIRST_WINDOW,
    ) -> None:
        """See the class.

        Args:
            cluster: where.
            release: the rules.
            method: this way always, where it can be gone; None: the cheapest.
            window: sequence numbers to search at first; it adapts.
        """
        self._cluster, self._release, self._method = cluster, release, method
        self._costs = Costs(len(release.rules))
        self._percolator = Percolator(cluster, release)
        self._engine: InProcess | None = None
        self._searches: Searches | None = None
        self._searches_read = False
        self._searchable: dict[str, bool] = {}
        """By the index's uuid."""
        self._window, self._page = window, FIRST_PAGE
        self._begun: tuple[Wanted, Together | None] | None = None
        self.readable = Readable(cluster)

    @property
    def evaluated_alone(self) -> int:
        """Events for which every rule was a candidate: neither cluster nor engine could read them."""
        return self._percolator.evaluated_alone + (self._engine.evaluated_alone if self._engine else 0)

    def begin(self, wanted: Wanted) -> None:
        """Begin to search the range that `batches` will be asked for next."""
        self._begun = wanted, self._search(wanted)

    def batches(self, wanted: Wanted) -> Iterator[Batch]:
        """The batches of a range, in order. While one is worked on, the search for the next is under way.

        Raises:
            ClusterError: the cluster could not be asked.
        """
        after = wanted.after
        begun, self._begun = self._begun, None
        searching = begun[1] if begun is not None and begun[0] == wanted else self._search(wanted)
        patient = True
        while searching is not None:
            try:
                events = searching.events()
            except ClusterError as error:
                self._not_searched(error, wanted.shard)
                patient = not isinstance(error, ClusterUnavailable)
                break
            after = searching.wanted.upto
            ahead = self._search(replace(wanted, after=after)) if after < wanted.upto else None
            reached("page-read")
            began = time.monotonic()
            yield Batch(after, events, Method.SEARCH, self._of_window(searching, events))
            self._adapt(max(searching.seconds, time.monotonic() - began))
            searching = ahead
        if after < wanted.upto:
            yield from self._read(replace(wanted, after=after), patient=patient)

    def _adapt(self, seconds: float) -> None:
        """Search more or less at once, by what the last window took, what was done with it included."""
        window = self._window // 2 if seconds >= _WINDOW_S else self._window * 2
        self._window = max(SMALLEST_WINDOW, min(_LARGEST_WINDOW, window))

    def _not_searched(self, error: ClusterError, shard: Shard) -> None:
        """Not this way any more where it was refused: in that index, or, for too many clauses for example, anywhere."""
        if not isinstance(error, ClusterRefused):
            return
        if error.status == _FORBIDDEN or any(words in error.cause for words in _OF_ONE_INDEX):
            self._searchable[shard.index_uuid] = False
        else:
            self._searches = None

    def _search(self, wanted: Wanted) -> Together | None:
        """The search for the first window of what is wanted, begun, if that is to be searched."""
        upto = min(wanted.upto, wanted.after + self._window)
        searches = self._may_search(wanted, upto - wanted.after)
        return Together(self._cluster, replace(wanted, upto=upto), searches, self._page) if searches else None

    def _may_search(self, wanted: Wanted, numbers: int) -> Searches | None:
        """The searches, if the window is to be searched."""
        if self._method not in (None, Method.SEARCH) or self._release.dialect.name != RAW.name:
            return None
        if self._method is None and numbers < _FEWEST:
            return None
        index = wanted.shard.index_uuid
        if index not in self._searchable:
            self._searchable[index] = searchable(self._cluster, wanted.shard.index)
        if not self._searchable[index]:
            return None
        if not self._searches_read:
            self._searches, self._searches_read = deployed_searches(self._cluster, self._release), True
        if self._searches is None or self._method is Method.SEARCH:
            return self._searches
        return self._searches if self._costs.searches(numbers) else None

    def _of_window(self, searching: Together, events: int) -> Iterator[Candidate]:
        given = searching.given
        try:
            for page in searching.pages():
                yield from self._ready().candidates(self._release.opened(page))
        except ClusterError as error:
            self._not_searched(error, searching.wanted.shard)
            for batch in self._read(searching.wanted, patient=not isinstance(error, ClusterUnavailable)):
                yield from (pair for pair in batch.candidates if pair[0].at.place not in given)
            return
        self._costs.searched(events, len(given), searching.seconds)
        self._page = searching.page

    def _read(self, wanted: Wanted, *, patient: bool) -> Iterator[Batch]:
        for page in pages(self._cluster, wanted, self._costs.fetched, patient=patient):
            reached("page-read")
            opened = self._release.opened(page)
            method = self._method_for(len(page))
            yield Batch(page[-1].at.seq_no, len(page), method, self._timed(method, opened))

    def _method_for(self, events: int) -> Method:
        if self._method in (None, Method.SEARCH):
            return self._costs.of_batch(events, engine_ready=self._engine is not None)
        return self._method or Method.IN_PROCESS

    def _timed(self, method: Method, events: Sequence[StoredEvent]) -> Iterator[Candidate]:
        watch = _Watch()
        if method is Method.IN_PROCESS:
            engine = self._ready()
            yield from watch.each(engine.candidates(events))
        else:
            yield from watch.each(self._percolator.candidates(events, each=method is Method.PERCOLATE_EACH))
        self._costs.took(method, len(events), watch.seconds)

    def _ready(self) -> InProcess:
        if self._engine is None:
            self._engine = InProcess(self._release)
        return self._engine


class _Watch:
    """The time that a stream takes to give what it gives, without what is done with it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def each(self, stream: Iterator[Candidate]) -> Iterator[Candidate]:
        """The stream's items."""
        began = time.monotonic()
        for item in stream:
            self.seconds += time.monotonic() - began
            yield item
            began = time.monotonic()
        self.seconds += time.monotonic() - began
