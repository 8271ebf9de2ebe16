"""`osdetect doctor` on a real node, well and ill."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.status.doctor import Patient, _above, examine
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.faults.material import ask, documents
from tests.faults.proxy import FaultProxy, Reply, refusal


def _findings(osdetect: Osdetect, url: str, status: ExitCode) -> dict[str, list[dict[str, str]]]:
    ran = osdetect("doctor", "-n", "t", "--url", url, "--output", "json")
    assert ran.status == status, ran
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(ran.out)["findings"]:
        found.setdefault(one["check"], []).append(one)
    return found


def test_a_cluster_after_a_deploy_is_well_and_the_checks_left_nothing(
    cluster: Cluster, osdetect: Osdetect
) -> None:
    before = documents(cluster.url, "osdetect-*")
    found = _findings(osdetect, cluster.url, ExitCode.OK)
    assert {name for name, ones in found.items() if any(one["verdict"] == "fail" for one in ones)} == set()
    assert {"osdetect", "versions", "percolator", "rights", "templates", "outbox", "clock", "disk"} <= set(
        found
    )
    assert "without the security plugin" in found["security"][0]["said"]
    assert found["rights"][0]["said"] == "all 13 that a detector needs"
    assert documents(cluster.url, "osdetect-*") == before
    assert "ok" in osdetect("doctor", "--url", cluster.url).out


def test_a_bare_cluster_lacks_templates_and_rules(fresh_cluster: str, osdetect: Osdetect) -> None:
    found = _findings(osdetect, fresh_cluster, ExitCode.LOSS)
    assert all(one["verdict"] == "fail" and "deploy" in one["cure"] for one in found["templates"])
    assert found["rules"][0]["said"] == "no rules are deployed"


def test_what_is_stale_or_foreign_is_told_apart(cluster: Cluster, osdetect: Osdetect) -> None:
    for name, owner in (("osdetect-runs", "osdetect"), ("osdetect-alerts", "someone")):
        path = f"/_index_template/{name}"
        (held,) = ask(cluster.url, "GET", path)["index_templates"]
        body = held["index_template"]
        body["_meta"] |= {"owner": owner, "digest": "0"}
        ask(cluster.url, "PUT", path, body)
    by_said = {one["said"]: one for one in _findings(osdetect, cluster.url, ExitCode.LOSS)["templates"]}
    assert by_said["osdetect-runs is of another version"]["verdict"] == "warn"
    assert by_said["/_index_template/osdetect-alerts was not made by osdetect"]["verdict"] == "fail"


def test_a_missing_right_is_named(cluster: Cluster, osdetect: Osdetect) -> None:
    no = refusal(403, "security_exception", "no permissions for [indices:data/write/index]")
    with FaultProxy(cluster.url, lambda asked: no if "/osdetect-alerts-t-" in asked.path else None) as proxy:
        found = _findings(osdetect, proxy.url, ExitCode.LOSS)
    (right,) = found["rights"]
    assert right["said"].startswith("may not write to osdetect-alerts-t-rights-check: security_exception")


@pytest.mark.parametrize("path", ["/_alias/osdetect-rules", "/_index_template/osdetect-alerts", "/_refresh"])
def test_a_missing_right_to_read_is_named_too(cluster: Cluster, osdetect: Osdetect, path: str) -> None:
    no = refusal(403, "security_exception", f"no permissions for {path}")
    with FaultProxy(cluster.url, lambda asked: no if asked.path.endswith(path) else None) as proxy:
        found = _findings(osdetect, proxy.url, ExitCode.LOSS)
    assert f"no permissions for {path}" in found["rights"][0]["said"]


def test_what_cannot_be_asked_is_a_finding_and_no_end(cluster: Cluster, osdetect: Osdetect) -> None:
    no = refusal(403, "security_exception", "no permissions for [cluster:monitor/settings]")
    with FaultProxy(cluster.url, lambda asked: no if asked.path == "/_cluster/settings" else None) as proxy:
        found = _findings(osdetect, proxy.url, ExitCode.OK)
    assert "cannot be checked" in found["max_clause_count"][0]["said"]
    assert found["templates"][0]["verdict"] == "ok"


def test_an_alias_for_two_indices_and_a_strange_state_are_seen(cluster: Cluster, osdetect: Osdetect) -> None:
    ask(cluster.url, "PUT", "/osdetect-rules-other", {})
    actions = [{"add": {"index": "osdetect-rules-other", "alias": "osdetect-rules"}}]
    ask(cluster.url, "POST", "/_aliases", {"actions": actions})
    ask(cluster.url, "DELETE", "/_index_template/osdetect-state")
    ask(cluster.url, "DELETE", "/osdetect-state")
    ask(cluster.url, "PUT", "/osdetect-state", {})
    found = _findings(osdetect, cluster.url, ExitCode.LOSS)
    assert "stands for" in found["rules"][0]["said"]
    assert found["state"][0]["verdict"] == "fail"


@pytest.mark.parametrize(("seconds", "verdict"), [(0, "ok"), (10, "warn"), (-10, "warn"), (100, "fail")])
def test_clocks_that_differ_are_told(cluster: Cluster, seconds: int, verdict: str) -> None:
    patient = Patient(cluster, "t", tuple, lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    (clock,) = [one for one in examine(patient) if one.check == "clock"]
    assert clock.verdict == verdict


@pytest.mark.parametrize(
    ("mark", "above"),
    [
        ("85%", True),
        ("95%", False),
        ("20gb", True),
        ("5gb", False),
        ("0.85", True),
        (None, False),
        ("?", False),
    ],
)
def test_watermarks_are_shares_or_bytes(mark: Any, above: bool) -> None:
    assert _above(mark, 100 << 30, 10 << 30) is above


@pytest.mark.parametrize(
    ("used", "verdict", "mark"),
    [(97, "fail", "flood_stage watermark 95%"), (85, "warn", "low watermark 80%"), (70, "ok", "")],
)
def test_each_watermark_is_the_one_that_holds(
    cluster: Cluster, osdetect: Osdetect, used: int, verdict: str, mark: str
) -> None:
    """Only one of the three is set: the others are the defaults."""
    total = {"total_in_bytes": 1 << 40, "available_in_bytes": (100 - used) * (1 << 40) // 100}
    disks = Reply(200, {"nodes": {"n": {"name": "node-1", "fs": {"total": total}}}})
    low = "cluster.routing.allocation.disk.watermark.low"
    ask(cluster.url, "PUT", "/_cluster/settings", {"persistent": {low: "80%"}})
    try:
        with FaultProxy(
            cluster.url, lambda asked: disks if asked.path == "/_nodes/stats/fs" else None
        ) as proxy:
            ran = osdetect("doctor", "-n", "t", "--url", proxy.url, "--output", "json")
    finally:
        ask(cluster.url, "PUT", "/_cluster/settings", {"persistent": {low: None}})
    (disk,) = (one for one in json.loads(ran.out)["findings"] if one["check"] == "disk")
    assert (disk["verdict"], mark in disk["said"]) == (verdict, True), disk


def test_a_dead_cluster_is_code_5(osdetect: Osdetect) -> None:
    assert osdetect("doctor", "--url", "http://127.0.0.1:9").status == ExitCode.CLUSTER
