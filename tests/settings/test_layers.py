"""Which of several that say a setting is believed, and what a settings file may not say."""

from pathlib import Path

import pytest

from osdetect.errors import UsageError
from osdetect.settings import BY_NAME, SETTINGS, Origin, layers, project_file, text, user_file
from tests.settings.conftest import Write


def _held(name: str, given: object = None) -> tuple[str, Origin]:
    found = layers().find(name, given)
    return found.value, found.origin


def test_command_line_over_environment_over_project_over_user(
    project_says: Write, user_says: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _held("url") == ("", Origin.DEFAULT)
    user_says('url = "https://user"\ntimeout_s = 1\nnode_user = "casey"')
    assert _held("url") == ("https://user", Origin.USER)
    project_says('url = "https://project"\ntimeout_s = 2.5')
    assert _held("url") == ("https://project", Origin.PROJECT)
    assert _held("timeout_s") == ("2.5", Origin.PROJECT)
    assert _held("node_user") == ("casey", Origin.USER)
    monkeypatch.setenv("OSDETECT_URL", "https://environment")
    assert _held("url") == ("https://environment", Origin.ENVIRONMENT)
    assert _held("url", "https://line") == ("https://line", Origin.COMMAND_LINE)
    monkeypatch.setenv("OSDETECT_URL", "")  # empty says nothing
    assert _held("url") == ("https://project", Origin.PROJECT)


def test_the_nearest_file_upwards_is_the_projects(project: Path, project_says: Write) -> None:
    assert project_file() is None
    file = project_says('url = "https://far"')
    assert project_file() == file
    nearer = project / "rules" / "osdetect.toml"
    nearer.write_text('url = "https://near"')
    assert text("url") == "https://near"


def test_the_users_own_file_is_not_a_projects_when_one_works_beside_it(
    user_says: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = user_says('node_user = "casey"')
    monkeypatch.chdir(file.parent)
    assert project_file() is None
    assert text("node_user") == "casey"


def test_a_change_of_a_file_is_seen(project_says: Write) -> None:
    project_says('url = "https://one"')
    assert text("url") == "https://one"
    project_says('url = "https://another"')
    assert text("url") == "https://another"


def test_a_profile_wins_over_the_top_of_its_file_and_keeps_its_credentials_to_itself(
    user_says: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_says(
        'url = "https://a"\nusername = "casey"\npassword_file = "a"\ntimeout_s = 3\n'
        '[profile.b]\nurl = "https://b"\n[profile.c]\nusername = "dana"'
    )
    monkeypatch.setenv("OSDETECT_PROFILE", "b")
    held = {name: text(name) for name in ("url", "username", "password_file", "timeout_s")}
    assert held == {"url": "https://b", "username": "", "password_file": "", "timeout_s": "3"}
    monkeypatch.setenv("OSDETECT_PROFILE", "c")
    assert (text("url"), text("username"), Path(text("password_file")).name) == ("https://a", "dana", "a")


def test_a_profile_that_is_nowhere_is_refused_with_one_that_is_near(
    user_says: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSDETECT_PROFILE", "producton")
    with pytest.raises(UsageError, match="no profile 'producton'") as refused:
        layers()
    assert "profile.NAME" in refused.value.cure
    user_says('[profile.production]\nurl = "https://p"')
    with pytest.raises(UsageError) as refused:
        layers()
    assert refused.value.cure == "did you mean production?"


def test_paths_are_meant_from_the_file_that_names_them(user_says: Write) -> None:
    file = user_says('ca_certs = "certs/ca.pem"\ndata_dir = "~/data"\ncache_dir = "/cache"')
    assert text("ca_certs") == str(file.parent / "certs" / "ca.pem")
    assert text("data_dir") == str(Path.home() / "data")
    assert text("cache_dir") == "/cache"


@pytest.mark.parametrize(
    ("said", "what", "line", "cure"),
    [
        ("timout_s = 3", "no setting 'timout_s'", 1, "did you mean timeout_s?"),
        ('# one\n[profile.x]\nurl = "u"\nwhat_is_this = 1', "no setting 'what_is_this'", 4, "settings.md"),
        ('"passwrd_file" = "x"', "no setting 'passwrd_file'", 1, "did you mean password_file?"),
        ('password = "hunter2"', "password may not stand in a settings file", 1, "password_file"),
        ('\n[profile.x]\ntoken = "hunter2"', "token may not stand in a settings file", 3, "keyring"),
        ("timeout_s = true", "timeout_s is not a number", 1, ""),
        ("url = 9200", "url is not a text", 1, ""),
        ("[url]\na = 1", "url is not a text", 0, ""),
        ('profile = "x"', "profile is no section", 1, "[profile.NAME]"),
        ("[profile]\nx = 1", "profile.x is no section", 0, "[profile.x]"),
        ("password = hunter2", "no TOML", 1, ""),
        ('\nca_certs = "~nobody-of-that-name/ca.pem"', "ca_certs", 2, ""),
        ('url = "a"\nurl = "hunter2"\n\n', "no TOML", 2, ""),
    ],
)
@pytest.mark.parametrize("file", ["project", "user"])
def test_what_a_file_may_not_say_is_told_with_its_line_and_without_its_value(
    request: pytest.FixtureRequest, file: str, said: str, what: str, line: int, cure: str
) -> None:
    written = request.getfixturevalue(f"{file}_says")(said)
    with pytest.raises(UsageError) as refused:
        layers()
    error = refused.value
    assert what in error.what
    assert error.where is not None
    assert (error.where.file, error.where.line) == (str(written), line)
    assert cure in error.cure
    assert "hunter2" not in f"{error} {error.cause} {error.cure} {error.where.excerpt}"


@pytest.mark.parametrize(
    "setting", [s for s in SETTINGS if not s.in_project and not s.secret], ids=lambda s: s.name
)
def test_a_project_says_nothing_that_leads_secrets_away_or_chooses_files(
    setting: object, project_says: Write, user_says: Write
) -> None:
    name = getattr(setting, "name", "")
    said = f'{name} = ["x"]' if name == "trusted_urls" else f'{name} = "x"'
    user_says(said)
    assert text(name).endswith("x")
    project_says(said)
    with pytest.raises(
        UsageError, match=f"{name} may not stand in the settings file of a project"
    ) as refused:
        layers()
    assert str(user_file()) in refused.value.cure
    assert BY_NAME[name].variable in refused.value.cure


def test_no_setting_of_a_project_names_a_file_a_program_or_a_secret() -> None:
    allowed = {setting.name for setting in SETTINGS if setting.in_project}
    assert allowed == {
        "url",
        "username",
        "aws_service",
        "aws_region",
        "timeout_s",
        "retry_for_s",
        "node_heap_mb",
    }


def test_a_file_that_cannot_be_used_is_told(project: Path) -> None:
    (project / "osdetect.toml").write_bytes(b"url = '\xff'")
    with pytest.raises(UsageError, match="no TOML"):
        layers()
    (project / "osdetect.toml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(UsageError, match="larger than"):
        layers()
