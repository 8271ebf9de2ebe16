"""What a change makes of an alert, and when it no longer makes sense. Pure: sources in, sources out.

A change is decided on the alert as its author saw it. When somebody else changed the alert meanwhile, it is decided
again on what is there now: it stands if status, verdict and assignee are still what its author saw, or are what the
author wanted; else the author is told who was first. A comment always stands.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Status(StrEnum):
    """How far the work on an alert is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What a closed alert was."""

    TP = "tp"
    """An attack, or what the rule is for."""
    FP = "fp"
    """The rule is wrong about it."""
    BENIGN = "benign"
    """The rule is right, and it was allowed."""


class Verb(StrEnum):
    """What a person did, as the history says it."""

    ACK = "acknowledged"
    CLOSE = "closed"
    REOPEN = "reopened"
    ASSIGN = "assigned"
    COMMENT = "commented"


class Change(msgspec.Struct, frozen=True):
    """What a person wants done to an alert."""

    id: str
    """Of this change alone: by it a write whose answer was lost is known again."""
    verb: Verb
    by: str
    at: str
    """ISO 8601."""
    to: str = ""
    """The verdict, or the assignee; empty: nobody."""
    comment: str = ""


class State(msgspec.Struct, frozen=True):
    """What a change may replace."""

    status: str
    closed_as: str
    assignee: str

    @staticmethod
    def of(source: Mapping[str, Any]) -> "State":
        """The state that an alert's `_source` says; one without a status is open."""
        own = _own(source)
        return State(*(str(own.get(name) or "") for name in ("status", "closed_as", "assignee")))


class Write(msgspec.Struct, frozen=True):
    """The alert's new `_source`."""

    source: dict[str, Any]


class Nothing(msgspec.Struct, frozen=True):
    """The alert is already as it was to be."""

    why: str


class Refusal(msgspec.Struct, frozen=True):
    """The change makes no sense for the alert as it is."""

    why: str


_FROM = {
    Verb.ACK: (Status.OPEN,),
    Verb.CLOSE: (Status.OPEN, Status.ACKNOWLEDGED),
    Verb.REOPEN: (Status.ACKNOWLEDGED, Status.CLOSED),
    Verb.ASSIGN: (Status.OPEN, Status.ACKNOWLEDGED),
    Verb.COMMENT: tuple(Status),
}
"""From which status a change is possible."""


def wanted(change: Change, state: State) -> State:
    """The state that the change leads to."""
    match change.verb:
        case Verb.ACK:
            return State(Status.ACKNOWLEDGED, "", state.assignee)
        case Verb.CLOSE:
            return State(Status.CLOSED, change.to, state.assignee)
        case Verb.REOPEN:
            return State(Status.OPEN, "", state.assignee)
        case Verb.ASSIGN:
            return State(state.status, state.closed_as, change.to)
        case Verb.COMMENT:
            return state


def decide(
    change: Change, source: Mapping[str, Any], seen: State, *, seq_no: int
) -> Write | Nothing | Refusal:
    """What becomes of the change.

    Args:
        change: what is wanted.
        source: the alert's `_source` as it is now.
        seen: its state when the change's author saw it.
        seq_no: of the write that made it what it is now.
    """
    state = State.of(source)
    status = state.status or Status.OPEN
    after = wanted(change, state)
    if change.verb is Verb.COMMENT:
        return Write(_changed(change, source, after, seq_no))
    if state == after and not _of_somebody_else(change, source):
        if not change.comment:
            return Nothing(f"it is {_said(state)} already")
        return Write(_changed(change, source, after, seq_no))
    if state != seen:
        return Refusal(f"it was changed meanwhile: {last_change(source)}")
    if status not in _FROM[change.verb]:
        return Refusal(f"it is {_said(state)}; the last change: {last_change(source)}")
    return Write(_changed(change, source, after, seq_no))


def known_by(change: Change, source: Mapping[str, Any]) -> bool:
    """Whether the alert says that this change was made."""
    return any(entry.get("id") == change.id for entry in history(source))


def history(source: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The changes of the alert, oldest first."""
    return _listed(_own(source).get("history"))


def comments(source: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The comments on the alert, oldest first."""
    return _listed(_own(source).get("comments"))


def last_change(source: Mapping[str, Any]) -> str:
    """Who changed status or assignee last, in words."""
    entries = [entry for entry in history(source) if entry.get("change") != Verb.COMMENT]
    return in_words(entries[-1]) if entries else "its history does not say by whom"


def in_words(entry: Mapping[str, Any]) -> str:
    """An entry of the history for people.

    >>> in_words({"at": "2024-05-01T08:00:00Z", "by": "kim", "change": "assigned", "to": "lee"})
    'assigned to lee by kim at 2024-05-01T08:00:00Z'
    """
    verb, to = str(entry.get("change", "changed")), str(entry.get("to", ""))
    end = {
        Verb.CLOSE.value: f" as {to}",
        Verb.ASSIGN.value: f" to {to or 'nobody'}",
    }
    return f"{verb}{end.get(verb, '')} by {entry.get('by', '?')} at {entry.get('at', '?')}"


def _of_somebody_else(change: Change, source: Mapping[str, Any]) -> bool:
    """Whether another person acknowledged the alert: two people must not both believe that it is theirs."""
    if change.verb is not Verb.ACK:
        return False
    by = [entry.get("by") for entry in history(source) if entry.get("change") == Verb.ACK]
    return not by or by[-1] != change.by


def _changed(change: Change, source: Mapping[str, Any], after: State, seq_no: int) -> dict[str, Any]:
    before = State.of(source)
    own = dict(_own(source))
    own.setdefault("first_seq_no", seq_no)
    values = {"status": after.status, "closed_as": after.closed_as, "assignee": after.assignee}
    own = {name: value for name, value in {**own, **values}.items() if name not in values or value}
    # What changes nothing but carries a comment is a comment.
    verb = change.verb if after != before else Verb.COMMENT
    entry = {"id": change.id, "at": change.at, "by": change.by, "change": verb.value}
    own["history"] = [*history(source), {**entry, **_moved(verb, before, after)}]
    if change.comment:
        said = {"at": change.at, "by": change.by, "text": change.comment}
        own["comments"] = [*comments(source), said]
    return {**source, "osdetect": own}


def _moved(verb: Verb, before: State, after: State) -> dict[str, str]:
    """From what to what: the verdict stands for closed, which alone would not say enough."""
    if verb is Verb.COMMENT:
        return {}
    pair = (
        (before.assignee, after.assignee)
        if verb is Verb.ASSIGN
        else (before.closed_as or before.status, after.closed_as or after.status)
    )
    return {name: value for name, value in zip(("from", "to"), pair, strict=True) if value}


def _said(state: State) -> str:
    words = state.status or Status.OPEN.value
    verdict = f" as {state.closed_as}" if state.closed_as else ""
    return f"{words}{verdict}" + (f", assigned to {state.assignee}" if state.assignee else "")


def _own(source: Mapping[str, Any]) -> Mapping[str, Any]:
    own = source.get("osdetect")
    return own if isinstance(own, Mapping) else {}


def _listed(value: object) -> tuple[Mapping[str, Any], ...]:
    """OpenSearch takes one object where a list of them is meant."""
    entries = value if isinstance(value, list) else [value]
    return tuple(entry for entry in entries if isinstance(entry, Mapping))
