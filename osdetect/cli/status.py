"""`osdetect status`: how far detection is, and whether it goes on."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from osdetect.cli.connect import connect
from osdetect.cli.detect import Target, seconds
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_json, print_table, write_line
from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions
from osdetect.detect.release import live_release
from osdetect.documents.event import check_namespace
from osdetect.errors import ClusterRefused, RuleError, UsageError
from osdetect.follow import shards_of
from osdetect.status.heartbeat import raise_alarm, read_mark
from osdetect.status.lag import ShardLag
from osdetect.status.report import Limits, Status, examine
from osdetect.vocabulary import ExitCode

MaxLag = Annotated[
    str | None,
    typer.Option(
        "--max-lag", help="Code 1 above it: a period (5m) or a number of events (1000).", metavar="LIMIT"
    ),
]
Heartbeat = Annotated[
    str | None,
    typer.Option(
        "--heartbeat",
        help="Code 1, and an alert, when no pass ended in so long.",
        metavar="PERIOD",
    ),
]


def status(
    namespace: Namespace = NAMESPACE,
    target: Target = "",
    max_lag: MaxLag = None,
    heartbeat: Heartbeat = None,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Say how far each shard is judged, what ran last, who is at work, and what was lost.

    Examples: `osdetect status --max-lag 5m` · `osdetect status --heartbeat 10m --output json`
    """
    options = DetectOptions(namespace=check_namespace(namespace), target=target)
    limits = _limits(max_lag, heartbeat)
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        if heartbeat:  # first: what keeps detectors from passing may keep the rest from being read
            _look_for_silence(cluster, options, limits)
        found = _examined(cluster, options)
    problems = found.problems(limits)
    if output is OutputFormat.JSON:
        print_json(found.to_json(limits))
    else:
        _show(found, problems)
    return ExitCode.LOSS if problems else ExitCode.OK


def _look_for_silence(cluster: Cluster, options: DetectOptions, limits: Limits) -> None:
    """Write the alert if passes do not go on as they should."""
    now, last = datetime.now(UTC), read_mark(cluster, options.namespace, options.watched())
    if limits.silent(last, now):
        raise_alarm(cluster, options.namespace, options.watched(), last, limit_s=limits.heartbeat_s, now=now)


def _examined(cluster: Cluster, options: DetectOptions) -> Status:
    unreadable: tuple[RuleError, ...] = ()
    try:
        unreadable = live_release(cluster).unreadable
    except ClusterRefused as error:
        if error.status:  # a right is missing; without a status, nothing is deployed, and the report says so
            raise
    target = options.watched()
    return examine(
        cluster,
        options.namespace,
        target,
        shards=shards_of(cluster, target),
        unreadable=unreadable,
        now=datetime.now(UTC),
    )


def _limits(max_lag: str | None, heartbeat: str | None) -> Limits:
    lag_s, lag_events = 0.0, 0
    if max_lag is not None:
        if re.fullmatch(r"\d{1,12}", max_lag):
            lag_events = int(max_lag)
        else:
            lag_s = float(seconds(max_lag))
        if not (lag_s or lag_events):
            raise UsageError(
                "--max-lag 0 is no limit", cure="give a period (5m) or a number of events (1000)"
            )
    return Limits(lag_s, lag_events, float(seconds(heartbeat)) if heartbeat else 0.0)


def _show(found: Status, problems: tuple[str, ...]) -> None:
    rows = [_row(one, found) for one in found.shards]
    header = ("index", "shard", "cursor", "checkpoint", "events behind", "seconds behind", "owed", "worker")
    print_table(f"Shards of {found.target}", header, rows)
    if found.runs:
        names = ("ended", "outcome", "events", "matches", "alerts_created", "deadlettered")
        print_table("Last runs", names, [[str(run.get(name, "")) for name in names] for run in found.runs])
    mark, release = found.last_pass, found.release
    write_line(f"last pass: {mark.ended.isoformat()} by {mark.worker}" if mark else "last pass: none")
    if release:
        write_line(
            f"live release: {release.name}, {release.rules:,} rules, {len(release.refused)} refused, "
            f"{len(release.unreadable)} unreadable"
        )
        for rule in (*release.refused, *release.unreadable):
            print_table("", ("",), [[rule]])
    for name, indices in (
        ("without a cursor", found.gaps.without_cursor),
        ("closed", found.gaps.closed),
        ("with a shard without a primary", found.gaps.without_primary),
        ("that cannot be searched", found.gaps.not_counted),
        ("deleted, with a cursor left", found.gaps.of_deleted),
    ):
        if indices:
            print_table(f"Indices {name}", ("index",), [[index] for index in indices])
    write_line(
        f"dead letters: {found.dead_letters:,}, of them {found.dead_letters_recent:,} in the last 24 hours"
    )
    for problem in problems:
        write_line(f"wrong: {problem}")


def _row(one: ShardLag, found: Status) -> tuple[str, ...]:
    lease = one.lease
    at_work = "" if lease is None else lease.worker + (" (expired)" if lease.over(found.now) else "")
    return (
        one.index,
        str(one.shard),
        str(one.seq_no) if one.started else "none",
        str(one.checkpoint),
        f"{one.events:,}",
        _age(one),
        f"{one.owed_events:,}" if one.owed else "",
        at_work,
    )


def _age(one: ShardLag) -> str:
    """In seconds, as far as it is known."""
    if one.seconds is None:
        return "unknown" if one.ageless else ""
    return f"{one.seconds:,.0f}" + (" or more" if one.ageless else "")
