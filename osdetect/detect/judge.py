"""Candidates to alerts: the tree is evaluated on the event, and what held becomes the alert's evidence."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from osdetect.detect.percolate import Candidate
from osdetect.detect.release import Release
from osdetect.documents.alert import RunReference, alert_document, alert_id, alert_index, event_key
from osdetect.expr import evidence


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert ready to be stored."""

    index: str
    id: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A candidate that could not be judged, and why."""

    candidate: Candidate
    reason: str


def judge(
    candidates: Iterable[Candidate], release: Release, namespace: str, run: RunReference
) -> tuple[int, list[Alert], list[Unjudged]]:
    """How many candidates there were, the alerts of those that match, and those that could not be judged."""
    seen = 0
    alerts: list[Alert] = []
    unjudged: list[Unjudged] = []
    for event, rule_id in candidates:
        rule = release.rules.get(rule_id)
        if rule is None:  # unreadable: counted once for the release
            continue
        seen += 1
        try:
            held = evidence(rule.tree, event.source)
            if held is None:
                continue
            words = {**rule.words, "rule": {**rule.words["rule"], "ruleset": release.name}}
            source = alert_document(words, event.source, event.at, held, run, release.dialect)
        except RecursionError:
            unjudged.append(Unjudged((event, rule_id), "the event is nested too deeply to be judged"))
            continue
        key = event_key(event.source, event.at, release.dialect)
        index = alert_index(namespace, event.source, release.dialect)
        alerts.append(Alert(index, alert_id(rule.id, key), source))
    return seen, alerts, unjudged
