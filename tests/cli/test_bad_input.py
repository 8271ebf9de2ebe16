"""Bad input beside good: each piece is told, nothing good is lost, and the exit code says that something was."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from osdetect.scenario import generate
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, Ran
from tests.faults.material import ask, documents, record, write_rules

ALERTS = "osdetect-alerts-default-*"


@pytest.fixture
def rules(osdetect: Osdetect, fresh_cluster: str, tmp_path: Path) -> Path:
    folder = write_rules(
        tmp_path / "rules", ["{eventName: CreateThing}", "{userAgent|contains: the-very-end}"]
    )
    assert osdetect("deploy", folder, "--url", fresh_cluster).status == ExitCode.OK
    return folder


def _log(*records: Any) -> bytes:
    return json.dumps({"Records": records}).encode()


def _load(osdetect: Osdetect, url: str, folder: Path, **files: bytes) -> Ran:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return osdetect("load", folder, "--url", url)


@pytest.mark.usefixtures("rules")
def test_a_truncated_gzip_gives_its_first_records_and_a_loss(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    whole = gzip.compress(_log(*(record(n, requestID=f"{n * 7919:x}" * 9) for n in range(1, 401))))
    good = gzip.compress(_log(record(1000)))
    ran = _load(
        osdetect,
        fresh_cluster,
        tmp_path / "logs",
        cut__json__gz=whole[: len(whole) // 2],
        good__json__gz=good,
    )
    assert ran.status == ExitCode.LOSS
    assert "cut.json.gz" in ran.err
    assert "read up to byte" in ran.err
    assert "fetch the file again" in ran.err
    stored = documents(fresh_cluster, "osdetect-cloudtrail-*")
    assert 50 < len(stored) < 401
    (tmp_path / "logs" / "cut.json.gz").write_bytes(whole)
    again = osdetect("load", tmp_path / "logs", "--url", fresh_cluster)
    assert again.status == ExitCode.OK
    assert len(documents(fresh_cluster, "osdetect-cloudtrail-*")) == 401


@pytest.mark.usefixtures("rules")
def test_files_that_are_no_delivery_are_named_and_the_good_one_is_loaded(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    ran = _load(
        osdetect,
        fresh_cluster,
        tmp_path / "logs",
        words__json=b"hello, world",
        empty__json=b"",
        list__json=b"[1, 2]",
        page__json=b"<html></html>",
        noise__json__gz=b"\x1f\x8b" + bytes(range(200)),
        good__json=_log(record(1)),
    )
    assert ran.status == ExitCode.LOSS
    assert ran.err.count("refused:") == 5
    for name in ("words.json", "empty.json", "list.json", "page.json", "noise.json.gz"):
        assert name in ran.err
    assert len(documents(fresh_cluster, "osdetect-cloudtrail-*")) == 1


@pytest.mark.usefixtures("rules")
def test_a_digest_file_is_counted_and_no_loss(osdetect: Osdetect, fresh_cluster: str, tmp_path: Path) -> None:
    generate(tmp_path / "made", background=20)
    (digest,) = (tmp_path / "made").rglob("*CloudTrail-Digest*.json.gz")
    ran = _load(
        osdetect, fresh_cluster, tmp_path / "logs", a__json__gz=digest.read_bytes(), b__json=_log(record(1))
    )
    assert (ran.status, ran.err) == (ExitCode.OK, "")
    assert "1 digest files" in ran.out


@pytest.mark.usefixtures("rules")
def test_a_record_without_event_id_is_stored_once_and_judged(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    nameless = record(1)
    del nameless["eventID"]
    ran = _load(osdetect, fresh_cluster, tmp_path / "logs", a__json=_log(nameless, record(2), "no record"))
    assert ran.status == ExitCode.LOSS
    assert "1 events stored with no usable eventID" in ran.out
    assert "1 dead letters" in ran.out
    assert "not an object but a string" in ran.err
    (tmp_path / "logs" / "copy.json").write_bytes(_log(nameless))
    assert osdetect("load", tmp_path / "logs" / "copy.json", "--url", fresh_cluster).status == ExitCode.OK
    assert len(documents(fresh_cluster, "osdetect-cloudtrail-*")) == 2
    assert len(documents(fresh_cluster, "osdetect-deadletter-default")) == 1
    assert osdetect("detect", "--once", "--url", fresh_cluster).status == ExitCode.OK
    assert len(documents(fresh_cluster, ALERTS)) == 2


@pytest.mark.usefixtures("rules")
def test_a_rule_on_the_end_of_a_40_kilobyte_user_agent_fires(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    agent = "x" * 40_000 + " The-Very-End"
    ran = _load(
        osdetect,
        fresh_cluster,
        tmp_path / "logs",
        a__json=_log(record(1, eventName="Other", userAgent=agent)),
    )
    assert (ran.status, ran.err) == (ExitCode.OK, "")
    ran = osdetect("detect", "--once", "--url", fresh_cluster)
    assert ran.status == ExitCode.OK
    (alert,) = documents(fresh_cluster, ALERTS).values()
    assert alert["rule"]["name"] == "Made-up rule 2"
    assert alert["osdetect"]["evidence"][0]["characters_cut"] == len(agent) - 2048


@pytest.mark.usefixtures("rules")
def test_a_folder_without_logs_and_a_path_that_is_not_there_leave_the_rest_alone(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "good.json").write_bytes(_log(record(1)))
    paths = (tmp_path / "empty", tmp_path / "absent", tmp_path / "good.json")
    ran = osdetect("load", *paths, "--url", fresh_cluster)
    assert ran.status == ExitCode.LOSS
    assert "absent" in ran.err
    assert "1 events stored" in ran.out


def test_a_stored_rule_that_is_none_sets_the_exit_code_of_detect(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path, rules: Path
) -> None:
    assert rules.is_dir()
    (index,) = ask(fresh_cluster, "GET", "/_alias/osdetect-rules")
    rule_id, source = min(documents(fresh_cluster, index).items())
    source["detection"]["columns"] = "none"
    ask(fresh_cluster, "PUT", f"/{index}/_doc/{rule_id}?refresh=true", source)
    _load(osdetect, fresh_cluster, tmp_path / "logs", a__json=_log(record(1, userAgent="the-very-end")))
    ran = osdetect("detect", "--once", "--url", fresh_cluster)
    assert ran.status == ExitCode.LOSS
    assert "not run:" in ran.err
    assert rule_id in ran.err
    assert "1 new alerts" in ran.out
