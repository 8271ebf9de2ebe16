"""`osdetect bundle` and what is deployed of it."""

import hashlib
import json
from pathlib import Path

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.faults.material import documents, write_rules


def test_a_bundle_deploys_the_release_that_its_rules_would(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: A}", "{eventName|endswith: B}"])
    at = ("--url", fresh_cluster)
    file = tmp_path / "rules.tar"
    told = json.loads(osdetect("bundle", rules, "-o", file, "--output", "json").out)
    data = file.read_bytes()
    assert (told["bytes"], told["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    again = osdetect("bundle", rules, "-o", tmp_path / "again.tar", "--no-cache")
    assert told["sha256"] in again.out
    assert (tmp_path / "again.tar").read_bytes() == data
    assert [one.name for one in tmp_path.glob(".*.part")] == []

    assert osdetect("plan", "--bundle", file, *at).status == ExitCode.CHANGES
    wrong = osdetect("deploy", "--bundle", file, "--sha256", "0" * 64, *at)
    assert wrong.status == ExitCode.NO_INPUT
    assert told["sha256"] in wrong.err
    ran = osdetect("deploy", "--bundle", file, "--sha256", told["sha256"], *at)
    assert (ran.status, ran.err) == (ExitCode.OK, "")
    assert f"live: 2 rules in {told['release']}" in ran.out
    stored = documents(fresh_cluster, "osdetect-rules")
    assert osdetect("plan", "--bundle", file, *at).status == ExitCode.OK
    assert osdetect("plan", rules, *at).status == ExitCode.OK, "the same release as from the files"
    assert "nothing to do" in osdetect("deploy", rules, *at).out
    assert documents(fresh_cluster, "osdetect-rules") == stored
    file.write_bytes(data[:-2_000])
    assert osdetect("deploy", "--bundle", file, *at).status == ExitCode.NO_INPUT


def test_a_bundle_that_cannot_be_made_is_told(osdetect: Osdetect, tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: A}"])
    ran = osdetect("bundle", rules, "-o", tmp_path / "nowhere" / "b.tar")
    assert ran.status == ExitCode.NOT_WRITTEN
    assert "--out" in ran.err
    auto = osdetect("bundle", rules, "--pipeline", "auto", "-o", tmp_path / "b.tar")
    assert auto.status == ExitCode.USAGE
    (rules / "broken.yml").write_text("title: x\nlogsource: {product: aws, service: cloudtrail}\n  - : [")
    ran = osdetect("bundle", rules, "-o", tmp_path / "b.tar")
    assert ran.status == ExitCode.LOSS
    assert "1 rules" in ran.out
    assert "broken.yml:" in ran.err
