"""Which port the node answers on."""

import socket

from osdetect.errors import NodeError
from osdetect.node.configure import LOOPBACK
from osdetect.node.options import DEFAULT_PORT


def choose_port(wanted: int | None) -> int:
    """`wanted` if it is free; else 9200 if that is free; else any that is.

    Raises:
        NodeError: a port was asked for and is taken.
    """
    if wanted is not None:
        if not is_free(wanted):
            raise NodeError(
                f"port {wanted} is taken by another program",
                cure="choose another --port, or leave it out to get a free one",
            )
        return wanted
    return DEFAULT_PORT if is_free(DEFAULT_PORT) else _any_free()


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as denied:
            raise NodeError(
                f"port {port} may not be used by this account", cure="choose a --port from 1024 up"
            ) from denied
        except OSError:
            return False
    return True


def _any_free() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
