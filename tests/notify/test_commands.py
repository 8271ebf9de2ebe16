"""The commands as an operator runs them."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from osdetect.cluster import Cluster
from osdetect.vocabulary import ExitCode
from tests.alerts.material import NAMESPACE, alert_id
from tests.cli.conftest import Osdetect, start
from tests.faults.proxy import Asked, Cut, Fault, FaultProxy
from tests.notify.material import put_of_rule
from tests.notify.receiver import Answer, Receiver

DEAD = "http://127.0.0.1:9/hook"


@pytest.fixture
def settings(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "channels.toml"
        path.write_text(text)
        return path

    return written


def _hook(name: str, url: str, **more: str | int) -> str:
    head = {"kind": "webhook", "url": url, **more}
    lines = [f"{key} = {json.dumps(value)}" for key, value in head.items()]
    return "\n".join([f"[channels.{name}]", *lines, "history = true", "timeout_s = 2", ""])


def test_once_tells_waits_and_gives_up_by_channel(
    cluster: Cluster, receiver: Receiver, osdetect: Osdetect, settings: Callable[[str], Path], tmp_path: Path
) -> None:
    put_of_rule(cluster, range(3), "rule-x")
    archive = tmp_path / "archive.ndjson"
    with Receiver() as refusing:
        refusing.answers = [Answer(404, (), b"no such hook \x1b[2J")]
        file = settings(
            _hook("good", receiver.url)
            + _hook("away", DEAD)
            + _hook("gone", refusing.url)
            + f'[channels.archive]\nkind = "file"\nhistory = true\npath = "{archive}"\n'
        )
        at = ("-n", NAMESPACE, "--url", cluster.url)
        ran = osdetect("notify", "run", "--once", "--channels", file, *at, "--output", "json")
        assert ran.status == ExitCode.LOSS
        told = {one["channel"]: one for one in json.loads(ran.out)["channels"]}
        assert {name: one["messages_sent"] for name, one in told.items()} == {
            "good": 1,
            "away": 0,
            "gone": 0,
            "archive": 1,
        }
        assert "no such hook" in ran.err
        assert "away was not reached" in ran.err
        assert len(archive.read_text().splitlines()) == 1

        waiting = json.loads(osdetect("notify", "outbox", *at, "--output", "json").out)["lanes"]
        assert [(one["channel"], one["waiting"], one["attempts"]) for one in waiting] == [("away", 3, 1)]
        assert "away" in osdetect("notify", "outbox", *at).out
        assert len(json.loads(osdetect("notify", "outbox", "--all", *at, "-o", "json").out)["lanes"]) == 4

        (letter,) = json.loads(osdetect("notify", "dead", *at, "--output", "json").out)["dead_letters"]
        assert (letter["channel"], letter["count"]) == ("gone", 3)
        assert sorted(letter["alert_ids"]) == sorted(map(alert_id, range(3)))
        assert letter["key"] in osdetect("notify", "dead", *at).out
        status = json.loads(osdetect("status", *at, "--output", "json").out)
        assert status["dead_letters"]["last_24_hours"] == 1

        refusing.answers = [Answer(500)]
        again = ("notify", "retry", "--channels", file, *at)
        assert osdetect(*again, letter["key"][:10]).status == ExitCode.LOSS
        assert osdetect(*again, "--all").status == ExitCode.OK
        assert [got.key for got in refusing.got] == [letter["key"]] * 3
        assert json.loads(osdetect("notify", "dead", *at, "-o", "json").out)["dead_letters"] == []
        assert osdetect(*again, letter["key"]).status == ExitCode.NO_INPUT
        assert osdetect(*again).status == ExitCode.USAGE


def test_standard_output_holds_messages_and_nothing_else(
    cluster: Cluster, osdetect: Osdetect, settings: Callable[[str], Path]
) -> None:
    put_of_rule(cluster, range(2), "rule-x")
    file = settings('[channels.pipe]\nkind = "stdout"\nhistory = true\n')
    at = ("--channels", file, "-n", NAMESPACE, "--url", cluster.url)
    ran = osdetect("notify", "run", "--once", *at, "--output", "json")
    assert ran.status == ExitCode.OK
    (line,) = ran.out.splitlines()
    assert json.loads(line)["count"] == 2
    assert "pipe: 2 new alerts" in ran.err


def test_it_goes_on_until_it_is_asked_to_stop(
    cluster: Cluster, receiver: Receiver, settings: Callable[[str], Path]
) -> None:
    file = settings(_hook("soc", receiver.url) + _hook("away", DEAD))
    process = start(
        *("notify", "run", "--every", "1s", "--channels", file, "-n", NAMESPACE, "--url", cluster.url)
    )
    try:
        put_of_rule(cluster, range(2), "rule-x")
        _until(lambda: len(receiver.got) == 1, process)
        put_of_rule(cluster, [2], "rule-y")
        _until(lambda: len(receiver.got) == 2, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == ExitCode.OK, err
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines if line["event"].startswith("notifier")] == [
        "notifier started",
        "notifier stopped",
    ]
    assert any(line.get("channel") == "away" and line.get("unreached") for line in lines)


class _AwayAfterADeadLetter:
    """Lets everything through until a message was given up; away from the next look at alerts on, until told to come back."""

    def __init__(self) -> None:
        self.buried = self.away = self.back = False

    def __call__(self, asked: Asked) -> Fault | None:
        self.buried = self.buried or "/osdetect-deadletter-" in asked.path
        self.away = self.away or (self.buried and asked.path == "/_mget")
        return Cut() if self.away and not self.back else None


def test_a_message_given_up_in_a_pass_that_fails_later_is_told(
    cluster: Cluster, receiver: Receiver, osdetect: Osdetect, settings: Callable[[str], Path]
) -> None:
    put_of_rule(cluster, [1], "one")
    put_of_rule(cluster, [2], "two")
    receiver.answers = [Answer(404, (), b"no such hook")]
    file = settings(_hook("soc", receiver.url))
    with FaultProxy(cluster.url, _AwayAfterADeadLetter()) as proxy:
        at = ("-n", NAMESPACE, "--url", proxy.url, "--output", "json")
        ran = osdetect("notify", "run", "--once", "--channels", file, *at)
    assert ran.status == ExitCode.CLUSTER
    assert "dead letter: soc: a message was given up" in ran.err
    assert "no such hook" in ran.err
    (told,) = json.loads(ran.out)["channels"]
    assert (told["channel"], told["messages_sent"], told["rules_waiting"]) == ("soc", 0, 1)
    assert ["404" in why for why in told["dead_letters"]] == [True]


def test_it_ends_with_a_loss_also_if_the_pass_that_lost_it_failed(
    cluster: Cluster, receiver: Receiver, settings: Callable[[str], Path]
) -> None:
    put_of_rule(cluster, [1], "one")
    put_of_rule(cluster, [2], "two")
    receiver.answers = [Answer(404, (), b"no such hook")]
    file, choose = settings(_hook("soc", receiver.url)), _AwayAfterADeadLetter()
    with FaultProxy(cluster.url, choose) as proxy:
        process = start(
            *("notify", "run", "--every", "1s", "--channels", file, "-n", NAMESPACE, "--url", proxy.url),
            OSDETECT_RETRY_FOR_S="0",
        )
        try:
            _until(lambda: choose.away and proxy.asked[-1].path != "/_mget", process)  # the pass failed
            choose.back = True
            _until(lambda: len(receiver.got) == 2, process)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == ExitCode.LOSS, err
    lines = [json.loads(line) for line in err.splitlines()]
    (lost,) = [line for line in lines if line.get("dead_letters") and line.get("channel")]
    assert (lost["event"], lost["level"], len(lost["dead_letters"])) == ("pass cut short", "warning", 1)
    assert (lines[-1]["event"], lines[-1]["dead_letters"]) == ("notifier stopped", 1)


def _until(true: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + 60
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_without_templates_it_says_what_to_install(
    fresh_cluster: str, osdetect: Osdetect, settings: Callable[[str], Path]
) -> None:
    file = settings(_hook("soc", DEAD))
    ran = osdetect("notify", "run", "--once", "--channels", file, "--url", fresh_cluster)
    assert ran.status == ExitCode.CLUSTER
    assert "osdetect deploy" in ran.err
    ran = osdetect("notify", "run", "--every", "1s", "--channels", file, "--url", fresh_cluster)
    assert ran.status == ExitCode.CLUSTER
    assert [json.loads(line)["event"] for line in ran.err.splitlines()] == [
        "notifier started",
        "channel ended",
        "notifier stopped",
    ]


def test_check_names_every_channel_that_cannot_be_used(
    osdetect: Osdetect, settings: Callable[[str], Path]
) -> None:
    file = settings(
        _hook("good", DEAD)
        + _hook("open", "http://h.example.org/")
        + _hook("keyless", DEAD, secret_env="NO_KEY")
    )
    ran = osdetect("notify", "check", OSDETECT_CHANNELS=str(file))
    assert ran.status == ExitCode.USAGE
    assert "channel open would send over plain HTTP" in ran.err
    assert "NO_KEY" in ran.err
    assert ran.out.count("cannot be used") == 2
    assert osdetect("notify", "check", "--channels", settings(_hook("good", DEAD))).status == ExitCode.OK
    assert osdetect("notify", "check").status == ExitCode.USAGE


def test_a_trial_is_sent_or_is_told_why_not(
    osdetect: Osdetect, receiver: Receiver, settings: Callable[[str], Path]
) -> None:
    file = settings(_hook("good", receiver.url) + _hook("away", DEAD))
    assert osdetect("notify", "test", "good", "--channels", file).status == ExitCode.OK
    assert receiver.got[0].body["rule"]["id"] == "trial"
    ran = osdetect("notify", "test", "away", "--channels", file)
    assert ran.status == ExitCode.LOSS
    assert "cannot be reached" in ran.err
    assert DEAD not in ran.err
    assert osdetect("notify", "test", "none", "--channels", file).status == ExitCode.USAGE


def test_the_link_to_the_event_is_in_the_message(
    cluster: Cluster, receiver: Receiver, osdetect: Osdetect, settings: Callable[[str], Path]
) -> None:
    put_of_rule(cluster, [1], "rule-x")
    at = ("--channels", settings(_hook("soc", receiver.url)), "-n", NAMESPACE, "--url", cluster.url)
    base = {"OSDETECT_DASHBOARDS_URL": "https://d.example.org"}
    assert osdetect("notify", "run", "--once", *at, **base).status == ExitCode.OK
    (alert,) = receiver.got[0].body["alerts"]
    assert alert["link"].startswith("https://d.example.org/app/discover#/doc/")
    assert alert["link"] in receiver.got[0].body["text"]
    assert os.environ.get("OSDETECT_DASHBOARDS_URL") is None
