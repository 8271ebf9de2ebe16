"""Things amiss in a cluster that several tests look at."""

from tests.faults.material import ask


def without_primary(url: str, index: str) -> None:
    """An index whose only shard no node takes."""
    settings = {"index.routing.allocation.require._name": "nobody", "number_of_replicas": 0}
    ask(url, "PUT", f"/{index}?wait_for_active_shards=0", {"settings": settings})
