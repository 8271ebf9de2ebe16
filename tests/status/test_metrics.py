"""What a detector's numbers say after a pass."""

import math

import pytest

from osdetect.detect.report import Counts, RunReport
from osdetect.errors import ClusterUnavailable
from osdetect.status.lag import Lags, ShardLag
from osdetect.status.metrics import Metrics


def _numbers(metrics: Metrics) -> dict[str, float]:
    lines = metrics.text().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def _passed(metrics: Metrics, counts: Counts, ended: float) -> None:
    report = RunReport(
        id="run",
        ruleset="rules",
        rules=1,
        rules_off=0,
        unreadable=(),
        shards=1,
        left_to_others=0,
        put_off=(),
        counts=counts,
    )
    metrics.pass_ended(report.to_json(), lost=report.lossy, seconds=1.0, ended=ended)


def test_what_became_of_matches_and_dead_letters_is_added_up() -> None:
    metrics = Metrics()
    counts = Counts(
        deadlettered=1,
        deadlettered_owed=2,
        gathered=4,
        shadowed=8,
        excepted=16,
        alerts_created=32,
        groups_created=64,
    )
    _passed(metrics, counts, 5.0)
    _passed(metrics, counts, 6.0)
    numbers = _numbers(metrics)
    assert numbers["osdetect_dead_letters_total"] == 2 * (1 + 2)
    assert numbers["osdetect_matches_withheld_total"] == 2 * (4 + 8 + 16)
    assert numbers["osdetect_alerts_created_total"] == 2 * (32 + 64)


@pytest.mark.parametrize("loss", [Counts(deadlettered=1), Counts(deadlettered_owed=1)])
def test_a_pass_with_a_loss_is_no_success(loss: Counts) -> None:
    metrics = Metrics()
    _passed(metrics, Counts(), 100.0)
    _passed(metrics, loss, 200.0)
    numbers = _numbers(metrics)
    assert numbers["osdetect_last_success_timestamp_seconds"] == 100
    assert numbers['osdetect_passes_total{outcome="loss"}'] == 1
    assert numbers['osdetect_passes_total{outcome="complete"}'] == 1


def test_what_is_owed_and_an_unknown_age_are_told_of_each_shard() -> None:
    metrics = Metrics()
    lag = ShardLag(
        index="i",
        shard=0,
        seq_no=1,
        checkpoint=9,
        started=True,
        events=3,
        seconds=None,
        ageless=3,
        owed=2,
        owed_events=70,
        lease=None,
    )
    metrics.shards(Lags((lag,), (ClusterUnavailable("no primary"),), {"j": ClusterUnavailable("away")}))
    at = '{index="i",shard="0"}'
    numbers = _numbers(metrics)
    assert numbers[f"osdetect_shard_owed_sequence_numbers{at}"] == 70
    assert numbers[f"osdetect_shard_lag_events{at}"] == 3
    assert math.isinf(numbers[f"osdetect_shard_lag_seconds{at}"]), "it is above every limit"
    assert numbers["osdetect_indices_not_counted"] == 2
    metrics.shards(Lags((), (), {}))
    numbers = _numbers(metrics)
    assert not [name for name in numbers if name.startswith("osdetect_shard_owed")]
    assert numbers["osdetect_indices_not_counted"] == 0
