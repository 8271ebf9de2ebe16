"""The one-shots of compose.yaml: secrets made once, and users given to a real node with security on."""

import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from osdetect.cli.main import run
from osdetect.errors import NodeError
from osdetect.node import container
from osdetect.schema.roles import shipped_roles
from tests.containers.material import COMPOSE
from tests.security.material import SecuredNode, status_of

NOW = datetime.now(UTC)


def _read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    container.make_secrets(folder, NOW)
    return folder


def test_each_folder_that_a_service_mounts_is_filled(made: Path) -> None:
    mounted = {volume.split(":")[0] for volume in COMPOSE["compose.yaml"]["services"]["secrets"]["volumes"]}
    assert {path.name for path in made.iterdir()} == mounted
    for path in made.rglob("*"):
        assert not path.stat().st_mode & 0o007, path
    passwords = [path.read_text(encoding="utf-8") for path in made.rglob("password")]
    assert len({*passwords}) == len(passwords) == len(shipped_roles()) + 1
    assert min(map(len, passwords)) >= 32


def test_what_is_there_stays_and_what_is_missing_is_made(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    shutil.copytree(made, folder)
    before = _read(folder)
    assert container.make_secrets(folder, NOW) == ()
    (folder / "loader" / "password").unlink()
    assert container.make_secrets(folder, NOW) == ("loader",)
    after = _read(folder)
    assert {name for name in before if before[name] != after[name]} == {"loader/password"}


def test_certificates_are_renewed_together_and_passwords_stay(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    shutil.copytree(made, folder)
    before = _read(folder)
    container.make_secrets(folder, NOW + timedelta(days=340))
    after = _read(folder)
    assert {name for name in after if after[name] == before[name]} == {
        name for name in before if name.endswith(("password", ".yml"))
    }
    assert len({data for name, data in after.items() if name.endswith("ca.pem")}) == 1


@pytest.mark.parametrize("name", ["node", "dashboards"])
def test_servers_are_known_by_the_names_that_clients_ask_for(made: Path, name: str) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made / name / f"{name}.pem", made / name / f"{name}-key.pem")
    host = {"node": container.NODE_HOST, "dashboards": container.DASHBOARDS_HOST}[name]
    for asked in (host, "localhost", "127.0.0.1"):
        assert _handshake(server, made / name / "ca.pem", asked)
    assert not _handshake(server, made / name / "ca.pem", "elsewhere")


def _handshake(server: ssl.SSLContext, authority: Path, host: str) -> bool:
    client = ssl.create_default_context(cafile=str(authority))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=host)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(5):
        for one in (asking, answering):
            try:
                one.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return asking.cipher() is not None


def test_the_settings_of_dashboards_name_files_that_are_there(made: Path) -> None:
    settings = yaml.safe_load((made / "dashboards/opensearch_dashboards.yml").read_text(encoding="utf-8"))
    named = [settings["server.ssl.certificate"], settings["server.ssl.key"]]
    named += settings["opensearch.ssl.certificateAuthorities"]
    assert all((made / "dashboards" / Path(one).name).exists() for one in named)
    mounted = next(one for one in COMPOSE["compose.yaml"]["services"]["dashboards"]["volumes"])
    assert {Path(one).parent for one in named} == {Path(mounted.split(":")[1])}
    assert settings["opensearch.ssl.verificationMode"] == "full"
    assert settings["opensearch.password"] == (made / "dashboards/password").read_text(encoding="utf-8")


def folder_of(secured: SecuredNode, folder: Path) -> Path:
    """The folder of secrets as the node of the tests would have it."""
    for word in (*(role.word for role in shipped_roles()), container.DASHBOARDS_USER, "admin"):
        (folder / word).mkdir(parents=True)
        (folder / word / "ca.pem").write_bytes(secured.ca_file.read_bytes())
        (folder / word / "password").write_text(
            secured.passwords.get(word, "a-made-up-phrase-7-of-tests"), encoding="utf-8"
        )
    shutil.copy(secured.kept.admin_certificate, folder / "admin" / "admin.pem")
    shutil.copy(secured.kept.admin_key, folder / "admin" / "admin-key.pem")
    return folder


def test_users_are_made_and_each_has_its_role(secured: SecuredNode, tmp_path: Path) -> None:
    folder = folder_of(secured, tmp_path / "secrets")
    assert container.main(["users", str(folder), secured.url]) == 0
    assert container.main(["users", str(folder), secured.url]) == 0
    for role in shipped_roles():
        answer = secured.as_user(role.word).ask("/_plugins/_security/authinfo")
        assert status_of(answer) == 200
        assert answer is not None
        assert role.name in answer.body["roles"]
        assert ("kibana_user" in answer.body["roles"]) == (role.word in container.IN_DASHBOARDS)
    dashboards = secured.as_user(container.DASHBOARDS_USER, "a-made-up-phrase-7-of-tests")
    answer = dashboards.ask("/_plugins/_security/authinfo")
    assert answer is not None
    assert "kibana_server" in answer.body["roles"]


def test_what_the_one_shot_made_is_what_security_apply_would_make(
    secured: SecuredNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(secured, tmp_path / "secrets")
    container.make_users(folder, secured.url)
    for name, file in (("CLIENT_CERT", "admin.pem"), ("CLIENT_KEY", "admin-key.pem"), ("CA_CERTS", "ca.pem")):
        monkeypatch.setenv(f"OSDETECT_{name}", str(folder / "admin" / file))
    users = [part for role in shipped_roles() for part in ("--user", f"{role.word}={role.word}")]
    assert run(["security", "apply", *users, "--dry-run", "--url", secured.url]) == 0


def test_a_cluster_that_does_not_answer_is_told_without_a_secret(
    made: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(container, "_PATIENCE_S", 0.0)
    assert container.main(["users", str(made), "https://127.0.0.1:9"]) == NodeError.exit_code
    said = capfd.readouterr().err
    assert "did not answer" in said
    assert not any(path.read_text(encoding="utf-8") in said for path in made.rglob("password"))


def test_a_command_line_that_says_nothing_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert container.main(["nonsense"]) == 2
    assert "secrets FOLDER" in capfd.readouterr().err
