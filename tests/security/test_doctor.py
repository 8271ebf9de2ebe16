"""`osdetect doctor` says who we are, and which rights of which role are missing."""

import json

import pytest

from osdetect.schema.roles import shipped_roles
from osdetect.status.rights import _tries
from tests.cli.conftest import Osdetect
from tests.security.material import Pipe, SecuredNode

ROLES = tuple(role.word for role in shipped_roles())


def _findings(osdetect: Osdetect, node: SecuredNode, user: str, role: str) -> dict[str, list[dict[str, str]]]:
    ran = osdetect("doctor", "--role", role, "--output", "json", **node.settings(user))
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(ran.out)["findings"]:
        found.setdefault(one["check"], []).append(one)
    return found


def test_each_role_is_tried() -> None:
    assert set(_tries("x")) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_user_has_all_rights_of_its_own_role_and_lacks_some_of_each_other(
    osdetect: Osdetect, pipe: Pipe, role: str
) -> None:
    found = _findings(osdetect, pipe.node, role, role)
    (rights,) = found["rights"]
    assert (rights["verdict"], rights["said"]) == ("ok", f"all {len(_tries('x')[role])} that a {role} needs")
    if role == "detector":  # the one whose command it is
        assert not [one for each in found.values() for one in each if "cannot be" in one["said"]], found
    roles = found["security"][0]["said"].removeprefix(f"the user {role} has the roles ").split(", ")
    assert [one for one in roles if one.startswith("osdetect-")] == [f"osdetect-{role}"]
    others = found["other roles"][0]["said"].partition(": ")[2].split(", ")
    allowed = {one.partition(" all")[0] for one in others if one.endswith(" all")}
    assert allowed == ({"viewer"} if role == "analyst" else set())


def test_what_is_missing_is_named_with_the_role_that_has_it(osdetect: Osdetect, pipe: Pipe) -> None:
    missing = _findings(osdetect, pipe.node, "detector", "notifier")["rights"]
    assert {one["verdict"] for one in missing} == {"fail"}
    assert all("osdetect-notifier" in one["cure"] for one in missing)
    begins = "may not write to osdetect-outbox-default-rights-check: security_exception"
    assert [one for one in missing if one["said"].startswith(begins)]
