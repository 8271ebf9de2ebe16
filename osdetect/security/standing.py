"""How our roles stand in a cluster."""

from collections.abc import Mapping
from typing import Any

import msgspec

from osdetect.errors import ClusterRefused
from osdetect.schema.roles import Role
from osdetect.security.api import MAPPINGS, ROLES, SecurityApi
from osdetect.security.plan import Step, role_change


class Standing(msgspec.Struct, frozen=True):
    """One role in the cluster."""

    name: str
    state: str
    """current, missing, differs, or not ours."""
    differences: tuple[str, ...]
    users: tuple[str, ...]
    backend_roles: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.name,
            "state": self.state,
            "differences": list(self.differences),
            "users": list(self.users),
            "backend_roles": list(self.backend_roles),
        }


_STATES = {Step.CREATE: "missing", Step.UPDATE: "differs", Step.NONE: "current"}


def standing(api: SecurityApi, role: Role) -> Standing:
    """How one role stands.

    Raises:
        ClusterRefused: there is no security plugin, or this user may not ask it.
    """
    found, mapping = api.get(ROLES, role.name), api.get(MAPPINGS, role.name) or {}
    try:
        change = role_change(role, found)
        state, differences = _STATES[change.step], change.differences if found else ()
    except ClusterRefused:
        state, differences = "not ours", ()
    return Standing(role.name, state, differences, _names(mapping, "users"), _names(mapping, "backend_roles"))


def _names(mapping: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(map(str, mapping.get(key, ())))
