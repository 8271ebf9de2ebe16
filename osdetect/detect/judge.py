"""Candidates to alerts: the tree is evaluated on the event, and what held becomes the alert's evidence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from osdetect.detect.in_process import Candidate
from osdetect.detect.release import Release
from osdetect.documents.alert import RunReference, alert_document, alert_id, alert_index, event_key
from osdetect.expr import evidence


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert ready to be stored."""

    index: str
    id: str
    rule_id: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A candidate that could not be judged, and why."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """A candidate whose rule does not hold: its query said too much."""


NO_MATCH = NoMatch()
Verdict = Alert | Unjudged | NoMatch


def judge(
    candidates: Iterable[Candidate], release: Release, namespace: str, run: RunReference
) -> Iterator[Verdict]:
    """The verdict on each candidate, one by one. Candidates of rules that the release has not are passed over."""
    for event, rule_id in candidates:
        rule = release.rules.get(rule_id)
        if rule is None:  # unreadable: counted once for the release
            continue
        try:
            held = evidence(rule.tree, event.source)
            if held is None:
                yield NO_MATCH
                continue
            words = {**rule.words, "rule": {**rule.words["rule"], "ruleset": release.name}}
            source = alert_document(words, event.source, event.at, held, run, release.dialect)
        except RecursionError:
            yield Unjudged((event, rule_id), "the event is nested too deeply to be judged")
            continue
        key = event_key(event.source, event.at, release.dialect)
        index = alert_index(namespace, event.source, release.dialect)
        made_id = alert_id(rule.id, key)
        source["osdetect"]["id"] = made_id  # once more, where it can be searched by its beginning
        yield Alert(index, made_id, rule.id, source)
