"""What each way of finding candidates is expected to take, learned from what it took.

The first estimates are measured ones (`benchmarks/detect.py`); each work done corrects those of its own way. Only the choice depends on
them: every way gives the same alerts.
"""

from enum import StrEnum

import msgspec


class Method(StrEnum):
    """A way of finding the rules that may hold for events."""

    PERCOLATE_EACH = "percolate-each"
    """A percolate request for each event."""
    PERCOLATE = "percolate"
    """One percolate request for a batch of events."""
    IN_PROCESS = "in-process"
    """The engine in this process, on the events' texts."""
    SEARCH = "search"
    """The rules as searches over a window of stored events; only what they find is fetched."""


class Estimate(msgspec.Struct, frozen=True):
    """Seconds of work: so many for each request or batch, and so many for each event."""

    fixed: float
    each: float
    weight: float = 1.0
    """What the work took, of what was expected: the mean of all, the later the heavier."""

    def seconds(self, events: int) -> float:
        """The work's expected time."""
        return self.weight * (self.fixed + self.each * events)

    def corrected(self, events: int, took: float) -> "Estimate":
        """The estimate after a work; one measurement counts for a quarter, and is believed within bounds.

        >>> Estimate(0.0, 0.001).corrected(1_000, 3.0).seconds(1_000)
        1.5
        """
        expected = self.fixed + self.each * events
        seen = min(_MOST, max(1 / _MOST, took / expected)) if expected > 0 else self.weight
        return Estimate(self.fixed, self.each, self.weight + (seen - self.weight) * _SHARE)

    def faded(self) -> "Estimate":
        """The estimate when the work was not done: what was learned of it long ago counts for less and less."""
        return Estimate(self.fixed, self.each, self.weight + (1 - self.weight) * _FADE)


_SHARE = 0.25
_FADE = 0.05
_MOST = 10.0

FIRST = {
    Method.PERCOLATE_EACH: Estimate(0.0, 1.3e-3),
    Method.PERCOLATE: Estimate(11e-3, 60e-6),
    Method.IN_PROCESS: Estimate(0.3e-3, 14e-6),
    Method.SEARCH: Estimate(15e-3, 1.5e-6),
}
FETCH = Estimate(3e-3, 25e-6)
"""Reading whole events from the cluster."""
ENGINE_RULE_S = 80e-6
"""Making the engine ready, for each rule; it is made once a release and process."""
FIRST_SHARE = 0.05
"""Of the events of a window, how many some search query finds; before any was seen."""


class Costs:
    """Keeps the estimates of one process."""

    def __init__(self, rules: int) -> None:
        self._of = dict(FIRST)
        self._fetch = FETCH
        self._share = FIRST_SHARE
        self._engine_s = rules * ENGINE_RULE_S
        self._regret_s = 0.0
        """What the engine would have saved so far, had it been ready."""

    def of_batch(self, events: int, *, engine_ready: bool) -> Method:
        """The cheapest way for a batch of events that are here.

        The engine is made ready when it would have paid already, or pays at once.
        """
        percolating = min(
            (Method.PERCOLATE_EACH, Method.PERCOLATE), key=lambda method: self._of[method].seconds(events)
        )
        saved = self._of[percolating].seconds(events) - self._of[Method.IN_PROCESS].seconds(events)
        if not engine_ready:
            self._regret_s += max(0.0, saved)
            saved = self._regret_s - self._engine_s
        return Method.IN_PROCESS if saved > 0 else percolating

    def searches(self, events: int) -> bool:
        """Whether searching a window of so many events is cheaper than reading them all.

        >>> costs = Costs(rules=500)
        >>> costs.searches(50_000), costs.searches(20)
        (True, False)
        """
        search = self._of[Method.SEARCH]
        searched = search.seconds(events) + self.reading_s(int(events * self._share))
        cheaper = searched < self.reading_s(events)
        if cheaper:
            self._fetch = self._fetch.faded()
        else:
            self._of[Method.SEARCH] = search.faded()
        return cheaper

    def reading_s(self, events: int) -> float:
        """Expected seconds for reading events and judging them in this process."""
        return self._fetch.seconds(events) + self._of[Method.IN_PROCESS].seconds(events)

    def fetched(self, events: int, seconds: float) -> None:
        """A page of so many events took so long to be read."""
        self._fetch = self._fetch.corrected(events, seconds)

    def took(self, method: Method, events: int, seconds: float) -> None:
        """A batch took so long."""
        self._of[method] = self._of[method].corrected(events, seconds)

    def searched(self, events: int, hits: int, seconds: float) -> None:
        """The searches of a window of events took so long, and gave so many of them."""
        if events:
            self._share += (hits / events - self._share) * _SHARE
            alone = max(0.0, seconds - self._fetch.seconds(hits))
            search = self._of[Method.SEARCH]
            self._of[Method.SEARCH] = search.corrected(events, alone)
