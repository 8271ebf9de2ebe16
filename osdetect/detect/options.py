"""What a detector watches, and how."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from osdetect.cluster import Cluster
from osdetect.detect.costs import Method
from osdetect.follow import Follower, this_worker
from osdetect.vocabulary import DEFAULT_NAMESPACE, EVENTS_PREFIX


class DetectOptions(msgspec.Struct, frozen=True):
    """What a detector watches, and where its alerts go."""

    namespace: str = DEFAULT_NAMESPACE
    """Names the alerts' indices and the detector's cursors."""
    target: str = ""
    """Index, pattern, alias or data stream to watch; empty: the events that `osdetect load` stored in the namespace."""
    worker: str = ""
    """This detector's own name; empty: this process's. No two that run at once may share it."""
    lease_s: float = 30.0
    """How long a shard stays with a worker that says nothing more, in seconds."""
    since: datetime | None = None
    """Where a shard that was never judged begins: at its first event of this time or later; None: at its first."""
    method: Method | None = None
    """How candidates are found; None: as is expected to be cheapest."""

    def watched(self) -> str:
        """The target, or the default one."""
        return self.target or f"{EVENTS_PREFIX}{self.namespace}-*"

    def follower(self, cluster: Cluster, purpose: str, clock: Callable[[], datetime]) -> Follower:
        """This worker as a follower of the namespace's cursors of a purpose."""
        return Follower(
            cluster,
            purpose=purpose,
            namespace=self.namespace,
            worker=self.worker or this_worker(),
            lease_s=self.lease_s,
            clock=clock,
        )
