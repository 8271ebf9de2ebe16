"""All rules of a catalog beside each other: who looks for the same, who watches the same call, who repeats whom."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from osdetect.catalog.entries import Entry
from osdetect.catalog.implication import Outline, implies
from osdetect.catalog.predicates import Indicator
from osdetect.expr.values import fold_case
from osdetect.sigma import LogSource, Rule

NEAR = 0.7
"""Share of common indicators from which on two rules are near-duplicates."""
_FEW = 3
"""With fewer indicators in both together, one in common says nothing."""
_COMMON = 400
"""An indicator of more rules than these finds no candidates: it says nothing about any of them."""

Key = tuple[str, str, str]


class Watcher(msgspec.Struct, frozen=True):
    """Another rule that filters on the same call."""

    entry: Entry
    calls: tuple[str, ...]
    """The calls that both look for, as the other rule writes them."""
    other_service: bool
    """Whether it looks for calls of that name in other services only."""


class Neighbours(msgspec.Struct, frozen=True):
    """Rules that say nearly the same."""

    near: tuple[tuple[Entry, int], ...]
    """Near-duplicates, with the percentage of indicators in common; the nearest first."""
    subsumes: tuple[Entry, ...]
    """Rules whose every match this rule matches as well."""
    subsumed_by: tuple[Entry, ...]
    """Rules that match every match of this rule."""


class Corpus:
    """The rules of a catalog, arranged for looking up. Rules of different platforms have nothing to do with each other."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._keys = {entry.id: frozenset(one.key for one in entry.indicators) for entry in entries}
        self._outlines = {
            entry.id: Outline(entry.rule.tree) for entry in entries if isinstance(entry.rule, Rule)
        }
        self._answers: dict[tuple[str, str], bool] = {}
        self._looking: dict[tuple[str, Key], list[Entry]] = defaultdict(list)
        self._watching: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in entries:
            for key in self._keys[entry.id]:
                self._looking[entry.platform, key].append(entry)
            for call in entry.operations:
                self._watching[entry.platform, fold_case(call)].append(entry)

    def others_looking_for(self, entry: Entry, indicator: Indicator) -> int:
        """How many other rules of the platform look for the same field, operator and value."""
        return len(self._looking[entry.platform, indicator.key]) - 1

    def calls(self) -> Iterator[tuple[str, str, tuple[Entry, ...]]]:
        """Each platform and call that rules name, with these rules; by platform and call."""
        for platform, call in sorted(self._watching):
            found = self._watching[platform, call]
            written = next(one for one in found[0].operations if fold_case(one) == call)
            yield platform, written, tuple(found)

    def same_action(self, entry: Entry) -> tuple[Watcher, ...]:
        """The other rules of the platform that filter on a call of this rule: those of the same service first."""
        shared: dict[str, list[str]] = defaultdict(list)
        others: dict[str, Entry] = {}
        for call in dict.fromkeys(map(fold_case, entry.operations)):
            for other in self._watching[entry.platform, call]:
                if other.id != entry.id:
                    others[other.id] = other
                    shared[other.id].append(next(x for x in other.operations if fold_case(x) == call))
        found = [
            Watcher(other, tuple(shared[name]), other_service=_apart(entry, other))
            for name, other in others.items()
        ]
        return tuple(
            sorted(found, key=lambda one: (one.other_service, one.entry.rule.title.casefold(), one.entry.id))
        )

    def neighbours(self, entry: Entry) -> Neighbours:
        """Near-duplicates, and rules of which one matches all that the other does."""
        mine = self._keys[entry.id]
        near: list[tuple[Entry, int]] = []
        under: list[Entry] = []
        over: list[Entry] = []
        for other in self._candidates(entry):
            both = mine & self._keys[other.id]
            either = len(mine | self._keys[other.id])
            if either >= _FEW and len(both) >= NEAR * either:
                near.append((other, 100 * len(both) // either))
            if self._subsumes(entry, other):
                under.append(other)
            if self._subsumes(other, entry):
                over.append(other)
        return Neighbours(
            tuple(sorted(near, key=lambda found: (-found[1], _order(found[0])))),
            tuple(sorted(under, key=_order)),
            tuple(sorted(over, key=_order)),
        )

    def _subsumes(self, wide: Entry, narrow: Entry) -> bool:
        """Asked once for the page of each of the two: the answer is kept for the other."""
        key = wide.id, narrow.id
        kept = self._answers.pop(key, None)
        if kept is None:
            kept = self._answers[key] = self._decided(wide, narrow)
        return kept

    def _decided(self, wide: Entry, narrow: Entry) -> bool:
        assert isinstance(wide.rule, Rule)  # a correlation has no indicators, and so is no candidate
        assert isinstance(narrow.rule, Rule)
        return (
            self._outlines[narrow.id].may_imply(self._outlines[wide.id])
            and _covers(wide.logsource, narrow.logsource)
            and implies(narrow.rule.tree, wide.rule.tree)
        )

    def _candidates(self, entry: Entry) -> tuple[Entry, ...]:
        found: Counter[str] = Counter()
        by_id: dict[str, Entry] = {}
        for key in sorted(self._keys[entry.id]):
            looking = self._looking[entry.platform, key]
            for other in looking if len(looking) <= _COMMON else ():
                if other.id != entry.id:
                    found[other.id] += 1
                    by_id[other.id] = other
        return tuple(by_id[name] for name in sorted(found))


def _order(entry: Entry) -> tuple[str, str]:
    return entry.rule.title.casefold(), entry.id


def _apart(one: Entry, other: Entry) -> bool:
    """Whether both name services, and none in common."""
    mine, theirs = set(map(fold_case, one.services)), set(map(fold_case, other.services))
    return bool(mine and theirs) and mine.isdisjoint(theirs)


def _covers(wide: LogSource, narrow: LogSource) -> bool:
    pairs = ((wide.category, narrow.category), (wide.product, narrow.product), (wide.service, narrow.service))
    return all(mine in {"", theirs} for mine, theirs in pairs)
