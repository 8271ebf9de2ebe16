"""The commands as an analyst runs them."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from osdetect.alerts import dashboards_link
from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.deploy import deploy
from osdetect.errors import UsageError
from osdetect.vocabulary import ExitCode
from tests.alerts.material import alert, alert_id, put, put_numbers, stored
from tests.cli.conftest import Osdetect, Ran, environment
from tests.faults.material import ask, detected, put_records, record, rule_text
from tests.faults.proxy import NOT_REFRESHED, FaultProxy

DEAD = "http://127.0.0.1:9"
NAMED = {"OSDETECT_USER": "kim"}


@pytest.fixture
def at(cluster: Cluster) -> tuple[str, ...]:
    return ("--namespace", "t", "--url", cluster.url)


def _listed(ran: Ran) -> list[dict[str, Any]]:
    assert ran.status == ExitCode.OK, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def _numbers(ran: Ran) -> list[int]:
    return [one["osdetect"]["source"]["seq_no"] for one in _listed(ran)]


def test_a_list_from_which_the_newest_alerts_may_be_missing_is_not_shown(
    cluster: Cluster, proxy: FaultProxy, osdetect: Osdetect
) -> None:
    put_numbers(cluster, range(3))
    proxy.choose = lambda asked: NOT_REFRESHED if asked.path.endswith("/_refresh") else None
    ran = osdetect("alerts", "list", "--namespace", "t", "--url", proxy.url)
    assert (ran.status, ran.out) == (ExitCode.CLUSTER, "")
    assert "could be refreshed" in ran.err


_CLOSED = {"status": "closed", "closed_as": "fp"}
_TAKEN = {"status": "acknowledged", "assignee": "kim"}


_SELECTED: tuple[tuple[tuple[str, ...], Iterable[int]], ...] = (
    ((), range(12)),
    (("--status", "open"), [0, 3, 6, 9]),
    (("--status", "open", "--status", "closed"), [0, 1, 3, 4, 6, 7, 9, 10]),
    (("--level", "high"), [1, 2, 4, 5, 7, 8, 10, 11]),
    (("--level", "informational"), range(12)),
    (("--rule", "rule-2"), [2, 5, 8, 11]),
    (("--rule", "ROOT lo"), [1, 4, 7, 10]),
    (("--rule", "*"), []),
    (("--rule", "?oot"), []),
    (("--assignee", "kim"), [2, 5, 8, 11]),
    (("--assignee", "nobody"), [0, 1, 3, 4, 6, 7, 9, 10]),
    (("--account", "444455556666"), [1, 3, 5, 7, 9, 11]),
    (("--principal", "casey"), [0, 2, 4, 6, 8, 10]),
    (("--principal", "AIDAEXAMPLE1"), [1, 3, 5, 7, 9, 11]),
    (("--since", "2024-05-01T00:09:00Z"), [9, 10, 11]),
    (("--until", "2024-05-01T00:03Z"), [0, 1, 2]),
    (("--principal", "robin", "--level", "critical", "--since", "2024-05-01T00:06Z"), [11]),
)


def test_each_condition_selects_just_its_alerts_the_newest_first(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    own: list[dict[str, Any]] = [{}, _CLOSED, _TAKEN]
    put(cluster, {number: alert(number, **own[number % 3]) for number in range(12)})
    for options, numbers in _SELECTED:
        ran = osdetect("alerts", "list", *options, *at, "-o", "ndjson")
        assert _numbers(ran) == sorted(numbers, reverse=True), options


def test_every_page_is_read_and_a_cut_is_told(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    put_numbers(cluster, range(2_345))
    ran = osdetect("alerts", "list", *at, "-o", "ndjson")
    assert _numbers(ran) == list(range(2_344, -1, -1))
    assert ran.err == ""
    ran = osdetect("alerts", "list", *at, "-o", "ndjson", "--limit", 1_100)
    assert _numbers(ran) == list(range(2_344, 1_244, -1))
    assert "1,100 of 2,345 alerts" in ran.err
    report = json.loads(osdetect("alerts", "list", *at, "-o", "json", "--limit", 7).out)
    assert (report["total"], report["limit"], len(report["alerts"])) == (2_345, 7, 7)
    ran = osdetect("alerts", "list", *at)
    assert ran.out.count("things:CreateThing") == 100
    assert "100 of 2,345 alerts, the newest: --limit 0 shows all" in ran.out


def test_a_namespace_without_alerts_has_none(osdetect: Osdetect, at: tuple[str, ...]) -> None:
    assert "0 alerts" in osdetect("alerts", "list", *at).out
    assert json.loads(osdetect("alerts", "list", *at, "-o", "json").out)["alerts"] == []
    ran = osdetect("alerts", "ack", "abcd", *at, **NAMED)
    assert (ran.status, "there is no alert 'abcd'" in ran.err) == (ExitCode.NO_INPUT, True)
    ran = osdetect("alerts", "ack", "--query", "status=open", *at, **NAMED)
    assert (ran.status, "0 changed" in ran.out) == (ExitCode.OK, True)


def test_the_way_of_an_alert_from_open_to_closed_and_what_show_tells_of_it(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    short = alert_id(1)[:8]
    counted = {"group": "g", "fields": ["user.name"], "values": ["casey"], "count": 12}
    seen = {"first_seen": "2024-05-01T00:00:00Z", "last_seen": "2024-05-01T01:00:00Z"}
    put(cluster, {1: alert(1, suppression={**counted, **seen}), 2: alert(2)})
    assert "1 changed" in osdetect("alerts", "ack", short, *at, **NAMED).out
    again = osdetect("alerts", "ack", short, *at, **NAMED)
    assert (again.status, "1 were so already" in again.out) == (ExitCode.OK, True)
    other = osdetect("alerts", "ack", short, *at, "--user", "lee", **NAMED)
    assert (other.status, "acknowledged by kim" in other.err) == (ExitCode.LOSS, True)
    assert osdetect("alerts", "assign", short, "--to", "lee", *at, **NAMED).status == ExitCode.OK
    assert osdetect("alerts", "comment", short, "-m", "asked the owner", *at, **NAMED).status == ExitCode.OK
    assert osdetect("alerts", "close", short, "--as", "benign", *at, "--user", "lee").status == ExitCode.OK
    ran = osdetect("alerts", "show", short, *at, OSDETECT_DASHBOARDS_URL="https://d.example.org")
    assert ran.status == ExitCode.OK
    for said in (
        alert_id(1),
        "closed as benign",
        "Root login",
        'is "CreateThing"',
        "12 matches of user.name casey, 2024-05-01T00:00:00Z to 2024-05-01T01:00:00Z",
        "osdetect-cloudtrail-t-2024.05 / e-1",
        "https://d.example.org/app/discover#/doc/osdetect-cloudtrail-*/osdetect-cloudtrail-t-2024.05?id=e-1",
        "acknowledged by kim",
        "assigned to lee by kim",
        "closed as benign by lee",
        "asked the owner",
    ):
        assert said in ran.out
    assert osdetect("alerts", "reopen", short, *at, **NAMED).status == ExitCode.OK
    assert stored(cluster, 1)["status"] == "open"
    assert stored(cluster, 2) == alert(2)["osdetect"]


def test_show_gives_the_event_or_says_that_it_is_gone(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    put_numbers(cluster, [1])
    ran = osdetect("alerts", "show", alert_id(1), "--event", *at)
    assert (ran.status, "no longer there" in ran.err) == (ExitCode.LOSS, True)
    event = {"eventName": "CreateThing", "userAgent": "x\x1b]0;y\x07"}
    ask(cluster.url, "PUT", "/osdetect-cloudtrail-t-2024.05/_doc/e-1?pipeline=_none", event)
    ran = osdetect("alerts", "show", alert_id(1), "--event", *at)
    assert (ran.status, '"eventName": "CreateThing"' in ran.out) == (ExitCode.OK, True)
    assert not {"\x1b", "\x07"} & set(ran.out)
    told = json.loads(osdetect("alerts", "show", alert_id(1), "--event", *at, "-o", "json").out)
    assert told["event_document"] == event
    assert told["osdetect"] == alert(1)["osdetect"]


def test_bad_ids_are_named_and_the_good_ones_done(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    # The first two begin with the same five digits; neither says its id where it can be searched.
    number, twin = _twins(4)
    put(cluster, {number: alert(number, id=None), twin: alert(twin), 1: alert(1, **_CLOSED), 2: alert(2)})
    common = alert_id(number)[:4]
    ran = osdetect("alerts", "ack", common, "0" * 12, alert_id(1), alert_id(2), alert_id(2), *at, **NAMED)
    assert ran.status == ExitCode.LOSS
    assert "1 changed, 3 not done" in ran.out
    assert f"{common!r} stands for several alerts" in ran.err
    assert alert_id(number) in "".join(ran.err.split())
    assert alert_id(twin) in "".join(ran.err.split())
    assert "there is no alert '000000000000'" in ran.err
    assert "it is closed as fp" in ran.err
    assert stored(cluster, 2)["status"] == "acknowledged"
    told = json.loads(osdetect("alerts", "ack", "00000", alert_id(1), *at, "-o", "json", **NAMED).out)
    assert (told["changed"], told["refused"]) == (0, 1)
    assert [one["id"] for one in told["not_done"]] == [alert_id(1)]
    assert len(told["not_found"]) == 1
    only = osdetect("alerts", "ack", alert_id(number)[:14], *at, **NAMED)
    assert (only.status, "1 changed" in only.out) == (ExitCode.OK, True)


def _twins(length: int) -> tuple[int, int]:
    first: dict[str, int] = {}
    for number in range(10, 100_000):
        other = first.setdefault(alert_id(number)[:length], number)
        if other != number:
            return other, number
    raise AssertionError


def test_a_query_asks_first_and_changes_just_what_it_selects(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    put_numbers(cluster, range(1_200))
    close = ("alerts", "close", "--as", "fp", "--query", "rule='root login' principal=robin", *at)
    ran = osdetect(*close, **NAMED)
    assert (ran.status, "--yes" in ran.err) == (ExitCode.USAGE, True)
    status, said = _answering("n\n", *close)
    assert (status, "200 alerts will be closed (fp) by kim. Go on?" in said) == (ExitCode.OK, True)
    assert "nothing was changed" in said
    status, said = _answering("y\n", *close)
    assert (status, "200 changed" in said) == (ExitCode.OK, True)
    closed = _numbers(osdetect("alerts", "list", "--status", "closed", *at, "-o", "ndjson"))
    assert sorted(closed) == [n for n in range(1_200) if n % 3 == 1 and n % 2 == 1]
    again = osdetect(*close, "--yes", **NAMED)
    assert (again.status, "200 were so already" in again.out) == (ExitCode.OK, True)


def _answering(answer: str, *arguments: object) -> tuple[int, str]:
    """The program on a terminal of its own, where somebody answers."""
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        [sys.executable, "-m", "osdetect", *map(str, arguments)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(**NAMED),
    )
    os.write(ours, answer.encode())
    out, _ = started.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return started.returncode, out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ack",), "either ids or --query"),
        (("ack", "abcd", "--query", "status=open"), "either ids or --query"),
        (("ack", "--query", " "), "every alert"),
        (("ack", "--query", "colour=red"), "no condition"),
        (("ack", "--query", "rule="), "no condition"),
        (("ack", "--query", "rule='x"), "No closing quotation"),
        (("ack", "--query", "rule=x rule=y"), "twice"),
        (("ack", "--query", "status=new"), "no status"),
        (("ack", "--query", "min-level=worst"), "no level"),
        (("ack", "--query", "level=low"), "no condition"),
        (("ack", "--query", "since=soon"), "no time for --since"),
        (("ack", "abcd", "--user", "a\x1b[2Jb"), "cannot be a person's name"),
        (("ack", "abcd", "--user", "x" * 300), "cannot be a person's name"),
        (("ack", "abcd", "-m", "x" * 10_001), "10,001 characters"),
        (("assign", "abcd", "--to", " "), "cannot be a person's name"),
        (("close", "abcd"), "--as"),
        (("close", "abcd", "--as", "maybe"), "benign"),
        (("comment", "abcd", "-m", " "), "the comment is empty"),
        (("list", "--since", "soon"), "no time for --since"),
        (("list", "--limit", "-1"), "--limit"),
        (("list", "--namespace", "No Good"), "namespace"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    osdetect: Osdetect, nowhere: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    ran = osdetect("alerts", *arguments, "--url", DEAD, **nowhere, **NAMED)
    assert (ran.status, said in ran.err) == (ExitCode.USAGE, True), ran.err
    assert "cure:" in ran.err


def test_nothing_in_an_alert_is_a_command_to_a_terminal(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    hostile = "x\x1b[31my\x1b]0;t\x07\u202etxt\r\n[bold]z[/bold]"
    made = alert(1, comments={"at": "2024-06-01T00:00:00Z", "by": hostile, "text": hostile})
    made["rule"] = {"id": hostile, "name": hostile, "level": hostile}
    made["user"] = {"name": hostile, "id": hostile}
    made["event"]["action"] = made["event"]["provider"] = hostile
    made["osdetect"].update(assignee=hostile, status=hostile, evidence={"field": hostile, "value": hostile})
    put(cluster, {1: made})
    listed = osdetect("alerts", "list", *at)
    shown = osdetect("alerts", "show", alert_id(1), *at)
    told = osdetect("alerts", "ack", alert_id(1), *at, **NAMED)
    assert told.status == ExitCode.LOSS
    for ran in (listed, shown, told):
        assert not set("\x1b\x07\u202e\r") & set(ran.out + ran.err)
        assert "\\x1b" in ran.out + ran.err
    assert "[bold]z[/bold]" in shown.out


def test_alerts_that_an_older_release_stored_can_be_triaged_after_a_deploy(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...]
) -> None:
    path = "/_index_template/osdetect-alerts"
    (found,) = ask(cluster.url, "GET", path)["index_templates"]
    older = found["index_template"]
    older["_meta"]["digest"] = "of an older version"
    own = older["template"]["mappings"]["properties"]["osdetect"]["properties"]
    for name in ("id", "closed_as", "history", "first_seq_no", "suppression"):
        del own[name]
    ask(cluster.url, "PUT", path, older)
    made = alert(1)
    del made["osdetect"]["id"]
    put(cluster, {1: made})
    ran = osdetect("alerts", "close", alert_id(1)[:9], "--as", "tp", *at, **NAMED)
    assert ran.status == ExitCode.LOSS
    assert "strict_dynamic_mapping_exception" in ran.err
    assert osdetect("deploy", *at[2:]).status == ExitCode.OK
    assert osdetect("alerts", "close", alert_id(1)[:9], "--as", "tp", *at, **NAMED).status == ExitCode.OK
    assert stored(cluster, 1)["closed_as"] == "tp"


def test_the_link_to_an_event_is_made_of_the_setting() -> None:
    made = alert(1)
    made["osdetect"]["source"].update(index="logs-1", id="a/b ?#")
    assert dashboards_link("http://d/x/", made).endswith(
        "/x/app/discover#/doc/osdetect-cloudtrail-*/logs-1?id=a%2Fb%20%3F%23"
    )
    assert dashboards_link("https://d/#/{index}:{id}", made) == "https://d/#/logs-1:a%2Fb%20%3F%23"
    assert dashboards_link("https://d", {}) == ""
    for bad in ("d.example.org", "ftp://d", "https://casey:word@d", "javascript:alert(1)", "https://[x"):
        with pytest.raises(UsageError) as refused:
            dashboards_link(bad, made)
        assert "word" not in str(refused.value)


def test_a_gathering_alert_keeps_what_was_done_with_it_while_its_number_grows(
    osdetect: Osdetect, cluster: Cluster, at: tuple[str, ...], tmp_path: Path
) -> None:
    gathers = "osdetect: {suppress: {group_by: [userIdentity.userName], window: 1h}}\n"
    (tmp_path / "rule.yml").write_text(rule_text(1, "{eventName: CreateThing}") + gathers)
    deploy(cluster, compile_rules([tmp_path]).compiled, on_progress=lambda *_: None)
    when = {"eventTime": "2024-05-08T10:10:00Z"}
    put_records(cluster, "osdetect-cloudtrail-t-2024.05", [record(number, **when) for number in (1, 2)])
    detected(cluster)
    (one,) = _listed(osdetect("alerts", "list", *at, "-o", "ndjson"))
    assert osdetect("alerts", "close", one["id"][:12], "--as", "fp", *at, **NAMED).status == ExitCode.OK
    put_records(cluster, "osdetect-cloudtrail-t-2024.05", [record(number, **when) for number in (3, 4, 5)])
    detected(cluster)
    (after,) = _listed(osdetect("alerts", "list", *at, "-o", "ndjson"))
    own = after["osdetect"]
    assert own["suppression"]["count"] == 5
    assert (own["status"], own["closed_as"], len(own["history"])) == ("closed", "fp", 1)
    assert osdetect("alerts", "reopen", one["id"][:12], *at, **NAMED).status == ExitCode.OK
    shown = osdetect("alerts", "show", one["id"][:12], *at).out
    assert "5 matches of userIdentity.userName casey" in shown
    assert "closed as fp by kim" in shown
