"""The whole pipe on the oldest OpenSearch, and the same alerts there as on the newest.

python -m pytest tests/oldest -m long
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.node import stop
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.dashboards.server import DashboardsServer
from tests.faults.material import connect
from tests.oldest import node

pytestmark = [pytest.mark.node, pytest.mark.long]
CHANNELS = """
[channels.archive]
kind = "file"
history = true
path = "{path}"
"""


@pytest.fixture(scope="module")
def oldest() -> Iterator[str]:
    running = node.start(ephemeral=True)
    yield running.url
    stop(node.NAME)


def _alerts(cluster: Cluster) -> dict[str, dict[str, Any]]:
    cluster.request("POST", "/osdetect-alerts-*/_refresh")
    reply = cluster.request(
        "POST", "/osdetect-alerts-*/_search", body={"size": 10_000, "query": {"match_all": {}}}
    )
    return {hit["_id"]: hit["_source"] for hit in reply["hits"]["hits"]}


def _told(alert: dict[str, Any]) -> dict[str, Any]:
    """What an alert says that does not depend on when and where it was made."""
    moving = {"created", "ingested"}
    event = {name: value for name, value in alert["event"].items() if name not in moving}
    own = {name: alert["osdetect"][name] for name in ("matched", "evidence", "status")}
    return {**alert, "event": event, "osdetect": own}


def _play(osdetect: Osdetect, url: str, place: Path) -> dict[str, dict[str, Any]]:
    """Deploy, load, detect by each method, triage, hunt, back-fill, notify, and all of it once more."""
    to = ("--url", url)
    with DashboardsServer() as dashboards:
        ran = osdetect("deploy", *to, "--dashboards", dashboards.url, "--output", "json")
        assert (ran.status, json.loads(ran.out)["refused"]) == (ExitCode.OK, [])
    assert osdetect("deploy", *to).status == ExitCode.OK
    assert osdetect("doctor", *to).status in (ExitCode.OK, ExitCode.LOSS)
    assert osdetect("load", place / "attack", *to).status == ExitCode.OK
    assert osdetect("detect", "--once", *to).status == ExitCode.OK
    with connect(url) as cluster:
        found = _alerts(cluster)
        again = osdetect("load", place / "attack", *to)
        assert again.status == ExitCode.OK
        assert osdetect("detect", "--once", *to).status == ExitCode.OK
        assert osdetect("backfill", "--from", "2026-03-01", "--to", "2026-04-01", *to).status == ExitCode.OK
        assert _alerts(cluster).keys() == found.keys()
        one = next(iter(found))
        assert osdetect("alerts", "ack", one, *to, "--user", "kim").status == ExitCode.OK
        assert osdetect("alerts", "close", one, "--as", "fp", *to, "--user", "kim").status == ExitCode.OK
        assert _alerts(cluster)[one]["osdetect"]["status"] == "closed"
        hunted = osdetect(
            "hunt", found[one]["rule"]["name"], "--from", "2026-03-01", "--to", "2026-04-01", *to
        )
        assert hunted.status == ExitCode.OK
        channels = place / "channels.toml"
        archive = place / f"told-{url.rpartition(':')[2]}.ndjson"
        channels.write_text(CHANNELS.format(path=archive))
        assert osdetect("notify", "run", "--once", "--channels", channels, *to).status == ExitCode.OK
        assert archive.read_bytes()
        assert osdetect("status", *to).status == ExitCode.OK
    return {doc_id: _told(alert) for doc_id, alert in found.items()}


def test_the_whole_pipe_gives_the_same_alerts_on_the_oldest_and_the_newest(
    oldest: str, fresh_cluster: str, osdetect: Osdetect, tmp_path: Path
) -> None:
    assert osdetect("scenario", tmp_path / "attack", "--background", "400").status == ExitCode.OK
    with connect(oldest) as cluster, connect(fresh_cluster) as newest:
        assert cluster.version[:2] == (2, 19)
        assert newest.version >= (3, 0)
    there = _play(osdetect, oldest, tmp_path)
    assert len(there) > 200
    assert there == _play(osdetect, fresh_cluster, tmp_path)
