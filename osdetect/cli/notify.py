"""`osdetect notify`: tell people and machines of new alerts."""

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from osdetect import settings
from osdetect.alerts import dashboards_link
from osdetect.cli import notify_outbox
from osdetect.cli.connect import connect
from osdetect.cli.connected import connected
from osdetect.cli.detect import Cron, Every, Jitter, Once, health_of, read_schedule
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_error, print_json, print_table, say, write_line
from osdetect.cli.signals import Asked, asked_by_signals
from osdetect.cluster import Cluster
from osdetect.detect.schedule import Schedule, keep_passing
from osdetect.documents.event import check_namespace
from osdetect.errors import ClusterUnavailable, OsdetectError, UsageError
from osdetect.follow import this_worker
from osdetect.notify.channel import ChannelWork, Surroundings
from osdetect.notify.message import Message, trial
from osdetect.notify.outcome import Outcome, Sent
from osdetect.notify.senders import Send, sender
from osdetect.notify.settings import AnyChannel, Stdout, read_channels
from osdetect.notify.tell import Told
from osdetect.status.health import AllWell, Health, serving
from osdetect.status.logs import Log, LogFormat, open_log
from osdetect.vocabulary import ExitCode

app = typer.Typer(no_args_is_help=True, help="Tell people and machines of new alerts.")
app.command()(notify_outbox.outbox)
app.command()(notify_outbox.dead)
app.command()(notify_outbox.retry)

ChannelsFile = notify_outbox.ChannelsFile


class _Ended(msgspec.Struct):
    """What came of the channels."""

    told: list[Told] = msgspec.field(default_factory=list)
    errors: dict[str, OsdetectError] = msgspec.field(default_factory=dict)
    """Channels whose work ended because of the cluster."""
    dead: list[str] = msgspec.field(default_factory=list)

    def status(self) -> int:
        """The exit code: a failure of the cluster first, then losses."""
        if self.errors:
            return int(next(iter(self.errors.values())).exit_code)
        return ExitCode.LOSS if self.dead else ExitCode.OK


@app.command()
def run(
    once: Once = False,
    every: Every = None,
    cron: Cron = None,
    jitter: Jitter = None,
    channels: ChannelsFile = None,
    namespace: Namespace = NAMESPACE,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            help="Answer /healthz and /readyz here; not with --once. 127.0.0.1:9465",
            metavar="HOST:PORT",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option("--log-format", help="How log lines look; default: text on a terminal, else json."),
    ] = None,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Send what is new since the last pass to each channel that wants it; each channel goes its own pace.

    Examples: `osdetect notify run --once --channels channels.toml` · `osdetect notify run --every 15s`
    """
    schedule = read_schedule(once=once, every=every, cron=cron, jitter=jitter, listen=listen)
    found = read_channels(notify_outbox.channels_file(channels), check_namespace(namespace))
    reach = partial(connect, url, ca_certs=ca_certs, insecure=insecure)
    with asked_by_signals() as asked:
        if schedule is not None:
            well = AllWell({f"channel {name}": health_of(schedule) for name in found})
            log = open_log(log_format, namespace=namespace)
            with (
                serving(listen, well) if listen is not None else nullcontext("") as address,
                connected(reach, asked, log, well.failed) as there,
            ):
                healths = dict(zip(found, well.parts.values(), strict=True))
                works = [] if there is None else _works(there, found, asked, healths)
                return _Going(works, schedule, asked, log, healths).run(address)
        ended = _Ended()
        with reach() as cluster:
            cluster.hurry_when(lambda: asked.asked, asked.wait)
            works = _works(cluster, found, asked, {})
            _each_in_a_thread(works, partial(_once, ended), ended.errors.__setitem__)
    _show(ended, output, beside=any(isinstance(channel, Stdout) for channel in found.values()))
    return ExitCode.INTERRUPTED if asked.asked else ended.status()


@app.command()
def check(channels: ChannelsFile = None, namespace: Namespace = NAMESPACE) -> int:
    """Say whether the settings of the channels can be used: secrets are there, addresses allowed, templates good.

    Example: `osdetect notify check --channels channels.toml`
    """
    found = read_channels(notify_outbox.channels_file(channels), check_namespace(namespace))
    rows, wrong = [], 0
    for name, channel in found.items():
        try:
            sender(name, channel, _now)
            said = "ok"
        except UsageError as error:
            print_error(error)
            wrong, said = wrong + 1, "cannot be used"
        kind = str(type(channel).__struct_config__.tag)
        rows.append((name, kind, channel.level.value, channel.namespace, f"{channel.digest_s} s", said))
    print_table("", ("channel", "kind", "level from", "namespace", "a message each", ""), rows)
    return ExitCode.USAGE if wrong else ExitCode.OK


@app.command(name="test")
def send_trial(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.")],
    channels: ChannelsFile = None,
    namespace: Namespace = NAMESPACE,
) -> int:
    """Send a made-up message to a channel, once.

    Example: `osdetect notify test soc --channels channels.toml`
    """
    found = read_channels(notify_outbox.channels_file(channels), check_namespace(namespace))
    if channel not in found:
        raise UsageError(f"there is no channel {channel}", cure=f"there are: {', '.join(found)}")
    message = trial(channel, found[channel].namespace, _now())
    outcome = sender(channel, found[channel], _now)(message)
    if isinstance(outcome, Sent) and not outcome.refused:
        say(f"sent to {channel}, with the key {message.key}")
        return ExitCode.OK
    why = outcome.refused if isinstance(outcome, Sent) else outcome.why
    print_error(OsdetectError(f"{channel} did not take the message", cause=why))
    return ExitCode.LOSS


def _works(
    cluster: Cluster, channels: dict[str, AnyChannel], asked: Asked, healths: Mapping[str, Health]
) -> list[ChannelWork]:
    base = settings.text("dashboards_url")
    if base:
        dashboards_link(base, {})  # refuses an address that is none
    around = Surroundings(this_worker(), _now, stop=lambda: asked.asked)
    if base:
        around = replace(around, link=partial(dashboards_link, base))
    return [
        ChannelWork(cluster, name, channel, _noted(sender(name, channel, _now), healths.get(name)), around)
        for name, channel in channels.items()
    ]


def _noted(send: Send, health: Health | None) -> Send:
    """The same, and each message that was tried counts as a sign of life: a pass may send for long."""
    if health is None:
        return send

    def noted(message: Message) -> Outcome:
        try:
            return send(message)
        finally:
            health.moved()

    return noted


def _each_in_a_thread(
    works: list[ChannelWork],
    do: Callable[[ChannelWork], object],
    failed: Callable[[str, OsdetectError], object],
) -> None:
    """A channel that is slow or dead must not hold up the others; one that fails is told at once."""

    def safely(work: ChannelWork) -> None:
        try:
            do(work)
        except OsdetectError as error:
            failed(work.name, error)
        except Exception as error:  # noqa: BLE001  # told as a defect, as of any command
            cause = f"{type(error).__name__}: {error}"
            failed(work.name, OsdetectError("osdetect has a defect", cause=cause, cure="report it"))

    threads = [
        threading.Thread(target=safely, args=(work,), daemon=True, name=f"notify-{work.name}")
        for work in works
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _once(ended: _Ended, work: ChannelWork) -> None:
    def note(told: Told) -> None:
        ended.told.append(told)
        ended.dead += told.dead

    note(work.make_pass(note))


class _Going(msgspec.Struct, frozen=True):
    """A notifier that goes on."""

    works: list[ChannelWork]
    schedule: Schedule
    asked: Asked
    log: Log
    healths: Mapping[str, Health]
    ended: _Ended = msgspec.field(default_factory=_Ended)

    def run(self, address: str) -> int:
        """Passes until a signal comes: 0 after SIGTERM, 1 if something was given up meanwhile, 130 after Ctrl-C."""
        self.log.info(
            "notifier started",
            channels=[work.name for work in self.works],
            every_s=self.schedule.every_s,
            cron=self.schedule.cron,
            listens=address,
        )
        _each_in_a_thread(self.works, self._keep, self._failed)
        by = self.asked.by
        self.log.info("notifier stopped", signal=by.name if by else "", dead_letters=len(self.ended.dead))
        return ExitCode.INTERRUPTED if by is signal.SIGINT else self.ended.status()

    def _keep(self, work: ChannelWork) -> None:
        watcher = _Watching(self.log, work.name, self.ended, self.healths[work.name], self.schedule)
        make_pass = partial(work.make_pass, watcher.pass_cut_short)
        keep_passing(self.schedule, make_pass, watcher=watcher, stop=self.asked, clock=_now)

    def _failed(self, name: str, error: OsdetectError) -> None:
        self.ended.errors[name] = error
        self.healths[name].failed(error.what)
        self.log.error("channel ended", channel=name, what=error.what, cause=error.cause, cure=error.cure)


class _Watching(msgspec.Struct, frozen=True):
    log: Log
    channel: str
    ended: _Ended
    health: Health
    schedule: Schedule

    def pass_started(self) -> None:
        """Nothing to say: most passes find nothing."""

    def pass_ended(self, report: Told, seconds: float) -> None:
        """A line if something was done, or could not be."""
        self.health.passed(self.schedule.wait_s(_now()))
        self._tell("pass ended", report, seconds=round(seconds, 3))

    def pass_cut_short(self, report: Told) -> None:
        """The same of a pass that did not come to its end; `pass_failed` may follow."""
        self._tell("pass cut short", report)

    def _tell(self, what: str, report: Told, **more: float) -> None:
        self.ended.dead.extend(report.dead)
        if report.taken_in or report.messages or report.dead or report.unreached:
            lost = bool(report.dead or report.unreached)
            (self.log.warning if lost else self.log.info)(what, **report.to_json(), **more)

    def pass_failed(self, error: ClusterUnavailable, seconds: float, pause_s: float) -> None:
        """A line."""
        self.health.failed(error.what)
        self.log.warning(
            "pass failed: cluster away",
            channel=self.channel,
            what=error.what,
            cause=error.cause,
            seconds=round(seconds, 3),
            next_attempt_s=round(pause_s, 3),
        )


def _show(ended: _Ended, output: OutputFormat, *, beside: bool) -> None:
    """The report; beside the result when messages are the result."""
    for name, error in ended.errors.items():
        print_error(error, word=f"channel {name}")
    if output is OutputFormat.JSON and not beside:
        print_json({"channels": [told.to_json() for told in sorted(ended.told, key=lambda one: one.channel)]})
    for told in sorted(ended.told, key=lambda one: one.channel):
        line = (
            f"{told.channel}: {told.taken_in:,} new alerts; {told.messages:,} messages sent for {told.alerts:,} alerts; "
            f"{told.waiting:,} rules wait"
        )
        if beside:
            say(line)
        elif output is OutputFormat.TABLE:
            write_line(line)
        for why in told.dead:
            print_error(
                OsdetectError(f"{told.channel}: a message was given up", cause=why), word="dead letter"
            )
        if told.unreached:
            say(f"warning: {told.channel} was not reached, its messages are kept: {told.unreached}")


def _now() -> datetime:
    return datetime.now(UTC)
