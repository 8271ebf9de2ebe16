"""Which rules of a source are taken."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec.structs import fields

from osdetect.errors import UsageError
from osdetect.packs.documents import PackRule, RuleKind
from osdetect.sigma.filters import ANY
from osdetect.vocabulary import Level


class Selection(msgspec.Struct, frozen=True):
    """What a rule must be: one of the values of each kind that has some. Nothing given: every rule."""

    product: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    """`*` stands for anything, as in `attack.t1078*`."""
    id: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is asked of a rule."""
        return any(getattr(self, one.name) for one in fields(self))

    def to_json(self) -> dict[str, list[str]]:
        """As it stands in the lock file."""
        return {one.name: list(given) for one in fields(self) if (given := getattr(self, one.name))}


def selection_of(given: Mapping[str, Iterable[str]]) -> Selection:
    """The selection that options or a lock file say.

    Raises:
        UsageError: a level is none, or a kind is none of these.
    """
    known = {one.name for one in fields(Selection)}
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise UsageError(f"rules are not selected by {unknown!r}", cure=f"by {', '.join(sorted(known))}")
    words = {name: tuple(str(one).strip().lower() for one in values) for name, values in given.items()}
    wrong = next((one for one in words.get("level", ()) if one not in {*Level}), None)
    if wrong is not None:
        raise UsageError(f"{wrong!r} is no level", cure=f"the levels are {', '.join(Level)}")
    return Selection(**words)


def selected(rules: Iterable[PackRule], wanted: Selection) -> tuple[PackRule, ...]:
    """The rules that are taken, in their order, with the rules that correlation rules among them stand on.

    A correlation rule has no log source of its own: it has those of the rules that it names. A filter is taken with the rules
    that it is for.
    """
    everything = tuple(rules)
    called: dict[str, list[int]] = {}
    for place, rule in enumerate(everything):
        for name in rule.called():
            called.setdefault(name, []).append(place)
    taken = {
        place for place, rule in enumerate(everything) if rule.kind is RuleKind.RULE and _fits(rule, wanted)
    }
    for place, rule in enumerate(everything):
        if rule.kind is RuleKind.CORRELATION and _fits_words(rule, wanted):
            below = _below(place, everything, called)
            if not wanted or any(_fits_source(everything[one], wanted) for one in below - {place}):
                taken |= below
    names = {name for place in taken for name in (*everything[place].called(), *_tags(everything[place]))}
    for place, rule in enumerate(everything):
        if rule.kind is RuleKind.FILTER and (not wanted or _for_some(rule, names, wanted)):
            taken.add(place)
    return tuple(everything[place] for place in sorted(taken))


def _below(place: int, everything: tuple[PackRule, ...], called: Mapping[str, list[int]]) -> set[int]:
    """A correlation rule with all that it stands on; correlations may name correlations, and each other."""
    found: set[int] = set()
    waiting = [place]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            if everything[here].kind is RuleKind.CORRELATION:
                waiting += [one for name in everything[here].named() for one in called.get(name, ())]
    return found


def _fits(rule: PackRule, wanted: Selection) -> bool:
    return _fits_source(rule, wanted) and _fits_words(rule, wanted)


def _fits_source(rule: PackRule, wanted: Selection) -> bool:
    """A rule that names a product and no service is for all of the product's services."""
    source = rule.logsource
    if wanted.product and source.product not in wanted.product:
        return False
    every_service = source.product and not source.service and not source.category
    return not wanted.service or source.service in wanted.service or bool(every_service)


def _fits_words(rule: PackRule, wanted: Selection) -> bool:
    data: Mapping[str, Any] = rule.data
    level = str(data.get("level") or Level.MEDIUM.value).lower()
    return (
        (not wanted.level or level in wanted.level)
        and (not wanted.status or str(data.get("status") or "").lower() in wanted.status)
        and (not wanted.id or rule.id in wanted.id)
        and (not wanted.tag or any(fnmatchcase(tag, one) for tag in _tags(rule) for one in wanted.tag))
    )


def _tags(rule: PackRule) -> tuple[str, ...]:
    given = rule.data.get("tags")
    return tuple(str(one).lower() for one in given) if isinstance(given, list) else ()


def _for_some(rule: PackRule, names: set[str], wanted: Selection) -> bool:
    named = rule.named()
    if any(one in names for one in named):
        return True
    return any(one.lower() == ANY for one in named) and _fits_source(rule, wanted)
