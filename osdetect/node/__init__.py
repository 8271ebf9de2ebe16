"""An OpenSearch node on this machine, from published packages: no container, no system Java, no root.

    node = start(NodeOptions())      node.url is ready to be used; the process outlives this one
    status() ... logs() ... stop()

`start` downloads what the lock (`artifacts.json`) names into the user's cache, verifies it, assembles a home,
starts the server on the loopback interface and waits until it answers. See docs/node.md.

Each name is loaded when it is first asked for: many commands only ask `places` where things are kept.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "Credentials": "options",
    "NodeOptions": "options",
    "NodeStatus": "options",
    "OnProgress": "progress",
    "Profile": "options",
    "Progress": "progress",
    "RunningNode": "options",
    "Stage": "progress",
    "Variant": "artifacts",
    "logs": "control",
    "start": "control",
    "status": "control",
    "stop": "control",
}
assert sorted(_MODULES) == sorted(__all__)


def __getattr__(name: str) -> Any:
    """A name of `__all__`."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
