"""`osdetect notify outbox`, `dead` and `retry`: what waits, what was given up, and sending that again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from osdetect import settings
from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_error, print_json, print_table, say
from osdetect.cluster import Cluster
from osdetect.documents.event import check_namespace
from osdetect.errors import InputError, OsdetectError, UsageError
from osdetect.notify.form import Behind, Outbox
from osdetect.notify.letters import Letter, forget, letters
from osdetect.notify.outcome import Sent
from osdetect.notify.senders import Send, sender
from osdetect.notify.settings import read_channels
from osdetect.vocabulary import ExitCode

ChannelsFile = Annotated[
    Path | None,
    typer.Option(
        "--channels", help="The settings of the channels, a TOML file. [$OSDETECT_CHANNELS]", metavar="FILE"
    ),
]


def channels_file(given: Path | None) -> Path:
    """The settings file that is given, or that $OSDETECT_CHANNELS names.

    Raises:
        UsageError: neither.
    """
    named = given or (Path(said) if (said := settings.text("channels")) else None)
    if named is None:
        raise UsageError("no channels are named", cure="give --channels FILE, or set OSDETECT_CHANNELS")
    return named


def outbox(
    every: Annotated[bool, typer.Option("--all", help="Also rules of which nothing waits.")] = False,
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Say which alerts are not told yet, by channel and rule, and why.

    Example: `osdetect notify outbox --output json`
    """
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        now = Outbox.now(cluster, check_namespace(namespace))
        names = now.channels() if now else ()
        found = [_lane(now, one) for name in names if now for one in now.lanes(name) if every or _waits(one)]
    if output is OutputFormat.JSON:
        print_json({"lanes": found})
        return ExitCode.OK
    header = (
        "channel",
        "rule",
        "alerts waiting",
        "of them on the way",
        "attempts",
        "not before",
        "last failure",
        "sent",
    )
    rows = [
        [f"{one[name]:,}" if isinstance(one[name], int) else str(one[name]) for name in _LANE]
        for one in found
    ]
    print_table("", header, rows)
    return ExitCode.OK


_LANE = ("channel", "rule", "waiting", "going", "attempts", "due", "error", "messages")


def _waits(one: Behind) -> bool:
    return one.lane.going is not None or one.waits


def _lane(outbox: Outbox, one: Behind) -> dict[str, Any]:
    lane, going = one.lane, one.lane.going
    on_the_way = going.message.count if going else 0
    return {
        "channel": lane.channel,
        "rule": lane.rule_id,
        "waiting": on_the_way + outbox.waiting(lane),
        "going": on_the_way,
        "key": going.message.key if going else "",
        "attempts": going.attempts if going else 0,
        "due": going.due if going else "",
        "error": going.error if going else "",
        "messages": lane.messages,
        "alerts": lane.alerts,
        "told_at": lane.told_at,
    }


def dead(
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """List the messages that were given up, with the reason.

    Example: `osdetect notify dead`
    """
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        found = list(letters(cluster, check_namespace(namespace)))
    if output is OutputFormat.JSON:
        print_json({"dead_letters": [_letter(one) for one in found]})
        return ExitCode.OK
    header = ("key", "channel", "rule", "alerts", "given up", "reason")
    said = (_letter(one) for one in found)
    print_table(
        "",
        header,
        [[str(one[name]) for name in ("key", "channel", "rule", "count", "at", "reason")] for one in said],
    )
    return ExitCode.OK


def _letter(one: Letter) -> dict[str, Any]:
    message = one.message
    name = str(message.rule.get("name") or message.rule.get("id", ""))
    head = {"key": message.key, "channel": message.channel, "rule": name, "count": message.count}
    return {**head, "at": one.at, "reason": one.reason, "alert_ids": list(message.ids)}


def retry(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Keys of messages, as `dead` lists them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    channels: ChannelsFile = None,
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
) -> int:
    """Send messages that were given up once more, each with its old key; what is taken is no dead letter any more.

    Examples: `osdetect notify retry 3fa9c1d20b77` · `osdetect notify retry --all`
    """
    if bool(keys) == every:
        raise UsageError("say which messages", cure="give their keys, or --all")
    found = read_channels(channels_file(channels), check_namespace(namespace))
    sends = {name: sender(name, channel, lambda: datetime.now(UTC)) for name, channel in found.items()}
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        chosen = _chosen(list(letters(cluster, namespace)), keys or [""])
        left = [one for one in chosen if not _sent(cluster, one, sends)]
    say(f"{len(chosen) - len(left):,} of {len(chosen):,} messages sent")
    return ExitCode.LOSS if left else ExitCode.OK


def _chosen(found: list[Letter], beginnings: list[str]) -> list[Letter]:
    for text in beginnings:
        if text and not any(one.message.key.startswith(text) for one in found):
            raise InputError(f"no dead letter has the key {text}", cure="see them: osdetect notify dead")
    return [one for one in found if any(one.message.key.startswith(text) for text in beginnings)]


def _sent(cluster: Cluster, one: Letter, sends: dict[str, Send]) -> bool:
    name = one.message.channel
    if name not in sends:
        print_error(OsdetectError(f"there is no channel {name} any more", cure="add it to the settings"))
        return False
    outcome = sends[name](one.message)
    if isinstance(outcome, Sent) and not outcome.refused:
        forget(cluster, one)
        return True
    why = outcome.refused if isinstance(outcome, Sent) else outcome.why
    print_error(OsdetectError(f"{name} did not take the message {one.message.key}", cause=why))
    return False
