"""Sigma filters: what they are, and the rules that they are applied to (Sigma filters specification 2.1).

A filter's condition must hold as well where a rule matches, so that filters usually say `not ...`; so pySigma does it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Generic

import msgspec

from osdetect.errors import RuleError, Where
from osdetect.expr import Expr, evaluate
from osdetect.sigma.correlation import Resolved
from osdetect.sigma.correlation_rule import Reference
from osdetect.sigma.options import DEFAULT, ReadOptions
from osdetect.sigma.rule import LogSource, Member, R, R_co
from osdetect.sigma.tuning_reader import ExceptionWords
from osdetect.tuning import RuleException

if TYPE_CHECKING:  # nobody who takes rules from the cache needs YAML
    from osdetect.sigma.yaml_text import Document

ANY: Final = "any"
"""Names every rule that the filter's log source covers (Sigma filters specification 2.2)."""


class Filter(msgspec.Struct, frozen=True):
    """One Sigma filter."""

    id: str
    title: str
    description: str
    logsource: LogSource
    rules: tuple[Reference, ...]
    """Ids, names, titles or tags of rules or correlations, or `ANY`."""
    tree: Expr[str]
    """All of its conditions."""
    where: Where
    exception: ExceptionWords | None = None
    """Set for an exception: it is kept beside its rules' trees, and what it withholds is counted."""

    def covers(self, logsource: LogSource) -> bool:
        """Whether it is for a rule's log source: what the filter's leaves out does not matter."""
        mine, theirs = self.logsource, logsource
        return (
            mine.category in {"", theirs.category}
            and mine.product in {"", theirs.product}
            and mine.service in {"", theirs.service}
        )


class Applied(msgspec.Struct, frozen=True):
    """A filter, and the ids of the rules that it became part of."""

    filter: Filter
    rules: tuple[str, ...]


class Filtered(msgspec.Struct, Generic[R_co], frozen=True):
    """Rules with their filters."""

    rules: tuple[R_co, ...]
    """In their order; those that no filter is for are as they were."""
    applied: tuple[Applied, ...]
    warnings: tuple[RuleError, ...]
    """Filters and references of theirs that have no effect, and filters that may do what nobody wants."""


def is_filter(document: "Document") -> bool:
    """Whether the document is a filter."""
    return isinstance(document.data, dict) and "filter" in document.data and "detection" not in document.data


def read_filter(document: "Document", options: ReadOptions = DEFAULT) -> Filter:
    """The filter that the document is.

    Raises:
        RuleError: the document is no filter, or one that is not supported.
    """
    from osdetect.sigma.filter_reader import read  # noqa: PLC0415  # pySigma takes half a second to import

    return read(document, options)


def apply_filters(
    rules: Sequence[R], filters: Sequence[Filter], correlations: Iterable[Resolved] = ()
) -> Filtered[R]:
    """Add each filter to the rules that it is for.

    Args:
        rules: each id once.
        filters: applied in this order; of several with one id the first counts.
        correlations: a filter that names one of them is for the rules that it stands on.
    """
    if not filters:
        return Filtered(tuple(rules), (), ())
    targets = _Targets(rules, correlations)
    added: dict[str, dict[str, Filter]] = {rule.id: {} for rule in rules}
    applied: dict[str, Applied] = {}
    warnings: list[RuleError] = []
    for one in filters:
        if one.id in applied:
            warnings.append(_taken(one, applied[one.id].filter))
            continue
        found, complaints = targets.of(one)
        warnings += complaints
        applied[one.id] = Applied(one, found)
        for rule in found:
            added[rule][one.id] = one
        if found and not evaluate(one.tree, {}):
            warnings.append(_narrowing(one))
    return Filtered(
        tuple(_filtered(rule, added[rule.id]) for rule in rules), tuple(applied.values()), tuple(warnings)
    )


def _filtered(rule: R, filters: Mapping[str, Filter]) -> R:
    parts = {one.id: one.tree for one in filters.values() if one.exception is None}
    exceptions = [_exception(one, one.exception) for one in filters.values() if one.exception is not None]
    filtered = rule.with_filters(parts) if parts else rule
    return filtered.with_tuning(filtered.tuning.excepting(*exceptions)) if exceptions else filtered


def _exception(one: Filter, words: ExceptionWords) -> RuleException:
    return RuleException(
        id=one.id,
        title=one.title,
        owner=words.owner,
        reason=words.reason,
        expires=words.expires,
        tree=one.tree,
    )


class _Targets:
    """The rules by what a filter may call them."""

    def __init__(self, rules: Sequence[Member], correlations: Iterable[Resolved]) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._called: dict[str, dict[str, None]] = {}
        for rule in rules:
            for word in (rule.id, rule.name, rule.title, *(tag.lower() for tag in rule.tags)):
                self._called.setdefault(word, {})[rule.id] = None
        for resolved in correlations:
            one = resolved.correlation
            for word in (one.id, one.name, one.title, *(tag.lower() for tag in one.tags)):
                self._called.setdefault(word, {}).update(dict.fromkeys(resolved.bases))

    def of(self, one: Filter) -> tuple[tuple[str, ...], list[RuleError]]:
        """The ids of the rules that the filter is for, in their order, and what of it has no effect."""
        complaints: list[RuleError] = []
        found: set[str] = set()
        for reference in one.rules:
            named = tuple(self._named(reference.text))
            covered = {rule for rule in named if one.covers(self._rules[rule].logsource)}
            found |= covered
            if not covered:
                complaints.append(_in_vain(reference, named=bool(named)))
        return tuple(rule for rule in self._rules if rule in found), complaints

    def _named(self, called: str) -> Iterator[str]:
        if called.lower() == ANY:
            return iter(self._rules)
        found = self._called.get(called) or self._called.get(called.lower()) or {}
        return (rule for rule in found if rule in self._rules)


def _in_vain(reference: Reference, *, named: bool) -> RuleError:
    called = reference.text[:80]
    if called.lower() == ANY:
        cause = "its log source covers none of the rules that were read"
    elif named:
        cause = f"its log source does not cover what is called {called!r}"
    else:
        cause = f"nothing that was read has the id, name, title or tag {called!r}"
    return RuleError("this filter has no effect here", cause=cause, where=reference.where)


def _taken(one: Filter, first: Filter) -> RuleError:
    return RuleError(
        f"this filter is left out: the id {one.id} is taken",
        cause=f"another filter has it: {first.where}",
        cure="give one of them a new id, or leave one out",
        where=one.where,
    )


def _narrowing(one: Filter) -> RuleError:
    return RuleError(
        "this filter narrows: the rules match only where its condition holds",
        cause="an event that has none of its fields is no match any more",
        cure="to leave out what the condition describes write: condition: not ...",
        where=one.where,
    )
