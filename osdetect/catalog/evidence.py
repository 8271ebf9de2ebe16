"""What is known of a rule beside its text: that it compiles, that its tests pass, that it fired on data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from osdetect.errors import InputError, Where

MAX_BYTES = 64_000_000


class State(IntEnum):
    """How far a rule is proven."""

    DECLARED = 0
    """It says so: its tags."""
    TESTED = 1
    """It has tests, and all of them pass."""
    FIRED = 2
    """It matched a record of the data that it was run on."""

    @property
    def word(self) -> str:
        """As it is shown."""
        return self.name.lower()


class Evidence(msgspec.Struct, frozen=True):
    """What tests said of one rule; `osdetect test --evidence FILE` writes this for each."""

    tests: int = 0
    passed: int = 0
    mutation_score: float | None = None
    """The share of the rule's mutations that its tests notice."""
    fired: int = 0
    """Records of the data that it matched."""

    @property
    def passes(self) -> bool:
        """Whether it has tests, and all of them pass."""
        return self.tests > 0 and self.passed == self.tests

    @property
    def state(self) -> State:
        """The most that is known."""
        return State.FIRED if self.fired else State.TESTED if self.passes else State.DECLARED


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class Hits:
    """Alerts of a rule in a cluster."""

    count: int
    first_seen: str
    last_seen: str


def read_evidence(file: Path) -> Mapping[str, Evidence]:
    """What the file says of each rule, by rule id.

    Raises:
        InputError: the file cannot be read, or is no such file.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _unusable(file, f"it is larger than {MAX_BYTES:,} bytes")
        return MappingProxyType(msgspec.json.decode(file.read_bytes(), type=dict[str, Evidence]))
    except OSError as error:
        raise _unusable(file, str(error.strerror)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unusable(file, str(error)) from error


def _unusable(file: Path, cause: str) -> InputError:
    return InputError(
        "this file of evidence cannot be used",
        cause=cause,
        cure="write it anew: osdetect test --evidence FILE",
        where=Where(str(file)),
    )


def evidence_json(one: Evidence) -> dict[str, Any]:
    """The evidence as a page's data has it."""
    return {**msgspec.to_builtins(one), "state": one.state.word}
