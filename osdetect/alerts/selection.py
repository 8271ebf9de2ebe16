"""Which alerts are meant: conditions that all hold, as a query of the alerts' indices."""

from typing import Any

import msgspec

from osdetect.vocabulary import Level

_META = str.maketrans({"\\": "\\\\", "*": "\\*", "?": "\\?"})


class Selection(msgspec.Struct, frozen=True):
    """Conditions on alerts; each that is given must hold."""

    statuses: tuple[str, ...] = ()
    """One of these."""
    level: Level | None = None
    """This level or above."""
    rule: str = ""
    """The rule's id, or a part of its title in any case."""
    assignee: str = ""
    unassigned: bool = False
    account: str = ""
    principal: str = ""
    """The user's name or principal id."""
    since: str = ""
    """The event's time, ISO 8601, included."""
    until: str = ""
    """The event's time, ISO 8601, not included."""

    @property
    def says_nothing(self) -> bool:
        """Whether every alert is meant."""
        return self == Selection()

    def query(self) -> dict[str, Any]:
        """The query. What a person typed is a value in it, never syntax."""
        span = {name: value for name, value in (("gte", self.since), ("lt", self.until)) if value}
        return {
            "bool": {
                "filter": [
                    *([{"terms": {"osdetect.status": list(self.statuses)}}] if self.statuses else ()),
                    *([{"terms": {"rule.level": self._levels()}}] if self.level else ()),
                    *([self._of_rule()] if self.rule else ()),
                    *([{"term": {"osdetect.assignee": self.assignee}}] if self.assignee else ()),
                    *([{"term": {"cloud.account.id": self.account}}] if self.account else ()),
                    *([_either(("user.name", "user.id"), self.principal)] if self.principal else ()),
                    *([{"range": {"@timestamp": span}}] if span else ()),
                ],
                "must_not": [{"exists": {"field": "osdetect.assignee"}}] if self.unassigned else [],
            }
        }

    def _levels(self) -> list[str]:
        assert self.level is not None
        return [level.value for level in Level if level.rank >= self.level.rank]

    def _of_rule(self) -> dict[str, Any]:
        part = f"*{self.rule.translate(_META)}*"
        title = {"wildcard": {"rule.name": {"value": part, "case_insensitive": True}}}
        return {"bool": {"should": [{"term": {"rule.id": self.rule}}, title], "minimum_should_match": 1}}


def _either(fields: tuple[str, ...], value: str) -> dict[str, Any]:
    return {"bool": {"should": [{"term": {name: value}} for name in fields], "minimum_should_match": 1}}
