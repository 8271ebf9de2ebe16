"""The first command, end to end, on a node and a data folder of its own."""

import csv
import gzip
import io
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from osdetect.node import status, stop
from osdetect.node.places import DATA_VARIABLE
from osdetect.scenario import generate
from osdetect.vocabulary import ExitCode, Level
from tests.cli.conftest import Ran, start
from tests.faults.material import ACCOUNT, record, write_rules

NODE = "quickstart"
OF_A_RUN = {"created", "ingested", "lag_ms", "run_id"}
"""What of an alert depends on when it was made."""


@pytest.fixture
def data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of the test's own; its node is stopped afterwards."""
    monkeypatch.setenv(DATA_VARIABLE, str(folder / "data"))
    yield folder / "data"
    stop(NODE)


def _quickstart(data: Path, *arguments: object) -> Ran:
    with start("quickstart", *arguments, OSDETECT_DATA_DIR=str(data), OSDETECT_RETRY_FOR_S="20") as process:
        out, err = process.communicate(timeout=240)
    assert "Traceback" not in err
    assert "\x1b[" not in out + err
    return Ran(process.returncode, out, err)


def _contents(ran: Ran) -> dict[str, Any]:
    """The alerts by id, without what depends on when they were made."""
    return {alert["id"]: _timeless(alert) for alert in json.loads(ran.out)["alerts"]}


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _timeless(inner) for name, inner in value.items() if name not in OF_A_RUN}
    return value


def test_the_built_in_scenario_raises_every_expected_alert_once(data: Path, tmp_path: Path) -> None:
    expected = generate(tmp_path / "logs").expected
    first = _quickstart(data, "--limit", 0, "--keep")
    assert first.status == ExitCode.OK, first.err
    assert "the node stays up" in first.err
    assert "osdetect node down --name quickstart" in first.err
    levels = [line.split()[1] for line in first.out.splitlines() if line.startswith("│")]
    ranks = [Level(level).rank for level in levels]
    assert ranks == sorted(ranks, reverse=True)
    found = status(NODE)
    assert found is not None
    assert found.answering

    second = _quickstart(data, "--output", "json")
    report = json.loads(second.out)
    assert second.status == ExitCode.OK
    assert (report["load"]["created"], report["load"]["files_read"]) == (0, 0)
    assert (report["detect"]["events"], report["detect"]["alerts_created"]) == (0, 0)
    alerted = {alert["event"]["id"] for alert in report["alerts"]}
    missing = [title for event_id, title in expected if event_id not in alerted]
    assert not missing
    assert len(levels) == len(report["alerts"]) == len({alert["id"] for alert in report["alerts"]})
    assert f"{len(levels):,} alerts: " in first.out

    third = _quickstart(data, "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(third.out)))
    assert len(rows) == len(levels)
    assert {row["level"] for row in rows} == set(levels)


def test_a_cell_of_the_csv_is_no_formula_and_hostile_text_no_command(data: Path, tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules", ["{eventSource: things.amazonaws.com}"])
    logs = tmp_path / "logs"
    logs.mkdir()
    names = ["=HYPERLINK(1)", "+1", "-1", "@x", "[red]x[/red]", "\x1b[31mred\r\nnext", '"quoted, text"']
    records = [
        record(n, userIdentity={"type": "IAMUser", "userName": name}) for n, name in enumerate(names, 1)
    ]
    (logs / "a.json").write_text(json.dumps({"Records": records}))
    (logs / "bad.json").write_text("no JSON")
    as_csv = _quickstart(data, logs, "--rules", rules, "--output", "csv", "--keep")
    assert as_csv.status == ExitCode.LOSS
    assert "bad.json" in as_csv.err
    rows = list(csv.reader(io.StringIO(as_csv.out)))[1:]
    assert len(rows) == len(names)
    assert all(cell[:1] not in ("=", "+", "-", "@", "\t", "\r") for row in rows for cell in row)
    assert {"'=HYPERLINK(1)", "'+1", "'-1", "'@x", "[red]x[/red]", '"quoted, text"'} <= {
        row[2] for row in rows
    }
    as_table = _quickstart(data, logs, "--rules", rules)
    assert "[red]x[/red]" in as_table.out
    assert f"{len(names)} alerts" in as_table.out


@pytest.mark.timeout(600)
def test_killed_at_random_moments_it_comes_to_the_same_alerts_as_one_clean_run(
    data: Path, tmp_path: Path
) -> None:
    logs = generate(tmp_path / "logs", background=300).folder
    began = time.monotonic()
    clean = _quickstart(data, logs, "--output", "json", "--keep")
    usual = time.monotonic() - began
    assert clean.status == ExitCode.OK
    wanted = _contents(clean)
    assert len(wanted) > 40
    stop(NODE)
    other = data.parent / "other"
    rng = Random(10)
    try:
        for kill in range(10):
            with start("quickstart", logs, "--keep", OSDETECT_DATA_DIR=str(other)) as process:
                time.sleep(rng.uniform(0.3, 1.0) * usual * (1 if kill in (0, 4, 8) else 0.4))
                process.kill()
                process.communicate()
            if kill in (3, 7):
                _kill_node(other)
        ran = _quickstart(other, logs, "--output", "json")
        assert ran.status == ExitCode.OK, ran.err
        assert _contents(ran) == wanted
        assert json.loads(ran.out)["load"]["dead_letters"] == 0
    finally:
        os.environ[DATA_VARIABLE] = str(other)  # the fixture's monkeypatch puts the old value back
        stop(NODE)


def _kill_node(data: Path) -> None:
    """SIGKILL to the node's own process, if there is one."""
    for state in data.glob("nodes/*/state.json"):
        os.kill(json.loads(state.read_text())["process"]["pid"], signal.SIGKILL)


@pytest.mark.timeout(600)
def test_a_real_account_s_delivery_and_all_public_rules_give_the_oracle_s_alerts(
    data: Path, shared: Path
) -> None:
    ran = _quickstart(
        data,
        shared / "data/cloudtrail/invictus",
        "--rules",
        shared / "data/rules",
        "--output",
        "json",
    )
    assert ran.status == ExitCode.LOSS, "some public rules are refused"
    report = json.loads(ran.out)
    with gzip.open(shared / "data/oracle/corpus.ndjson.gz", "rt") as lines:
        corpus = [json.loads(line) for line in lines]
    of_invictus = {one["key"]: one["event"]["eventID"] for one in corpus if one["source"] == "invictus"}
    assert len(of_invictus) == report["load"]["created"] == 2900
    matches = json.loads((shared / "data/oracle/expected_matches.json").read_text())
    found: dict[str, set[str]] = {}
    for alert in report["alerts"]:
        found.setdefault(alert["rule"]["id"], set()).add(alert["event"]["id"])
    differing = {
        rule_id: (len(ids), len(found.get(rule_id, set())))
        for rule_id, entry in matches.items()
        if entry["agreed"]
        and (ids := {of_invictus[key] for key in entry["matches"] if key in of_invictus})
        != found.get(rule_id, set())
    }
    assert not differing
    assert sum(map(len, found.values())) > 1000
    assert ACCOUNT not in ran.err
