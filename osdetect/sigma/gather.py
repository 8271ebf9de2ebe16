"""Files put together: what is said across files. Each id once, filters on their rules, correlations led to theirs.

It asks of a rule no more than a `Member` has, so that it works on compiled rules, which have no tree at hand, as well.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeAlias

import msgspec
from msgspec.structs import replace

from osdetect.errors import RuleError
from osdetect.sigma.correlation import Correlation, resolve
from osdetect.sigma.filters import Filter, apply_filters
from osdetect.sigma.rule import Member, R, R_co, RuleSet
from osdetect.sigma.tuning_reader import not_placed

Names: TypeAlias = tuple[str, ...]
"""What a document may be called by: its id, name and title, those that it has."""


class FileResult(msgspec.Struct, Generic[R_co], frozen=True):
    """What one file held; a function of its text and of the options."""

    rules: tuple[R_co, ...] = ()
    filters: tuple[Filter, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    refused: tuple[RuleError, ...] = ()
    warnings: tuple[RuleError, ...] = ()
    elsewhere: tuple[Names, ...] = ()
    """For each document that is for another log source, and was not read further, what it is called."""


def gather(results: Iterable[FileResult[R]], *, files: int) -> RuleSet[R]:
    """One rule set of what the files held: each id once, filters applied, correlations resolved.

    Args:
        results: what each file held.
        files: how many files there were.
    """
    everything = tuple(results)
    rules: dict[str, R] = {}
    doubles: list[R] = []
    refused = [refusal for result in everything for refusal in result.refused]
    for rule in (rule for result in everything for rule in result.rules):
        first = rules.setdefault(rule.id, rule)
        if first is not rule:
            refused.append(_taken(first, rule))
            doubles.extend([rule] if rule.hash() == first.hash() else [])
    elsewhere = tuple(names for result in everything for names in result.elsewhere)
    resolved = resolve(
        tuple(one for result in everything for one in result.correlations),
        rules.values(),
        doubles=doubles,
        elsewhere=frozenset(name for names in elsewhere for name in names),
    )
    filters = tuple(one for result in everything for one in result.filters)
    filtered = apply_filters(tuple(rules.values()), filters, resolved.correlations)
    return RuleSet(
        rules=filtered.rules,
        correlations=resolved.correlations,
        refused=(*refused, *resolved.refused),
        other_sources=len(elsewhere) + len(resolved.elsewhere),
        files=files,
        warnings=(*(one for result in everything for one in result.warnings), *filtered.warnings),
    )


def to_deploy(read: RuleSet[R], pipelines: Sequence[str]) -> RuleSet[R]:
    """The set as it can be deployed: rules whose alerts are to be gathered by a field that the events lack are refused.

    Args:
        read: the set, tuned as it is to be.
        pipelines: the names of those that the rules went through.
    """
    gathering = (rule for rule in read.rules if rule.gathers_at is not None)
    found = {rule.id: not_placed(rule.tuning, pipelines, rule.gathers_at) for rule in gathering}
    refused = {rule_id: error for rule_id, error in found.items() if error is not None}
    rules = tuple(rule for rule in read.rules if rule.id not in refused)
    return replace(read, rules=rules, refused=(*read.refused, *refused.values()))


def _taken(first: Member, second: Member) -> RuleError:
    same = "the same rule" if first.hash() == second.hash() else "another rule"
    return RuleError(
        f"the id {second.id} is taken",
        cause=f"{same} has it: {first.where}",
        cure="give one of them a new id, or leave one out",
        where=second.where,
    )
