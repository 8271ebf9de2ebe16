"""Modes, suppression and exceptions: what is withheld is counted, exactly, also when it is judged again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from osdetect.cli.rules import compile_rules
from osdetect.cli.tuning import require_unexpired, tuned
from osdetect.cli.wanted import FileOptions, wanted_rules
from osdetect.cluster import Cluster
from osdetect.deploy import deploy
from osdetect.deploy.bundle import Bundle, encoded
from osdetect.detect.tuned import tuned_rules
from osdetect.documents.dialect import RAW
from osdetect.errors import ClusterUnavailable, UsageError
from osdetect.tuning import Mode, Suppression, Tuning
from tests.faults.material import (
    ask,
    connect,
    cursors,
    detected,
    documents,
    put_records,
    record,
    rule_id,
    rule_text,
)
from tests.faults.proxy import NOT_REFRESHED, FaultProxy

INDEX = "osdetect-cloudtrail-t-2024.05"
ALERTS = "osdetect-alerts-t-*"
MATCHES = "osdetect-matches-t-*"
HIT = "{eventName: DeleteThing}"
EXCEPTION = """title: The nightly backup
id: 00000000-0000-4000-8000-0000000000ee
logsource: {{product: aws, service: cloudtrail}}
osdetect: {{exception: {{owner: cloud-team, reason: it removes what it made, expires: {expires}}}}}
filter:
    rules: [Made-up rule 1]
    selection: {{userIdentity.userName: backup}}
    condition: not selection
"""


def _hit(number: int, day: int = 8, hour: int = 10, minute: int = 0, **fields: Any) -> dict[str, Any]:
    when = f"2024-05-{day:02}T{hour:02}:{minute:02}:00Z"
    return record(number, eventName="DeleteThing", eventTime=when, **fields)


def _by(name: str) -> dict[str, Any]:
    return {"userIdentity": {"type": "IAMUser", "userName": name}}


def _live(cluster: Cluster, folder: Path, attribute: str = "", *, settings: str = "", more: str = "") -> None:
    (folder / "rule.yml").write_text(rule_text(1, HIT) + (f"osdetect: {attribute}\n" if attribute else ""))
    if more:
        (folder / "more.yml").write_text(more)
    file = None
    if settings:
        file = folder / "tuning.toml"
        file.write_text(settings)
    rules = tuned(compile_rules([folder]).compiled, file)
    require_unexpired(rules)
    deploy(cluster, rules, on_progress=lambda *_: None)


def _forget(cluster: Cluster) -> None:
    """Let the detector judge everything again."""
    for state in cursors(cluster.url):
        ask(cluster.url, "DELETE", f"/osdetect-state/_doc/{state}?refresh=true")


def test_a_rule_that_begins_to_gather_gathers_what_it_withheld(cluster: Cluster, tmp_path: Path) -> None:
    put_records(cluster, INDEX, [_hit(1), _hit(2)])
    _live(cluster, tmp_path, "{mode: shadow}")
    assert detected(cluster).counts.shadowed == 2
    for window, alerts in (("1h", 1), ("2h", 2)):
        _live(cluster, tmp_path, f"{{suppress: {{window: {window}}}}}")
        _forget(cluster)
        counts = detected(cluster).counts
        assert (counts.gathered, counts.groups_created) == (2, 1)
        found = [one["osdetect"]["suppression"]["count"] for one in documents(cluster.url, ALERTS).values()]
        assert found == [2] * alerts


def test_an_event_that_is_overwritten_stays_in_the_group_it_was_in_first(
    cluster: Cluster, tmp_path: Path
) -> None:
    _live(cluster, tmp_path, "{suppress: {group_by: [userIdentity.userName], window: 1h}}")
    put_records(cluster, INDEX, [_hit(1, **_by("ann"))])
    assert detected(cluster).counts.groups_created == 1
    (name,) = documents(cluster.url, INDEX)
    for user in ("bo", "ann"):
        ask(cluster.url, "PUT", f"/{INDEX}/_doc/{name}", _hit(1, **_by(user)))
        counts = detected(cluster).counts
        assert (counts.gathered, counts.groups_created, counts.groups_there) == (1, 0, int(user == "ann"))
        (alert,) = documents(cluster.url, ALERTS).values()
        own = alert["osdetect"]["suppression"]
        assert (own["values"], own["count"]) == (["ann"], 1)


def test_a_rule_in_shadow_is_counted_and_makes_no_alert(cluster: Cluster, tmp_path: Path) -> None:
    _live(cluster, tmp_path, "{mode: shadow}")
    put_records(cluster, INDEX, [_hit(1), _hit(2), record(3)])
    counts = detected(cluster).counts
    assert (counts.matches, counts.shadowed, counts.alerts_created) == (2, 2, 0)
    _forget(cluster)
    assert detected(cluster).counts.shadowed == 2
    assert documents(cluster.url, ALERTS) == {}
    (found,) = tuned_rules(cluster, "t")
    assert (found.what, found.hits, found.first) == ("mode shadow", 2, "2024-05-08T10:00:00.000Z")


def test_a_rule_that_is_off_is_not_judged(cluster: Cluster, tmp_path: Path) -> None:
    _live(cluster, tmp_path, settings='[rules."Made-up rule 1"]\nmode = "off"\n')
    put_records(cluster, INDEX, [_hit(1)])
    report = detected(cluster)
    assert (report.rules, report.rules_off, report.counts.matches) == (0, 1, 0)
    assert [one.what for one in tuned_rules(cluster, "t")] == ["mode off"]


def test_matches_that_agree_in_a_window_are_one_alert_with_their_number(
    cluster: Cluster, tmp_path: Path
) -> None:
    _live(cluster, tmp_path, "{suppress: {group_by: [userIdentity.userName], window: 1h}}")
    put_records(cluster, INDEX, [_hit(1, minute=30, **_by("ann")), _hit(2, minute=10, **_by("ann"))])
    put_records(cluster, INDEX, [_hit(3, **_by("bo")), _hit(4, hour=11, **_by("ann"))])
    counts = detected(cluster).counts
    assert (counts.matches, counts.gathered, counts.groups_created, counts.alerts_created) == (4, 4, 3, 0)
    put_records(cluster, INDEX, [_hit(5, minute=59, **_by("ann")), _hit(6, minute=1, **_by("ann"))])
    counts = detected(cluster).counts
    assert (counts.gathered, counts.groups_created, counts.groups_there) == (2, 0, 1)
    for _ in range(2):
        alerts = documents(cluster.url, ALERTS)
        told = {
            (one["suppression"]["values"][0], one["suppression"]["from"][11:16]): one["suppression"]
            for one in (alert["osdetect"] for alert in alerts.values())
        }
        assert {key: one["count"] for key, one in told.items()} == {
            ("ann", "10:00"): 4,
            ("ann", "11:00"): 1,
            ("bo", "10:00"): 1,
        }
        first = told["ann", "10:00"]
        assert first["first_seen"] == "2024-05-08T10:01:00.000Z"
        assert first["last_seen"] == "2024-05-08T10:59:00.000Z"
        assert (first["fields"], first["window_s"]) == (["userIdentity.userName"], 3600)
        _forget(cluster)
        assert detected(cluster).counts.groups_created == 0
    (found,) = tuned_rules(cluster, "t")
    assert found.hits == 6


def test_an_alert_that_people_work_on_keeps_their_work_when_its_number_grows(
    cluster: Cluster, tmp_path: Path
) -> None:
    _live(cluster, tmp_path, "{suppress: {window: 1d}}")
    put_records(cluster, INDEX, [_hit(1)])
    detected(cluster)
    ((name, alert),) = documents(cluster.url, ALERTS).items()
    alert["osdetect"]["status"] = "acknowledged"
    ask(cluster.url, "PUT", f"/osdetect-alerts-t-2024.05/_doc/{name}?refresh=true", alert)
    put_records(cluster, INDEX, [_hit(2, hour=12)])
    detected(cluster)
    (own,) = (one["osdetect"] for one in documents(cluster.url, ALERTS).values())
    assert (own["status"], own["suppression"]["count"], own["first_seq_no"]) == ("acknowledged", 2, 1)


def test_two_detectors_give_a_group_the_same_number(cluster: Cluster, tmp_path: Path) -> None:
    """Both judge the same events, each by cursors of its own: what is counted are matches, not judgements."""
    _live(cluster, tmp_path, "{suppress: {window: 1h}}")
    put_records(cluster, INDEX, [_hit(number) for number in range(1, 40)])
    detected(cluster)
    _forget(cluster)
    with connect(cluster.url) as other:
        detected(other)
    (alert,) = documents(cluster.url, ALERTS).values()
    assert alert["osdetect"]["suppression"]["count"] == 39


def test_a_refresh_that_missed_the_matches_is_an_outage_and_no_group_without_matches(
    cluster: Cluster, proxy: FaultProxy, tmp_path: Path
) -> None:
    _live(cluster, tmp_path, "{suppress: {window: 1h}}")
    put_records(cluster, INDEX, [_hit(1)])
    proxy.choose = lambda asked: (
        NOT_REFRESHED
        if asked.path.startswith("/osdetect-matches-") and asked.path.endswith("/_refresh")
        else None
    )
    with connect(proxy.url) as other, pytest.raises(ClusterUnavailable, match="could be refreshed"):
        detected(other)
    assert not documents(cluster.url, ALERTS)
    _forget(cluster)
    detected(cluster)
    (alert,) = documents(cluster.url, ALERTS).values()
    assert alert["osdetect"]["suppression"]["count"] == 1


def test_an_exception_withholds_and_counts_until_its_day(cluster: Cluster, tmp_path: Path) -> None:
    expires = datetime.now(UTC).date().replace(year=datetime.now(UTC).year + 1, day=1)
    _live(cluster, tmp_path, more=EXCEPTION.format(expires=expires))
    late = _hit(3, **_by("backup"))
    late["eventTime"] = f"{expires}T00:00:00Z"
    put_records(cluster, INDEX, [_hit(1, **_by("backup")), _hit(2, **_by("casey")), late])
    counts = detected(cluster).counts
    assert (counts.matches, counts.excepted, counts.alerts_created) == (3, 1, 2)
    (found,) = tuned_rules(cluster, "t")
    assert found.exception is not None
    assert (found.exception.owner, found.hits) == ("cloud-team", 1)
    ((_, match),) = documents(cluster.url, MATCHES).items()
    assert (match["exception"]["owner"], match["rule"]["author"]) == ("cloud-team", "A Test Author")


def test_an_expired_exception_stops_the_deploy(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was deployed"):
        _live(cluster, tmp_path, more=EXCEPTION.format(expires="2020-01-01"))
    assert ask(cluster.url, "GET", "/_alias/osdetect-rules", accept=(404,)).get("error")


@pytest.mark.parametrize(
    ("attribute", "cause"),
    [
        ("{mode: loud}", "mode is one of"),
        ("{suppress: {window: 5 hours}}", "suppress.window"),
        ("{suppress: {window: 1h, group_by: [a, a]}}", "each once"),
        ("{silence: yes}", "'silence' is not known"),
        ("nothing", "it must be a map"),
    ],
)
def test_a_wrong_attribute_refuses_the_rule_with_its_place(
    tmp_path: Path, attribute: str, cause: str
) -> None:
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT) + f"osdetect: {attribute}\n")
    (tmp_path / "good.yml").write_text(rule_text(2, HIT))
    compiled = compile_rules([tmp_path])
    assert [one.id for one in compiled.compiled] == [rule_id(2)]
    (refused,) = compiled.refused
    assert cause in refused.cause
    assert refused.where is not None
    assert refused.where.line == 13


@pytest.mark.parametrize(
    "words", ["{owner: x, reason: y}", "{owner: x, reason: '', expires: 2030-01-01}", "[]"]
)
def test_an_exception_without_an_owner_a_reason_or_a_day_is_refused(tmp_path: Path, words: str) -> None:
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT))
    text = EXCEPTION.format(expires="2030-01-01")
    line = next(one for one in text.splitlines() if one.startswith("osdetect"))
    (tmp_path / "filter.yml").write_text(text.replace(line, f"osdetect: {{exception: {words}}}"))
    (refused,) = compile_rules([tmp_path]).refused
    assert "owner, reason and expires" in str(refused)


def test_settings_that_name_no_rule_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT))
    file = tmp_path / "tuning.toml"
    file.write_text('[rules."Made-up rule 1"]\nmode = "shadow"\n\n[rules."No such rule"]\nmode = "off"\n')
    with pytest.raises(UsageError, match="no rule has the id or title") as refused:
        tuned(compile_rules([tmp_path]).compiled, file)
    assert refused.value.where is not None
    assert refused.value.where.line == 4


def test_settings_that_are_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "tuning.toml"
    file.write_text(f"rules = {'[' * 50_000}\n")
    with pytest.raises(UsageError, match=r"cannot be read|is not TOML"):
        tuned([], file)


def test_settings_that_cannot_be_used_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT))
    file = tmp_path / "tuning.toml"
    file.write_text('\n[rules."Made-up rule 1"]\nmode = "loud"\n')
    with pytest.raises(UsageError, match="mode is one of") as refused:
        tuned(compile_rules([tmp_path]).compiled, file)
    assert refused.value.where is not None
    assert refused.value.where.line == 2


_HOUR, _DAY = Suppression((), 3_600), Suppression(("userIdentity.arn",), 86_400)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ('mode = "alert"', Tuning(Mode.ALERT, _HOUR)),
        (
            'suppress = { group_by = ["userIdentity.arn"], window = "1d" }',
            Tuning(Mode.SHADOW, _DAY),
        ),
        ("suppress = false", Tuning(Mode.SHADOW)),
        ('mode = "off"\nsuppress = false', Tuning(Mode.OFF)),
        ("", Tuning(Mode.SHADOW, _HOUR)),
    ],
)
def test_settings_change_only_what_they_name(tmp_path: Path, settings: str, wanted: Tuning) -> None:
    attribute = "osdetect: {mode: shadow, suppress: {window: 1h}}\n"
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT) + attribute)
    (tmp_path / "more.yml").write_text(EXCEPTION.format(expires="2099-01-01"))
    file = tmp_path / "tuning.toml"
    file.write_text(f'[rules."Made-up rule 1"]\n{settings}\n')
    (rule,) = tuned(compile_rules([tmp_path]).compiled, file)
    assert len(rule.tuning.exceptions) == 1
    assert replace(rule.tuning, exceptions=()) == wanted


def test_a_bundle_with_an_expired_exception_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT))
    (tmp_path / "more.yml").write_text(EXCEPTION.format(expires="2020-01-01"))
    made = tmp_path / "rules.tar"
    made.write_bytes(encoded(Bundle(compile_rules([tmp_path]).compiled, RAW)))  # when it was not expired yet
    options = FileOptions([], "", None, every_log_source=False, tuning=None, shards=1, no_cache=False)
    with pytest.raises(UsageError, match="nothing was deployed"):
        wanted_rules([], options, lambda: pytest.fail("no cluster is needed"), bundle=made)
    said = capsys.readouterr().err
    assert "'The nightly backup' of cloud-team expired on 2020-01-01" in said
    assert "it is for 'Made-up rule 1'" in said
