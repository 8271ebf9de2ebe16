"""Settings files, good and bad: nothing unknown, nothing secret, nothing that could not work."""

import time
from pathlib import Path
from typing import Any

import pytest

from osdetect.errors import InputError, OsdetectError, UsageError
from osdetect.notify.senders import sender
from osdetect.notify.settings import Webhook, read_channels
from osdetect.notify.webhook import signature
from osdetect.vocabulary import Level
from tests.notify.material import Clock

GOOD = """
[channels.soc]
kind = "webhook"
url = "https://soc.example.org/osdetect?x=1"
secret_env = "SOC_SECRET"
level = "high"
tags = ["attack.persistence", "attack.t1098"]
namespace = "prod"
subject = "{{ message.rule.name }}"

[channels.chat]
kind = "slack"
url_env = "CHAT_URL"

[channels.people]
kind = "email"
host = "mail.example.org"
sender = "osdetect@example.org"
to = ["kim@example.org"]

[channels.archive]
kind = "file"
path = "alerts.ndjson"

[channels.pipe]
kind = "stdout"
"""
DOCS = Path(__file__).resolve().parents[2] / "docs" / "notifications.md"
HOOK = '[channels.a]\nkind = "webhook"\nurl = "https://h.example.org/"\n'
MAIL = '[channels.a]\nkind = "email"\nhost = "h"\nsender = "a@example.org"\n'


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "channels.toml"


def test_a_good_file_is_read(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write_text(GOOD)
    monkeypatch.setenv("SOC_SECRET", "a secret")
    monkeypatch.setenv("CHAT_URL", "https://hooks.slack.example/T/B/C")
    found = read_channels(settings, "default")
    assert list(found) == ["soc", "chat", "people", "archive", "pipe"]
    soc = found["soc"]
    assert isinstance(soc, Webhook)
    assert (soc.level, soc.namespace, soc.digest_s) == (Level.HIGH, "prod", 60)
    assert soc.secrets("soc") == ("a", "secret")
    assert {channel.namespace for channel in found.values()} == {"prod", "default"}
    for name, channel in found.items():
        assert callable(sender(name, channel, Clock()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[channels.a", "Expected"),
        ("[channel.a]\nkind = 'stdout'", "unknown field"),
        ("[channels.a]\nkind = 'pager'", "pager"),
        ("[channels.a]\nkind = 'stdout'\ncolour = 'red'", "colour"),
        ("[channels.a]\nkind = 'stdout'\nlevel = 'loud'", "level"),
        ("[channels.a]\nkind = 'stdout'\ndigest_s = 59", "digest_s is below 60"),
        ("[channels.a]\nkind = 'stdout'\nattempts = 0", "attempts"),
        ("[channels.a]\nkind = 'stdout'\ntimeout_s = 1e9", "timeout_s"),
        ("[channels.a]\nkind = 'stdout'\ntags = ['cve.2024.1']", "names no tactic or technique"),
        ("[channels.a]\nkind = 'stdout'\ntags = ['attack.g0016']", "'attack.g0016' names no tactic"),
        (
            "[channels.a]\nkind = 'stdout'\ntags = ['attack.persistance']",
            "'attack.persistance' names no tactic",
        ),
        ("[channels.a]\nkind = 'stdout'\ntags = ['attack.ta9999']", "'attack.ta9999' names no tactic"),
        ("[channels.a]\nkind = 'stdout'\ntags = ['attack.t1098', 'attack.t1098.999']", "'attack.t1098.999'"),
        ("[channels.a]\nkind = 'stdout'\nnamespace = 'A-B'", "namespace"),
        ("[channels.A]\nkind = 'stdout'", "cannot be a channel's name"),
        ("[channels.a]\nkind = 'file'\npath = ''", "path is empty"),
        ('[channels.a]\nkind = "file"\npath = "a\\u0000b"', "path holds a NUL"),
        (f"{HOOK}secret = 'abc'", "secret"),
        (f"{MAIL}to = []", "to names nobody"),
        (f'{MAIL}to = ["kim@example.org\\nBcc: all@example.org"]', "no mail address"),
        (f"{MAIL}to = ['Kim <kim@example.org>']", "no mail address"),
        (f"{MAIL}to = ['kim@example.org']\ntls = 'none'\nusername = 'u'", "open connection"),
        (f"{MAIL}to = ['kim@example.org']\ntls = 'maybe'", "maybe"),
    ],
)
def test_a_bad_file_is_refused(settings: Path, text: str, said: str) -> None:
    settings.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_channels(settings, "default")
    assert said in f"{refused.value}"


@pytest.mark.parametrize(
    "tag",
    ["attack.Persistence", "attack.initial_access", "attack.ta0003", "attack.T1098.001", "attack.t1086"],
)
def test_a_tag_that_an_alert_may_have_is_taken(settings: Path, tag: str) -> None:
    settings.write_text(f"[channels.a]\nkind = 'stdout'\ntags = ['{tag}']")
    assert read_channels(settings, "default")["a"].tags == (tag,)


def test_a_file_without_channels_is_no_input(settings: Path) -> None:
    with pytest.raises(InputError):
        read_channels(settings, "default")
    settings.write_text("[channels]\n")
    with pytest.raises(InputError):
        read_channels(settings, "default")
    settings.write_bytes(b"#" * (1 << 21))
    with pytest.raises(UsageError, match="larger"):
        read_channels(settings, "default")
    settings.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError):
        read_channels(settings, "default")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HOOK.replace("https", "http"), "plain HTTP"),
        (HOOK.replace("https", "ftp"), "no usable address"),
        (HOOK.replace("https://", "https://kim:hunter2@"), "carries credentials"),
        (HOOK.replace("h.example.org/", "h.example.org:99999/"), "no usable address"),
        (HOOK.replace("h.example.org/", "h.example.org/a b"), "no usable address"),
        (f"{HOOK}url_env = 'URL'", "twice"),
        (f"{HOOK}secret_env = 'NOT_SET'", "is empty"),
        (f"{HOOK}secret_file = '/no/such/file'", "cannot be read"),
        (f'{HOOK}secret_file = "a\\u0000b"', "cannot be read"),
        (f"{HOOK}secret_file = '/a'\nsecret_env = 'B'", "twice"),
        (f"{HOOK}authorization_env = 'TWO_LINES'", "cannot be sent"),
        (f"{HOOK}ca_file = '/no/such/file'", "is not there"),
        ("[channels.a]\nkind = 'slack'", "no usable address"),
        (f"{MAIL}to = ['kim@example.org']\nusername = 'u'", "only one of"),
        (f"{HOOK}text = '{{{{ message.'", "text template"),
        (f"{HOOK}text = '{{{{ alert.name }}}}'", "asks for alert"),
        (f"{HOOK}subject = '{{{{ message.count / 0 }}}}'", "subject template"),
        (
            f"{HOOK}text = '{{{{ message.__class__.__mro__ }}}}{{{{ \"\".__class__.__base__.__subclasses__() }}}}'",
            "unsafe",
        ),
    ],
)
def test_what_only_shows_when_it_is_used_is_refused_before(
    settings: Path, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWO_LINES", "Bearer hunter2\r\nX: y")
    settings.write_text(text)
    ((name, channel),) = read_channels(settings, "default").items()
    with pytest.raises(OsdetectError) as refused:
        sender(name, channel, Clock())
    assert said in f"{refused.value}"
    assert "hunter2" not in f"{refused.value}"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]/x"])
def test_plain_http_is_for_this_machine(settings: Path, url: str) -> None:
    settings.write_text(HOOK.replace("https://h.example.org/", url))
    sender("a", read_channels(settings, "default")["a"], Clock())
    settings.write_text(HOOK.replace("https://", "http://") + "allow_http = true\n")
    sender("a", read_channels(settings, "default")["a"], Clock())


def test_the_examples_of_the_documentation_work(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOCS.read_text(encoding="utf-8")
    example = text.partition("$ cat channels.toml\n")[2].partition("$ export")[0]
    template = text.partition("```toml\n")[2].partition("```")[0]
    secret = settings.with_name("mail")
    secret.write_text("a secret")
    monkeypatch.setenv("SOC_SECRET", "a-secret")
    settings.write_text(f"{example.replace('/run/secrets/mail', str(secret))}\n{template}")
    found = read_channels(settings, "default")
    assert list(found) == ["soc", "people"]
    for name, channel in found.items():
        sender(name, channel, Clock())
    verifying: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], verifying)
    now = str(int(time.time()))
    headers = {
        "webhook-id": "k",
        "webhook-timestamp": now,
        "webhook-signature": signature(["other", "a-secret"], "k", now, b"{}"),
    }
    assert verifying["genuine"](headers, b"{}", b"a-secret")
    assert not verifying["genuine"](headers, b"{ }", b"a-secret")
    assert not verifying["genuine"](headers, b"{}", b"none")
