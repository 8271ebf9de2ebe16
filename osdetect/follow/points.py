"""Named places in the work at which tests stop or kill the process.

Nothing happens there unless OSDETECT_TEST_POINTS names a Unix socket: then the process says the place's name and its
own id on it, each time, and waits for a line. Whoever listens may answer, or stop or kill the process instead.
"""

import os
import socket

_SOCKET = os.environ.get("OSDETECT_TEST_POINTS", "")


def reached(name: str) -> None:
    """Say that the work came to the place `name`; in tests, wait until it may go on."""
    if not _SOCKET:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.connect(_SOCKET)
        asked.sendall(f"{name} {os.getpid()}\n".encode())
        asked.recv(16)
