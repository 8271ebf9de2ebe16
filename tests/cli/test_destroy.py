"""`osdetect destroy`: only what is ours, only what was asked for, and nothing without a yes."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, environment
from tests.faults.material import ask, connect, deployed, detected, put_records, record


def _names(url: str) -> set[str]:
    found = ask(url, "GET", "/_cat/indices/osdetect-*?format=json&h=index&expand_wildcards=all")
    templates = ask(url, "GET", "/_index_template/osdetect*", accept=(404,)).get("index_templates", [])
    pipelines = ask(url, "GET", "/_ingest/pipeline/osdetect*", accept=(404,))
    return (
        {one["index"] for one in found}
        | {f"t:{one['name']}" for one in templates}
        | {f"p:{n}" for n in pipelines}
    )


def _filled(url: str, folder: Path) -> None:
    with connect(url) as cluster:
        deployed(cluster, folder, "{eventName: CreateThing}")
        put_records(cluster, "osdetect-cloudtrail-t-2024.05", [record(number) for number in range(3)])
        detected(cluster)


def test_what_deploys_made_goes_and_what_was_gathered_stays_unless_asked_for(
    osdetect: Osdetect, fresh_cluster: str, tmp_path: Path
) -> None:
    at = ("--url", fresh_cluster)
    assert "nothing to delete" in osdetect("destroy", *at, "--yes").out
    assert _names(fresh_cluster) == set(), "and nothing was made by it"
    _filled(fresh_cluster, tmp_path)
    # Called as ours are, and not ours.
    ask(fresh_cluster, "PUT", "/_index_template/osdetect-mine", {"index_patterns": ["mine-*"], "priority": 3})
    ask(fresh_cluster, "PUT", "/_ingest/pipeline/osdetect-mine", {"description": "mine", "processors": []})
    ask(fresh_cluster, "DELETE", "/_index_template/osdetect-runs")
    ask(fresh_cluster, "PUT", "/osdetect-runs-1999.01", {})
    ask(fresh_cluster, "PUT", "/osdetect-something", {})
    ask(fresh_cluster, "PUT", "/mine", {"aliases": {"osdetect-alerts-mine": {}}})
    theirs = {"t:osdetect-mine", "p:osdetect-mine", "osdetect-runs-1999.01", "osdetect-something", "mine"}
    before = _names(fresh_cluster)
    ask(fresh_cluster, "POST", "/osdetect-*/_refresh")  # what is counted is what searches see

    listed = osdetect("destroy", *at)
    assert listed.status == ExitCode.CHANGES
    assert "nothing was deleted" in listed.out
    assert "kept: 1 of alerts with 3 documents (--with-alerts)" in listed.out
    assert "osdetect-mine carries no mark of osdetect" in listed.err
    assert osdetect("destroy", *at, "--yes", "--dry-run").status == ExitCode.CHANGES
    told: dict[str, Any] = json.loads(osdetect("destroy", *at, "--output", "json").out)
    assert {one["share"] for one in told["would_delete"]} == {"deployed"}
    assert _names(fresh_cluster) == before

    done = osdetect("destroy", *at, "--yes")
    assert done.status == ExitCode.OK
    left = _names(fresh_cluster)
    assert {name for name in left if name.startswith(("t:", "p:", "osdetect-rules"))} == theirs & {
        "t:osdetect-mine",
        "p:osdetect-mine",
    }
    assert {"osdetect-cloudtrail-t-2024.05", "osdetect-alerts-t-2024.05", "osdetect-state"} <= left
    assert osdetect("destroy", *at, "--yes", "--with-alerts").status == ExitCode.OK
    assert {name for name in before - _names(fresh_cluster) if "alerts-t" in name} == {
        "osdetect-alerts-t-2024.05"
    }
    assert osdetect("destroy", *at, "--yes", "--everything").status == ExitCode.OK
    assert _names(fresh_cluster) == theirs
    assert "nothing to delete" in osdetect("destroy", *at, "--yes", "--everything").out
    ask(fresh_cluster, "DELETE", "/mine")


def test_on_a_terminal_it_asks(fresh_cluster: str, tmp_path: Path) -> None:
    _filled(fresh_cluster, tmp_path)
    before = _names(fresh_cluster)
    for answer, status in ((b"n\n", ExitCode.CHANGES), (b"y\n", ExitCode.OK)):
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "osdetect", "destroy", "--url", fresh_cluster],
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        os.write(ours, answer)
        out, err = process.communicate(timeout=60)
        os.close(ours)
        os.close(its)
        assert process.returncode == status, err
        assert b"Delete these" in err
        assert b"osdetect-rules-" in out
        assert (_names(fresh_cluster) == before) is (status == ExitCode.CHANGES)
