"""What is to change so that a cluster has our roles, their mappings and their users."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from osdetect.errors import ClusterRefused
from osdetect.schema.roles import Role, mark_of
from osdetect.security.api import MAPPINGS, ROLES, USERS, SecurityApi
from osdetect.security.password import password_in
from osdetect.vocabulary import OWNER


class Step(StrEnum):
    """What is to be done with one thing."""

    CREATE = "create"
    UPDATE = "update"
    NONE = "unchanged"


class Wish(msgspec.Struct, frozen=True):
    """What is wanted beside the roles themselves."""

    users: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)
    """Role name to names of users that are to have it."""
    backend_roles: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)
    """Role name to roles of the directory, or ARNs of AWS, that are to have it."""
    password_folder: Path | None = None
    """Make an internal user for each role, with its password in a file here."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing of the plugin's: what it is to become."""

    kind: str
    name: str
    step: Step
    differences: tuple[str, ...] = ()
    """What comes (+) and what goes (-), in words; never a password."""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What is written; of a user without the password."""
    password_file: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        made = {
            "kind": self.kind,
            "name": self.name,
            "step": self.step.value,
            "differences": list(self.differences),
        }
        return made | ({"password_file": str(self.password_file)} if self.password_file else {})


def planned(api: SecurityApi, roles: Iterable[Role], wish: Wish) -> tuple[Change, ...]:
    """What is to be done, in the order in which it is done.

    Raises:
        ClusterRefused: something of that name is there that osdetect did not make, there is no security plugin, or this
            user may not ask it.
    """
    return tuple(change for role in roles for change in _of(api, role, wish))


def _of(api: SecurityApi, role: Role, wish: Wish) -> Iterator[Change]:
    yield role_change(role, api.get(ROLES, role.name))
    users = set(wish.users.get(role.name, ()))
    if wish.password_folder is not None:
        yield _user(api, role, wish.password_folder / f"{role.name}.password")
        users.add(role.name)
    backend_roles = wish.backend_roles.get(role.name, frozenset())
    if users or backend_roles:
        yield _mapping(role, api.get(MAPPINGS, role.name), users, backend_roles)


def role_change(role: Role, standing: Mapping[str, Any] | None) -> Change:
    """What a role is to become, by what stands under its name.

    Raises:
        ClusterRefused: osdetect did not make that.
    """
    body = role.body()
    if standing is None:
        return Change(
            ROLES, role.name, Step.CREATE, tuple(f"+ {right}" for right in sorted(rights(body))), body
        )
    require_ours("role", role.name, standing, mark_of(str(standing.get("description", ""))) is not None)
    now, then = rights(standing), rights(body)
    differences = (*(f"- {one}" for one in sorted(now - then)), *(f"+ {one}" for one in sorted(then - now)))
    same = not differences and standing.get("description") == body["description"]
    return Change(ROLES, role.name, Step.NONE if same else Step.UPDATE, differences, body)


def rights(body: Mapping[str, Any]) -> frozenset[str]:
    """All that a role's body allows, one thing a text.

    >>> sorted(rights({"cluster_permissions": ["a"], "index_permissions": [{"index_patterns": ["i"], "allowed_actions": ["b"]}]}))
    ['a', 'i: b']
    """
    found = {str(one) for one in body.get("cluster_permissions", ())}
    for one in body.get("index_permissions", ()):
        limits = "".join(f" ({key} {one[key]})" for key in ("dls", "fls", "masked_fields") if one.get(key))
        found |= {
            f"{pattern}: {action}{limits}"
            for pattern in one["index_patterns"]
            for action in one["allowed_actions"]
        }
    for one in body.get("tenant_permissions", ()):
        found |= {
            f"tenant {pattern}: {action}"
            for pattern in one["tenant_patterns"]
            for action in one["allowed_actions"]
        }
    return frozenset(found)


def require_ours(kind: str, name: str, standing: Mapping[str, Any], marked: bool) -> None:
    """Refuse to touch what osdetect did not make.

    Raises:
        ClusterRefused: it carries no mark of ours, or is reserved.
    """
    reserved = [word for word in ("reserved", "hidden", "static") if standing.get(word)]
    if reserved or not marked:
        raise ClusterRefused(
            f"the {kind} {name} is there already, and osdetect did not make it",
            cause=f"it is {' and '.join(reserved)}" if reserved else "it carries no mark of osdetect",
            cure="rename or delete it; nothing was changed",
        )


_KEPT_OF_USERS = ("backend_roles", "opendistro_security_roles")


def _user(api: SecurityApi, role: Role, file: Path) -> Change:
    standing, known = api.get(USERS, role.name), password_in(file)
    body = {"attributes": {"owner": OWNER}, "description": f"{role.description} [{OWNER}]"}
    if standing is None:
        said = f"+ password as in {file}" if known else f"+ a new password, in {file}"
        return Change(USERS, role.name, Step.CREATE, (said,), body, file)
    require_ours("user", role.name, standing, standing.get("attributes", {}).get("owner") == OWNER)
    # A user is written whole: what somebody gave it, such as the way into Dashboards, stays.
    body |= {key: standing[key] for key in _KEPT_OF_USERS if standing.get(key)}
    body["attributes"] = {**standing["attributes"], "owner": OWNER}
    if known and api.accepts(role.name, known):
        return Change(USERS, role.name, Step.NONE, (), body, file)
    said = f"the password in {file} is another" if known else f"a new password, because {file} is not there"
    return Change(USERS, role.name, Step.UPDATE, (f"+ {said}",), body, file)


def _mapping(
    role: Role, standing: Mapping[str, Any] | None, users: Iterable[str], backend_roles: Iterable[str]
) -> Change:
    """Adds to who has the role; takes it from nobody."""
    if standing is not None:
        require_ours("role mapping", role.name, standing, marked=True)
    found = standing or {}
    wanted = {"users": set(users), "backend_roles": set(backend_roles)}
    missing = {key: names - set(found.get(key, ())) for key, names in wanted.items()}
    body = {
        **{key: list(found[key]) for key in ("hosts", "and_backend_roles") if found.get(key)},
        **{key: sorted({*found.get(key, ()), *names}) for key, names in wanted.items()},
    }
    differences = tuple(
        f"+ {key.removesuffix('s').replace('_', ' ')} {name}"
        for key, names in missing.items()
        for name in sorted(names)
    )
    step = Step.CREATE if standing is None else Step.UPDATE if differences else Step.NONE
    return Change(MAPPINGS, role.name, step, differences, body)
