"""What a running detector tells: its log, its metrics and its health, from one stream of happenings."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from osdetect.detect import RunReport
from osdetect.errors import ClusterUnavailable
from osdetect.status.logs import Log


class Listener(Protocol):
    """One that is told by `Watching`."""

    def pass_started(self) -> None:
        """A pass begins."""

    def pass_ended(self, report: RunReport, seconds: float) -> None:
        """A pass was made to its end."""

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        """The cluster went away."""

    def pass_cut_short(self, report: RunReport) -> None:
        """What was done by a pass that did not come to its end; `pass_failed` may follow."""


class Logged(msgspec.Struct, frozen=True):
    """Writes what happens into the log."""

    log: Log

    def pass_started(self) -> None:
        """A line."""
        self.log.info("pass started")

    def pass_ended(self, report: RunReport, seconds: float) -> None:
        """A line with all counts, and one for each rule that cannot be read."""
        for error in report.unreadable:
            self.log.warning("rule refused", what=error.what, cause=error.cause, cure=error.cure)
        self._tell("pass ended", report, rules_unreadable=len(report.unreadable), seconds=round(seconds, 3))

    def pass_cut_short(self, report: RunReport) -> None:
        """A line with all counts, if anything was done."""
        if not report.idle:
            self._tell("pass cut short", report)

    def _tell(self, what: str, report: RunReport, **more: float) -> None:
        told = {name: value for name, value in report.to_json().items() if name != "rules_unreadable"}
        (self.log.warning if report.lossy else self.log.info)(what, **told, **more)

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        """A line with the cause and the pause."""
        self.log.warning(
            "pass failed: cluster away",
            what=error.what,
            cause=error.cause,
            seconds=round(seconds, 3),
            next_attempt_s=round(pause_s, 3),
        )


class Shown(msgspec.Struct, frozen=True):
    """Gives each report to the command's own output."""

    show: Callable[[RunReport], object]

    def pass_started(self) -> None:
        """Nothing to show."""

    def pass_ended(self, report: RunReport, seconds: float) -> None:  # noqa: ARG002  # as `Listener` says
        """The report."""
        self.show(report)

    def pass_cut_short(self, report: RunReport) -> None:
        """Nothing to show: the log says it."""

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        """Nothing to show: the log says it."""


class Losses:
    """Counts the passes in which something was lost."""

    def __init__(self) -> None:
        self.passes = 0

    def pass_started(self) -> None:
        """Nothing to count."""

    def pass_ended(self, report: RunReport, seconds: float) -> None:  # noqa: ARG002  # as `Listener` says
        """One more, if something was lost."""
        self.passes += report.lossy

    def pass_cut_short(self, report: RunReport) -> None:
        """One more, if something was lost before it was cut short; the rest is judged by the next pass."""
        self.passes += report.lossy

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        """Nothing to count: see `pass_cut_short`."""


class Watching(msgspec.Struct, frozen=True):
    """Tells every listener, in order."""

    listeners: Sequence[Listener]

    def pass_started(self) -> None:
        """See `Listener`."""
        for one in self.listeners:
            one.pass_started()

    def pass_ended(self, report: RunReport, seconds: float) -> None:
        """See `Listener`."""
        for one in self.listeners:
            one.pass_ended(report, seconds)

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        """See `Listener`."""
        for one in self.listeners:
            one.pass_failed(error, seconds, pause_s)

    def pass_cut_short(self, report: RunReport) -> None:
        """See `Listener`."""
        for one in self.listeners:
            one.pass_cut_short(report)
