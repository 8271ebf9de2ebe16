"""The custom attribute `osdetect` of a rule or a filter (Sigma rules specification, "Custom attributes")."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from osdetect.errors import RuleError, Where
from osdetect.sigma.options import Pipeline
from osdetect.tuning import UNTUNED, Tuning, settings

if TYPE_CHECKING:  # nobody who takes rules from the cache needs YAML
    from osdetect.sigma.yaml_text import Document

ATTRIBUTE = "osdetect"


class ExceptionWords(msgspec.Struct, frozen=True):
    """What makes a filter an exception: who answers for it, why, and until when."""

    owner: str
    reason: str
    expires: date


def rule_tuning(document: "Document", pipeline: Pipeline | None) -> Tuning:
    """What a rule says of its own alerts.

    Args:
        document: the rule's.
        pipeline: as that of `placed`.

    Raises:
        RuleError: the attribute says something that it cannot.
    """
    if ATTRIBUTE not in document.data:
        return UNTUNED
    try:
        return placed(settings(document.data[ATTRIBUTE]), pipeline)
    except ValueError as error:
        raise document.error(
            "the attribute osdetect cannot be used",
            at=(ATTRIBUTE,),
            cause=str(error),
            cure="for example: osdetect: {mode: alert, suppress: {group_by: [userIdentity.arn], window: 1h}}",
        ) from None


def gathering_place(document: "Document") -> Where | None:
    """Where a rule says by which fields its matches are gathered; None: it does not."""
    given = document.data.get(ATTRIBUTE)
    if not isinstance(given, dict) or "suppress" not in given:
        return None
    return document.error("", at=(ATTRIBUTE, "suppress", "group_by")).where


def placed(tuning: Tuning, pipeline: Pipeline | None) -> Tuning:
    """The tuning with the paths at which events hold the fields that matches are gathered by; none for what they lack.

    Args:
        tuning: as it was written; its fields are those of CloudTrail records.
        pipeline: what puts rules into the events' names; None for raw records.
    """
    if tuning.suppression is None or pipeline is None:
        return tuning
    fields = tuning.suppression.group_by
    found = pipeline.paths(fields)
    paths = {field: found.get(field, ()) for field in fields}
    moved = {field: said for field, said in paths.items() if said != (field,)}
    return replace(tuning, suppression=replace(tuning.suppression, paths=moved))


def not_placed(tuning: Tuning, pipelines: Sequence[str], where: Where | None) -> RuleError | None:
    """Why no alerts can be made so: they are to be gathered by a field that the events lack. None: they can.

    Args:
        tuning: as `placed` gives it.
        pipelines: the names of what puts rules into the events' names.
        where: where it was written.
    """
    field = tuning.lacking
    if not field:
        return None
    return RuleError(
        f"the field {field!r} is not in these events",
        cause=f"suppress.group_by names it, and the pipeline {', '.join(pipelines)} has no place for it",
        cure="group by other fields, or deploy it with a pipeline that has the field: --pipeline FILE",
        where=where,
    )


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
