"""This process's own name among the workers."""

import os
import secrets
import socket
from functools import cache


def this_worker() -> str:
    """Host, process id and a random part: no other process has it, also not a later one with the same id."""
    return _named(os.getpid())


@cache
def _named(pid: int) -> str:
    return f"{socket.gethostname()}-{pid}-{secrets.token_hex(4)}"
