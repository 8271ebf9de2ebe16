"""Which cluster a command talks to: the one named, or the running embedded node."""

from functools import partial
from pathlib import Path

import orjson

from osdetect import settings
from osdetect.cli.output import say
from osdetect.cluster import Basic, Cluster, Connection
from osdetect.errors import UsageError
from osdetect.node import RunningNode, status


def connect(url: str | None, *, ca_certs: Path | None = None, insecure: bool = False) -> Cluster:
    """Connect to the cluster at `url`, or at the URL of the settings, or to the embedded node that runs.

    Raises:
        UsageError: there is none of the three, or a setting cannot be used.
        ClusterUnavailable, ClusterRefused: it does not answer, or not as it should.
    """
    if insecure:
        say(
            "warning: the cluster's certificate is not verified; anyone on the way can read and change what is sent"
        )
    if url or settings.text("url"):
        connection = Connection.from_settings(url=url, ca_certs=ca_certs, verify_tls=not insecure)
        for note in connection.notes:
            say(f"warning: {note}")
        return Cluster.connect(connection)
    running = status()
    if running is None:
        raise UsageError(
            "no cluster is named and no embedded node runs",
            cure="give --url URL (or set OSDETECT_URL), or start a node: osdetect node up",
        )
    return connect_to_node(running.node)


def connect_to_node(node: RunningNode) -> Cluster:
    """Connect to an embedded node, as its administrator if it has users."""
    known = node.credentials
    if known is None:
        return Cluster.connect(Connection(url=node.url))
    passwords = orjson.loads(known.password_file.read_bytes())
    admin = Basic(known.admin_user, partial(passwords.get, known.admin_user))
    return Cluster.connect(Connection(url=node.url, credentials=admin, ca_certs=known.ca_file))
