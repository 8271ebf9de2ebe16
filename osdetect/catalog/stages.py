"""How a rule decides, in stages: the condition, then each selection with its predicates, in words."""

from collections.abc import Iterable, Sequence

import msgspec

from osdetect.catalog.predicates import Indicator, indicator
from osdetect.expr import All, AnyOf, Expr, Leaf, Not, render
from osdetect.sigma.correlation import Resolved
from osdetect.sigma.selections import Layout

SHOWN = 200
"""Values of a stage that are shown; the rest is counted."""
SPOKEN = 12
"""Values that a sentence names."""


class Predicate(msgspec.Struct, frozen=True):
    """What is asked of one field: tests, of which every one or any one must hold."""

    every: bool
    tests: tuple[Indicator, ...]
    text: str = ""
    """Where the tests alone do not say it: the whole in words."""

    @property
    def sentence(self) -> str:
        """As a person would say it."""
        if self.text:
            return self.text
        first = self.tests[0]
        if len(self.tests) == 1 or any(
            (one.field, one.operator) != (first.field, first.operator) for one in self.tests
        ):
            return _listed([str(one) for one in self.tests], "and" if self.every else "or")
        values = _listed([one.value for one in self.tests], "and" if self.every else "or")
        return f"{first.field} {first.operator} {values}"


class Stage(msgspec.Struct, frozen=True):
    """One step of a rule's decision; number 0 is the condition."""

    number: int
    name: str
    alternatives: tuple[tuple[Predicate, ...], ...]
    """The predicates of one of these must all hold; none at all for the condition."""
    sentence: str
    more: int
    """Values that are not shown."""


def stages_of(layout: Layout) -> tuple[Stage, ...]:
    """The stages of a detection rule."""
    condition = Stage(0, " or ".join(layout.conditions), (), _condition(layout.conditions), 0)
    selections = (
        _selection(number, name, tree) for number, (name, tree) in enumerate(layout.selections, start=1)
    )
    return condition, *selections


def _condition(conditions: Sequence[str]) -> str:
    if len(conditions) == 1 and conditions[0].isidentifier():
        return f"An event matches when {conditions[0]} holds."
    return f"An event matches when this holds: {'; or '.join(conditions)}."


def _selection(number: int, name: str, tree: Expr[str]) -> Stage:
    whole = tuple(_alternatives(tree))
    sentence = _listed([_all_of(alternative, alone=len(whole) == 1) for alternative in whole], "or")
    shown, more = _cut(whole)
    return Stage(number, name, shown, f"{name} holds when {sentence}.", more)


def _all_of(predicates: Sequence[Predicate], *, alone: bool) -> str:
    said = _listed([one.sentence for one in predicates], "and")
    return said if alone or len(predicates) == 1 else f"({said})"


def _alternatives(tree: Expr[str]) -> Iterable[tuple[Predicate, ...]]:
    """A map of fields is one alternative; a list of maps has one for each; keywords are one predicate."""
    if isinstance(tree, AnyOf) and any(isinstance(part, All) for part in tree.parts):
        for part in tree.parts:
            yield _conjunction(part)
    else:
        yield _conjunction(tree)


def _conjunction(tree: Expr[str]) -> tuple[Predicate, ...]:
    parts = tree.parts if isinstance(tree, All) else (tree,)
    return tuple(predicate for part in parts for predicate in _predicates(part))


def _predicates(item: Expr[str]) -> Iterable[Predicate]:
    alternatives = _literals(item, AnyOf)
    if alternatives is not None:
        yield Predicate(every=False, tests=alternatives)
    elif (together := _literals(item, All)) is not None:
        yield Predicate(every=True, tests=together)
    elif isinstance(item, All):  # `all` over values that stand for several texts each
        for part in item.parts:
            yield from _predicates(part)
    else:
        tests = tuple(_every_test(item))
        yield Predicate(every=False, tests=tests, text=render(item))


def _literals(item: Expr[str], kind: type[All[str]] | type[AnyOf[str]]) -> tuple[Indicator, ...] | None:
    """The tests of a part that is nothing but tests, or their opposites, joined in this one way."""
    match item:
        case Leaf():
            return (indicator(item),)
        case Not(part=Leaf() as leaf):
            return (indicator(leaf, holds=False),)
        case Not(part=AnyOf(parts=parts)) if kind is All or len(parts) == 1:
            return _gathered([Not(part) for part in parts], kind)
        case Not(part=All(parts=parts)) if kind is AnyOf or len(parts) == 1:
            return _gathered([Not(part) for part in parts], kind)
        case All(parts=parts) | AnyOf(parts=parts) if isinstance(item, kind) or len(parts) == 1:
            return _gathered(parts, kind)
        case _:
            return None


def _gathered(
    parts: Sequence[Expr[str]], kind: type[All[str]] | type[AnyOf[str]]
) -> tuple[Indicator, ...] | None:
    found = [_literals(part, kind) for part in parts]
    return tuple(one for some in found for one in some or ()) if None not in found else None


def _every_test(tree: Expr[str], *, holds: bool = True) -> Iterable[Indicator]:
    match tree:
        case Leaf():
            yield indicator(tree, holds=holds)
        case Not(part=part):
            yield from _every_test(part, holds=not holds)
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _every_test(part, holds=holds)


def _listed(said: Sequence[str], word: str) -> str:
    """a, b or c."""
    shown = list(said[:SPOKEN])
    if len(said) > SPOKEN:
        shown.append(f"{len(said) - SPOKEN} more")
    if len(shown) < 3:
        return f" {word} ".join(shown)
    return f"{', '.join(shown[:-1])} {word} {shown[-1]}"


def _cut(whole: tuple[tuple[Predicate, ...], ...]) -> tuple[tuple[tuple[Predicate, ...], ...], int]:
    left, more = SHOWN, 0
    kept: list[tuple[Predicate, ...]] = []
    for alternative in whole:
        predicates: list[Predicate] = []
        for one in alternative:
            tests = one.tests[:left]
            left -= len(tests)
            more += len(one.tests) - len(tests)
            if tests:
                predicates.append(Predicate(one.every, tests, one.text))
        if predicates:
            kept.append(tuple(predicates))
    return tuple(kept), more


_COMPARISONS = {
    "gte": "at least",
    "gt": "more than",
    "lte": "at most",
    "lt": "less than",
    "eq": "exactly",
    "neq": "not",
}
_UNITS = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def correlation_stages(resolved: Resolved, titles: Sequence[str]) -> tuple[Stage, ...]:
    """The stages of a correlation rule: what is measured over its matches, then each rule whose matches they are."""
    one = resolved.correlation
    bounds = " and ".join(f"{_COMPARISONS[bound.comparison]} {bound.value:g}" for bound in one.bounds)
    fields = f" of {', '.join(one.fields)}" if one.fields else ""
    grouped = f", for each {', '.join(one.group_by)}" if one.group_by else ""
    name = f"{one.type.value}{fields}{f' {bounds}' if bounds else ''}"
    sentence = f"It holds when {name.replace('_', ' ')} within {duration(one.timespan)}{grouped}."
    rules = tuple(
        Stage(number, title, (), f"Matches of the rule {title}.", 0)
        for number, title in enumerate(titles, start=1)
    )
    return Stage(0, name, (), sentence, 0), *rules


def duration(seconds: int) -> str:
    """Seconds in the largest unit that they are a whole number of.

    >>> duration(7200)
    '2 hours'
    """
    size, unit = next(one for one in _UNITS if seconds % one[0] == 0)
    number = seconds // size
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
