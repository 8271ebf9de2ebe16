"""The secured variant: one node, and who may do what on it."""

import ssl
from pathlib import Path

from osdetect.node import NodeOptions, Variant
from osdetect.node.probe import Probe
from osdetect.schema.roles import shipped_roles
from tests.security.material import SecuredNode, status_of

EVENT = {"eventName": "CreateApiKey"}


def test_a_secured_node_has_tls_and_no_user_but_its_own(secured: SecuredNode) -> None:
    assert secured.url.startswith("https://")
    assert NodeOptions(secured=True).variant is Variant.SECURED
    assert secured.kept.password_file.stat().st_mode & 0o777 == 0o600
    assert set(secured.passwords) == {"admin", *(role.word for role in shipped_roles())}
    # Without a password, with a wrong one, with the plugin's well-known one, and without trust in the authority.
    assert status_of(secured.as_user(None).ask("/")) == 401
    assert status_of(secured.as_user("admin", "wrong").ask("/")) == 401
    assert status_of(secured.as_user("admin", "admin").ask("/")) == 401
    assert Probe(secured.url, tls=ssl.create_default_context()).ask("/") is None
    assert status_of(secured.as_user("admin").ask("/")) == 200


def test_each_role_writes_where_it_has_to_and_nowhere_else(secured: SecuredNode) -> None:
    """What is written is refused by the mappings at the most (400), never by the security plugin (403)."""
    indices = {
        word: f"osdetect-{word}-x"
        for word in ("cloudtrail", "alerts", "matches", "outbox", "deadletter", "runs", "rules")
    }
    asked = {
        (role.word, word): status_of(
            secured.as_user(role.word).ask(f"/{index}/_create/1?require_alias=true", method="PUT", body=EVENT)
        )
        for role in shipped_roles()
        for word, index in indices.items()
    }
    assert set(asked.values()) == {403, 404}, asked
    assert {who for who, status in asked.items() if status == 404} == {
        ("loader", "cloudtrail"),
        ("loader", "deadletter"),
        ("detector", "alerts"),
        ("detector", "matches"),
        ("detector", "runs"),
        ("detector", "deadletter"),
        ("notifier", "outbox"),
        ("notifier", "deadletter"),
        ("analyst", "alerts"),
        ("deployer", "rules"),
    }


def test_only_the_deployer_makes_templates(secured: SecuredNode) -> None:
    template = {"index_patterns": ["osdetect-x-*"]}
    path = "/_index_template/osdetect-x"
    told = {
        role.word: status_of(secured.as_user(role.word).ask(path, method="PUT", body=template))
        for role in shipped_roles()
    }
    secured.admin(path, "DELETE")
    assert {word for word, status in told.items() if status == 200} == {"deployer"}
    assert {status for word, status in told.items() if word != "deployer"} == {403}


def test_the_credentials_are_in_a_folder_that_only_their_owner_enters(secured: SecuredNode) -> None:
    folder: Path = secured.kept.directory
    assert folder.stat().st_mode & 0o077 == 0
    assert {file.name: file.stat().st_mode & 0o077 for file in folder.iterdir()} == dict.fromkeys(
        ("ca.pem", "admin.pem", "admin-key.pem", "passwords.json"), 0
    )
