"""Writes to the security plugin of a node that has just been started."""

import time

from osdetect.errors import NodeError
from osdetect.node.probe import Probe

_API = "/_plugins/_security/api"
_NEVER_TAKEN = frozenset({400, 401, 403, 404})


def put(
    probe: Probe, path: str, body: object, *, deadline: float, pause_s: float, who: str, cure: str
) -> None:
    """PUT until it is taken: the plugin answers 503 while it makes its index.

    Args:
        probe: asks the node as its administrator.
        path: below the plugin's API (OpenSearch docs, "Access control API").
        body: what is written there.
        deadline: of `time.monotonic`; what is not taken then is an error.
        pause_s: between two attempts, in seconds.
        who: does not take it, in the words of the error.
        cure: of the error.

    Raises:
        NodeError: it was refused, or not taken in time.
    """
    while True:
        answer = probe.ask(f"{_API}{path}", method="PUT", body=body)
        if answer and answer.status in {200, 201}:
            return
        if time.monotonic() > deadline or (answer and answer.status in _NEVER_TAKEN):
            raise NodeError(
                f"{who} did not take {path}",
                cause=f"it answered {answer.status}: {answer.body}" if answer else "it did not answer",
                cure=cure,
            )
        time.sleep(pause_s)
