"""What became of each case, and of each rule."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from osdetect.errors import RuleError
from osdetect.ruletest.cases import Case


class Status(StrEnum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    """The rule does not do what the test says."""
    DISAGREED = "disagreed"
    """Percolator, engine and evaluator do not say the same: a defect of osdetect."""
    NOT_RUN = "not run"
    """The cluster refused the rule."""


class Result(msgspec.Struct, frozen=True):
    """A case with what became of it."""

    case: Case
    status: Status
    reason: str
    """Why it did not pass; empty if it did."""
    verdicts: Mapping[str, bool]
    """By whom: `evaluator`, `engine`, `percolator`."""

    def to_json(self) -> dict[str, Any]:
        """As `--output json` has it."""
        case = self.case
        return {
            "rule": case.rule,
            "title": case.title,
            "why": case.why,
            "must_match": case.expected,
            "status": self.status.value,
            "reason": self.reason,
            "verdicts": dict(self.verdicts),
            "layout": case.origin,
            "file": case.where.file,
            "line": case.where.line,
        }


class Tested(msgspec.Struct, frozen=True):
    """A rule and what its tests came to."""

    rule: str
    title: str
    file: str
    tests: int
    passed: int


class Results(msgspec.Struct, frozen=True):
    """What a run came to."""

    results: tuple[Result, ...]
    rules: tuple[Tested, ...]
    """Every rule and correlation, those without tests too."""
    refused: tuple[RuleError, ...]
    """Tests that are none, and rules that cannot be used."""
    percolated: bool
    """Whether the real percolator was asked."""

    @property
    def untested(self) -> tuple[Tested, ...]:
        """Rules that have no test."""
        return tuple(one for one in self.rules if not one.tests)

    @property
    def bad(self) -> tuple[Result, ...]:
        """Those that did not pass."""
        return tuple(one for one in self.results if one.status is not Status.PASSED)

    def count(self, status: Status) -> int:
        """How many cases came to this."""
        return sum(one.status is status for one in self.results)
