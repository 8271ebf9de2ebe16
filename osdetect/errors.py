"""The failures that a user can meet, and what each means to the process.

    OsdetectError                 anything below: what happened, why, what to do; never shown as a traceback
    ├── UsageError                exit 2   the command line or a setting
    ├── InputError                exit 4   nothing usable where the input should be
    ├── RuleError                 exit 1   a rule file or rule refused; others go on
    ├── RecordError               exit 1   a record or file of records refused; others go on
    ├── OutputError               exit 8   a result or a temporary file cannot be written
    ├── ResourceError             exit 70  the installation lacks one of its own files
    ├── NodeError                 exit 6   the embedded node
    └── ClusterError              exit 5   the cluster
        ├── ClusterRefused        terminal: asking again gives the same answer
        ├── ClusterBusy           exit 9   another deploy is under way
        ├── Guarded               exit 10  a guard kept it from being done
        └── ClusterUnavailable    transient: asking again may succeed

Whether to retry is told by the type alone: `transient` is true or false for a class, never for a message.
"""

from typing import ClassVar

import msgspec

from osdetect.vocabulary import ExitCode


class Where(msgspec.Struct, frozen=True):
    """A place in a file: line and column count from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0
    excerpt: str = ""
    """The line of text there, without its end, and cut to what a terminal shows."""

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class OsdetectError(Exception):
    """A failure with its cause and its cure.

    Args:
        what: what happened, one sentence without a full stop.
        cause: why, if that is not in `what`.
        cure: what the user can do next; names the command or the option.
        where: the place in a file that caused it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL
    transient: ClassVar[bool] = False

    def __init__(self, what: str, *, cause: str = "", cure: str = "", where: Where | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.cure = cure
        self.where = where

    def __str__(self) -> str:
        """One line: place, what, cause."""
        place = f"{self.where}: " if self.where else ""
        cause = f": {self.cause}" if self.cause else ""
        return f"{place}{self.what}{cause}"


class UsageError(OsdetectError):
    """The command line or a setting cannot be used as given."""

    exit_code = ExitCode.USAGE


class InputError(OsdetectError):
    """Nothing usable was found where the input should be."""

    exit_code = ExitCode.NO_INPUT


class RuleError(OsdetectError):
    """One rule file, or one rule in it, is refused. The others are not touched by that."""

    exit_code = ExitCode.LOSS


class RecordError(OsdetectError):
    """One record, or one file of records, is refused. The others are not touched by that."""

    exit_code = ExitCode.LOSS


class OutputError(OsdetectError):
    """A result or a temporary file cannot be written."""

    exit_code = ExitCode.NOT_WRITTEN


class ResourceError(OsdetectError):
    """The installation lacks one of its own files."""


class NodeError(OsdetectError):
    """The embedded node could not be made ready, or not be controlled."""

    exit_code = ExitCode.NODE


class ClusterError(OsdetectError):
    """The cluster did not do what was asked.

    Args:
        status: the HTTP status that it answered with; 0 when it did not answer.
    """

    exit_code = ExitCode.CLUSTER

    def __init__(
        self, what: str, *, cause: str = "", cure: str = "", where: Where | None = None, status: int = 0
    ) -> None:
        super().__init__(what, cause=cause, cure=cure, where=where)
        self.status = status


class ClusterRefused(ClusterError):
    """The cluster answered no; asking again gives the same answer."""


class IndexRefused(ClusterRefused):
    """The same of what one index holds; others may well be read."""


class ClusterBusy(ClusterError):
    """Another deploy, or another worker of the same back-fill, is under way; nothing was changed."""

    exit_code = ExitCode.BUSY


class Guarded(ClusterError):
    """It would take away more than is allowed; nothing was changed."""

    exit_code = ExitCode.GUARDED


class ClusterUnavailable(ClusterError):
    """The cluster did not answer or is overloaded; asking again may succeed."""

    transient = True


class IndexAway(ClusterUnavailable):
    """The same of one index, while the cluster answers."""
