"""Candidates to verdicts: the tree is evaluated on the event, and what the rule's tuning says is done with a match."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from osdetect.detect.in_process import Candidate
from osdetect.detect.release import Release
from osdetect.documents.alert import alert_document, alert_id
from osdetect.documents.match import Group, Why, gathered_id, group_of, match_document, match_index
from osdetect.documents.stored_rule import StoredRule
from osdetect.documents.told import EventReference, RunReference, Told, told
from osdetect.expr import Evidence, Witness, evaluate, witness
from osdetect.follow import StoredEvent
from osdetect.tuning import Mode, RuleException


class Alert(msgspec.Struct, frozen=True):
    """An alert ready to be stored."""

    index: str
    id: str
    rule_id: str
    source: dict[str, Any]
    event: EventReference
    """Where its event stands."""


class Withheld(msgspec.Struct, frozen=True):
    """A match that makes no alert of its own, ready to be stored."""

    index: str
    id: str
    rule_id: str
    source: dict[str, Any]
    event: EventReference
    """Where its event stands."""
    why: Why
    group: Group | None = None
    """The group whose alert it belongs to."""
    alert: dict[str, Any] | None = None
    """That alert's source, should there be none yet; without what is counted."""


class Unjudged(msgspec.Struct, frozen=True):
    """A candidate that could not be judged, and why."""

    candidate: Candidate
    reason: str


class NoMatch(msgspec.Struct, frozen=True):
    """A candidate whose rule does not hold: its query said too much."""


NO_MATCH = NoMatch()
Verdict = Alert | Withheld | Unjudged | NoMatch


def judge(
    candidates: Iterable[Candidate], release: Release, namespace: str, run: RunReference
) -> Iterator[Verdict]:
    """The verdict on each candidate, one by one. Candidates of rules that the release has not are passed over."""
    last: tuple[StoredEvent, Told] | None = None
    prepared: dict[str, tuple[Witness, Mapping[str, Any]]] = {}
    for event, rule_id in candidates:
        rule = release.rules.get(rule_id)
        if rule is None:  # unreadable, or off: counted once for the release
            continue
        try:
            if rule_id not in prepared:
                prepared[rule_id] = witness(rule.tree), _words(rule, release)
            witnessed, words = prepared[rule_id]
            held = witnessed(event.source)
            if held is None:
                yield NO_MATCH
                continue
            if last is None or last[0] is not event:
                last = event, told(event.source, event.at, run, release.dialect)
            yield _match(event, last[1], rule, held, words, namespace, run)
        except RecursionError:
            yield Unjudged((event, rule_id), "the event is nested too deeply to be judged")


def _match(
    event: StoredEvent,
    said: Told,
    rule: StoredRule,
    held: Iterable[Evidence],
    words: Mapping[str, Any],
    namespace: str,
    run: RunReference,
) -> Alert | Withheld:
    key = alert_id(rule.id, said.key)
    tuning = rule.tuning

    def withheld(why: Why, exception: RuleException | None = None) -> Withheld:
        source = match_document(why, rule.words["rule"], event.at, said.happened, run, exception=exception)
        return Withheld(match_index(namespace, said.happened), key, rule.id, source, event.at, why)

    if tuning.exceptions:
        when = said.happened or run.now
        exception = next((one for one in tuning.exceptions if _applies(one, event, when)), None)
        if exception is not None:
            return withheld(Why.EXCEPTED, exception)
    if tuning.mode is Mode.SHADOW:
        return withheld(Why.SHADOW)
    alert = alert_document(words, said, held, run, key)
    if tuning.suppression is None:
        return Alert(said.index(namespace), key, rule.id, alert, event.at)
    group = group_of(rule.id, tuning.suppression, event.source, said.happened, namespace)
    alert["osdetect"] |= {"id": group.id, "suppression": group.to_json()}
    source = match_document(Why.GATHERED, rule.words["rule"], event.at, said.happened, run, group=group)
    match = gathered_id(key, tuning.suppression)
    return Withheld(group.match_index, match, rule.id, source, event.at, Why.GATHERED, group, alert)


def _words(rule: StoredRule, release: Release) -> Mapping[str, Any]:
    """What each alert of the rule says of it."""
    return {
        name: {**block, "ruleset": release.name} if name == "rule" else block
        for name, block in rule.words.items()
        if block
    }


def _applies(exception: RuleException, event: StoredEvent, when: datetime) -> bool:
    return when.date() < exception.expires and not evaluate(exception.tree, event.source)
