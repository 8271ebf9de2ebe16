"""The project's words, each defined once: index names, exit codes, levels.

One word for one thing, everywhere (code, commands, documents, index names):

- rule: a Sigma rule. stored query: its percolator document.
- record: one raw CloudTrail record. event: the document stored for it.
- match: a rule and an event that it matches. alert: the document written for a match.
- cursor: how far a shard was judged. batch: events judged by one request. run: one pass of the detector.
- release: a deployed set of rules. pass: a step of the compiler.
"""

from enum import IntEnum, StrEnum

OWNER = "osdetect"
"""The value of `_meta.owner` on everything that osdetect makes in a cluster."""

EVENTS_PREFIX = "osdetect-cloudtrail-"
RULES_ALIAS = "osdetect-rules"
RULES_PREFIX = "osdetect-rules-"
ALERTS_PREFIX = "osdetect-alerts-"
STATE_INDEX = "osdetect-state"
MATCHES_PREFIX = "osdetect-matches-"
"""Of matches that made no alert of their own."""
RUNS_PREFIX = "osdetect-runs-"
DEADLETTER_PREFIX = "osdetect-deadletter-"
OUTBOX_PREFIX = "osdetect-outbox-"
EVENTS_PIPELINE = "osdetect-cloudtrail"
LONG_TEXT = "osdetect.long_text"
"""True in events that hold a text too long to be a term: a search cannot know what such a text says."""
HOLLOW = "osdetect.hollow"
"""Names those of some fields that an event has and the index holds no value of: a search cannot see that they are there."""
UNDATED = "undated"
"""Stands where the month stands in the index name of an event without a usable eventTime."""
DEFAULT_NAMESPACE = "default"


class ExitCode(IntEnum):
    """What the process's exit status means; stable, and listed in docs/exit-codes.md."""

    OK = 0
    LOSS = 1
    """The work was done, but something was refused, dead-lettered or left out; it is listed."""
    USAGE = 2
    """The command line or a setting cannot be used."""
    CHANGES = 3
    """A plan has changes; what is in the cluster is not what was deployed."""
    NO_INPUT = 4
    """Nothing usable was found where the input should be."""
    CLUSTER = 5
    """The cluster cannot be reached, refused the request, or lacks what is needed."""
    NODE = 6
    """The embedded node could not be made ready."""
    ALERTS = 7
    """`--fail-on`: there are alerts of that level or above."""
    NOT_WRITTEN = 8
    """A result or a temporary file could not be written."""
    BUSY = 9
    """Another deploy is under way."""
    GUARDED = 10
    """It would take away more than is allowed, for example by `--max-delete`."""
    INTERNAL = 70
    """A defect of osdetect."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM."""


class Level(StrEnum):
    """A rule's level, lowest first (Sigma rules specification, "Level")."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for informational up to 4 for critical."""
        return list(Level).index(self)
