"""`osdetect deploy`: which rules it takes, what it says of those that do not run, and its cache."""

import json
from pathlib import Path

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.faults.material import documents, rule_id, rule_text, write_rules

CORRELATION = f"""title: Many deletions
id: {rule_id(90)}
correlation:
    type: event_count
    rules: [{rule_id(1)}]
    group-by: [userIdentity.arn]
    timespan: 5m
    condition: {{gte: 10}}
"""
WINDOWS = rule_text(8, "{EventID: 4625}").replace("{product: aws, service: cloudtrail}", "{product: windows}")


def test_correlations_are_counted_and_named_as_not_run_and_their_rules_are_live(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: DeleteThing}"])
    (rules / "correlation.yml").write_text(CORRELATION)
    shown = osdetect("deploy", rules, "--url", fresh_cluster)
    assert (shown.status, shown.err) == (ExitCode.OK, "")
    assert "1 correlation rules were read; the detector does not run them yet" in shown.out
    assert set(documents(fresh_cluster, "osdetect-rules")) == {rule_id(1)}
    told = json.loads(osdetect("deploy", rules, "--url", fresh_cluster, "--output", "json").out)
    assert (told["rules"], told["correlations_not_run"], told["refused"]) == (1, 1, [])


def test_rules_for_other_log_sources_are_stored_when_asked_for(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: DeleteThing}"])
    (rules / "windows.yml").write_text(WINDOWS)
    at = ("--url", fresh_cluster, "--output", "json")
    ours = json.loads(osdetect("deploy", rules, *at).out)
    assert (ours["rules"], ours["other_log_sources"]) == (1, 1)
    every = json.loads(osdetect("deploy", rules, "--every-log-source", *at).out)
    assert (every["rules"], every["other_log_sources"]) == (2, 0)
    assert every["index"] != ours["index"]
    assert every["not_prefiltered"] == []
    assert set(documents(fresh_cluster, "osdetect-rules")) == {rule_id(1), rule_id(8)}


def test_placeholders_have_the_values_of_the_file(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{userIdentity.userName|expand: '%admins%'}"])
    values = tmp_path / "values.yml"
    values.write_text("admins: [casey, robin]")
    without = osdetect("deploy", rules, "--url", fresh_cluster)
    assert without.status == ExitCode.NO_INPUT
    assert "--placeholders" in without.err
    ran = osdetect("deploy", rules, "--url", fresh_cluster, "--placeholders", values)
    assert (ran.status, ran.err) == (ExitCode.OK, "")
    (stored,) = documents(fresh_cluster, "osdetect-rules").values()
    assert stored["query"] == {"terms": {"values.userIdentity/userName": ["casey", "robin"]}}


def test_with_no_cache_nothing_is_kept_and_the_release_is_the_same(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventName: DeleteThing}", "{eventName: CreateThing}"])
    at = {"OSDETECT_CACHE_DIR": str(tmp_path / "cache")}
    first = osdetect("deploy", rules, "--no-cache", "--url", fresh_cluster, **at)
    assert "live: 2 rules" in first.out
    assert not list(tmp_path.glob("cache/rules/*"))
    for _ in range(2):  # cold, then from the cache
        again = osdetect("deploy", rules, "--url", fresh_cluster, **at)
        assert (again.status, again.err) == (ExitCode.OK, "")
        assert "nothing to do: these 2 rules are live already" in again.out
        assert len(list(tmp_path.glob("cache/rules/*.pack"))) == 1
