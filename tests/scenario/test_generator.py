"""The folder that the generator writes: repeatable, in AWS's layout, whole."""

import gzip
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osdetect.errors import UsageError
from osdetect.scenario import START, STORY, ScenarioSummary, generate, iter_records
from osdetect.scenario.story.exercise import EXERCISE

_LOG_NAME = re.compile(
    r"AWSLogs/(?P<account>\d{12})/CloudTrail/(?P<region>[a-z]+-[a-z]+-\d)/(?P<day>\d{4}/\d{2}/\d{2})/"
    r"(?P=account)_CloudTrail_(?P=region)_\d{8}T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz"
)
_DIGEST_NAME = re.compile(
    r"AWSLogs/(?P<account>\d{12})/CloudTrail-Digest/(?P<region>[a-z]+-[a-z]+-\d)/\d{4}/\d{2}/\d{2}/"
    r"(?P=account)_CloudTrail-Digest_(?P=region)_[\w-]+_(?P=region)_\d{8}T\d{6}Z\.json\.gz"
)
_FEW = 200


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> ScenarioSummary:
    return generate(tmp_path_factory.mktemp("scenario"), seed=1)


def _files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _content(data: bytes) -> Any:
    return json.loads(gzip.decompress(data))


def _logs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        name: _content(data)["Records"] for name, data in _files(folder).items() if "/CloudTrail/" in name
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert (
        generate(first, seed=7, background=_FEW).expected
        == generate(second, seed=7, background=_FEW).expected
    )
    assert _files(first) == _files(second)


def test_another_seed_gives_other_records(tmp_path: Path) -> None:
    one, two = (generate(tmp_path / str(seed), seed=seed, background=_FEW) for seed in (1, 2))
    assert {event for event, _ in one.expected}.isdisjoint(event for event, _ in two.expected)


def test_writing_twice_into_one_folder_leaves_the_same_files(tmp_path: Path) -> None:
    generate(tmp_path, background=_FEW)
    before = _files(tmp_path)
    generate(tmp_path, background=_FEW)
    assert _files(tmp_path) == before


def test_a_folder_with_another_scenario_is_refused(tmp_path: Path) -> None:
    generate(tmp_path, seed=1, background=_FEW)
    before = _files(tmp_path)
    with pytest.raises(UsageError, match="already holds other log files"):
        generate(tmp_path, seed=2, background=_FEW)
    assert _files(tmp_path) == before


def test_a_folder_that_is_a_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written") as refused:
        generate(blocked, background=_FEW)
    assert refused.value.cause


def test_the_summary_counts_what_is_in_the_files(summary: ScenarioSummary) -> None:
    logs = _logs(summary.folder)
    assert summary.files == len(logs)
    assert summary.records == sum(map(len, logs.values()))
    assert summary.malicious == len(summary.expected) == len(STORY)
    assert summary.records - summary.malicious == 3000


def test_about_fifty_records_tell_the_attack_and_the_exercise_brings_the_rest(
    summary: ScenarioSummary,
) -> None:
    attack = [step for step in STORY if step not in EXERCISE]
    assert 45 <= len(attack) <= 55
    assert summary.malicious == len(attack) + len(EXERCISE)


def test_the_exercise_follows_the_attack_and_is_one_persons_work() -> None:
    begin = EXERCISE[0].at
    assert all(step.at < begin for step in STORY if step not in EXERCISE)
    assert {address for step in EXERCISE for address in step.actor.addresses} == {
        "203.0.113.80",
        "ec2.amazonaws.com",
    }


def test_every_file_is_named_as_aws_names_it(summary: ScenarioSummary) -> None:
    digests = 0
    for name in _files(summary.folder):
        digests += bool(_DIGEST_NAME.fullmatch(name))
        assert _LOG_NAME.fullmatch(name) or _DIGEST_NAME.fullmatch(name), name
    assert digests == 1


def test_every_record_stands_in_the_file_of_its_account_region_and_hour(summary: ScenarioSummary) -> None:
    for name, records in _logs(summary.folder).items():
        matched = _LOG_NAME.fullmatch(name)
        assert matched
        assert {(record["recipientAccountId"], record["awsRegion"]) for record in records} == {
            (matched["account"], matched["region"])
        }
        assert len({record["eventTime"][:13] for record in records}) == 1, "one file holds one hour"


def test_two_accounts_and_three_regions_take_part(summary: ScenarioSummary) -> None:
    records = [record for records in _logs(summary.folder).values() for record in records]
    assert len({record["recipientAccountId"] for record in records}) == 2
    assert len({record["awsRegion"] for record in records}) == 3


def test_ids_are_unique_and_the_expected_ones_are_there(summary: ScenarioSummary) -> None:
    ids = [record["eventID"] for records in _logs(summary.folder).values() for record in records]
    assert len(ids) == len(set(ids))
    assert {event for event, _ in summary.expected} <= set(ids)


def test_the_digest_tells_the_true_hash_of_its_log_file(summary: ScenarioSummary) -> None:
    files = _files(summary.folder)
    (digest,) = (_content(data) for name, data in files.items() if "/CloudTrail-Digest/" in name)
    (entry,) = digest["logFiles"]
    text = gzip.decompress(files[entry["s3Object"]])
    assert entry["hashValue"] == hashlib.sha256(text).hexdigest()


def test_the_files_hold_the_records_that_iter_records_yields(summary: ScenarioSummary) -> None:
    written = [record for records in _logs(summary.folder).values() for record in records]
    yielded = list(iter_records(seed=1))
    assert sorted(written, key=lambda record: record["eventID"]) == sorted(
        yielded, key=lambda record: str(record["eventID"])
    )


def test_records_come_in_the_order_of_time() -> None:
    times = [str(record["eventTime"]) for record in iter_records(background_count=_FEW)]
    assert times == sorted(times)


def test_the_scenario_stays_within_its_two_days() -> None:
    for record in iter_records(background_count=_FEW):
        at = datetime.strptime(str(record["eventTime"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert START <= at < START + timedelta(days=2)


def test_the_story_can_be_left_out() -> None:
    assert sum(1 for _ in iter_records(background_count=_FEW, story=False)) == _FEW


def test_many_records_vary_in_id_time_principal_and_address() -> None:
    records: list[dict[str, Any]] = list(iter_records(background_count=5000, story=False))
    assert len({record["eventID"] for record in records}) == 5000
    assert len({record["eventTime"] for record in records}) > 4000
    assert len({json.dumps(record["userIdentity"].get("arn")) for record in records}) >= 8
    assert len({record["sourceIPAddress"] for record in records}) >= 15
