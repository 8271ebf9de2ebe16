"""How a rule's matches become alerts: its mode, what is gathered into one alert, and what is excepted.

A rule says it in its custom attribute `osdetect`, a settings file given to deploy says it for rules of others, and an
exception is a Sigma filter with an owner. All of it is deployed with the rule: what runs is what is deployed.
"""

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from osdetect.expr import Expr, from_json, to_json

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_OF_CHECK = "ignore"
"""What `osdetect check` is not to say of the rule (docs/check.md) stands in the same attribute."""
LONGEST_WINDOW_S = 31 * 86_400
MOST_FIELDS = 10


class Mode(StrEnum):
    """What becomes of a rule's matches."""

    ALERT = "alert"
    SHADOW = "shadow"
    """They are counted and make no alert."""
    OFF = "off"
    """The rule is not judged."""


class Suppression(msgspec.Struct, frozen=True):
    """Matches that agree in the fields and happen in the same window are one alert.

    Windows do not slide: each begins at a multiple of its length since 1970 in UTC, so that which alert a match belongs to does not
    depend on the order in which events come.
    """

    group_by: tuple[str, ...]
    """Fields of the CloudTrail record; none: all matches of the rule in a window are one alert."""
    window_s: int
    paths: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Where the events hold those of the fields that they do not hold under their own names; nowhere: they lack it."""

    def places(self, field: str) -> tuple[str, ...]:
        """The paths at which an event may hold one of the fields."""
        return self.paths.get(field, (field,))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads back."""
        paths = {field: list(paths) for field, paths in self.paths.items()}
        return {
            "group_by": list(self.group_by),
            "window_s": self.window_s,
            **({"paths": paths} if paths else {}),
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "Suppression":
        """Read it back; what was stored without paths has fields under their own names.

        Raises:
            ValueError, KeyError, TypeError: it is not what `to_json` writes.
        """
        paths = {str(field): tuple(map(str, paths)) for field, paths in dict(stored.get("paths", {})).items()}
        return Suppression(tuple(map(str, stored["group_by"])), int(stored["window_s"]), paths)


class RuleException(msgspec.Struct, frozen=True):
    """Matches that somebody answers for: they are counted and make no alert."""

    id: str
    """Of the Sigma filter that it is."""
    title: str
    owner: str
    reason: str
    expires: date
    """The first day, in UTC, on whose events it does not apply any more."""
    tree: Expr[str]
    """The filter's condition: it does not hold for what is excepted."""

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads back."""
        return {
            "id": self.id,
            "title": self.title,
            "owner": self.owner,
            "reason": self.reason,
            "expires": self.expires.isoformat(),
            "tree": to_json(self.tree),
        }


class Tuning(msgspec.Struct, frozen=True):
    """All of it for one rule."""

    mode: Mode = Mode.ALERT
    suppression: Suppression | None = None
    exceptions: tuple[RuleException, ...] = ()

    @property
    def lacking(self) -> str:
        """The first of the fields that alerts are to be gathered by and that the events lack; empty: there is none."""
        if self.mode is not Mode.ALERT or self.suppression is None:
            return ""
        return next((field for field in self.suppression.group_by if not self.suppression.places(field)), "")

    def excepting(self, *exceptions: RuleException) -> "Tuning":
        """The same with these exceptions too."""
        return replace(self, exceptions=(*self.exceptions, *exceptions))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads back; empty for a rule that is not tuned.

        >>> Tuning(Mode.SHADOW).to_json()
        {'mode': 'shadow'}
        """
        return {
            **({"mode": self.mode.value} if self.mode is not Mode.ALERT else {}),
            **({"suppression": self.suppression.to_json()} if self.suppression else {}),
            **({"exceptions": [one.to_json() for one in self.exceptions]} if self.exceptions else {}),
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "Tuning":
        """Read it back.

        Raises:
            ValueError, KeyError, TypeError: it is not what `to_json` writes.
            RuleError: an exception's tree is none.
        """
        gathered = stored.get("suppression")
        return Tuning(
            Mode(stored.get("mode", Mode.ALERT)),
            Suppression.from_json(gathered) if gathered else None,
            tuple(
                RuleException(
                    id=str(one["id"]),
                    title=str(one["title"]),
                    owner=str(one["owner"]),
                    reason=str(one["reason"]),
                    expires=date.fromisoformat(one["expires"]),
                    tree=from_json(one["tree"]),
                )
                for one in stored.get("exceptions", ())
            ),
        )


UNTUNED = Tuning()


def settings(given: object, own: Tuning = UNTUNED) -> Tuning:
    """What a rule's author or a settings file says of it: `mode` and `suppress`; what it does not say stays as it is.

    Args:
        given: what is said.
        own: how the rule is tuned without it.

    Raises:
        ValueError: it says something else; the message is for people.

    >>> settings({"suppress": {"group_by": ["userIdentity.arn"], "window": "1h"}}).suppression
    Suppression(group_by=('userIdentity.arn',), window_s=3600, paths={})
    >>> settings({"suppress": False}, Tuning(Mode.SHADOW, Suppression((), 60)))
    Tuning(mode=<Mode.SHADOW: 'shadow'>, suppression=None, exceptions=())
    """
    if not isinstance(given, Mapping):
        raise ValueError("it must be a map")  # noqa: TRY004  # a fault of what was written, not of the program
    unknown = sorted(set(map(str, given)) - {"mode", "suppress", _OF_CHECK})
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known; there are mode and suppress")
    word = given.get("mode", own.mode.value)
    # YAML reads a bare off as false
    word = Mode.OFF.value if word is False else word
    if word not in list(Mode):
        raise ValueError(f"mode is one of {', '.join(Mode)}, not {str(word)[:40]!r}")
    suppression = _suppression(given["suppress"]) if "suppress" in given else own.suppression
    return replace(own, mode=Mode(word), suppression=suppression)


def _suppression(given: object) -> Suppression | None:
    if given is False:  # a settings file has no other word that takes away what the rule says
        return None
    if not isinstance(given, Mapping) or not set(given) <= {"group_by", "window"}:
        raise ValueError("suppress takes group_by and window")
    fields = given.get("group_by", [])
    fields = [fields] if isinstance(fields, str) else fields
    if not isinstance(fields, list) or not all(isinstance(one, str) and one for one in fields):
        raise ValueError("suppress.group_by takes names of fields")
    if len(fields) > MOST_FIELDS or len(set(fields)) < len(fields):
        raise ValueError(f"suppress.group_by takes at most {MOST_FIELDS} fields, each once")
    found = re.fullmatch(r"(\d{1,7})([smhd])", str(given.get("window", "")))
    window = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < window <= LONGEST_WINDOW_S:
        raise ValueError("suppress.window is a number and s, m, h or d, at most 31d: for example 1h")
    return Suppression(tuple(fields), window)
