"""What reading rules depends on besides their files."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec


class Pipeline(Protocol):
    """Processing pipelines that a rule goes through (`osdetect.sigma.pipelines`)."""

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines' names, in their order."""
        ...

    @property
    def digest(self) -> str:
        """A hash of what they do."""
        ...

    def apply(self, rule: Any) -> Any:
        """The rule (pySigma's) as the pipelines make it."""
        ...

    def paths(self, fields: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Where events hold each of these fields of a CloudTrail record; a field that they lack is left out."""
        ...


NO_PLACEHOLDERS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class ReadOptions(msgspec.Struct, frozen=True):
    """How rules are read."""

    every_log_source: bool = False
    """Read rules for every log source; otherwise only those for AWS CloudTrail, and the others are counted."""
    placeholders: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: NO_PLACEHOLDERS)
    """The values of each placeholder (`%name%`, with the modifier `expand`)."""
    pipeline: Pipeline | None = None


DEFAULT = ReadOptions()
