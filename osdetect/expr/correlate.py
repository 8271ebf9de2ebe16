"""The definition of what a correlation means: a window that slides over the matches of each group.

Meaning (Sigma correlation rules specification 2.1): a window of `span` seconds ends at each moment at which the group
has a match, and holds every match from `span` seconds before up to that moment, both ends included. Where the
measure of a window meets all bounds, the correlation holds at that moment.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, TypeAlias

import msgspec
import orjson

from osdetect.expr.measures import METERS
from osdetect.expr.nodes import MAX_INTEGER
from osdetect.expr.values import fold_case
from osdetect.expr.windows import (
    MAX_COMBINATIONS,
    Bound,
    Column,
    Comparison,
    Entry,
    Match,
    Reading,
    Values,
    Window,
    combinations,
)

MAX_EVIDENCE = 100
"""How many event keys a firing names."""


class Firing(msgspec.Struct, frozen=True):
    """A stretch of moments of one group at which the correlation held, each at most `span` after the last."""

    window: str
    group: tuple[tuple[str, str], ...]
    """(name, value) as first seen in the group."""
    start: int
    """Time of the earliest match in the first window; milliseconds since 1970, like the other two."""
    first: int
    """When the correlation held first."""
    last: int
    """When it held last."""
    peak: int | float
    """The largest measure while it held."""
    moments: int
    evidence: tuple[str, ...]
    """Keys of the events in the first window, in the order of time, at most `MAX_EVIDENCE`."""


class Correlated(msgspec.Struct, frozen=True):
    """What a window made of the matches."""

    firings: tuple[Firing, ...]
    """In the order of time."""
    signals: tuple[Match, ...]
    """One for each moment at which it held: what another window correlates."""
    events: int
    """Events of its rules, those left out included."""
    groups: int
    ungrouped: int
    """Events left out because they lack a field that is grouped by."""
    undated: int
    """Events left out because their time cannot be read."""
    crowded: int
    """Events with more combinations of values than `MAX_COMBINATIONS`; the others were left out."""


_COMPARE: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


def correlate(window: Window, matches: Iterable[Match]) -> Correlated:
    """What the window makes of the matches; those of other rules are passed over. Their order does not matter.

    Takes time n log n and keeps an entry for each match and group. Events without a time, or without a field that is
    grouped by, are left out and counted.
    """
    asked = frozenset(window.rules)
    own = [match for match in matches if match.rule in asked]
    dated = [match for match in own if match.time is not None]
    groups, ungrouped, crowded = _grouped(window, dated)
    firings: list[Firing] = []
    signals: list[Match] = []
    for shown, entries in groups:
        for firing, told in _fired(window, shown, entries):
            firings.append(firing)
            signals += told
    return Correlated(
        firings=tuple(sorted(firings, key=lambda firing: (firing.first, firing.group))),
        signals=tuple(signals),
        events=len({match.key for match in own}),
        groups=len(groups),
        ungrouped=len(ungrouped),
        undated=len({match.key for match in own if match.time is None}),
        crowded=len(crowded),
    )


def correlate_all(windows: Iterable[Window], matches: Iterable[Match]) -> dict[str, Correlated]:
    """What each window makes of the matches and of the windows before it, by the window's id."""
    known = list(matches)
    results: dict[str, Correlated] = {}
    for window in windows:
        results[window.id] = correlate(window, known)
        known += results[window.id].signals
    return results


_Group: TypeAlias = tuple[tuple[tuple[str, str], ...], list[Entry]]


def _grouped(window: Window, matches: list[Match]) -> tuple[list[_Group], set[str], set[str]]:
    """The groups with their entries in the order of time; the keys left out, and those with too many groups."""
    matches.sort(key=lambda match: (match.time, match.key, match.rule))
    names = [column.name for column in window.group_by]
    groups: dict[Values, _Group] = {}
    ungrouped: set[str] = set()
    crowded: set[str] = set()
    seen: set[tuple[Values, str, int]] = set()
    for match in matches:
        assert match.time is not None
        found = tuple(islice(combinations(window.group_by, match), MAX_COMBINATIONS))
        if not found:
            ungrouped.add(match.key)
        elif _is_crowded(window.group_by, match) or _is_crowded(window.counted, match):
            crowded.add(match.key)
        for folded, written in found:
            # An event that several rules match is one event, except where the rules are what is measured.
            here = (folded, match.key, match.time)
            if window.measure in {"rules", "order"} or here not in seen:
                seen.add(here)
                group = groups.setdefault(folded, (tuple(zip(names, written, strict=True)), []))
                group[1].append(Entry(match.time, match))
    return list(groups.values()), ungrouped, crowded


def _is_crowded(columns: Sequence[Column], match: Match) -> bool:
    return len(columns) > 1 and any(islice(combinations(columns, match), MAX_COMBINATIONS, None))


def _fired(
    window: Window, shown: tuple[tuple[str, str], ...], entries: list[Entry]
) -> Iterator[tuple[Firing, list[Match]]]:
    """The firings of one group, each with its signals."""
    moments = groupby(_moments(window, entries), key=lambda moment: moment.stretch)
    for stretch, found in moments:
        if stretch is None:
            continue
        held = list(found)
        first, last = held[0], held[-1]
        keys = dict.fromkeys(entry.match.key for entry in entries[first.left : first.right])
        firing = Firing(
            window=window.id,
            group=shown,
            start=entries[first.left].time,
            first=first.time,
            last=last.time,
            peak=_plain(max(moment.reading for moment in held)),
            moments=len(held),
            evidence=tuple(islice(keys, MAX_EVIDENCE)),
        )
        key = orjson.dumps([window.id, first.time, [fold_case(value) for _, value in shown]]).decode()
        yield firing, [_signal(window, moment, key, shown, entries) for moment in held]


class _Moment(msgspec.Struct, frozen=True):
    time: int
    reading: Reading
    left: int
    """The window is entries[left:right]."""
    right: int
    stretch: int | None
    """Counts the stretches of moments at which the correlation held; None where it did not."""


def _signal(
    window: Window, moment: _Moment, key: str, shown: tuple[tuple[str, str], ...], entries: list[Entry]
) -> Match:
    """The moment as a match of the window: with the fields of the event that it ends at, and the group's values."""
    match = entries[moment.right - 1].match
    names = {name for name, _ in shown}
    settled = (*shown, *(pair for pair in match.settled if pair[0] not in names))
    return Match(window.id, moment.time, match.event, key, settled)


def _moments(window: Window, entries: Sequence[Entry]) -> Iterator[_Moment]:
    meter = METERS[window.measure](window, entries)
    span = window.span * 1000
    left = right = 0
    stretch, before, held = 0, 0, False
    for time, some in groupby(entries, key=lambda entry: entry.time):
        latest = list(some)
        while entries[left].time < time - span:
            meter.drop(entries[left])
            left += 1
        for entry in latest:
            meter.add(entry)
        right += len(latest)
        good = [reading for reading in meter.readings(latest) if _meets(window.bounds, reading)]
        if good and not (held and time - before <= span):
            stretch += 1
        held, before = bool(good), time
        yield _Moment(time, max(good) if good else 0, left, right, stretch if good else None)


def _meets(bounds: tuple[Bound, ...], reading: Reading) -> bool:
    return all(_COMPARE[bound.comparison](reading, bound.value) for bound in bounds)


def _plain(reading: Reading) -> int | float:
    """As a number of JSON; what a float cannot hold is cut to an integer."""
    if int(reading) == reading or not -MAX_INTEGER <= reading <= MAX_INTEGER:
        return int(reading)
    return float(reading)
