"""Backtest: how the alerts of stored events change when rules do. Nothing is stored.

The rules as they are and as they would be are hunted for in one pass over the same events, under names of their own, and judged
as the detector judges: with modes, suppression and exceptions. So what is counted is what would have been alerted.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.detect.by_search import searches_of
from osdetect.detect.hunt import Hunt, HuntOptions
from osdetect.detect.judge import Alert, Withheld
from osdetect.detect.release import Release
from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.match import Group, Why
from osdetect.documents.stored_rule import StoredRule
from osdetect.documents.told import RunReference
from osdetect.errors import ClusterError, RuleError
from osdetect.schema.projection import Projection
from osdetect.tuning import Mode
from osdetect.vocabulary import RULES_PREFIX

MOST_MATCHES = 500_000
"""Matches after which a backtest ends: it remembers each, to tell which alerts are new and which are lost."""
_OLD, _NEW = "old:", "new:"


class Compared(msgspec.Struct, frozen=True):
    """One rule, as it is and as it would be: the documents, None where there is none."""

    id: str
    title: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


class _Side(msgspec.Struct):
    matches: int = 0
    alerts: set[bytes] = msgspec.field(default_factory=set)


class Outcome(msgspec.Struct, frozen=True):
    """What changes for one rule."""

    id: str
    title: str
    old_matches: int
    new_matches: int
    old_alerts: int
    new_alerts: int
    gained: int
    """Alerts that only the new rule makes."""
    lost: int
    """Alerts that only the old one makes."""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "id": self.id,
            "title": self.title,
            "matches": {"old": self.old_matches, "new": self.new_matches},
            "alerts": {
                "old": self.old_alerts,
                "new": self.new_alerts,
                "gained": self.gained,
                "lost": self.lost,
            },
        }


class BacktestReport(msgspec.Struct, frozen=True):
    """What a backtest found."""

    outcomes: tuple[Outcome, ...]
    read: int
    """Events that were read."""
    shards: int
    excepted: int
    """Matches of either side that an exception is for."""
    undated: int
    """Matches of events without a usable time: they may be in the span or not."""
    unjudged: int
    not_read: tuple[ClusterError, ...]
    """Indices that cannot be read now, or not whole: not all of them is in the figures."""
    unreadable: tuple[RuleError, ...]
    """Deployed rules that cannot be read: they count as making no alert, as they do for the detector."""
    cut: bool
    """It ended at `MOST_MATCHES`: the figures are those of the events until then."""
    interrupted: bool
    """It was interrupted, likewise."""


def backtest(
    cluster: Cluster,
    rules: Iterable[Compared],
    options: HuntOptions,
    run: RunReference,
    *,
    dialect: Dialect = RAW,
    on_progress: Callable[[int, int], None],
    most: int = MOST_MATCHES,
) -> BacktestReport:
    """Judge the stored events of a span by the rules as they are and as they would be.

    Args:
        cluster: where.
        rules: the rules that change.
        options: which events.
        run: as that of a hunt.
        dialect: of the events, for both.
        on_progress: told sequence numbers passed, and sequence numbers to pass.
        most: matches after which it ends.

    Raises:
        ClusterError: the events could not be read.
    """
    compared = tuple(rules)
    read, unreadable = _read(compared)
    release = Release(f"{RULES_PREFIX}backtest", read, (), unreadable, Projection.of(read.values()), dialect)
    queries = [
        (prefix + one.id, source.get("search"))
        for one in compared
        for prefix, source in ((_OLD, one.old), (_NEW, one.new))
        if source is not None
    ]
    searches = searches_of(queries, release) if dialect == RAW else None
    hunt = Hunt(cluster, release, searches, options, run, tuned=True)
    sides = {rule_id: _Side() for rule_id in read}
    cut = interrupted = False
    try:
        for verdict in hunt.verdicts(on_progress) if read else ():
            _count(sides[verdict.rule_id], verdict)
            cut = hunt.matches >= most
            if cut:
                break
    except KeyboardInterrupt:  # what was counted so far is told, and that it is not all
        interrupted = True
    return BacktestReport(
        tuple(_outcome(one, sides) for one in compared),
        hunt.read,
        hunt.shards,
        hunt.excepted,
        hunt.undated,
        len(hunt.unjudged),
        hunt.not_read,
        unreadable,
        cut,
        interrupted,
    )


def _read(compared: Iterable[Compared]) -> tuple[dict[str, StoredRule], tuple[RuleError, ...]]:
    """The rules of both sides under names that tell the sides apart, and those that cannot be read."""
    rules: dict[str, StoredRule] = {}
    unreadable: list[RuleError] = []
    for one in compared:
        for prefix, source in ((_OLD, one.old), (_NEW, one.new)):
            if source is None:
                continue
            name = prefix + one.id
            try:
                rules[name] = _judged(replace(StoredRule.from_source(one.id, source), id=name))
            except RuleError as error:
                unreadable.append(error)
    return rules, tuple(unreadable)


def _judged(rule: StoredRule) -> StoredRule:
    """A rule that is off is judged as one in shadow: its matches are told, and it makes no alert."""
    if rule.tuning.mode is not Mode.OFF:
        return rule
    return replace(rule, tuning=replace(rule.tuning, mode=Mode.SHADOW))


def _count(side: _Side, verdict: Alert | Withheld) -> None:
    if isinstance(verdict, Alert):
        side.matches += 1
        side.alerts.add(_key(sorted(verdict.source["osdetect"]["source"].items())))
    elif verdict.why is not Why.EXCEPTED:
        side.matches += 1
        if verdict.group is not None:
            side.alerts.add(_key(_group(verdict.group)))


def _group(group: Group) -> tuple[object, ...]:
    """What makes a group's alert the same on both sides: all that it is named by but the rule."""
    return (group.suppression.group_by, group.suppression.window_s, group.values, group.start)


def _key(identity: object) -> bytes:
    return hashlib.sha256(repr(identity).encode(errors="surrogatepass")).digest()[:16]


def _outcome(one: Compared, sides: Mapping[str, _Side]) -> Outcome:
    old, new = sides.get(_OLD + one.id, _Side()), sides.get(_NEW + one.id, _Side())
    return Outcome(
        one.id,
        one.title,
        old.matches,
        new.matches,
        len(old.alerts),
        len(new.alerts),
        len(new.alerts - old.alerts),
        len(old.alerts - new.alerts),
    )
