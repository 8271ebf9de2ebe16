"""Correlation rules: read, and led to the rules that they name (Sigma correlation rules specification 2.1)."""

from collections.abc import Container, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import msgspec

from osdetect.errors import RuleError
from osdetect.expr import All, AnyOf, Expr, Leaf, Not, fold, simplify
from osdetect.expr.windows import Column, Window
from osdetect.sigma.correlation_rule import (
    Alias,
    Correlation,
    CorrelationType,
    Reference,
    is_correlation,
)
from osdetect.sigma.rule import Member

if TYPE_CHECKING:  # nobody who takes rules from the cache needs YAML
    from osdetect.sigma.yaml_text import Document

__all__ = [
    "Correlation",
    "CorrelationType",
    "Reference",
    "Resolution",
    "Resolved",
    "is_correlation",
    "read_correlation",
    "resolve",
    "search_bound",
    "silenced",
]


def read_correlation(document: "Document") -> Correlation:
    """The correlation rule that the document is.

    Raises:
        RuleError: the document is no correlation rule, or one that is not supported.
    """
    from osdetect.sigma.correlation_reader import read  # noqa: PLC0415  # pySigma takes half a second to import

    return read(document)


class Resolved(msgspec.Struct, frozen=True):
    """A correlation whose references name rules."""

    correlation: Correlation
    rules: tuple[str, ...]
    """The id of what each reference names, in their order: a rule or another correlation."""
    bases: tuple[str, ...]
    """The ids of the rules that it stands on, through other correlations too, each once."""
    window: Window
    """What it means."""


class Resolution(msgspec.Struct, frozen=True):
    """What became of a set of correlations; each is in exactly one of the three."""

    correlations: tuple[Resolved, ...]
    """Each after those that it names: the order that `osdetect.expr.correlate.correlate_all` takes them in."""
    refused: tuple[RuleError, ...]
    elsewhere: tuple[Correlation, ...]
    """Those that name rules for another log source, which were not read."""


def resolve(
    correlations: Sequence[Correlation],
    rules: Iterable[Member],
    *,
    doubles: Iterable[Member] = (),
    elsewhere: frozenset[str] = frozenset(),
) -> Resolution:
    """Find the rules that each correlation names: by id, by name, or by title, in this order.

    Of several that are called so the one in the same file is meant; otherwise the reference is refused. pySigma
    knows no titles; public rules use them.

    Args:
        correlations: as read.
        rules: the rules that there are.
        doubles: rules left out because one in `rules` has the same id and the same tree: their names lead to it.
        elsewhere: ids, names and titles of rules that were not read because they are for another log source.
    """
    if not correlations:
        return Resolution((), (), ())
    known = {rule.id: rule for rule in rules}
    unique: dict[str, Correlation] = {}
    refused: list[RuleError] = []
    for one in correlations:
        first = known.get(one.id) or unique.setdefault(one.id, one)
        if first is not one:
            refused.append(_twice(one, first))
    called = _Called(known.values(), doubles, unique.values())
    links: dict[str, _Linked] = {}
    absent: dict[str, Correlation] = {}
    bad: set[str] = set()
    for one in unique.values():
        try:
            links[one.id] = _linked(one, called)
        except RuleError as refusal:
            if any(
                called in elsewhere for one_of in one.rules for called in (one_of.text, one_of.text.lower())
            ):
                absent[one.id] = one
            else:
                refused.append(refusal)
                bad.add(one.id)
    order, circular = _in_order(links)
    refused += [_circular(unique[one]) for one in unique if one in circular]
    bad |= circular
    done: dict[str, Resolved] = {}
    for one_id in order:
        link = links[one_id]
        if any(rule in absent for rule in link.rules):
            absent[one_id] = link.correlation
            continue
        result = _of_parts(link, done, bad)
        if isinstance(result, RuleError):
            refused.append(result)
            bad.add(one_id)
        else:
            done[one_id] = result
    return Resolution(tuple(done.values()), tuple(refused), tuple(absent.values()))


def silenced(resolved: Iterable[Resolved]) -> frozenset[str]:
    """The ids of rules and correlations that do not alert on their own (specification, "Generate").

    They are named by a correlation without `generate: true`, and by none with it.
    """
    known = tuple(resolved)
    kept = {rule for one in known if one.correlation.generate for rule in one.rules}
    return frozenset(rule for one in known for rule in one.rules) - kept


def search_bound(resolved: Resolved, trees: Mapping[str, Expr[str]]) -> Expr[str]:
    """What each event that can take part in the correlation satisfies: one of its base rules matches it.

    Args:
        resolved: the correlation.
        trees: the tree of each rule, by its id.
    """
    return simplify(AnyOf(tuple(trees[rule] for rule in resolved.bases)))


_Known = Member | Correlation


class _Called:
    """What each name calls."""

    def __init__(
        self, rules: Iterable[Member], doubles: Iterable[Member], correlations: Iterable[Correlation]
    ) -> None:
        self._ids: dict[str, list[_Known]] = {}
        self._names: dict[str, list[_Known]] = {}
        self._titles: dict[str, list[_Known]] = {}
        everything: tuple[_Known, ...] = (*rules, *doubles, *correlations)
        for one in everything:
            for names, word in ((self._ids, one.id), (self._names, one.name), (self._titles, one.title)):
                names.setdefault(word, []).append(one)

    def by(self, reference: Reference) -> str:
        """The id of the rule or correlation that is called so.

        Raises:
            RuleError: none is, or several are.
        """
        called = reference.text
        found = self._ids.get(called.lower()) or self._names.get(called) or self._titles.get(called) or []
        near = [one for one in found if one.where.file == reference.where.file] or found
        ids = {one.id: one for one in near}
        if len(ids) == 1:
            return next(iter(ids))
        if not ids:
            raise RuleError(
                f"no rule is called {called[:80]!r}",
                cause="no rule or correlation that was read has this id, name or title",
                cure="read the file that holds it as well, or mend the name",
                where=reference.where,
            )
        raise RuleError(
            f"several rules are called {called[:80]!r}",
            cause=", ".join(str(one.where) for one in ids.values())[:300],
            cure="name the rule by its id",
            where=reference.where,
        )


class _Linked(msgspec.Struct, frozen=True):
    """A correlation with the ids that its references mean."""

    correlation: Correlation
    rules: tuple[str, ...]
    columns: Mapping[str, Column]
    """By the name of each alias."""


def _linked(correlation: Correlation, called: _Called) -> _Linked:
    ids: dict[str, Reference] = {}
    for reference in correlation.rules:
        first = ids.setdefault(called.by(reference), reference)
        if first is not reference:
            raise RuleError(
                "two references name the same rule",
                cause=f"{first.text!r} names it as well",
                cure="leave one of them out",
                where=reference.where,
            )
    columns = {alias.name: _column(alias, called, frozenset(ids)) for alias in correlation.aliases}
    return _Linked(correlation, tuple(ids), columns)


def _column(alias: Alias, called: _Called, rules: frozenset[str]) -> Column:
    paths: dict[str, str] = {}
    for reference, path in alias.paths:
        rule = called.by(reference)
        if rule not in rules or rule in paths:
            raise RuleError(
                "an alias names each rule of the correlation at most once, and no other",
                cause=f"{reference.text!r} is {'named twice' if rule in paths else 'none of its rules'}",
                where=reference.where,
            )
        paths[rule] = path
    return Column(alias.name, tuple(paths.items()))


def _window(linked: _Linked) -> Window:
    one = linked.correlation
    ids = {reference.text: rule for reference, rule in zip(one.rules, linked.rules, strict=True)}

    def columns(names: tuple[str, ...]) -> tuple[Column, ...]:
        return tuple(linked.columns.get(name, Column(name)) for name in names)

    return Window(
        id=one.id,
        rules=linked.rules,
        span=one.timespan,
        measure=one.measure,
        bounds=one.bounds,
        group_by=columns(one.group_by),
        counted=columns(one.fields),
        percentile=one.percentile,
        present=None if one.present is None else _renamed(one.present, ids),
    )


def _renamed(tree: Expr[str], ids: Mapping[str, str]) -> Expr[str]:
    def leaf(leaf: Leaf[str]) -> Expr[str]:
        return Leaf(ids[leaf.field], leaf.test)

    def negate(part: Expr[str]) -> Expr[str]:
        return Not(part)

    return fold(tree, leaf=leaf, negate=negate, conjoin=All, disjoin=AnyOf)


def _in_order(links: dict[str, _Linked]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The ids, each after those that it names; and the ids of correlations that name themselves through others."""
    graph = {one: [rule for rule in link.rules if rule in links] for one, link in links.items()}
    circular: set[str] = set()
    while True:
        try:
            return tuple(TopologicalSorter(graph).static_order()), frozenset(circular)
        except CycleError as error:
            found = set(error.args[1])
            circular |= found
            graph = {
                one: [rule for rule in named if rule not in found]
                for one, named in graph.items()
                if one not in found
            }


def _of_parts(link: _Linked, done: Mapping[str, Resolved], bad: Container[str]) -> Resolved | RuleError:
    """The correlation resolved, or its refusal because it names one that is refused."""
    for reference, rule in zip(link.correlation.rules, link.rules, strict=True):
        if rule in bad:
            return RuleError(
                f"the correlation {reference.text[:80]!r} is refused",
                cure="mend that one first",
                where=reference.where,
            )
    bases = dict.fromkeys(
        base for rule in link.rules for base in (done[rule].bases if rule in done else (rule,))
    )
    return Resolved(link.correlation, link.rules, tuple(bases), _window(link))


def _circular(correlation: Correlation) -> RuleError:
    return RuleError(
        "this correlation names itself, directly or through others",
        cure="take the circle apart: a correlation stands on rules in the end",
        where=correlation.where,
    )


def _twice(correlation: Correlation, first: _Known) -> RuleError:
    return RuleError(
        f"the id {correlation.id} is taken",
        cause=f"another document has it: {first.where}",
        cure="give one of them a new id, or leave one out",
        where=correlation.where,
    )
