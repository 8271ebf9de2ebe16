"""The door to OpenSearch, and the only importer of opensearch-py.

`Connection` says where the cluster is and who we are; `Cluster` asks it things; every failure comes out as
`ClusterRefused` (terminal) or `ClusterUnavailable` (transient, after the retries made here).

`import osdetect.cluster` is cheap: opensearch-py is imported at the first `Cluster.connect`.
"""

from osdetect.cluster.bulk import ItemOutcome, create_action, index_action, replace_action
from osdetect.cluster.connection import Connection
from osdetect.cluster.credentials import Basic, Credentials
from osdetect.cluster.door import Cluster
from osdetect.cluster.paging import every_page
from osdetect.cluster.refreshing import refresh
from osdetect.cluster.store import StoredDocument, Version
from osdetect.cluster.translate import from_between, from_status

__all__ = [
    "Basic",
    "Cluster",
    "Connection",
    "Credentials",
    "ItemOutcome",
    "StoredDocument",
    "Version",
    "create_action",
    "every_page",
    "from_between",
    "from_status",
    "index_action",
    "refresh",
    "replace_action",
]
