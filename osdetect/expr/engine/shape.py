"""Reading of a record only what is asked for: hot fields at once, others as bytes, the rest not at all.

A record's shape is a msgspec type with a field for every name that may stand in it. That no other name may stand
there is the point: a name with dots in it ("userIdentity.type") would be found by a rule's path too
(`osdetect.expr.values.resolve`). Which names records have is learned from records.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import orjson
from msgspec import UNSET

from osdetect.expr.nodes import ANYWHERE

MOST_NAMES = 96
"""Names of one object that are learned; CloudTrail has some forty."""
_MOST_LEAVES = 24

Names = Mapping[str, tuple[str, ...]]
"""By the path of an object ("" for the record) the names seen in it."""
Get = Callable[[Any], Any]
Fetch = tuple[str, Get, bool]
"""What a value is put into the event as, how it is got from the record read, and whether as undecoded bytes."""


class Shape(msgspec.Struct, frozen=True):
    """How records are read for a set of paths."""

    decode: Callable[[bytes | memoryview], Sequence[Any]]
    """A JSON list of records to what is read of each.

    Raises msgspec.ValidationError for a name that is not known or an object that is none, msgspec.DecodeError or
    UnicodeDecodeError for what is no JSON, RecursionError for what is too deep.
    """
    decode_one: Callable[[memoryview], Any]
    """The same for one record."""
    hot: tuple[str, ...]
    """For each hot path the attributes that lead to it, with dots between them."""
    leaves: Mapping[str, Get]
    heads: Mapping[str, Get]
    """Top-level fields that are kept undecoded."""
    told: tuple[Get, ...]
    """How the fields that are told of each match are got."""
    names: Mapping[str, frozenset[str]]
    """By the path of each object that is read ("" for the record) the names that may stand in it."""
    _fetches: dict[tuple[str, ...], tuple[Fetch, ...] | None] = msgspec.field(default_factory=dict)

    @staticmethod
    def of(hot: Sequence[str], read: Iterable[str], names: Names, tell: Sequence[str] = ()) -> "Shape":
        """The shape for the hot paths and the fields to tell, decoded, and what else rules read, kept as bytes where possible."""
        leaves = tuple(dict.fromkeys((*_leaves(hot, read), *tell)))
        inner = {path.partition(".")[0] for path in leaves if "." in path}
        heads = {path.partition(".")[0] for path in read if path != ANYWHERE} - inner - set(leaves)
        chains: dict[str, tuple[str, ...]] = {}
        known: dict[str, frozenset[str]] = {}
        made = _struct("", leaves, heads, names, chains, (), known)
        getters: dict[str, Get] = {path: attrgetter(".".join(chain)) for path, chain in chains.items()}
        return Shape(
            msgspec.json.Decoder(list[made]).decode,  # type: ignore[valid-type]  # a type made at run time
            msgspec.json.Decoder(made).decode,
            tuple(".".join(chains[path]) for path in hot),
            {path: getters[path] for path in leaves},
            {head: getters[head] for head in heads},
            tuple(getters[name] for name in tell),
            known,
        )

    def column(self, number: int, records: Sequence[Any]) -> list[Any]:
        """The values of a hot path for the records read; UNSET where it is absent."""
        get = attrgetter(self.hot[number])
        try:
            return list(map(get, records))
        except AttributeError:  # an object on the way is null
            return [_value(get, record) for record in records]

    def event(self, record: Any, reads: tuple[str, ...]) -> dict[str, Any] | None:
        """An event that has, at these paths, what the record has there; None if that takes the whole record.

        Raises:
            orjson.JSONDecodeError: the record cannot be read.
        """
        if reads not in self._fetches:
            self._fetches[reads] = self._plan(reads)
        fetches = self._fetches[reads]
        if fetches is None:
            return None
        event: dict[str, Any] = {}
        for name, get, undecoded in fetches:
            value = _value(get, record)
            if value is UNSET:
                continue
            if undecoded:
                value = orjson.loads(memoryview(value))
            elif value is not None and not isinstance(value, (str, bool)):
                return None  # msgspec and orjson differ about large numbers
            event[name] = value
        return event

    def _plan(self, reads: tuple[str, ...]) -> tuple[Fetch, ...] | None:
        fetches: dict[str, Fetch] = {}
        for path in reads:
            head = path.partition(".")[0]
            if path in self.leaves:
                fetches[path] = (path, self.leaves[path], False)
            elif head in self.heads and path != ANYWHERE:
                fetches[head] = (head, self.heads[head], True)
            else:
                return None
        return tuple(fetches.values())


def _leaves(hot: Sequence[str], read: Iterable[str]) -> tuple[str, ...]:
    """The hot paths, and others inside the objects that these lead through."""
    chosen = list(hot)
    inner = {path.partition(".")[0] for path in hot if "." in path}
    for path in sorted(read):
        known = path in chosen or any(path.startswith(f"{o}.") or o.startswith(f"{path}.") for o in chosen)
        if path.partition(".")[0] in inner and not known and len(chosen) < len(hot) + _MOST_LEAVES:
            chosen.append(path)
    return tuple(chosen)


def _struct(
    inside: str,
    leaves: Sequence[str],
    heads: Iterable[str],
    names: Names,
    chains: dict[str, tuple[str, ...]],
    chain: tuple[str, ...],
    known: dict[str, frozenset[str]],
) -> type[msgspec.Struct]:
    """The type of the object at the path `inside`.

    Where each leaf and head is found goes to `chains`, which names may stand in an object to `known`.
    """
    prefix = f"{inside}." if inside else ""
    below = [path for path in leaves if path.startswith(prefix)]
    wanted = dict.fromkeys(path[len(prefix) :].partition(".")[0] for path in below)
    seen = names.get(inside, ())
    fields: list[tuple[str, Any, Any]] = []
    rename: dict[str, str] = {}
    known[inside] = frozenset((*seen, *wanted, *heads))
    for number, name in enumerate(dict.fromkeys((*seen, *wanted, *heads))):
        here, path = f"f{number}", prefix + name
        rename[here] = name
        chains[path] = (*chain, here)
        if path in leaves:
            fields.append((here, Any, UNSET))
        elif name in wanted:
            inner = _struct(path, leaves, (), names, chains, chains[path], known)
            fields.append((here, inner | None, inner()))
        else:
            fields.append((here, msgspec.Raw, UNSET))
    return msgspec.defstruct("Read", fields, rename=rename, forbid_unknown_fields=True, frozen=True, gc=False)


def _value(get: Get, record: Any) -> Any:
    """What is found; nothing where an object on the way is null."""
    try:
        return get(record)
    except AttributeError:
        return UNSET


def learn(names: Names, events: Iterable[Any], inner: Iterable[str], read: Iterable[str]) -> Names:
    """The names known, and those of these events: of the record and of the objects at the paths `inner`."""
    found = {path: dict.fromkeys(names.get(path, ())) for path in ("", *inner)}
    for event in events:
        for path, known in found.items():
            value = event
            for step in path.split(".") if path else ():
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, dict) and not value.keys() <= known.keys():
                known.update(dict.fromkeys(name for name in value if _is_harmless(path, name, read)))
    return {**names, **{path: tuple(known)[:MOST_NAMES] for path, known in found.items()}}


def _is_harmless(inside: str, name: str, read: Iterable[str]) -> bool:
    """Whether no rule's path finds the name by its dots, and msgspec takes it."""
    if not name.isprintable() or '"' in name or "\\" in name:
        return False
    path = f"{inside}.{name}" if inside else name
    return "." not in name or not any(asked == path or asked.startswith(f"{path}.") for asked in read)
