"""An OpenSearch node on this machine, from published packages: no container, no system Java, no root.

    node = start(NodeOptions())      node.url is ready to be used; the process outlives this one
    status() ... logs() ... stop()

`start` downloads what the lock (`artifacts.json`) names into the user's cache, verifies it, assembles a home,
starts the server on the loopback interface and waits until it answers. See docs/node.md.
"""

from osdetect.node.artifacts import Variant
from osdetect.node.control import logs, start, status, stop
from osdetect.node.options import Credentials, NodeOptions, NodeStatus, Profile, RunningNode
from osdetect.node.progress import OnProgress, Progress, Stage

__all__ = [
    "Credentials",
    "NodeOptions",
    "NodeStatus",
    "OnProgress",
    "Profile",
    "Progress",
    "RunningNode",
    "Stage",
    "Variant",
    "logs",
    "start",
    "status",
    "stop",
]
