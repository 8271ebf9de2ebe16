"""The custom attribute `osdetect` of a rule or a filter (Sigma rules specification, "Custom attributes")."""

from datetime import date, datetime
from typing import TYPE_CHECKING

import msgspec

from osdetect.tuning import UNTUNED, Tuning, settings

if TYPE_CHECKING:  # nobody who takes rules from the cache needs YAML
    from osdetect.sigma.yaml_text import Document

ATTRIBUTE = "osdetect"


class ExceptionWords(msgspec.Struct, frozen=True):
    """What makes a filter an exception: who answers for it, why, and until when."""

    owner: str
    reason: str
    expires: date


def rule_tuning(document: "Document") -> Tuning:
    """What a rule says of its own alerts.

    Raises:
        RuleError: the attribute says something that it cannot.
    """
    if ATTRIBUTE not in document.data:
        return UNTUNED
    try:
        return settings(document.data[ATTRIBUTE])
    except ValueError as error:
        raise document.error(
            "the attribute osdetect cannot be used",
            at=(ATTRIBUTE,),
            cause=str(error),
            cure="for example: osdetect: {mode: alert, suppress: {group_by: [userIdentity.arn], window: 1h}}",
        ) from None


def filter_exception(document: "Document") -> ExceptionWords | None:
    """The words of a filter that is an exception; None: it is part of its rules.

    Raises:
        RuleError: a word is missing or is none.
    """
    if ATTRIBUTE not in document.data:
        return None
    given = document.data[ATTRIBUTE]
    if isinstance(given, dict) and set(given) == {"ignore"}:  # for `osdetect check`
        return None
    words = given.get("exception") if isinstance(given, dict) and set(given) == {"exception"} else None
    expires = words.get("expires") if isinstance(words, dict) else None
    day = _day(expires)
    if isinstance(words, dict) and set(words) == {"owner", "reason", "expires"} and day is not None:
        owner, reason = str(words["owner"] or "").strip(), str(words["reason"] or "").strip()
        if owner and reason:
            return ExceptionWords(owner, reason, day)
    raise document.error(
        "an exception needs owner, reason and expires",
        at=(ATTRIBUTE,),
        cause="expires is no day of the calendar" if expires is not None and day is None else "",
        cure="for example: osdetect: {exception: {owner: cloud-team, reason: nightly backup, expires: 2027-01-31}}",
    )


def _day(given: object) -> date | None:
    if isinstance(given, datetime):
        return given.date()
    if isinstance(given, date):
        return given
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        return None
