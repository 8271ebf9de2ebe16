"""A backtest that does not come to its end says so, and counts what it saw the same for both sides."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from osdetect.cluster import Cluster
from osdetect.detect.backtest import BacktestReport, Compared, backtest
from osdetect.detect.hunt import HuntOptions, Span
from osdetect.documents.told import RunReference
from tests.faults.material import compiled, deployed, put_records, record

INDEX = "osdetect-cloudtrail-t-2024.05"
SELECTIONS = ("{eventSource: things.amazonaws.com}", "{eventName: CreateThing}")


def _compared(folder: Path) -> Compared:
    old, new = (orjson.loads(compiled(folder, selection).compiled[0].document) for selection in SELECTIONS)
    return Compared(old["rule"]["id"], "x", old, new)


def _run(cluster: Cluster, one: Compared, **options: Any) -> BacktestReport:
    asked = {"on_progress": lambda _done, _total: None, **options}
    where = HuntOptions("t", "osdetect-cloudtrail-t-*", Span())
    return backtest(cluster, [one], where, RunReference("b", datetime.now(UTC)), **asked)


def test_it_ends_at_the_most_matches_and_when_it_is_interrupted_and_says_so(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, SELECTIONS[0])  # templates and pipelines
    names = ["CreateThing", "DeleteThing"]
    for month, start in (("05", 0), ("06", 100)):
        records = [
            record(start + n, eventName=names[n % 2], eventTime=f"2024-{month}-03T10:00:00Z")
            for n in range(20)
        ]
        put_records(cluster, f"osdetect-cloudtrail-t-2024.{month}", records)
    one = _compared(tmp_path)
    whole = _run(cluster, one)
    (outcome,) = whole.outcomes
    assert (outcome.old_matches, outcome.new_matches, outcome.gained, outcome.lost) == (40, 20, 0, 20)
    assert (whole.cut, whole.interrupted, whole.shards, whole.unreadable) == (False, False, 2, ())

    cut = _run(cluster, one, most=7)
    assert cut.cut
    assert cut.outcomes[0].old_matches + cut.outcomes[0].new_matches == 7

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    early = _run(cluster, one, on_progress=interrupt)
    assert early.interrupted
    (outcome,) = early.outcomes
    assert (outcome.old_matches, outcome.new_matches, outcome.lost) == (20, 10, 10), "the first index alone"


def test_a_deployed_rule_that_cannot_be_read_makes_no_alert_and_is_told(
    cluster: Cluster, tmp_path: Path
) -> None:
    deployed(cluster, tmp_path, SELECTIONS[0])
    put_records(cluster, INDEX, [record(number) for number in range(4)])
    good = _compared(tmp_path)
    report = _run(cluster, Compared(good.id, "x", {**(good.old or {}), "detection": {}}, good.new))
    (outcome,) = report.outcomes
    assert (outcome.old_alerts, outcome.new_alerts, outcome.gained) == (0, 4, 4)
    assert len(report.unreadable) == 1
