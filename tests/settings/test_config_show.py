"""`osdetect config show`: which settings hold, who said them, and no secret."""

import json

import pytest

from osdetect.settings import SETTINGS
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, osdetect
from tests.settings.conftest import Write

__all__ = ["osdetect"]
SECRET = "correct-horse-battery"


def test_each_setting_is_shown_with_its_origin_and_no_secret(
    osdetect: Osdetect, project_says: Write, user_says: Write
) -> None:
    project = project_says('url = "https://casey:hidden@project"\ntimeout_s = 5')
    user = user_says('node_user = "casey"\n[profile.p]\nca_certs = "ca.pem"\nchannels = "/c.toml"')
    given = {"OSDETECT_TOKEN": SECRET, "OSDETECT_PASSWORD": SECRET, "OSDETECT_PASSWORD_FILE": "/run/password"}
    ran = osdetect("--profile", "p", "config", "show", "--output", "json", **given)
    assert ran.status == ExitCode.OK
    told = json.loads(ran.out)
    held = {one["name"]: (one["value"], one["origin"], one["place"]) for one in told["settings"]}
    assert set(held) == {setting.name for setting in SETTINGS}
    assert held["url"] == ("https://********@project", "project file", f"{project}:1")
    assert held["timeout_s"] == ("5", "project file", f"{project}:2")
    assert held["retry_for_s"] == ("2", "environment", "OSDETECT_RETRY_FOR_S")
    assert held["token"] == ("********", "environment", "OSDETECT_TOKEN")
    assert held["password_file"] == ("/run/password", "environment", "OSDETECT_PASSWORD_FILE")
    assert held["node_user"] == ("casey", "user file", f"{user}:1")
    assert held["ca_certs"] == (str(user.parent / "ca.pem"), "user file", f"{user}:3 [profile.p]")
    assert held["maven_mirror"][1:] == ("default", "")
    assert (told["profile"], told["project_file"], told["user_file"]) == ("p", str(project), str(user))
    table = osdetect("--profile", "p", "config", "show", **given)
    assert table.status == ExitCode.OK
    for shown in (ran.out, table.out):
        assert SECRET not in shown
        assert "hidden" not in shown
    assert all(setting.name in table.out for setting in SETTINGS)


@pytest.mark.parametrize(
    "url", ["casey:hidden@host:9200", "//casey:hidden@host", "https://a https://u:hidden@b/c@d"]
)
def test_what_is_no_url_is_shown_without_what_may_be_a_password(osdetect: Osdetect, url: str) -> None:
    ran = osdetect("config", "show", "--output", "json", OSDETECT_URL=url, OSDETECT_TRUSTED_URLS=url)
    assert ran.status == ExitCode.OK
    assert "hidden" not in ran.out
    refused = osdetect("status", OSDETECT_URL=url)
    assert refused.status == ExitCode.USAGE
    assert "hidden" not in refused.err


def test_a_settings_file_reaches_every_command(
    osdetect: Osdetect, project_says: Write, user_says: Write
) -> None:
    project_says('url = "http://127.0.0.1:9"')
    ran = osdetect("status", OSDETECT_RETRY_FOR_S="0")
    assert ran.status == ExitCode.CLUSTER
    assert "http://127.0.0.1:9" in ran.err
    user_says('channels = "nowhere.toml"')
    ran = osdetect("notify", "check")
    assert "nowhere.toml" in ran.err
    project_says("tymeout_s = 1")
    ran = osdetect("status")
    assert ran.status == ExitCode.USAGE
    assert "osdetect.toml:1" in ran.err
    assert "did you mean timeout_s?" in ran.err
