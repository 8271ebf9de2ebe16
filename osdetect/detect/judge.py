"""Candidates to verdicts: the tree is evaluated on the event, and what the rule's tuning says is done with a match."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from osdetect.detect.in_process import Candidate
from osdetect.detect.release import Release
from osdetect.documents.alert import (
    RunReference,
    alert_document,
    alert_id,
    alert_index,
    event_key,
    happened_at,
)
from osdetect.documents.match import Group, Why, group_of, match_document, match_index
from osdetect.documents.stored_rule import StoredRule
from osdetect.expr import Evidence, evaluate, evidence
from osdetect.follow import StoredEvent
from osdetect.tuning import Mode, RuleException


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert ready to be stored."""

    index: str
    id: str
    rule_id: str
    source: dict[str, Any]
    seq_no: int
    """Of its event."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A match that makes no alert of its own, ready to be stored."""

    index: str
    id: str
    rule_id: str
    source: dict[str, Any]
    seq_no: int
    why: Why
    group: Group | None = None
    """The group whose alert it belongs to."""
    alert: dict[str, Any] | None = None
    """That alert's source, if it is the first of the group."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A candidate that could not be judged, and why."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """A candidate whose rule does not hold: its query said too much."""


NO_MATCH = NoMatch()
Verdict = Alert | Withheld | Unjudged | NoMatch


def judge(
    candidates: Iterable[Candidate], release: Release, namespace: str, run: RunReference
) -> Iterator[Verdict]:
    """The verdict on each candidate, one by one. Candidates of rules that the release has not are passed over."""
    for event, rule_id in candidates:
        rule = release.rules.get(rule_id)
        if rule is None:  # unreadable, or off: counted once for the release
            continue
        try:
            held = evidence(rule.tree, event.source)
            yield NO_MATCH if held is None else _match(event, rule, held, release, namespace, run)
        except RecursionError:
            yield Unjudged((event, rule_id), "the event is nested too deeply to be judged")


def _match(
    event: StoredEvent,
    rule: StoredRule,
    held: Iterable[Evidence],
    release: Release,
    namespace: str,
    run: RunReference,
) -> Alert | Withheld:
    key = alert_id(rule.id, event_key(event.source, event.at, release.dialect))
    tuning, seq_no = rule.tuning, event.at.seq_no
    happened = happened_at(event.source, release.dialect)

    def withheld(why: Why, exception: RuleException | None = None) -> Withheld:
        words = rule.words["rule"]
        source = match_document(why, words, event.at, happened, run, exception=exception)
        return Withheld(match_index(namespace, happened), key, rule.id, source, seq_no, why)

    exception = next((one for one in tuning.exceptions if _applies(one, event, happened or run.now)), None)
    if exception is not None:
        return withheld(Why.EXCEPTED, exception)
    if tuning.mode is Mode.SHADOW:
        return withheld(Why.SHADOW)
    words = {**rule.words, "rule": {**rule.words["rule"], "ruleset": release.name}}
    alert = alert_document(words, event.source, event.at, held, run, release.dialect)
    alert["osdetect"]["id"] = key  # once more, where it can be searched by its beginning
    if tuning.suppression is None:
        return Alert(alert_index(namespace, event.source, release.dialect), key, rule.id, alert, seq_no)
    group = group_of(rule.id, tuning.suppression, event.source, happened, namespace)
    alert["osdetect"]["id"] = group.id
    source = match_document(Why.GATHERED, rule.words["rule"], event.at, happened, run, group=group)
    return Withheld(group.match_index, key, rule.id, source, seq_no, Why.GATHERED, group, alert)


def _applies(exception: RuleException, event: StoredEvent, when: datetime) -> bool:
    return when.date() < exception.expires and not evaluate(exception.tree, event.source)
