"""The percolator document of a deployed rule: all that `detect` knows of it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from osdetect.errors import RuleError
from osdetect.expr import Expr, from_json, to_json
from osdetect.tuning import UNTUNED, Tuning

FORMAT = 3
"""Version of what a stored rule means; a detector refuses a release of another format."""


class StoredRule(msgspec.Struct, frozen=True):
    """A rule as deployed. `words` goes into each of its alerts as it stands."""

    id: str
    hash: str
    words: Mapping[str, Any]
    """The alert's `rule` and `threat` objects (ECS)."""
    tree: Expr[str]
    columns: tuple[str, ...]
    """The paths whose values the stored query asks for."""
    presence: tuple[str, ...]
    """The paths whose presence the stored query asks for."""
    tests: tuple[Expr[str], ...]
    """What the stored query asks for by token."""
    tuning: Tuning = UNTUNED
    """How its matches become alerts."""

    def to_source(
        self,
        *,
        query: Mapping[str, Any],
        search: Mapping[str, Any],
        extra: Mapping[str, Any],
        tree: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The document's `_source`; `tree` is this rule's as JSON, from who has it already."""
        return {
            **self.words,
            **extra,
            "query": query,
            "search": search,
            "detection": {
                "format": FORMAT,
                "hash": self.hash,
                "tree": to_json(self.tree) if tree is None else tree,
                "columns": list(self.columns),
                "presence": list(self.presence),
                "tests": [to_json(test) for test in self.tests],
                **({"tuning": self.tuning.to_json()} if self.tuning != UNTUNED else {}),
            },
        }

    @staticmethod
    def from_source(rule_id: str, source: Mapping[str, Any]) -> "StoredRule":
        """Read a stored rule back.

        Raises:
            RuleError: it is not what `to_source` writes, or of another format.
        """
        match source:
            case {
                "rule": Mapping() as rule,
                "threat": Mapping() as threat,
                "detection": {
                    "format": int(version),
                    "hash": str(digest),
                    "tree": tree,
                    "columns": list(columns),
                    "presence": list(presence),
                    "tests": list(tests),
                    **rest,
                },
            } if version == FORMAT:
                return StoredRule(
                    id=rule_id,
                    hash=digest,
                    words={"rule": dict(rule), "threat": dict(threat)},
                    tree=from_json(tree),
                    columns=tuple(map(str, columns)),
                    presence=tuple(map(str, presence)),
                    tests=tuple(from_json(test) for test in tests),
                    tuning=_tuning(rule_id, rest.get("tuning", {})),
                )
            case {"detection": {"format": int(version)}} if version != FORMAT:
                raise _unreadable(rule_id, f"it has format {version}, this osdetect reads {FORMAT}")
            case _:
                raise _unreadable(rule_id, "it is not a document that osdetect deploys")


def _tuning(rule_id: str, said: Any) -> Tuning:
    try:
        return Tuning.from_json(said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(rule_id, f"its tuning is none: {error}") from error


def _unreadable(rule_id: str, cause: str) -> RuleError:
    return RuleError(
        f"the deployed rule {rule_id} cannot be read",
        cause=cause,
        cure="deploy the rules again: osdetect deploy",
    )
