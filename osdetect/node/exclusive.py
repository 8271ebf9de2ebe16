"""One process at a time, among all that agree on a lock file (flock(2)); a killed holder lets go by itself."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osdetect.errors import NodeError

_PAUSE = 0.05
"""Seconds between two tries."""


@contextmanager
def exclusive(path: Path, purpose: str, timeout: float) -> Iterator[None]:
    """Hold the lock on `path` for the `with` block.

    Args:
        path: the lock file; made if absent, never written. Whoever holds it may delete it.
        purpose: what is being done, for the error: "starting the node".
        timeout: seconds to wait for another holder.

    Raises:
        NodeError: another process held it all that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    while (descriptor := _try(path)) is None:
        if time.monotonic() > deadline:
            raise NodeError(
                f"another osdetect process has been at it for {timeout:.0f} s: {purpose}",
                cause=f"it holds {path}",
                cure=f"wait for it, or find it with: fuser {path}",
            )
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def _try(path: Path) -> int | None:
    """The descriptor of the locked file, or None if another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The last holder may have deleted the file: then this lock is on nothing that anyone else will open.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
