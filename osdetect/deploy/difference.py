"""What differs between two documents of one rule, as an analyst would say it: tests of the condition, tuning, words.

It compares what is deployed with what would be, by meaning: how a selection is called, in which order tests stand and how
the rule was compiled are told apart from what changes which events alert.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from osdetect.documents.stored_rule import StoredRule
from osdetect.errors import RuleError
from osdetect.expr import Expr
from osdetect.expr.difference import Act, differences
from osdetect.tuning import RuleException, Suppression

_LONGEST = 400
_WORDS = {"name": "title", "author": "author", "license": "license", "reference": "references"}
_TEXTS = ("description", "status", "falsepositives", "tags")
_COMPILED = ("query", "search", "prefilter")
CONDITION = "condition"


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not as it was."""

    aspect: str
    """What of the rule: condition, level, mode, suppression, exception, or one of its words."""
    was: str
    """Empty where it is new."""
    now: str
    """Empty where it is gone."""
    place: str = ""
    """In a condition: `all of`, `any of`, with `not` before each negation on the way."""
    effect: str = ""
    """In a condition: whether the rule finds `more` or `fewer` events by it."""
    meaning: bool = True
    """Whether it changes which events alert, or what becomes of the alerts."""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "aspect": self.aspect,
            "was": self.was,
            "now": self.now,
            **({"place": self.place, "effect": self.effect} if self.place else {}),
            "meaning": self.meaning,
        }


def rule_differences(rule_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What differs between the document that is deployed and the one that would be.

    Args:
        rule_id: the rule's.
        old: the deployed document.
        new: the other.

    Raises:
        RuleError: the new one is not what osdetect deploys.
    """
    after = StoredRule.from_source(rule_id, new)
    try:
        before = StoredRule.from_source(rule_id, old)
    except RuleError as error:
        return (Difference("stored rule", error.cause[:_LONGEST], "readable again"),)
    found = (
        *_condition(before.tree, after.tree),
        *_level(before, after),
        *_tuning(before, after),
        *_logsource(old, new),
        *_said(before, after, old, new),
    )
    return found or tuple(_unseen(before, after, old, new))


def _condition(before: Expr[str], after: Expr[str]) -> Iterator[Difference]:
    changes = differences(before, after)
    for one in changes:
        text = _cut(one.text)
        was, now = (text, "") if one.act is Act.REMOVED else ("", text)
        yield Difference(CONDITION, was, now, one.within, one.effect.value)
    if before != after and not changes:
        yield Difference(CONDITION, "", "written in another way, which means the same", meaning=False)


def _level(before: StoredRule, after: StoredRule) -> Iterator[Difference]:
    was, now = _word(before, "level"), _word(after, "level")
    if was != now:
        yield Difference("level", was, now)


def _tuning(before: StoredRule, after: StoredRule) -> Iterator[Difference]:
    was, now = before.tuning, after.tuning
    if was.mode is not now.mode:
        yield Difference("mode", was.mode.value, now.mode.value)
    if was.suppression != now.suppression:
        yield Difference("suppression", _gathered(was.suppression), _gathered(now.suppression))
    old, new = ({one.id: one for one in tuning.exceptions} for tuning in (was, now))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield Difference("exception", _excepted(old.get(key)), _excepted(new.get(key)))
            if key in old and key in new:
                yield from _condition_of_exception(old[key], new[key])


def _condition_of_exception(old: RuleException, new: RuleException) -> Iterator[Difference]:
    for one in _condition(old.tree, new.tree):
        yield Difference(f"exception {new.title!r}", one.was, one.now, one.place, one.effect, one.meaning)


def _gathered(one: Suppression | None) -> str:
    if one is None:
        return ""
    fields = (_with_places(field, one.places(field)) for field in one.group_by)
    return f"one alert in {one.window_s} s for each {', '.join(fields) or 'rule'}"


def _with_places(field: str, paths: tuple[str, ...]) -> str:
    return field if paths == (field,) else f"{field} ({', '.join(paths) or 'nowhere'})"


def _excepted(one: RuleException | None) -> str:
    return _cut(f"{one.title!r} of {one.owner} until {one.expires}: {one.reason}") if one else ""


def _logsource(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    was, now = _text(old.get("logsource")), _text(new.get("logsource"))
    if was != now:
        yield Difference("log source", was, now)


def _said(
    before: StoredRule, after: StoredRule, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Difference]:
    pairs = {
        **{shown: (_word(before, name), _word(after, name)) for name, shown in _WORDS.items()},
        **{name: (_text(old.get(name)), _text(new.get(name))) for name in _TEXTS},
    }
    for name, (was, now) in pairs.items():
        if was != now:
            yield Difference(name, _cut(was), _cut(now), meaning=False)


def _unseen(
    before: StoredRule, after: StoredRule, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Difference]:
    """What is left to differ when nothing of the above does."""
    if before.hash != after.hash:
        said = "details that are not deployed, such as its dates or its short name"
        yield Difference("other words", "", said, meaning=False)
    compiled = [name for name in _COMPILED if old.get(name) != new.get(name)]
    if compiled:
        yield Difference(
            "compiled form", "", f"another {', '.join(compiled)} for the same condition", meaning=False
        )
    if before.hash == after.hash and not compiled:
        yield Difference("document", "", "parts that no rule says", meaning=False)


def _word(rule: StoredRule, name: str) -> str:
    return _text(rule.words["rule"].get(name))


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={part}" for name, part in sorted(value.items()) if part)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text):,} characters)"
