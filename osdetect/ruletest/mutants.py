"""Small changes of a rule that its tests should notice: each mutant is the rule's tree with one thing changed."""

import ipaddress
from collections.abc import Hashable, Iterator, Mapping
from typing import Literal, assert_never

import msgspec
from msgspec import structs
from msgspec.structs import replace

from osdetect.expr import (
    All,
    AnyOf,
    Boolean,
    Cidr,
    Compare,
    CompareTime,
    Equals,
    Expr,
    Gap,
    Leaf,
    Not,
    Number,
    Regex,
    Test,
    TimePart,
    Wildcard,
    render,
    render_test,
    simplify,
)
from osdetect.expr.predicates import check_pattern

Tree = Expr[str]
Kind = Literal["dropped", "filter dropped", "negated", "swapped", "value", "bound", "widened", "narrowed"]
MAX_MUTANTS = 500
"""Mutants of one rule; a list of thousands of values would make as many."""


class Mutant(msgspec.Struct, frozen=True):
    """A rule's tree with one thing changed."""

    kind: Kind
    text: str
    """What was changed, in words."""
    tree: Tree


class Mutants(msgspec.Struct, frozen=True):
    """The mutants of a rule, each of another meaning as far as simplifying tells."""

    mutants: tuple[Mutant, ...]
    same: int
    """Mutants left out because they simplify to the rule's own tree, or to that of a mutant before them."""
    more: int
    """Mutants beyond `MAX_MUTANTS`, which were not looked at."""


def mutants(tree: Tree) -> Mutants:
    """Every mutant of the tree.

    >>> from osdetect.expr import Exists
    >>> [one.text for one in mutants(All((Leaf("a", Exists()), Not(Leaf("b", Exists()))))).mutants][:2]
    ['without: a exists', 'without: not b exists']
    """
    known = {_unordered(simplify(tree))}
    kept: list[Mutant] = []
    same = more = 0
    for one in _root(simplify(tree)):
        if len(kept) == MAX_MUTANTS:
            more += 1
            continue
        smaller = simplify(one.tree)
        if (key := _unordered(smaller)) in known:
            same += 1
        else:
            known.add(key)
            kept.append(replace(one, tree=smaller))
    return Mutants(tuple(kept), same, more)


def _unordered(tree: Tree) -> Hashable:
    """The tree without the order of the parts, which says nothing."""
    match tree:
        case Leaf():
            return tree
        case Not(part=part):
            return ("not", _unordered(part))
        case All(parts=parts):
            return ("all", frozenset(map(_unordered, parts)))
        case AnyOf(parts=parts):
            return ("any", frozenset(map(_unordered, parts)))
        case _:
            assert_never(tree)


def _root(tree: Tree) -> Iterator[Mutant]:
    if isinstance(tree, Leaf | Not):
        yield Mutant("dropped", f"without: {render(tree)}", All(()))
    yield from _changed(tree)


def _changed(tree: Tree) -> Iterator[Mutant]:
    """The tree with one thing in it changed."""
    match tree:
        case Leaf():
            yield Mutant("negated", f"not: {render(tree)}", Not(tree))
            yield from _leaf(tree)
        case Not(part=part):
            yield from (replace(one, tree=Not(one.tree)) for one in _changed(part))
            if not isinstance(part, Leaf):
                yield Mutant("negated", f"not: {render(tree)}", part)
        case All(parts=parts):
            yield from _without_one(parts, All)
            if len(parts) > 1:
                yield Mutant("swapped", f"any of, not all of: {render(tree)}", AnyOf(parts))
            for number, part in enumerate(parts):
                for one in _changed(part):
                    yield replace(one, tree=All((*parts[:number], one.tree, *parts[number + 1 :])))
        case AnyOf(parts=parts):
            yield from _without_one(parts, AnyOf)
            if len(parts) > 1:
                yield Mutant("swapped", f"all of, not any of: {render(tree)}", All(parts))
            if (values := _values_of_one_field(parts)) is not None:
                yield from _list(values)
                return
            for number, part in enumerate(parts):
                for one in _changed(part):
                    yield replace(one, tree=AnyOf((*parts[:number], one.tree, *parts[number + 1 :])))
        case _:
            assert_never(tree)


def _without_one(parts: tuple[Tree, ...], kind: type[All[str]] | type[AnyOf[str]]) -> Iterator[Mutant]:
    for number, part in enumerate(parts):
        named: Kind = "filter dropped" if kind is All and isinstance(part, Not) else "dropped"
        yield Mutant(named, f"without: {render(part)}", kind((*parts[:number], *parts[number + 1 :])))


def _values_of_one_field(parts: tuple[Tree, ...]) -> tuple[Leaf[str], ...] | None:
    """The leaves, if all are texts that one field may have: a list of values."""
    found = tuple(
        part for part in parts if isinstance(part, Leaf) and isinstance(part.test, Equals | Wildcard)
    )
    same = len(found) == len(parts) > 1 and len({leaf.field for leaf in found}) == 1
    return found if same else None


def _list(values: tuple[Leaf[str], ...]) -> Iterator[Mutant]:
    """A list is changed as one: by its modifier. That a value is missing from it is told by what was dropped."""
    whole = AnyOf(values)
    yield Mutant("negated", f"not: {render(whole)}", Not(whole))
    each = [{one.kind + one.how: one for one in _texts(leaf.test)} for leaf in values]
    for way in dict.fromkeys(way for ways in each for way in ways):
        changed = [
            Leaf(leaf.field, ways[way].test) if way in ways else leaf
            for leaf, ways in zip(values, each, strict=True)
        ]
        one = next(ways[way] for ways in each if way in ways)
        yield Mutant(one.kind, f"{one.how}: {render(whole)}", AnyOf(tuple(changed)))


def _leaf(leaf: Leaf[str]) -> Iterator[Mutant]:
    for one in (*_texts(leaf.test), *_values(leaf.test)):
        text = f"{leaf.field} {render_test(one.test)}, not {render_test(leaf.test)}"
        yield Mutant(one.kind, text, Leaf(leaf.field, one.test))


class _Way(msgspec.Struct, frozen=True):
    """A test changed."""

    kind: Kind
    how: str
    test: Test


def _texts(test: Test) -> Iterator[_Way]:
    """Texts compared more loosely, or more strictly."""
    if isinstance(test, Equals | Wildcard) and test.cased and _has_case(test):
        yield _Way("widened", "letter case no longer counts", structs.replace(test, cased=False))
    match test:
        case Equals(text=text, cased=cased) if text:
            yield _Way("widened", "contains, not is", Wildcard((Gap.ANY, text, Gap.ANY), cased))
        case Wildcard(parts=parts, cased=cased) if any(isinstance(part, str) for part in parts):
            begins, ends = parts[0] is not Gap.ANY, parts[-1] is not Gap.ANY
            if begins or ends:
                wide = ((Gap.ANY,) if begins else ()) + parts + ((Gap.ANY,) if ends else ())
                yield _Way("widened", "contains, not at an end", Wildcard(wide, cased))
            if not begins:
                yield _Way("narrowed", "nothing may stand before it", _pattern(parts[1:], cased=cased))
            if not ends:
                yield _Way("narrowed", "nothing may stand behind it", _pattern(parts[:-1], cased=cased))
        case Regex(pattern=pattern, flags=flags):
            loose = pattern.removeprefix("^")
            loose = loose[:-1] if loose.endswith("$") and not loose.endswith("\\$") else loose
            if loose != pattern and check_pattern(Regex(loose, flags)) is None:
                yield _Way("widened", "found anywhere in the text", Regex(loose, flags))
        case _:
            return


def _has_case(test: Equals | Wildcard) -> bool:
    texts = (
        (test.text,) if isinstance(test, Equals) else [part for part in test.parts if isinstance(part, str)]
    )
    return any(text.lower() != text.upper() for text in texts)


def _pattern(parts: tuple[str | Gap, ...], *, cased: bool) -> Test:
    match parts:
        case (str(text),):
            return Equals(text, cased)
        case _:
            return Wildcard(parts, cased)


_OTHER_SIDE: Mapping[str, Literal["lt", "lte", "gt", "gte"]] = {
    "lt": "lte",
    "lte": "lt",
    "gt": "gte",
    "gte": "gt",
}


def _values(test: Test) -> Iterator[_Way]:
    """Another value, or a bound that is moved by one step."""
    match test:
        case Equals(text=text):
            yield _Way("value", "another value", structs.replace(test, text=f"{text}~"))
        case Number(value=value):
            yield _Way("value", "another value", Number(value + 1))
        case Boolean(value=value):
            yield _Way("value", "another value", Boolean(not value))
        case Cidr(network=network):
            if (beside := _beside(network)) is not None:
                yield _Way("value", "another value", Cidr(beside))
        case Compare(operator=side) | CompareTime(operator=side):
            yield _Way("bound", "the bound moved", structs.replace(test, operator=_OTHER_SIDE[side]))
        case TimePart(operator="eq", value=value):
            yield _Way("value", "another value", structs.replace(test, value=value + 1))
        case TimePart(operator="lt" | "lte" | "gt" | "gte" as side):
            yield _Way("bound", "the bound moved", structs.replace(test, operator=_OTHER_SIDE[side]))
        case _:
            return


def _beside(network: str) -> str | None:
    """The network that makes a larger one together with this; None of one that has everything."""
    given = ipaddress.ip_network(network, strict=False)
    if not given.prefixlen:
        return None
    return next(str(one) for one in given.supernet().subnets() if one != given)
