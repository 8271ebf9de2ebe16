"""The account that runs the server: ours, or another one when we are root.

OpenSearch refuses to run as root (`org.opensearch.bootstrap.Bootstrap`: "can not run opensearch as root").
"""

import os
import pwd

import msgspec

from osdetect import settings
from osdetect.errors import NodeError

USER_VARIABLE = "OSDETECT_NODE_USER"
DEFAULT_USER = "nobody"


class Account(msgspec.Struct, frozen=True):
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int


def account_of_node() -> Account | None:
    """The account to change to, or None to stay who we are.

    Raises:
        NodeError: we are root, and the account to change to does not exist or is root itself.
    """
    if os.geteuid() != 0:
        return None
    name = settings.text("node_user") or DEFAULT_USER
    try:
        found = pwd.getpwnam(name)
    except KeyError as unknown:
        raise NodeError(
            f"there is no account {name!r} to run the node",
            cause="OpenSearch does not run as root",
            cure=f"set {USER_VARIABLE} to an unprivileged account of this machine",
        ) from unknown
    if found.pw_uid == 0:
        raise NodeError(
            f"the account {name!r} is root, and OpenSearch does not run as root",
            cure=f"set {USER_VARIABLE} to an unprivileged account, or unset it",
        )
    return Account(name, found.pw_uid, found.pw_gid)
