"""What the parts of this package need of `Cluster`: to ask the cluster one thing."""

from collections.abc import Mapping
from typing import Any, Protocol


class Asks(Protocol):
    """Gives the cluster's JSON reply to a request; `Cluster.request` says how."""

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        accept: tuple[int, ...] = (),
        repeat: bool = True,
    ) -> Any:
        """See `osdetect.cluster.door.Cluster.request`."""
