"""What is known of a rule beside its text: that it compiles, that its tests pass, that it fired on data."""

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from osdetect.errors import InputError, Where

T = TypeVar("T")

MAX_BYTES = 1_000_000_000


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


class Hits(msgspec.Struct, frozen=True):
    """Alerts of a rule in a cluster."""

    count: int
    first_seen: str
    last_seen: str


def read_evidence(file: Path) -> Mapping[str, Evidence]:
    """What the file says of each rule, by rule id.

    Raises:
        InputError: the file cannot be read, or is no such file.
    """
    return MappingProxyType(_decoded(file, dict[str, Evidence], _FROM_TEST))


class _Fired(msgspec.Struct, frozen=True):
    id: str
    alerts: int


class _Counts(msgspec.Struct, frozen=True):
    by_rule: tuple[_Fired, ...]


class _Scan(msgspec.Struct, frozen=True):
    scan: _Counts


def with_fired(evidence: Mapping[str, Evidence], scan: Path) -> Mapping[str, Evidence]:
    """The evidence, with the records that each rule matched in a scan.

    Args:
        evidence: what is known.
        scan: what `osdetect scan --output json` wrote.

    Raises:
        InputError: the file cannot be read, or is no such file.
    """
    found = dict(evidence)
    for one in _decoded(scan, _Scan, _FROM_SCAN).scan.by_rule:
        known = found.get(one.id, NO_EVIDENCE)
        found[one.id] = msgspec.structs.replace(known, fired=known.fired + one.alerts)
    return MappingProxyType(found)


_FROM_TEST = "write it anew: osdetect test --evidence FILE"
_FROM_SCAN = "write it anew: osdetect scan FOLDER --output json > FILE"


def _decoded(file: Path, kind: type[T], cure: str) -> T:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _unusable(file, f"it is larger than {MAX_BYTES:,} bytes", cure)
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise _unusable(file, str(error.strerror), cure) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unusable(file, str(error), cure) from error


def _unusable(file: Path, cause: str, cure: str) -> InputError:
    return InputError("this file of evidence cannot be used", cause=cause, cure=cure, where=Where(str(file)))


def evidence_json(one: Evidence) -> dict[str, Any]:
    """The evidence as a page's data has it."""
    return {**msgspec.to_builtins(one), "state": one.state.word}
