"""Who gets a secret: a real server stands at each address and shows whether it got one."""

import base64
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.errors import ClusterRefused, UsageError
from tests.faults.proxy import FaultProxy, Reply
from tests.settings.conftest import Write

SECRET = "correct-horse-battery"
OPENSEARCH = {"version": {"number": "3.4.0", "distribution": "opensearch"}}


@pytest.fixture
def theirs() -> Iterator[FaultProxy]:
    with FaultProxy("", lambda _asked: Reply(200, OPENSEARCH)) as made:
        yield made


@pytest.fixture
def mine() -> Iterator[FaultProxy]:
    with FaultProxy("", lambda _asked: Reply(200, OPENSEARCH)) as made:
        yield made


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    return file


def _got_secret(server: FaultProxy) -> bool:
    said = " ".join(asked.headers.get("authorization", "") for asked in server.asked)
    decoded = "".join(
        base64.b64decode(word).decode() for word in said.split() if word not in ("Basic", "Bearer", SECRET)
    )
    return SECRET in said + decoded


def _connected(url: str | None = None) -> Connection:
    connection = Connection.from_settings(url=url)
    Cluster.connect(connection).close()
    return connection


SECRETS = {
    "password": {"OSDETECT_USERNAME": "casey", "OSDETECT_PASSWORD": SECRET},
    "password_file": {"OSDETECT_USERNAME": "casey", "OSDETECT_PASSWORD_FILE": "{file}"},
    "token": {"OSDETECT_TOKEN": SECRET},
    "token_file": {"OSDETECT_TOKEN_FILE": "{file}"},
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_project_does_not_get_a_secret_of_the_environment_for_its_own_url(
    kind: str,
    theirs: FaultProxy,
    project_says: Write,
    user_says: Write,
    secret_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in SECRETS[kind].items():
        monkeypatch.setenv(name, value.format(file=secret_file))
    project_says(f'url = "{theirs.url}"')
    with pytest.raises(UsageError, match="no secret is sent") as refused:
        _connected()
    assert "osdetect.toml:1" in refused.value.cause
    assert theirs.url in refused.value.cure
    assert not theirs.asked
    _connected(theirs.url)  # the user says it
    assert _got_secret(theirs)
    user_says(f'trusted_urls = ["https://else", "{theirs.url}/"]')
    theirs.asked.clear()
    _connected()
    assert _got_secret(theirs)


def test_a_project_without_secrets_around_just_connects(theirs: FaultProxy, project_says: Write) -> None:
    project_says(f'url = "{theirs.url}"')
    assert _connected().credentials is None
    assert len(theirs.asked) == 1


def test_a_secret_of_the_users_file_belongs_to_the_url_beside_it(
    theirs: FaultProxy, mine: FaultProxy, project_says: Write, user_says: Write, secret_file: Path
) -> None:
    user_says(f'url = "{mine.url}"\nusername = "casey"\npassword_file = "{secret_file}"')
    assert _connected().notes == ()
    assert _got_secret(mine)
    notes = _connected(theirs.url).notes  # another cluster, named by the user: without the secret
    assert len(notes) == 1
    assert "password_file is not sent" in notes[0]
    assert len(theirs.asked) == 1
    assert not _got_secret(theirs)
    project_says(f'url = "{theirs.url}"')  # named by a project: refused
    with pytest.raises(UsageError, match="no secret is sent"):
        _connected()
    project_says(f'url = "{mine.url}"')  # the same cluster: fine
    assert _connected().credentials is not None


def test_a_profile_of_the_user_is_bound_to_its_url(
    theirs: FaultProxy, mine: FaultProxy, user_says: Write, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_says(
        f'[profile.mine]\nurl = "{mine.url}"\ntoken_file = "{secret_file}"\n[profile.theirs]\nurl = "{theirs.url}"'
    )
    for profile in ("mine", "theirs"):
        monkeypatch.setenv("OSDETECT_PROFILE", profile)
        _connected()
    assert _got_secret(mine)
    assert not _got_secret(theirs)


def test_a_server_that_sends_us_elsewhere_is_not_followed(
    theirs: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSDETECT_TOKEN", SECRET)
    away = Reply(302, b"", "text/plain", {"location": f"{theirs.url}/"})
    with FaultProxy("", lambda _asked: away) as first, pytest.raises(ClusterRefused):
        _connected(first.url)
    assert not theirs.asked


def test_no_secret_goes_unencrypted_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSDETECT_TOKEN", SECRET)
    with pytest.raises(UsageError, match="not encrypted") as refused:
        Connection.from_settings(url="http://search.example.org:9200")
    assert "https://" in refused.value.cure
    assert Connection.from_settings(url="http://search.example.org:9200", verify_tls=False).credentials


def test_a_token_file_that_is_written_anew_is_read_anew(
    mine: FaultProxy, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSDETECT_TOKEN_FILE", str(secret_file))
    with Cluster.connect(Connection.from_settings(url=mine.url)) as cluster:
        secret_file.write_text("another-token")
        cluster.request("GET", "/")
    assert [asked.headers["authorization"] for asked in mine.asked] == [
        f"Bearer {SECRET}",
        "Bearer another-token",
    ]


def test_a_secret_that_every_account_can_read_is_warned_of(
    secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSDETECT_TOKEN_FILE", str(secret_file))
    assert Connection.from_settings(url="https://h").notes == ()
    secret_file.chmod(0o644)
    (note,) = Connection.from_settings(url="https://h").notes
    assert str(secret_file) in note


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "caf\u00e9", "\x7f"])
def test_a_token_that_no_header_carries_is_refused_without_showing_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSDETECT_TOKEN", value)
    with pytest.raises(UsageError, match="cannot be sent") as refused:
        Connection.from_settings(url="https://h")
    assert value not in f"{refused.value} {refused.value.cause} {refused.value.cure}"


def test_a_password_may_hold_any_sign(mine: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSDETECT_USERNAME", "casey")
    monkeypatch.setenv("OSDETECT_PASSWORD", "h\u00fcter: \u20ac")
    _connected(mine.url)
    (asked,) = mine.asked
    word = asked.headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(word).decode() == "casey:h\u00fcter: \u20ac"


def test_two_kinds_of_credentials_said_equally_strongly_are_refused(
    user_says: Write, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_says(f'token_file = "{secret_file}"')
    monkeypatch.setenv("OSDETECT_USERNAME", "casey")
    monkeypatch.setenv("OSDETECT_PASSWORD", SECRET)
    assert (
        Connection.from_settings(url="https://h").sent == "user name and password"
    )  # the environment is stronger
    monkeypatch.setenv("OSDETECT_TOKEN", SECRET)
    with pytest.raises(UsageError, match="two kinds of credentials"):
        Connection.from_settings(url="https://h")


def test_the_keyring_gives_passwords_and_tokens(
    tmp_path: Path, user_says: Write, mine: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """keyring's own backend for a file, chosen as a user chooses one: by its environment variable."""
    backend = tmp_path / "backend.py"
    backend.write_text(
        "import keyring.backend\n"
        "class Ring(keyring.backend.KeyringBackend):\n"
        "    priority = 1\n"
        f"    kept = {{('osd', 'casey'): {SECRET!r}, ('osd', 'token'): 'ring-token'}}\n"
        "    def get_password(self, service, username):\n"
        "        return self.kept.get((service, username))\n"
        "    def set_password(self, service, username, password): raise NotImplementedError\n"
        "    def delete_password(self, service, username): raise NotImplementedError\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.core.load_keyring("backend.Ring"))
    try:
        user_says(f'url = "{mine.url}"\nkeyring = "osd"\nusername = "casey"')
        _connected()
        assert _got_secret(mine)
        user_says(f'url = "{mine.url}"\nkeyring = "osd"')
        _connected()
        assert mine.asked[-1].headers["authorization"] == "Bearer ring-token"
        user_says(f'url = "{mine.url}"\nkeyring = "osd"\nusername = "dana"')
        with pytest.raises(UsageError, match="no password of dana") as refused:
            _connected()
        assert refused.value.cure == "keyring set osd dana"
    finally:
        keyring.set_keyring(before)
