"""Sigma filters that keep what they describe instead of leaving it out (Sigma filters specification)."""

import re
from collections.abc import Iterator

from osdetect.check.findings import Finding, Subject

_NEGATED = re.compile(r"[\s(]*not\b", re.IGNORECASE)


def narrowing_filter(subject: Subject) -> Iterator[Finding]:
    """A filter whose condition is positive.

    Its condition is joined to the rule's by "and". With `condition: selection` the rule matches nothing but what was
    meant to be left out; filters therefore nearly always begin with `not`.
    """
    given = subject.data.get("filter")
    if not isinstance(given, dict):
        return
    conditions = given.get("condition")
    listed = conditions if isinstance(conditions, list) else [conditions]
    for i, condition in enumerate(listed):
        if isinstance(condition, str) and condition.strip() and not _NEGATED.match(condition):
            at = ("filter", "condition", i) if isinstance(conditions, list) else ("filter", "condition")
            yield subject.finding(
                "OSD308",
                "this filter narrows its rules to what it describes",
                at=at,
                cause='its condition is joined to the rule\'s by "and", and does not begin with not',
                cure=f"if the events are to be left out: condition: not ({' '.join(condition.split())[:80]})",
            )
