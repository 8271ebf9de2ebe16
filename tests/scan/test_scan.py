"""What a scan finds, in which order, and what counts once."""

import gzip
import json
import os
from pathlib import Path
from random import Random

import pytest

from osdetect.scan import ScanOptions
from tests.scan.material import (
    ACCOUNT,
    ANY_TRAIL,
    TRAIL_REMOVED,
    alerts,
    delivery,
    placed,
    put,
    put_records,
    quiet,
    record,
    scanning,
)

MAY_1 = 1_714_521_600_000_000


def test_alerts_come_by_time_then_file_then_record_and_the_first_by_level(tmp_path: Path) -> None:
    put_records(tmp_path / "a.json.gz", [record(9), record(5), quiet(6), record(5000)])
    put_records(tmp_path / "b.json", [record(5, eventID="x"), record(1)])
    with scanning(tmp_path) as found:
        listed = [placed(alert) for alert in alerts(found)]
        first = [placed(alert) for alert in found.top(3)]
        report = found.report
    places = [("b.json", 2), ("a.json.gz", 2), ("b.json", 1), ("a.json.gz", 1), ("a.json.gz", 4)]
    assert [(file, number) for file, number, rule in listed if rule == TRAIL_REMOVED] == places
    assert [(file, number) for file, number, rule in listed if rule == ANY_TRAIL] == places
    assert [(file, number) for file, number, _ in listed] == [one for one in places for _ in range(2)]
    assert first == [(*place, TRAIL_REMOVED) for place in places[:3]]
    assert (report.events, report.read, report.alerts, report.lossless) == (6, 2, 10, True)
    assert {level.value: count for level, count in report.by_level().items()} == {"high": 5, "low": 5}
    assert [rule.first for rule in report.by_rule] == ["2024-05-01T00:00:01Z"] * 2
    assert [rule.last for rule in report.by_rule] == ["2024-05-01T01:23:20Z"] * 2


def test_the_result_is_the_same_whatever_the_number_of_workers(tmp_path: Path) -> None:
    rng = Random(1)
    for number in range(40):
        records = [(record if rng.random() < 0.5 else quiet)(rng.randrange(3000)) for _ in range(30)]
        put_records(tmp_path / f"{number % 3}" / f"{number}.json.gz", records)
    results = []
    for jobs in (1, 2, 5):
        with scanning(tmp_path, jobs=jobs) as found:
            results.append(([*found.documents()], found.top(50), found.report))
    assert results[0] == results[1] == results[2]
    assert len(results[0][0]) > 500


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("list.json", json.dumps([record(1), record(2)]).encode()),
        ("single.json", json.dumps(record(1)).encode()),
        ("lines.ndjson", b"".join(json.dumps(record(n)).encode() + b"\r\n" for n in (1, 2))),
        ("row.json", b"".join(json.dumps(record(n), indent=1).encode() for n in (1, 2))),
        ("deliveries.json", delivery([record(1)]) + b"\n" + delivery([record(2)])),
        ("members.json.gz", gzip.compress(delivery([record(1)])) + gzip.compress(delivery([record(2)]))),
        ("lines.jsonl.gz", gzip.compress(b"".join(json.dumps(record(n)).encode() + b"\n" for n in (1, 2)))),
    ],
)
def test_every_layout_is_read_from_a_file_and_from_standard_input(
    tmp_path: Path, name: str, data: bytes
) -> None:
    put(tmp_path / name, data)
    with scanning(tmp_path) as found:
        from_file = {alert["id"] for alert in alerts(found)}
        assert found.report.lossless
        assert found.report.events == len(from_file) / 2
    with scanning(Path("-"), standard_input=data) as found:
        assert {alert["id"] for alert in alerts(found)} == from_file
        assert {placed(alert)[0] for alert in found.top(0)} == {"standard input"}


@pytest.mark.parametrize("padding", [0, 6 << 20], ids=["one window", "several windows"])
def test_digest_files_among_deliveries_in_a_row_hide_nothing(tmp_path: Path, padding: int) -> None:
    digest = b'{"digestStartTime":"a","digestEndTime":"b","logFiles":[{"s3Object":"x"}]}\n'
    long = quiet(3) | {"noise": "n" * 1000}
    many = delivery([long] * (padding // 1000) + [record(1)])
    put(tmp_path / "row.json", digest + many + digest + digest + delivery([record(2)]) + digest)
    put(tmp_path / "digests.json", digest + digest)
    put(tmp_path / "broken.json", digest + b"{broken")
    with scanning(tmp_path) as found:
        report = found.report
    assert report.alerts == 4
    assert report.digests == 1
    assert [error.what for error in report.losses] == [
        "this holds no CloudTrail records: it seems to be a CloudTrail digest file and something else"
    ]


def test_the_same_record_again_makes_no_second_alert_however_it_is_written(tmp_path: Path) -> None:
    put_records(tmp_path / "a.json.gz", [record(1), record(1), quiet(2)])
    put(tmp_path / "b.json", json.dumps({"Records": [dict(reversed(record(1).items()))]}, indent=2).encode())
    put(tmp_path / "c.json.gz", (tmp_path / "a.json.gz").read_bytes())
    with scanning(tmp_path) as found:
        kept = [placed(alert) for alert in alerts(found)]
        report = found.report
        assert [placed(alert) for alert in found.top(0)] == kept
    assert kept == [("a.json.gz", 1, TRAIL_REMOVED), ("a.json.gz", 1, ANY_TRAIL)]
    assert (report.copies, report.alerts, report.copied_alerts) == (1, 2, 8)
    assert (report.events, report.read) == (4, 2)
    assert report.lossless


def test_another_record_with_the_same_event_id_keeps_its_alert_under_an_id_of_its_own(tmp_path: Path) -> None:
    put_records(tmp_path / "a.json", [record(1), record(1, awsRegion="eu-west-1"), record(1)])
    with scanning(tmp_path) as found:
        all_of_them = [alert for alert in alerts(found) if alert["rule"]["id"] == TRAIL_REMOVED]
        first = [alert for alert in found.top(0) if alert["rule"]["id"] == TRAIL_REMOVED]
    assert first == all_of_them
    plain, other = (alert["osdetect"]["source"] for alert in all_of_them)
    assert plain["id"] == f"{ACCOUNT}-{record(1)['eventID']}"
    assert other["id"].startswith(plain["id"] + "~")
    assert (plain["record"], other["record"]) == (1, 2)
    assert len({alert["id"] for alert in all_of_them}) == 2


def test_only_the_time_asked_for_and_what_has_no_time(tmp_path: Path) -> None:
    late = record(7, eventTime="2024-05-02T00:00:00Z")
    put_records(tmp_path / "a.json", [record(5), record(60), late, record(8, eventTime="soon")])
    options = ScanOptions(since=MAY_1 + 60_000_000, until=MAY_1 + 86_400_000_000, documents=True)
    with scanning(tmp_path, options=options) as found:
        assert {placed(alert)[1] for alert in alerts(found)} == {2, 4}
        assert alerts(found)[-1]["osdetect"]["source"]["record"] == 4
        assert (found.report.undated, found.report.alerts) == (1, 4)


def test_a_name_that_is_no_unicode_can_be_told(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.json")
    put_records(tmp_path / name, [record(1)])
    with scanning(tmp_path) as found:
        assert [placed(alert)[0] for alert in alerts(found)] == ["caf?.json"] * 2
        assert len(found.top(0)) == 2


def test_many_alerts_go_through_temporary_files_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osdetect.scan.rows._IN_MEMORY", 1000)
    monkeypatch.setattr("osdetect.scan.rows._TOGETHER", 500)
    monkeypatch.setattr("osdetect.scan.spill._BLOCKS", (10, 100))  # smaller than a document
    for number in range(12):
        put_records(tmp_path / f"{number}.json", [record(n) for n in range(number * 300, number * 300 + 500)])
    with scanning(tmp_path) as found:
        times = [(alert["@timestamp"], alert["osdetect"]["source"]["file"]) for alert in alerts(found)]
        report = found.report
    distinct = 11 * 300 + 500
    assert times == sorted(times)
    assert len(times) == report.alerts == 2 * distinct
    assert report.copied_alerts == 2 * (12 * 500 - distinct)
