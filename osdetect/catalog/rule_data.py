"""The page of a rule for machines: the same as people see, as plain data."""

from typing import Any

from osdetect.catalog.evidence import evidence_json
from osdetect.catalog.limits import Cut, Limits, Listed
from osdetect.catalog.page import SOURCE, Mention, RulePage
from osdetect.catalog.predicates import Indicator
from osdetect.catalog.stages import Stage


def rule_data(page: RulePage, limits: Limits) -> dict[str, Any]:
    """What the page says; a text that is cut ends with what is left out."""
    return _Data(page, limits).whole()


class _Data:
    def __init__(self, page: RulePage, limits: Limits) -> None:
        self._page = page
        self._limits = limits

    def whole(self) -> dict[str, Any]:
        """All of it, in the page's order."""
        page, rule, entry = self._page, self._page.entry.rule, self._page.entry
        return {
            "id": rule.id,
            "title": self._word(rule.title),
            "source": SOURCE,
            "description": _cut(page.description),
            "level": rule.level.value,
            "status": rule.status,
            "logsource": {
                "category": self._word(entry.logsource.category),
                "product": self._word(entry.logsource.product),
                "service": self._word(entry.logsource.service),
            },
            "coverage": [
                {
                    "tactic": {"id": row.tactic_id, "name": row.tactic, "note": row.note},
                    "techniques": [
                        {"id": cell.id, "name": cell.name, "successor": cell.successor or None}
                        for cell in row.techniques
                    ],
                }
                for row in page.coverage
            ],
            "calls": self._words(entry.operations),
            "same_action": _mentions(page.same_action, self._limits),
            "body": _cut(page.body),
            "stages": [self._stage(one) for one in page.stages.items],
            "stages_left_out": page.stages.more,
            "indicators": [
                {**self._test(one.indicator), "corpus": one.others} for one in page.indicators.items
            ],
            "indicators_left_out": page.indicators.more,
            "query": self._query(),
            "evidence": evidence_json(page.evidence),
            "hits": None
            if page.hits is None
            else {
                "count": page.hits.count,
                "first_seen": page.hits.first_seen or None,
                "last_seen": page.hits.last_seen or None,
            },
            "near_duplicates": _mentions(page.near, self._limits),
            "subsumes": _mentions(page.subsumes, self._limits),
            "subsumed_by": _mentions(page.subsumed_by, self._limits),
            "history": [
                {
                    "commit": one.id,
                    "date": one.date,
                    "author": self._word(one.author),
                    "subject": self._word(one.subject),
                }
                for one in page.history.commits
            ],
            "history_left_out": page.history.more,
            **self._origin(),
        }

    def _origin(self) -> dict[str, Any]:
        rule, entry = self._page.entry.rule, self._page.entry
        return {
            "author": self._word(rule.author),
            "license": self._word(rule.license or entry.licence),
            "pack": self._word(entry.pack),
            "file": self._word(entry.file),
            "date": self._word(rule.date),
            "modified": self._word(rule.modified),
            "references": self._words(rule.references),
            "false_positives": self._words(rule.falsepositives),
            "tags": self._words(rule.tags),
        }

    def _query(self) -> dict[str, Any] | None:
        query = self._page.query
        if query is None:
            return None
        return {"search": _cut(query.search), "class": query.kind, "reason": self._word(query.reason)}

    def _stage(self, stage: Stage) -> dict[str, Any]:
        return {
            "number": stage.number,
            "name": self._word(stage.name),
            "sentence": self._word(stage.sentence),
            "alternatives": [
                [
                    {"every": one.every, "tests": [self._test(test) for test in one.tests]}
                    for one in predicates
                ]
                for predicates in stage.alternatives
            ],
            "values_left_out": stage.more,
        }

    def _test(self, one: Indicator) -> dict[str, Any]:
        return {
            "field": self._word(one.field),
            "operator": one.operator,
            "value": self._word(one.value),
        }

    def _word(self, text: str) -> str:
        return _cut(self._limits.cut(text, self._limits.word))

    def _words(self, texts: tuple[str, ...]) -> list[str]:
        listed = self._limits.listed(texts)
        more = [f"… and {listed.more} more"] if listed.more else []
        return [*map(self._word, listed.items), *more]


def _cut(cut: Cut) -> str:
    return f"{cut.text}… ({cut.more} more characters)" if cut.more else cut.text


def _mentions(listed: Listed[Mention], limits: Limits) -> dict[str, Any]:
    rules = [
        {
            "id": one.id,
            "title": _cut(limits.cut(one.title, limits.word)),
            "source": one.source,
            "note": one.note,
        }
        for one in listed.items
    ]
    return {"rules": rules, "left_out": listed.more}
