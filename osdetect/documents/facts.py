"""All facts of an event in one walk: nearly always each is a text at the end of a path of maps, and paths share their beginnings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from osdetect.expr.values import steps

_Step = tuple[str, tuple[str, ...]]
"""A key, and the keys with dots that would also do."""


class _Place(msgspec.Struct, frozen=True):
    """A map that facts stand in."""

    way: tuple[_Step, ...]
    """From the event to it."""
    keys: tuple[tuple[str, str], ...]
    """Facts, and their keys in the map."""


class Facts:
    """Reads the texts of an event."""

    def __init__(self, paths: Mapping[str, tuple[str, ...]], facts: Iterable[str]) -> None:
        """See the class.

        Args:
            paths: where each fact may stand.
            facts: those to be read.
        """
        self._empty = dict.fromkeys(facts, "")
        self._places = tuple(_places(paths))
        self._elsewhere = tuple(fact for fact, places in paths.items() if len(places) > 1)

    def texts(
        self, event: Mapping[str, Any], slowly: Callable[[Mapping[str, Any], str], str]
    ) -> dict[str, str]:
        """Each fact's text, "" without one.

        Args:
            event: its `_source`.
            slowly: finds the text of one fact, wherever it is: in a list, or under a key with dots.
        """
        found = self._empty.copy()
        for place in self._places:
            here: Any = event
            for step, dotted in place.way:
                if not isinstance(here, dict):
                    break
                inner = here.get(step)
                if inner is None and not here.keys().isdisjoint(dotted):
                    inner = _UNCLEAR
                here = inner
            if isinstance(here, dict):
                get = here.get
                for fact, key in place.keys:
                    value = get(key)
                    if value is None:
                        continue
                    if value.__class__ is str:
                        found[fact] = value
                    elif isinstance(value, list):
                        found[fact] = slowly(event, fact)
            elif here is not None and (here is _UNCLEAR or isinstance(here, (list, Mapping))):
                for fact, _ in place.keys:
                    found[fact] = slowly(event, fact)
        for fact in self._elsewhere:
            found[fact] = slowly(event, fact)
        return found


_UNCLEAR = object()


def _places(paths: Mapping[str, tuple[str, ...]]) -> Iterator[_Place]:
    grouped: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    dotted: dict[tuple[str, ...], list[set[str]]] = {}
    for fact, places in paths.items():
        if len(places) != 1:
            continue
        *way, (key, _) = steps(places[0])
        name = tuple(step for step, _ in way)
        grouped.setdefault(name, []).append((fact, key))
        known = dotted.setdefault(name, [set() for _ in way])
        for at, (_, others) in enumerate(way):
            known[at].update(others)
    for name, keys in grouped.items():
        yield _Place(tuple(zip(name, map(tuple, dotted[name]), strict=True)), tuple(keys))
