"""The lock that lets one deploy at a time change a cluster: a document of the state index, written by compare-and-set only.

Who holds it renews it. Whoever finds it held watches it for its length: a holder that writes meanwhile is alive, and the
watcher refuses to go on; one that does not has died, and its lock is taken over. No two clocks are compared. A holder on this very
machine whose process is gone need not be watched.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Cluster, StoredDocument, Version
from osdetect.errors import ClusterBusy, ClusterError
from osdetect.vocabulary import STATE_INDEX

LOCK_ID = "lock:deploy"
LENGTH_S = 6.0
"""A lock that was not renewed for so long is taken over."""
_LONGEST_S = 60.0
"""A lock that says to last longer is damaged: it would keep everybody away."""
_MOST_PROCESSES = 1 << 31
_RENEWALS = 3
"""Renewals in the length of a lock, so that two may fail."""
_LOOK_S = 0.2
_ATTEMPTS = 5


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock."""

    token: str
    """Of this one holding; nobody else has it."""
    by: str
    """User and host, for people."""
    place: str
    """Which running system and process namespace the process is of; empty where that is not known."""
    process: int
    since: str
    length_s: float = LENGTH_S

    @property
    def gone(self) -> bool:
        """Whether it was a process of this machine that is no more."""
        if not self.place or self.place != _place():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # another user's: it runs
            return False
        return False

    def to_json(self) -> dict[str, Any]:
        """What `stored` reads back."""
        return {
            "token": self.token,
            "by": self.by,
            "place": self.place,
            "process": self.process,
            "since": self.since,
            "length_s": self.length_s,
        }

    @staticmethod
    def stored(source: Mapping[str, Any]) -> "Holder | None":
        """The holder that the document names; None when the lock is free."""
        match source.get("lock"):
            case None:
                return None
            case {
                "token": str(token),
                "by": str(by),
                "place": str(place),
                "process": int(process),
                "since": str(since),
                "length_s": (int() | float()) as length,
            } if 0 < process < _MOST_PROCESSES:
                length = float(length) if 0 < length <= _LONGEST_S else LENGTH_S
                return Holder(token, by[:200], place, process, since[:40], length)
            case _:
                return Holder("", "somebody", "", 0, "an unknown time")


def whoever() -> str:
    """This user on this host, for people."""
    import getpass  # noqa: PLC0415  # only who changes something asks

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


class DeployLock:
    """The lock, held. Made by `deploy_lock`."""

    def __init__(self, cluster: Cluster, holder: Holder, version: Version) -> None:
        self._cluster, self._holder, self._version = cluster, holder, version
        self._lock = Lock()
        self._over = False
        self.taken_over = ""
        """Whose lock was taken over from a holder that had died; empty: it was free."""

    def require(self) -> None:
        """Check that nobody took it over, and renew it: asked before what others would see.

        Raises:
            ClusterBusy: somebody did.
            ClusterError: the cluster does not answer.
        """
        if not self._renew():
            raise ClusterBusy(
                "the lock of this deploy was taken over by another one",
                cause=f"it was not renewed for {self._holder.length_s:g} s",
                cure="nothing was made live by this one; see osdetect releases, and run the command again",
            )

    def _renew(self) -> bool:
        with self._lock:
            if self._over:
                return False
            written = _write(self._cluster, self._holder, self._version)
            if written is None:
                self._over = True
                return False
            self._version = written
            return True

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew it in the background while the body works."""
        ended = Event()

        def run() -> None:
            while not ended.wait(self._holder.length_s / _RENEWALS):
                try:
                    self._renew()
                except ClusterError:
                    continue  # the work itself meets the same cluster and says so; `require` has the last word

        Thread(target=run, daemon=True, name="osdetect-lock").start()
        try:
            yield
        finally:
            ended.set()

    def forget(self) -> None:
        """The state index is deleted with all that is in it: neither renew nor release."""
        with self._lock:
            self._over = True

    def release(self) -> None:
        """Let others take it. If that fails it expires."""
        with self._lock:
            if self._over:
                return
            self._over = True
            try:
                # Once and not for long: when the cluster is away, the deploy has waited for it already.
                self._cluster.request(
                    "PUT",
                    f"/{STATE_INDEX}/_doc/{quote(LOCK_ID, safe='')}",
                    params={
                        "if_seq_no": self._version.seq_no,
                        "if_primary_term": self._version.primary_term,
                    },
                    body=_source(None),
                    accept=(409,),
                    timeout_s=LENGTH_S,
                    repeat=False,
                )
            except ClusterError:
                return  # the next deploy finds a lock that nobody renews, and takes it over


@contextmanager
def deploy_lock(
    cluster: Cluster, *, length_s: float = LENGTH_S, pause: Callable[[float], object] = time.sleep
) -> Iterator[DeployLock]:
    """Hold the lock while the body works.

    Args:
        cluster: where.
        length_s: how long it stays held without being renewed.
        pause: waits so many seconds.

    Raises:
        ClusterBusy: another deploy is under way.
        ClusterError: the lock could not be taken.
    """
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = Holder(uuid.uuid4().hex, whoever(), _place(), os.getpid(), since, length_s)
    held = _taken(cluster, holder, pause)
    try:
        with held.renewing():
            yield held
    finally:
        held.release()


def _taken(cluster: Cluster, holder: Holder, pause: Callable[[float], object]) -> DeployLock:
    for _ in range(_ATTEMPTS):
        stored = cluster.read_document(STATE_INDEX, LOCK_ID)
        other = Holder.stored(stored.source) if stored else None
        if stored is not None and other is not None and not other.gone:
            _watch(cluster, stored, other, pause)
        version = _write(cluster, holder, stored.version if stored else None)
        if version is not None:
            held = DeployLock(cluster, holder, version)
            held.taken_over = other.by if other else ""
            return held
    raise _busy(Holder("", "several others", "", 0, "just now"))


def _watch(cluster: Cluster, stored: StoredDocument, other: Holder, pause: Callable[[float], object]) -> None:
    """Come back when the holder has surely died.

    Raises:
        ClusterBusy: it is alive, or was until just now.
    """
    begun = time.monotonic()
    while time.monotonic() - begun < other.length_s:
        pause(_LOOK_S)
        now = cluster.read_document(STATE_INDEX, LOCK_ID)
        if now is None or now.version != stored.version:
            raise _busy(other)


def _busy(other: Holder) -> ClusterBusy:
    return ClusterBusy(
        "another deploy is under way",
        cause=f"{other.by} holds the lock since {other.since}",
        cure="wait for its end, see what it changed with osdetect plan, and run the command again",
    )


def _source(holder: Holder | None) -> dict[str, Any]:
    updated = datetime.now(UTC).isoformat()
    return {"kind": "lock", "updated": updated, "lock": holder.to_json() if holder else None}


def _write(cluster: Cluster, holder: Holder, over: Version | None) -> Version | None:
    """Write who holds the lock over the version that was read; None when somebody else wrote since."""
    source = _source(holder)
    if over is None:
        version = cluster.create_document(STATE_INDEX, LOCK_ID, source)
    else:
        version = cluster.replace_document(STATE_INDEX, LOCK_ID, source, over)
    if version is not None:
        return version
    # The write may have been ours, repeated because its answer was lost.
    stored = cluster.read_document(STATE_INDEX, LOCK_ID)
    return stored.version if stored is not None and stored.source == source else None
