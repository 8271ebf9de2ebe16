"""`osdetect quickstart`: everything in one command, on a node of its own."""

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec.structs import replace
from rich.text import Text

from osdetect import deploy as deploying
from osdetect import load as loading
from osdetect import node as nodes
from osdetect import scenario as scenarios
from osdetect.cli.connect import connect_to_node
from osdetect.cli.detect import run_once
from osdetect.cli.load import load_json, load_losses, print_load
from osdetect.cli.node import node_progress
from osdetect.cli.output import (
    RowsFormat,
    error_json,
    print_csv,
    print_json,
    print_refusals,
    print_table,
    progress_bar,
    say,
    write_line,
)
from osdetect.cli.rules import CompiledSet, compile_rules
from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, Detector, RunReport, StoredAlert, stored_alerts
from osdetect.errors import InputError, OsdetectError
from osdetect.vocabulary import EVENTS_PREFIX, RULES_PREFIX, ExitCode, Level

_LEASE_S = 2.0
_WAIT_S = 60.0
"""For a worker that does not end: what it holds is its own then, and said so."""

NODE = "quickstart"
"""The node's name: other work on the default node is not touched."""

_COLOURS = {
    Level.CRITICAL: "bold red",
    Level.HIGH: "red",
    Level.MEDIUM: "yellow",
    Level.LOW: "blue",
    Level.INFORMATIONAL: "dim",
}
_HEADER = ("level", "time", "principal", "source IP", "event", "rule")


class _Outcome(msgspec.Struct, frozen=True):
    """What the steps came to."""

    url: str
    namespace: str
    compiled: CompiledSet
    deployed: deploying.DeployReport
    loaded: loading.LoadReport
    load_seconds: float
    detected: RunReport
    alerts: tuple[StoredAlert, ...]

    @property
    def losses(self) -> tuple[OsdetectError, ...]:
        return (
            *self.compiled.refused,
            *deploying.refusals(self.deployed),
            *load_losses(self.loaded),
            *self.detected.unreadable,
        )

    @property
    def lossless(self) -> bool:
        whole = not (self.detected.lossy or self.detected.left_to_others)
        return not self.losses and self.loaded.lossless and whole


def quickstart(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="CloudTrail log files and folders; default: a made-up attack (docs/scenario.md).",
            metavar="PATH",
        ),
    ] = None,
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            "--rules", "-r", help="Sigma rule files and folders; default: osdetect's own.", metavar="DIR"
        ),
    ] = None,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to write the alerts.")
    ] = RowsFormat.TABLE,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the node up and say what to open next.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows of the table; 0: all.")] = 100,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List every refusal, not only the first.")
    ] = False,
) -> int:
    """Start a node, deploy rules, load CloudTrail, detect, and show the alerts. Nothing leaves this machine.

    Again with the same files and rules: nothing is loaded or alerted twice.

    Examples: `osdetect quickstart` · `osdetect quickstart AWSLogs/ --rules my-rules/ --output json`
    """
    compiled = compile_rules(rules or [])
    missing = next((path for path in paths or () if not path.exists()), None)
    if missing is not None:
        raise InputError(f"{missing} does not exist", cure="name a CloudTrail log file, or a folder of them")
    with (
        _input(paths or []) as (given, name),
        _node(keep=keep) as running,
        connect_to_node(running) as cluster,
    ):
        outcome = _run(cluster, compiled, given, name)
    _show(outcome, output, limit, all_losses=verbose)
    if keep:
        _say_what_next(outcome)
    return ExitCode.OK if outcome.lossless else ExitCode.LOSS


@contextmanager
def _input(paths: Sequence[Path]) -> Iterator[tuple[Sequence[Path], str]]:
    """The files to load and a name for them; without any, the scenario in a folder that goes afterwards."""
    if paths:
        joined = "\0".join(sorted(str(path.resolve()) for path in paths))
        yield paths, hashlib.sha256(joined.encode(errors="surrogateescape")).hexdigest()[:12]
        return
    with tempfile.TemporaryDirectory(prefix="osdetect-scenario-") as folder:
        summary = scenarios.generate(Path(folder))
        say(
            f"no PATH given: a made-up attack and an exercise, {summary.malicious} of {summary.records:,} records (docs/scenario.md)"
        )
        yield [Path(folder)], "scenario"


@contextmanager
def _node(*, keep: bool) -> Iterator[nodes.RunningNode]:
    """The node, stopped afterwards unless it is to stay or was up before."""
    with node_progress() as tell:
        running = nodes.start(nodes.NodeOptions(name=NODE), on_progress=tell)
    say(f"OpenSearch {running.version} at {running.url}")
    try:
        yield running
    finally:
        if running.already_running and not keep:
            say(f"the node was up before and stays up; stop it: osdetect node down --name {NODE}")
        elif not keep:
            nodes.stop(NODE)


def _run(cluster: Cluster, compiled: CompiledSet, paths: Sequence[Path], name: str) -> _Outcome:
    with progress_bar("Deploying rules") as tell:
        deployed = deploying.deploy(cluster, compiled.compiled, on_progress=tell)
    # Events belong to the files, alerts to the files and the rules: other rules judge the same events afresh.
    events, release = f"q_{name}", deployed.index.removeprefix(RULES_PREFIX)
    namespace = f"{events}_{release}"
    began = time.monotonic()
    with progress_bar("Loading", unit_bytes=True) as tell:
        loaded = loading.load(
            cluster, paths, loading.LoadOptions(namespace=events), now=datetime.now(UTC), on_progress=tell
        )
    load_seconds = time.monotonic() - began
    options = DetectOptions(namespace=namespace, target=f"{EVENTS_PREFIX}{events}-*", lease_s=_LEASE_S)
    detected = _detected(Detector(cluster, options, lambda: datetime.now(UTC)))
    alerts = tuple(stored_alerts(cluster, namespace))
    return _Outcome(cluster.url, namespace, compiled, deployed, loaded, load_seconds, detected, alerts)


def _detected(detector: Detector) -> RunReport:
    """Everything judged, also where a run that was killed a moment ago still holds a shard: its lease is waited for."""
    report = run_once(detector)
    until = time.monotonic() + _WAIT_S
    while report.left_to_others and time.monotonic() < until:
        time.sleep(_LEASE_S / 4)
        more = run_once(detector)
        report = replace(more, counts=report.counts + more.counts, unreadable=report.unreadable)
    if report.left_to_others:
        say(
            f"note: {report.left_to_others} shards are held by another run of this command: their alerts are its own"
        )
    return report


def _level(alert: StoredAlert) -> Level:
    return Level(alert.source["rule"]["level"])


def _row(alert: StoredAlert) -> tuple[str, ...]:
    source = alert.source
    event = source["event"]
    return (
        _level(alert).value,
        str(source["@timestamp"])[:19].replace("T", " "),
        str(source.get("user", {}).get("name", "")),
        str(source.get("source", {}).get("address", "")),
        f"{event.get('provider', '').removesuffix('.amazonaws.com')}:{event.get('action', '')}",
        str(source["rule"]["name"]),
    )


def _show(outcome: _Outcome, output: RowsFormat, limit: int, *, all_losses: bool) -> None:
    print_refusals(outcome.losses, all_of_them=all_losses)
    if output is RowsFormat.JSON:
        print_json(_json(outcome))
        return
    ordered = sorted(outcome.alerts, key=lambda alert: (-_level(alert).rank, alert.source["@timestamp"]))
    if output is RowsFormat.CSV:
        print_csv(_HEADER, map(_row, ordered))
        return
    _print_summary(outcome)
    shown = ordered[:limit] if limit else ordered
    rows: list[tuple[str | Text, ...]] = [
        (Text(row[0], style=_COLOURS[Level(row[0])]), *row[1:]) for row in map(_row, shown)
    ]
    if rows:
        print_table("", _HEADER, rows)
    if len(shown) < len(ordered):
        write_line(
            f"... and {len(ordered) - len(shown):,} more: --limit 0 shows all, --output json or csv writes all"
        )


def _print_summary(outcome: _Outcome) -> None:
    compiled, counts = outcome.compiled, outcome.detected.counts
    write_line(
        f"{outcome.deployed.rules} rules live, {len(outcome.compiled.refused) + len(outcome.deployed.refused)} refused, "
        f"{compiled.read.other_sources} for other log sources"
    )
    print_load(outcome.loaded)
    write_line(
        f"{counts.events:,} new events judged: {counts.alerts_created:,} new alerts, {counts.alerts_there:,} there already"
    )
    levels = Counter(_level(alert) for alert in outcome.alerts)
    said = ", ".join(f"{levels[level]:,} {level}" for level in sorted(levels, key=lambda level: -level.rank))
    write_line(f"{len(outcome.alerts):,} alerts" + (f": {said}" if said else ""))


def _json(outcome: _Outcome) -> dict[str, Any]:
    return {
        "rules": outcome.deployed.rules,
        "load": load_json(outcome.loaded),
        "detect": outcome.detected.to_json(),
        "losses": [error_json(loss) for loss in outcome.losses],
        "alerts": [{"id": alert.id, **alert.source} for alert in outcome.alerts],
    }


def _say_what_next(outcome: _Outcome) -> None:
    say(f"the node stays up: {outcome.url}")
    say(f"  alerts: {outcome.url}/osdetect-alerts-{outcome.namespace}-*/_search?pretty")
    say(f"  point OpenSearch Dashboards at {outcome.url} and make the index pattern osdetect-alerts-*")
    say(
        f"  more of your own: osdetect load PATH --url {outcome.url}, then osdetect detect --once --url {outcome.url}"
    )
    say(f"  stop it: osdetect node down --name {NODE}")
