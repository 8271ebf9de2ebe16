"""A match that was stored by a pass that failed before its group's alert counted it, and whose event is gone since."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.deploy import deploy
from osdetect.detect import DetectOptions, Detector
from osdetect.documents.match import is_lone
from osdetect.errors import ClusterRefused, ClusterUnavailable
from tests.faults.material import ask, connect, cursors, documents, put_records, record, rule_text
from tests.faults.proxy import NOT_REFRESHED, Asked, Fault, FaultProxy, Reply, refusal

INDEX = "osdetect-cloudtrail-t-2024.05"
OTHER = "osdetect-cloudtrail-t-2024.06"
ALERTS = "osdetect-alerts-t-*"
HIT = "{eventName: DeleteThing}"
FORBIDDEN = refusal(403, "security_exception", "no permissions for [indices:admin/refresh]")


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def _detector(cluster: Cluster, clock: Clock, worker: str) -> Callable[[], Any]:
    made = Detector(cluster, DetectOptions(namespace="t", worker=worker, lease_s=5.0), clock)
    return lambda: made.make_pass(f"r{worker}", lambda *_: None)


@pytest.fixture
def interrupted(cluster: Cluster, proxy: FaultProxy, tmp_path: Path) -> Callable[..., None]:
    """Stores the match of one event, and fails then."""
    (tmp_path / "rule.yml").write_text(rule_text(1, HIT) + "osdetect: {suppress: {window: 1h}}\n")
    deploy(cluster, compile_rules([tmp_path]).compiled, on_progress=lambda *_: None)
    put_records(cluster, INDEX, [record(1, eventName="DeleteThing")])

    def fail(answer: Reply, matches: int = 1, *, gone: bool = False) -> None:
        """With `gone` nothing is answered any more from then on: the lease is not let go either."""
        down = False

        def choose(asked: Asked) -> Fault | None:
            nonlocal down
            here = asked.path.startswith("/osdetect-matches-") and asked.path.endswith("/_refresh")
            down = down or (here and gone)
            return Reply(503, b"") if down else answer if here else None

        proxy.choose = choose
        with connect(proxy.url) as other, pytest.raises((ClusterUnavailable, ClusterRefused)):
            _detector(other, Clock(), "first")()
        assert len(documents(cluster.url, "osdetect-matches-t-*")) == matches
        assert not documents(cluster.url, ALERTS)

    return fail


def _only_alert(cluster: Cluster) -> dict[str, Any]:
    (alert,) = documents(cluster.url, ALERTS).values()
    assert alert["osdetect"]["suppression"]["count"] == 1
    assert alert["rule"]["name"] == "Made-up rule 1"
    assert alert["rule"]["author"] == "A Test Author"
    return dict(alert)


@pytest.mark.parametrize(
    ("answer", "worker"), [(NOT_REFRESHED, "first"), (FORBIDDEN, "second")], ids=["away", "refused"]
)
def test_the_event_is_deleted(
    cluster: Cluster, interrupted: Callable[..., None], answer: Reply, worker: str
) -> None:
    interrupted(answer)
    ((event, _),) = documents(cluster.url, INDEX).items()
    ask(cluster.url, "DELETE", f"/{INDEX}/_doc/{event}?refresh=true")
    report = _detector(cluster, Clock(), worker)()
    assert (report.counts.groups_created, report.counts.matches) == (1, 0)
    alert = _only_alert(cluster)
    assert is_lone(alert)
    assert alert["osdetect"]["source"]["id"] == event
    assert alert["osdetect"]["id"] in documents(cluster.url, ALERTS)


def test_the_event_is_overwritten_in_an_index_that_gives_small_pages_only(
    cluster: Cluster, interrupted: Callable[..., None]
) -> None:
    interrupted(NOT_REFRESHED)
    (event,) = documents(cluster.url, INDEX)
    ask(cluster.url, "PUT", f"/{INDEX}/_settings", {"index.max_result_window": 60})
    ask(cluster.url, "PUT", f"/{INDEX}/_doc/{event}", record(1, eventName="GetThing"))
    report = _detector(cluster, Clock(), "first")()
    assert (report.counts.groups_created, report.counts.matches, report.lossy) == (1, 0, False)
    assert is_lone(_only_alert(cluster))


def test_there_are_more_than_a_page_of_them(
    cluster: Cluster, interrupted: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osdetect.detect.interrupted._PAGE", 2)
    hours = [record(n, eventName="DeleteThing", eventTime=f"2024-05-02T{n:02}:30:00Z") for n in range(2, 9)]
    put_records(cluster, INDEX, hours)
    interrupted(NOT_REFRESHED, matches=8)
    for event in list(documents(cluster.url, INDEX))[:4]:
        ask(cluster.url, "DELETE", f"/{INDEX}/_doc/{event}?refresh=true")
    counts = _detector(cluster, Clock(), "first")().counts
    assert (counts.matches, counts.groups_created) == (4, 8)
    alerts = documents(cluster.url, ALERTS).values()
    assert sorted((is_lone(one), one["osdetect"]["suppression"]["count"]) for one in alerts) == [
        *[(False, 1)] * 4,
        *[(True, 1)] * 4,
    ]


def test_its_index_is_deleted(cluster: Cluster, interrupted: Callable[..., None]) -> None:
    interrupted(NOT_REFRESHED, gone=True)
    ask(cluster.url, "DELETE", f"/{INDEX}")
    put_records(cluster, OTHER, [record(2)])
    clock = Clock()
    again = _detector(cluster, clock, "second")
    again()
    assert not documents(cluster.url, ALERTS)  # who was at it may be at it still
    clock.ahead = timedelta(seconds=11)
    ends = time.monotonic() + 20
    while not (created := again().counts.groups_created) and time.monotonic() < ends:
        time.sleep(0.5)  # it is not looked for them in each pass
    assert created == 1
    _only_alert(cluster)
    assert not any(one.get("lease") for one in cursors(cluster.url).values())
    assert again().idle


def test_the_event_is_there(cluster: Cluster, interrupted: Callable[..., None]) -> None:
    interrupted(NOT_REFRESHED)
    counts = _detector(cluster, Clock(), "first")().counts
    assert (counts.matches, counts.groups_created) == (1, 1)
    alert = _only_alert(cluster)
    assert alert["event"]["action"] == "DeleteThing"
    assert not is_lone(alert)
