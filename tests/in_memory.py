"""The nodes' data of a test run in memory, where there is room: a test waits for the node, and the node for the disk.

Nothing is tested less by it: a process that is killed leaves in memory what it had written, as it leaves it in the page cache.
"""

import os
import shutil
from pathlib import Path

from osdetect.node.places import DATA_VARIABLE, make_passable

_MEMORY = Path("/dev/shm")
_ROOM = 6 << 30
"""Bytes that have to be free there: several nodes may run at once."""


def keep_data_in_memory() -> None:
    """Let the nodes that this process starts have their data in memory, unless it is said where they have it."""
    if DATA_VARIABLE in os.environ or not _MEMORY.is_dir():
        return
    # The server unpacks native libraries beside its data, which must be executable.
    if shutil.disk_usage(_MEMORY).free >= _ROOM and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        os.environ[DATA_VARIABLE] = str(make_passable(_MEMORY / f"osdetect-tests-{os.geteuid()}"))
