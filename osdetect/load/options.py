"""What a load can be told."""

import msgspec

from osdetect.cloudtrail import Limits
from osdetect.documents.event import check_namespace
from osdetect.vocabulary import DEFAULT_NAMESPACE


class LoadOptions(msgspec.Struct, frozen=True):
    """How to load.

    Raises:
        UsageError: the namespace cannot be one.
    """

    namespace: str = DEFAULT_NAMESPACE
    by_day: bool = False
    """An index for each day of events; otherwise one for each month. A namespace keeps what its first load chose."""
    limits: Limits = msgspec.field(default_factory=Limits)
    batch_bytes: int = 6 << 20
    """The size at which a bulk request is sent (OpenSearch advises 5 to 15 MB)."""
    in_flight: int = 2
    """Bulk requests under way at once. Memory: this many batches, one more that is filling, and one file's text."""

    def __post_init__(self) -> None:
        """Refuse a namespace that cannot stand in an index name."""
        check_namespace(self.namespace)
