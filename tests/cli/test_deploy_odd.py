"""The life of deployed rules where names, options and rule texts are odd or hostile."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.faults.material import ask, rule_text, write_rules

COMMAND = "\x1b]0;mine\x07\x1b[31m"
"""What a terminal would obey."""


class Live(msgspec.Struct, frozen=True):
    """A cluster with one rule deployed."""

    url: str
    rules: Path
    index: str
    """The live release."""

    @property
    def at(self) -> tuple[str, str]:
        """What names the cluster on a command line."""
        return "--url", self.url


@pytest.fixture
def live(osdetect: Osdetect, fresh_cluster: str, tmp_path: Path) -> Live:
    rules = write_rules(tmp_path / "r", ["{eventName: A}"])
    assert osdetect("deploy", rules, "--url", fresh_cluster).status == ExitCode.OK
    (index,) = ask(fresh_cluster, "GET", "/_alias/osdetect-rules")
    return Live(fresh_cluster, rules, index)


def _indices(url: str) -> set[str]:
    found = ask(url, "GET", "/_cat/indices/osdetect-*?format=json&h=index&expand_wildcards=all")
    return {one["index"] for one in found}


def test_destroy_takes_no_name_for_a_wildcard(osdetect: Osdetect, live: Live) -> None:
    url, at = live.url, live.at
    ask(url, "PUT", "/osdetect-rules-%252a", {})  # marked by the template; undone once more it says `*`
    ask(url, "PUT", "/osdetect-rules-mine", {"mappings": {"_meta": {"owner": "me"}}})
    ask(url, "PUT", "/osdetect-cloudtrail-t-2020.01", {})
    ask(url, "POST", "/osdetect-cloudtrail-t-2020.01/_close")
    ask(
        url,
        "PUT",
        "/osdetect-migrating-osdetect-cloudtrail-t-2019.01",
        {"mappings": {"_meta": {"owner": "osdetect"}}},
    )
    every = {"description": "as ours are: [osdetect 0]", "processors": []}
    ask(url, "PUT", "/_ingest/pipeline/osdetect-*", every)
    ask(url, "PUT", "/_ingest/pipeline/osdetect-mine", {"description": "mine", "processors": []})

    done = osdetect("destroy", "--yes", *at)
    assert done.status == ExitCode.OK, done.err
    assert "kept: 2 of events" in done.out
    assert "not looked at: roles" in done.out
    assert "osdetect-* has a name that stands for others" in done.err
    assert "osdetect-rules-mine" in _indices(url)
    assert "osdetect-rules-%2a" not in _indices(url)
    assert set(ask(url, "GET", "/_ingest/pipeline")) == {"osdetect-*", "osdetect-mine"}
    assert osdetect("destroy", "--everything", "--yes", *at).status == ExitCode.OK
    assert _indices(url) == {"osdetect-rules-mine"}
    ask(url, "DELETE", "/_ingest/pipeline/osdetect-*")
    ask(url, "DELETE", "/osdetect-rules-mine")


def test_an_alias_with_a_filter_is_drift_and_a_deploy_mends_it(osdetect: Osdetect, live: Live) -> None:
    url, at, rules, index = live.url, live.at, live.rules, live.index
    hides = {"index": index, "alias": "osdetect-rules", "filter": {"match_none": {}}}
    ask(url, "POST", "/_aliases", {"actions": [{"add": hides}]})
    drifted = osdetect("drift", *at)
    assert (drifted.status, "has a filter" in drifted.out) == (ExitCode.CHANGES, True)
    assert osdetect("plan", rules, *at).status == ExitCode.CHANGES
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    assert ask(url, "GET", "/_alias/osdetect-rules")[index] == {"aliases": {"osdetect-rules": {}}}
    assert osdetect("drift", *at).status == ExitCode.OK
    assert osdetect("plan", rules, *at).status == ExitCode.OK
    (release,) = json.loads(osdetect("releases", "--output", "json", *at).out)["releases"]
    assert release["follows"] == "", "it is the same release, and follows what it followed"


def test_a_half_written_spare_without_its_index_is_cleared_away(osdetect: Osdetect, live: Live) -> None:
    url, at, rules = live.url, live.at, live.rules
    spare = "osdetect-migrating-osdetect-cloudtrail-t-2019.01"
    ask(url, "PUT", f"/{spare}", {"mappings": {"_meta": {"owner": "osdetect", "version": 1, "whole": False}}})
    assert osdetect("plan", rules, *at).status == ExitCode.CHANGES
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    assert spare not in _indices(url)
    assert osdetect("plan", rules, *at).status == ExitCode.OK


def test_no_command_of_a_terminals_comes_out_of_rules_or_the_cluster(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    url, at = fresh_cluster, ("--url", fresh_cluster)
    rules = tmp_path / "rules"
    rules.mkdir()
    hostile = rule_text(1, "{userAgent|contains: x}").splitlines()
    title = next(place for place, line in enumerate(hostile) if line.startswith("title:"))
    hostile[title] = f"title: {json.dumps('Evil ' + COMMAND)}"
    (rules / "one.yml").write_text("\n".join(hostile))
    said = [osdetect("plan", rules, *at), osdetect("deploy", rules, *at)]
    assert "not pre-filtered by a value" in said[1].out
    (index,) = ask(url, "GET", "/_alias/osdetect-rules")
    mapping = ask(url, "GET", f"/{index}/_mapping")[index]["mappings"]["_meta"]
    mapping["release"].update(at=COMMAND, by=COMMAND, commit=COMMAND)
    ask(url, "PUT", f"/{index}/_mapping", {"_meta": mapping})
    (rules / "two.yml").write_text(rule_text(2, "{eventName: B}"))
    said += [osdetect(name, *at) for name in ("releases", "drift")]
    said += [osdetect(name, rules, *at) for name in ("plan", "deploy")]
    said += [osdetect("rollback", *at), osdetect("destroy", *at)]
    assert [one.status for one in said] == [3, 0, 0, 0, 3, 0, 0, 3]
    assert not [one for one in said if "\x1b" in one.out + one.err or "\x07" in one.out + one.err]


def test_a_few_rules_do_not_all_go_by_mistake(osdetect: Osdetect, fresh_cluster: str, tmp_path: Path) -> None:
    at = ("--url", fresh_cluster)
    osdetect(
        "deploy", write_rules(tmp_path / "r", ["{eventName: A}", "{eventName: B}", "{eventName: C}"]), *at
    )
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.yml").write_text(rule_text(9, "{eventName: X}"))
    planned = osdetect("plan", other, *at)
    assert "unless it is given --max-delete 3" in planned.out
    assert json.loads(osdetect("plan", other, "--output", "json", *at).out)["guarded"] is True
    assert osdetect("deploy", other, *at).status == ExitCode.GUARDED
    assert osdetect("deploy", other, "--max-delete", "2", *at).status == ExitCode.GUARDED
    assert osdetect("deploy", other, "--max-delete", "3", *at).status == ExitCode.OK


def test_a_checksum_that_is_not_there_checks_nothing_and_is_refused(
    osdetect: Osdetect, tmp_path: Path
) -> None:
    rules = write_rules(tmp_path / "r", ["{eventName: A}"])
    file = tmp_path / "rules.tar"
    assert osdetect("bundle", rules, "-o", file).status == ExitCode.OK
    for sum_ in ("", "abc", "z" * 64):
        refused = osdetect("plan", "--bundle", file, "--sha256", sum_, "--url", "http://127.0.0.1:9")
        assert (refused.status, "is no SHA-256" in refused.err) == (ExitCode.USAGE, True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert osdetect("bundle", rules, "-o", pipe).status == ExitCode.NOT_WRITTEN
    assert pipe.is_fifo()
    assert not list(tmp_path.glob(".*.part"))


def test_documents_that_no_compiler_writes_are_drift_and_are_mended(osdetect: Osdetect, live: Live) -> None:
    url, at, rules, index = live.url, live.at, live.rules, live.index
    deep: dict[str, object] = {}
    for _ in range(500):
        deep = {"a": deep}
    for number, source in enumerate(
        ({"tree": deep}, {"rule": {"id": "x", "name": "half \ud800"}}, {"rule": {}})
    ):
        ask(url, "PUT", f"/{index}/_doc/odd{number}%1b%5b31m?refresh", source)
    for words, status in ((("drift",), 3), (("plan", rules), 3), (("deploy", rules), 0), (("drift",), 0)):
        for output in ("json", "table"):
            ran = osdetect(*words, "--output", output, *at)
            assert ran.status == (status if words[0] != "deploy" or output == "json" else 0), ran.err
            assert "\x1b" not in ran.out + ran.err
            if output == "json":
                json.loads(ran.out)


def test_a_live_release_that_somebody_closed_is_told_with_its_cure(osdetect: Osdetect, live: Live) -> None:
    url, at, rules, index = live.url, live.at, live.rules, live.index
    ask(url, "POST", f"/{index}/_close")
    drifted = osdetect("drift", *at)
    assert (drifted.status, "it is closed" in drifted.out) == (ExitCode.CHANGES, True)
    assert "closed" in osdetect("releases", *at).out
    (rules / "more.yml").write_text(rule_text(7, "{eventName: B}"))
    for words in (("plan", rules), ("deploy", rules)):
        refused = osdetect(*words, *at)
        assert (refused.status, f"POST /{index}/_open" in refused.err) == (ExitCode.CLUSTER, True)
    ask(url, "POST", f"/{index}/_open?wait_for_active_shards=1")
    assert osdetect("deploy", rules, *at).status == ExitCode.OK
    assert osdetect("drift", *at).status == ExitCode.OK
