"""What a caller asks for, and what it gets."""

from enum import StrEnum
from pathlib import Path

import msgspec

from osdetect import settings
from osdetect.errors import UsageError
from osdetect.node.artifacts import Variant

DEFAULT_PORT = 9200
HEAP_VARIABLE = "OSDETECT_NODE_HEAP_MB"
DEFAULT_HEAP_MB = 512
SMALLEST_HEAP_MB = 256
"""Below this the server starts and then trips its circuit breakers."""


class Profile(StrEnum):
    """How Java is tuned."""

    FAST_START = "fast-start"
    """Only the quick compiler, and one thread to collect garbage: soon up, small."""
    THROUGHPUT = "throughput"
    """Java's own choices: slower to start and larger; for a node that works for hours (docs/node.md has figures)."""


def default_heap_mb() -> int:
    """The heap in MB: 512, or what `OSDETECT_NODE_HEAP_MB` says.

    Raises:
        UsageError: the variable is no number.
    """
    text = settings.text("node_heap_mb")
    if not text:
        return DEFAULT_HEAP_MB
    if not text.isascii() or not text.isdigit():
        raise UsageError(
            f"{HEAP_VARIABLE} is {text!r}, not a number of MB", cure=f"set it to e.g. {DEFAULT_HEAP_MB}"
        )
    return int(text)


class NodeOptions(msgspec.Struct, frozen=True):
    """How to run the embedded node."""

    name: str = "default"
    """Each name is a node of its own, with its own data."""
    port: int | None = None
    """Of HTTP; None takes 9200, or a free one if that is taken."""
    ephemeral: bool = False
    """Start empty, and delete everything when it stops."""
    secured: bool = False
    """TLS, users and roles, on the older server that the security plugin is published for."""
    heap_mb: int = msgspec.field(default_factory=default_heap_mb)
    profile: Profile = Profile.FAST_START
    ready_timeout_s: float = 180.0
    """How long the server may take until it answers, without the download."""

    def __post_init__(self) -> None:
        if self.heap_mb < SMALLEST_HEAP_MB:
            raise UsageError(
                f"a heap of {self.heap_mb} MB is too small for OpenSearch",
                cure=f"give at least {SMALLEST_HEAP_MB} MB",
            )
        if self.port is not None and not 1 <= self.port <= 65535:
            raise UsageError(f"{self.port} is not a port", cure="choose one from 1024 to 65535")

    @property
    def variant(self) -> Variant:
        """Which locked set it runs."""
        return Variant.SECURED if self.secured else Variant.PLAIN

    @property
    def storage(self) -> str:
        """The name of the folder that it keeps its data in."""
        return "ephemeral" if self.ephemeral else self.variant.value


class Credentials(msgspec.Struct, frozen=True):
    """How to talk to a secured node."""

    ca_file: Path
    """The certificate that signed the node's."""
    admin_user: str
    password_file: Path
    """JSON object, user to password, readable by the account that started the node only."""


class RunningNode(msgspec.Struct, frozen=True):
    """A node that answers."""

    name: str
    url: str
    pid: int
    version: str
    ephemeral: bool
    data_dir: Path
    log_file: Path
    seconds_to_ready: float
    """From the start of the process to its first good answer, of the start that made it."""
    credentials: Credentials | None = None
    already_running: bool = False
    """It was up before, and this start only found it."""
    notes: tuple[str, ...] = ()
    """What the user should know: another port than the usual one, a damaged file fetched anew."""


class NodeStatus(msgspec.Struct, frozen=True):
    """What is known of a node whose process lives."""

    node: RunningNode
    answering: bool
    """It answers on its port now."""
    health: str
    """green, yellow, red; empty if it does not answer."""
    memory_bytes: int
    """Resident memory of its process; 0 where the system does not tell."""
