"""A dialect of CloudTrail: where events hold what the record said, when somebody else's shipper wrote them.

A release remembers its dialect, so that the detector reads from an event in any of them the same account, caller and
call, and makes of the same record the same alert. Which path stands for which field follows from the processing
pipeline that the rules went through: rules and alerts cannot disagree about it.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import msgspec

from osdetect.documents.facts import Facts
from osdetect.documents.json_text import read_json
from osdetect.expr.values import resolve, steps

FACTS = (
    "awsRegion",
    "errorCode",
    "errorMessage",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "recipientAccountId",
    "responseElements.ConsoleLogin",
    "sourceIPAddress",
    "userAgent",
    "userIdentity.accessKeyId",
    "userIdentity.accountId",
    "userIdentity.arn",
    "userIdentity.invokedBy",
    "userIdentity.principalId",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "userIdentity.type",
    "userIdentity.userName",
)
"""The fields of a record that alerts and identities are made of (AWS docs, "CloudTrail record contents")."""


class Dialect(msgspec.Struct, frozen=True, dict=True):
    """Where the events of an index hold the fields of the CloudTrail records that they were made of."""

    name: str
    paths: Mapping[str, tuple[str, ...]]
    """For each of `FACTS` that the events have, the paths it may stand at."""
    json_text: tuple[str, ...] = ()
    """Paths where an object may stand as JSON text."""

    def values(self, event: Mapping[str, Any], fact: str) -> tuple[Any, ...]:
        """What the event says of a field of its record; empty if nothing."""
        return tuple(value for path in self.paths.get(fact, ()) for value in resolve(event, path) or ())

    def text(self, event: Mapping[str, Any], fact: str) -> str:
        """The same where it is one text, else ""."""
        absent = True
        for path in self.paths.get(fact, ()):
            plain = _plain(event, path)
            if isinstance(plain, str):
                return plain
            absent = absent and plain is _ABSENT
        if absent:
            return ""
        found = self.values(event, fact)
        return found[0] if len(found) == 1 and isinstance(found[0], str) else ""

    def has_none(self, event: Mapping[str, Any], facts: Iterable[str]) -> bool:
        """Whether it is plain that the event says nothing of any of them; False where that takes a closer look."""
        for fact in facts:
            for path in self.paths.get(fact, ()):
                if _plain(event, path) is not _ABSENT:
                    return False
        return True

    def texts(self, event: Mapping[str, Any]) -> dict[str, str]:
        """The `text` of each of `FACTS`."""
        return self._facts.texts(event, self.text)

    @cached_property
    def _facts(self) -> Facts:
        return Facts(self.paths, FACTS)

    def opened(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """The event with the objects for which it has JSON text.

        Text that is not JSON of an object or a list stays as it is. The event itself is not changed.
        """
        for path in self.json_text:
            event = _opened(event, path.split("."))
        return event

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads back."""
        paths = {fact: list(paths) for fact, paths in self.paths.items()}
        return {"name": self.name, "paths": paths, "json_text": list(self.json_text)}

    @staticmethod
    def from_json(stored: object) -> "Dialect | None":
        """Read back what a release says; None if it is not what `to_json` writes."""
        match stored:
            case {"name": str(name), "paths": Mapping() as paths, "json_text": list(json_text)}:
                if all(isinstance(found, list) for found in paths.values()):
                    read = {str(fact): tuple(map(str, found)) for fact, found in paths.items()}
                    return Dialect(name, read, tuple(map(str, json_text)))
            case _:
                pass
        return None


RAW = Dialect("cloudtrail-raw", MappingProxyType({fact: (fact,) for fact in FACTS}))
"""Records as AWS delivers them, and as `osdetect load` stores them."""


_ABSENT = object()
"""`resolve` would find nothing."""
_UNCLEAR = object()
"""`resolve` might find something: in a list, or under a key with dots."""


def _plain(event: Any, path: str) -> Any:
    """The value that a path's steps lead to, each a key of a map: nearly always what there is.

    `_ABSENT` if there is none, `_UNCLEAR` if only `resolve` can tell.
    """
    for step, dotted in steps(path):
        if not isinstance(event, dict):
            return _UNCLEAR if isinstance(event, (list, Mapping)) else _ABSENT
        if step not in event:
            return _ABSENT if event.keys().isdisjoint(dotted) else _UNCLEAR
        event = event[step]
    return event


def _opened(event: Mapping[str, Any], steps: Sequence[str]) -> Mapping[str, Any]:
    """The event with the object at the path; only the maps on the way to it are copied."""
    step, *rest = steps
    here = event.get(step)
    if rest:
        inner = _opened(here, rest) if isinstance(here, Mapping) else here
        return event if inner is here else {**event, step: inner}
    read = _read(here) if isinstance(here, str) else None
    return event if read is None else {**event, step: read}


def _read(text: str) -> dict[str, Any] | list[Any] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        read = read_json(text)
    except (ValueError, RecursionError):  # no JSON, or too deep: it stays a text
        return None
    return read if isinstance(read, (dict, list)) else None


def telling_paths(dialects: Iterable[Dialect]) -> dict[str, frozenset[str]]:
    """For each dialect the paths that an index of its events surely has: those that name a call."""
    return {
        dialect.name: frozenset(path for fact in _TELLING for path in dialect.paths.get(fact, ()))
        for dialect in dialects
    }


_TELLING = ("eventName", "eventSource")
