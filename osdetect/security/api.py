"""The security plugin's REST API (OpenSearch docs, "Security API"); AWS's OpenSearch Service has it at the same path."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from osdetect.cluster import Basic, Cluster
from osdetect.cluster.translate import reason_of
from osdetect.errors import ClusterRefused

_PATH = "/_plugins/_security/api"
ROLES, MAPPINGS, USERS = "roles", "rolesmapping", "internalusers"


class SecurityApi(msgspec.Struct, frozen=True):
    """Reads and writes roles, role mappings and internal users."""

    cluster: Cluster

    def get(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """What stands under a name; None when nothing does.

        Raises:
            ClusterRefused: the cluster has no security plugin, or this user may not ask it.
        """
        reply = self._ask("GET", f"{_PATH}/{kind}/{quote(name, safe='')}")
        found = reply.get(name)
        return found if isinstance(found, Mapping) else None

    def put(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        """Write it whole.

        Raises:
            ClusterRefused: the plugin did not take it.
        """
        path = f"{_PATH}/{kind}/{quote(name, safe='')}"
        reply = self._ask("PUT", path, body)
        if reply.get("status") not in ("OK", "CREATED"):
            raise ClusterRefused(f"the security plugin did not take {name}", cause=reason_of(reply))

    def accepts(self, user: str, password: str) -> bool:
        """Whether the cluster knows the user by this password."""
        with self.cluster.as_somebody_else(Basic(user, lambda: password)) as other:
            reply = other.request("GET", "/_plugins/_security/authinfo", accept=(401, 403))
        return isinstance(reply, Mapping) and reply.get("user_name") == user

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        reply = self.cluster.request(method, path, body=body, accept=(400, 403, 404, 405))
        if not isinstance(reply, Mapping):
            raise _no_plugin(str(reply)[:200])
        said = reason_of(reply)
        if "no handler found" in said:
            raise _no_plugin(said)
        if reply.get("status") in ("FORBIDDEN", 403):
            raise ClusterRefused(
                f"this user may not ask the security plugin ({method} {path})",
                cause=said,
                cure="use an administrator: a user with the role all_access, the master user of an AWS domain, or the "
                "administrator's certificate (OSDETECT_CLIENT_CERT, OSDETECT_CLIENT_KEY)",
                status=403,
            )
        return reply


def _no_plugin(said: str) -> ClusterRefused:
    return ClusterRefused(
        "this cluster has no security plugin",
        cause=said,
        cure="it has no users and roles: install the plugin, or, on AWS, turn on fine-grained access control",
    )
