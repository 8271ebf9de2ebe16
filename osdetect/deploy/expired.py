"""Exceptions that do not apply any more, of rules that are about to be live: their alerts come back, and somebody should know before."""

from collections.abc import Iterable
from datetime import date

import msgspec
import orjson

from osdetect.documents.stored_rule import StoredRule
from osdetect.tuning import RuleException


class Expired(msgspec.Struct, frozen=True):
    """An exception whose day has come."""

    exception: RuleException
    rule: str
    """The title of the first rule that has it."""

    @property
    def told(self) -> str:
        """What is the matter with it."""
        one = self.exception
        return f"the exception {one.title!r} of {one.owner} expired on {one.expires}"

    def to_json(self) -> dict[str, str]:
        """For machines."""
        one = self.exception
        return {"id": one.id, "title": one.title, "owner": one.owner, "expires": one.expires.isoformat()}


def expired_exceptions(documents: Iterable[tuple[str, bytes]], today: date) -> tuple[Expired, ...]:
    """The expired exceptions of the rules, each once.

    Args:
        documents: of each rule its id and its stored document.
        today: the day, in UTC.

    Raises:
        RuleError: a rule is not what was compiled.
    """
    found: dict[str, Expired] = {}
    for rule_id, document in documents:
        if b'"exceptions"' not in document:  # a tree is built only of those that may have one
            continue
        stored = StoredRule.from_source(rule_id, orjson.loads(document))
        for one in stored.tuning.exceptions:
            if one.expires <= today:
                title = str(stored.words["rule"].get("name", rule_id))
                found.setdefault(one.id, Expired(one, title))
    return tuple(found.values())
