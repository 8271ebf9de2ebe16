"""`osdetect detect`: judge new events, once or again and again."""

import re
import threading
import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_error, print_json, progress_bar, say, write_line
from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, RunReport, detect_once
from osdetect.documents.event import check_namespace
from osdetect.errors import ClusterUnavailable, UsageError
from osdetect.vocabulary import ExitCode

_UNITS = {"s": 1, "m": 60, "h": 3600}

Once = Annotated[bool, typer.Option("--once", help="One pass, then exit.")]
Every = Annotated[
    str | None, typer.Option("--every", help="A pass each so often: 30s, 5m, 1h.", metavar="PERIOD")
]
Target = Annotated[
    str,
    typer.Option(
        "--target", help="Index, pattern or alias to watch; default: what `load` stored in the namespace."
    ),
]


def detect(
    once: Once = False,
    every: Every = None,
    namespace: Namespace = NAMESPACE,
    target: Target = "",
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Judge every event that is new since the last pass by the deployed rules, and store alerts.

    Examples: `osdetect detect --once` · `osdetect detect --every 30s`
    """
    period = seconds(every) if every else None
    if once == (period is not None):
        raise UsageError(
            "say how often", cure="give either --once or --every PERIOD, for example --every 30s"
        )
    options = DetectOptions(namespace=check_namespace(namespace), target=target)
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        if period is None:
            report = run_once(cluster, options)
            if not report.shards:
                say("note: the target stands for no index yet: load events, or give --namespace or --target")
            return _report(report, output)
        _repeat(cluster, options, period, output)
    return ExitCode.OK


def seconds(text: str) -> int:
    """A period as written on the command line.

    Raises:
        UsageError: it is not a number of seconds, minutes or hours, or is zero.

    >>> seconds("30s"), seconds("5m")
    (30, 300)
    """
    found = re.fullmatch(r"(\d{1,6})([smh])", text)
    if not found or not int(found[1]):
        raise UsageError(f"{text!r} is not a period", cure="write a number and s, m or h: 30s, 5m, 1h")
    return int(found[1]) * _UNITS[found[2]]


def run_once(cluster: Cluster, options: DetectOptions) -> RunReport:
    """One pass, with a bar."""
    with progress_bar("Judging events") as tell:
        return detect_once(
            cluster, options, run_id=uuid.uuid4().hex, clock=lambda: datetime.now(UTC), on_progress=tell
        )


def _repeat(cluster: Cluster, options: DetectOptions, period: int, output: OutputFormat) -> None:
    """A pass every `period` seconds until interrupted; late passes are not caught up: the next judges all."""
    pause = threading.Event()
    while True:
        started = datetime.now(UTC)
        try:
            _report(run_once(cluster, options), output)
        except ClusterUnavailable as error:
            print_error(error, word="this pass failed")
        spent = (datetime.now(UTC) - started).total_seconds()
        pause.wait(max(0.0, period - spent))


def _report(report: RunReport, output: OutputFormat) -> int:
    if output is OutputFormat.JSON:
        print_json(report.to_json())
    else:
        for error in report.unreadable:
            print_error(error, word="not run")
        counts = report.counts
        write_line(
            f"{counts.events:,} events in {report.shards} shards judged by {report.rules} rules: "
            f"{counts.matches:,} matches, {counts.alerts_created:,} new alerts, {counts.alerts_there:,} there already"
            + (f", {counts.deadlettered:,} dead letters" if counts.deadlettered else "")
            + (
                f", {counts.evaluated_alone:,} events not percolated but evaluated"
                if counts.evaluated_alone
                else ""
            )
            + (f"; {report.left_to_others} shards left to another detector" if report.left_to_others else "")
        )
    return ExitCode.LOSS if report.unreadable or report.counts.deadlettered else ExitCode.OK
