"""`osdetect detect`: judge new events, once or again and again."""

import re
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import msgspec
import typer

from osdetect import __version__
from osdetect.cli.connect import connect
from osdetect.cli.connected import connected
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_json, progress_bar, say
from osdetect.cli.run_output import print_run, print_unfinished
from osdetect.cli.signals import Asked, asked_by_signals
from osdetect.cli.tended import Tended
from osdetect.cli.times import instant
from osdetect.cli.watching import Logged, Losses, Shown, Watching
from osdetect.cluster import Cluster
from osdetect.detect import DetectOptions, Detector, Method, RunReport
from osdetect.detect.schedule import Ended, PassStopped, Schedule, keep_passing
from osdetect.documents.event import check_namespace
from osdetect.errors import ClusterUnavailable, OsdetectError, UsageError
from osdetect.follow import this_worker
from osdetect.status.health import Health, serving
from osdetect.status.heartbeat import PassMark, mark_pass, patience_s
from osdetect.status.logs import Log, LogFormat, open_log
from osdetect.status.metrics import Metrics
from osdetect.vocabulary import ExitCode

_UNITS = {"s": 1, "m": 60, "h": 3600}

Once = Annotated[bool, typer.Option("--once", help="One pass, then exit.")]
Every = Annotated[
    str | None, typer.Option("--every", help="A pass each so often: 30s, 5m, 1h.", metavar="PERIOD")
]
Cron = Annotated[
    str | None,
    typer.Option("--cron", help="A pass at the times of a cron expression, in UTC.", metavar="EXPRESSION"),
]
Jitter = Annotated[
    str | None, typer.Option("--jitter", help="Put each pass off by up to this, by chance.", metavar="PERIOD")
]
Target = Annotated[
    str,
    typer.Option(
        "--target", help="Index, pattern or alias to watch; default: what `load` stored in the namespace."
    ),
]
Since = Annotated[
    str,
    typer.Option(
        "--since",
        help="Where a shard that was never judged begins: at its first event of this time or later; default: at its first.",
        metavar="TIME",
    ),
]
LeaseS = Annotated[
    float,
    typer.Option(
        "--lease",
        help="Seconds that a shard stays with a worker that says nothing more; others take it over after that.",
        min=1.0,
        max=3600.0,
    ),
]
HowFound = Annotated[
    Method | None,
    typer.Option(
        "--method",
        help="How rules that may match are found; default: as is expected to be cheapest.",
        hidden=False,
    ),
]
Logs = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        help="How log lines look; default: text on a terminal, else json. With --once there is a log only if this is given.",
    ),
]
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        help="Answer /metrics, /healthz and /readyz here; not with --once. 127.0.0.1:9464",
        metavar="HOST:PORT",
    ),
]


def detect(
    once: Once = False,
    every: Every = None,
    cron: Cron = None,
    jitter: Jitter = None,
    namespace: Namespace = NAMESPACE,
    target: Target = "",
    since: Since = "",
    method: HowFound = None,
    lease_s: LeaseS = 30.0,
    listen: Listen = None,
    log_format: Logs = None,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Judge every event that is new since the last pass by the deployed rules, and store alerts.

    SIGTERM and Ctrl-C end it behind the batch at hand; a second one ends it at once.

    Examples: `osdetect detect --once` · `osdetect detect --every 30s --jitter 5s` · `osdetect detect --cron "*/5 * * * *"`
    """
    schedule = read_schedule(once=once, every=every, cron=cron, jitter=jitter, listen=listen)
    options = DetectOptions(
        namespace=check_namespace(namespace),
        target=target,
        lease_s=lease_s,
        method=method,
        since=instant(since, "--since"),
    )
    reach = partial(connect, url, ca_certs=ca_certs, insecure=insecure)
    with asked_by_signals() as asked:
        if schedule is None:
            with reach() as cluster:
                cluster.hurry_when(lambda: asked.asked, asked.wait)
                return _once(cluster, options, asked, output, log_format)
        log = open_log(log_format, namespace=options.namespace, target=options.watched())
        return _Daemon(reach, options, schedule, asked, log).run(listen, output)


def read_schedule(
    *, once: bool, every: str | None, cron: str | None, jitter: str | None, listen: str | None
) -> Schedule | None:
    """When passes are due, as the command line says; None: once.

    Raises:
        UsageError: it says none or several, or something that is no time.
    """
    if once + (every is not None) + (cron is not None) != 1:
        raise UsageError(
            "say how often",
            cure="give one of --once, --every PERIOD (for example --every 30s) and --cron EXPRESSION",
        )
    if once:
        for option, given in (("--jitter", jitter), ("--listen", listen)):
            if given is not None:
                raise UsageError(f"{option} goes with --every or --cron", cure="leave it out with --once")
        return None
    spread = seconds(jitter) if jitter else 0
    schedule = Schedule(every_s=seconds(every) if every else 0, cron=cron or "", jitter_s=spread)
    schedule.check(_now())
    return schedule


def health_of(schedule: Schedule) -> Health:
    """The health of what is to make passes by the schedule: some of them may be late."""
    now = _now()
    first = schedule.first(now)
    wait_s = (first - now).total_seconds() + schedule.jitter_s if first is not None else 0.0
    return Health(patience_s(schedule.gap_s(now)), time.monotonic, wait_s)


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


def run_once(
    detector: Detector,
    asked: Asked | None = None,
    on_batch: Callable[[], None] = lambda: None,
    on_unfinished: Callable[[RunReport], object] = bool,
) -> RunReport:
    """One pass, with a bar; it ends early, behind a batch, when `asked` says so, and then tells `on_unfinished` what it did.

    Raises:
        PassStopped: it ended early.
    """
    with progress_bar("Judging events") as tell:

        def passed(done: int, total: int) -> None:
            tell(done, total)
            on_batch()
            if asked is not None and asked.asked and done < total:
                raise PassStopped

        return detector.make_pass(uuid.uuid4().hex, passed, on_unfinished)


def _once(
    cluster: Cluster,
    options: DetectOptions,
    asked: Asked,
    output: OutputFormat,
    log_format: LogFormat | None,
) -> int:
    started = _now()
    try:
        report = run_once(Detector(cluster, options, _now), asked, on_unfinished=print_unfinished)
    except PassStopped:
        return ExitCode.INTERRUPTED
    except ClusterUnavailable:
        if asked.asked:  # nothing was repeated any more
            return ExitCode.INTERRUPTED
        raise
    if log_format is not None:
        log = open_log(log_format, namespace=options.namespace, target=options.watched())
        Logged(log).pass_ended(report, (_now() - started).total_seconds())
    if not report.shards:
        say("note: the target stands for no index yet: load events, or give --namespace or --target")
    status = _report(report, output)
    mark_pass(cluster, PassMark(options.namespace, options.watched(), _now(), report.id, this_worker(), 0.0))
    return status


class _Daemon(msgspec.Struct, frozen=True):
    """A detector that goes on until a signal comes."""

    reach: Callable[[], Cluster]
    options: DetectOptions
    schedule: Schedule
    asked: Asked
    log: Log

    def run(self, listen: str | None, output: OutputFormat) -> int:
        """Passes until a signal comes: 0 after SIGTERM, 1 if something was lost meanwhile, 130 after Ctrl-C."""
        losses, metrics = Losses(), Metrics()
        health = health_of(self.schedule)
        shown = Shown(lambda report: _report(report, output))
        with serving(listen, health, metrics) if listen is not None else nullcontext("") as address:
            self.log.info(
                "detector started",
                version=__version__,
                every_s=self.schedule.every_s,
                cron=self.schedule.cron,
                listens=address,
            )
            with connected(self.reach, self.asked, self.log, health.failed) as cluster:
                if cluster is None:
                    ended = Ended(0, unfinished=True)
                else:
                    tended = Tended(
                        cluster,
                        self.options,
                        worker=this_worker(),
                        schedule=self.schedule,
                        clock=_now,
                        log=self.log,
                        metrics=metrics,
                        health=health,
                        count_lag=listen is not None,
                    )
                    watching = Watching((Logged(self.log), shown, losses, tended))
                    ended = self._keep_passing(cluster, watching, health)
        self.log.info(
            "detector stopped",
            signal=self.asked.by.name if self.asked.by else "",
            passes=ended.passes,
            pass_unfinished=ended.unfinished,
            passes_with_losses=losses.passes,
        )
        if self.asked.by is signal.SIGINT:
            return ExitCode.INTERRUPTED
        return ExitCode.LOSS if losses.passes else ExitCode.OK

    def _keep_passing(self, cluster: Cluster, watcher: Watching, health: Health) -> Ended:
        detector = Detector(cluster, self.options, _now)
        try:
            return keep_passing(
                self.schedule,
                lambda: run_once(detector, self.asked, health.moved, watcher.pass_cut_short),
                watcher=watcher,
                stop=self.asked,
                clock=_now,
                again_soon=lambda report: report.again_soon,
                look_again_s=lambda report: report.look_again_s,
            )
        except OsdetectError as error:
            said = {"what": error.what, "cause": error.cause, "cure": error.cure}
            self.log.error("detector ended: the cluster refuses", **said)  # noqa: TRY400  # never a traceback
            raise


def _now() -> datetime:
    return datetime.now(UTC)


def _report(report: RunReport, output: OutputFormat) -> int:
    if output is OutputFormat.JSON:
        print_json(report.to_json())
        return ExitCode.LOSS if report.lossy else ExitCode.OK
    return print_run(report)
