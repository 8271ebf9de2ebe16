"""`osdetect alerts ack | close | reopen | assign | comment`: change alerts, and never over another's change."""

import getpass
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from osdetect import alerts as triage
from osdetect import settings
from osdetect.cli.alert_selection import NOBODY, chosen, parsed
from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import LISTED, OutputFormat, error_json, print_error, print_json, say, write_line
from osdetect.cluster import Cluster
from osdetect.documents.event import check_namespace
from osdetect.errors import ClusterError, InputError, UsageError
from osdetect.source import printable
from osdetect.vocabulary import ExitCode

_LONGEST_NAME = 256
_LONGEST_COMMENT = 10_000

Ids = Annotated[
    list[str] | None,
    typer.Argument(help="Ids of alerts, or enough of their beginnings.", metavar="ID"),
]
Query = Annotated[
    str,
    typer.Option(
        "--query",
        help="Instead of ids: conditions as `list` has them, for example \"status=open rule='Root login'\".",
        metavar="CONDITIONS",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing what --query selects.")]
User = Annotated[
    str, typer.Option("--user", help="Who you are. Default: $OSDETECT_USER, else your login.", metavar="NAME")
]
Comment = Annotated[str, typer.Option("--comment", "-m", help="A comment that goes with it.", metavar="TEXT")]


class _Asked(msgspec.Struct, frozen=True):
    """Which alerts, of which cluster, by whom, and how to tell what was done."""

    ids: Sequence[str]
    query: str
    yes: bool
    user: str
    namespace: str
    url: str | None
    ca_certs: CaCerts
    insecure: bool
    output: OutputFormat


def ack(
    ids: Ids = None,
    query: Query = "",
    yes: Yes = False,
    comment: Comment = "",
    user: User = "",
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Say that you work on alerts.

    Examples: `osdetect alerts ack 3fa9c1d20b77` · `osdetect alerts ack --query "status=open min-level=critical" --yes`
    """
    asked = _Asked(ids or (), query, yes, user, namespace, url, ca_certs, insecure, output)
    return _change(asked, triage.Verb.ACK, "", comment)


def close(
    verdict: Annotated[
        triage.Verdict,
        typer.Option("--as", help="An attack (tp), a mistake of the rule (fp), or allowed (benign)."),
    ],
    ids: Ids = None,
    query: Query = "",
    yes: Yes = False,
    comment: Comment = "",
    user: User = "",
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Close alerts, and say what they were.

    Examples: `osdetect alerts close 3fa9c1d20b77 --as fp -m "our scanner"` ·
    `osdetect alerts close --as benign --query "rule='Root login' until=2024-05-01"`
    """
    asked = _Asked(ids or (), query, yes, user, namespace, url, ca_certs, insecure, output)
    return _change(asked, triage.Verb.CLOSE, verdict.value, comment)


def reopen(
    ids: Ids = None,
    query: Query = "",
    yes: Yes = False,
    comment: Comment = "",
    user: User = "",
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Make alerts open again that were acknowledged or closed.

    Example: `osdetect alerts reopen 3fa9c1d20b77 -m "it came from another address after all"`
    """
    asked = _Asked(ids or (), query, yes, user, namespace, url, ca_certs, insecure, output)
    return _change(asked, triage.Verb.REOPEN, "", comment)


def assign(
    to: Annotated[
        str, typer.Option("--to", help=f"Who is to work on them; {NOBODY}: no one.", metavar="NAME")
    ],
    ids: Ids = None,
    query: Query = "",
    yes: Yes = False,
    comment: Comment = "",
    user: User = "",
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Give alerts to somebody.

    Examples: `osdetect alerts assign 3fa9c1d20b77 --to kim` · `osdetect alerts assign 3fa9c1d20b77 --to nobody`
    """
    asked = _Asked(ids or (), query, yes, user, namespace, url, ca_certs, insecure, output)
    return _change(asked, triage.Verb.ASSIGN, "" if to == NOBODY else _name(to, "--to"), comment)


def comment(
    text: Annotated[str, typer.Option("--comment", "-m", help="What you have to say.", metavar="TEXT")],
    ids: Ids = None,
    query: Query = "",
    yes: Yes = False,
    user: User = "",
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Comment on alerts.

    Example: `osdetect alerts comment 3fa9c1d20b77 -m "asked the account's owner"`
    """
    if not text.strip():
        raise UsageError("the comment is empty", cure='write it behind -m: -m "asked the owner"')
    asked = _Asked(ids or (), query, yes, user, namespace, url, ca_certs, insecure, output)
    return _change(asked, triage.Verb.COMMENT, "", text)


def _change(asked: _Asked, verb: triage.Verb, to: str, said: str) -> int:
    if bool(asked.ids) == bool(asked.query):
        raise UsageError("say which alerts", cure="give either ids or --query CONDITIONS")
    if len(said) > _LONGEST_COMMENT:
        raise UsageError(
            f"the comment has {len(said):,} characters", cure=f"write {_LONGEST_COMMENT:,} at most"
        )
    change = triage.Change(
        id=uuid.uuid4().hex, verb=verb, by=_who(asked.user), at=_now(), to=to, comment=said.strip()
    )
    namespace = check_namespace(asked.namespace)
    selected = parsed(asked.query) if asked.query else None
    with connect(asked.url, ca_certs=asked.ca_certs, insecure=asked.insecure) as cluster:
        if selected is None:
            good, bad = chosen(cluster, namespace, asked.ids)
            if not good:
                for error in bad[1:]:
                    print_error(error)
                raise bad[0]
            return _carry_out(cluster, good, change, bad, asked.output)
        with triage.Snapshot(cluster, namespace) as snapshot:
            number = snapshot.count(selected.query())
            if number and not asked.yes and not _confirmed(change, number):
                say("nothing was changed")
                return ExitCode.OK
            change = replace(change, at=_now())  # somebody may have thought for long
            return _carry_out(cluster, snapshot.alerts(selected.query()), change, (), asked.output)


def _carry_out(
    cluster: Cluster,
    alerts: Iterable[triage.FoundAlert],
    change: triage.Change,
    bad: Sequence[InputError],
    output: OutputFormat,
) -> int:
    """Make the change, tell what became of it, also when the cluster goes away in the middle."""
    told = Counter[triage.Outcome]()
    refused: list[triage.Result] = []
    broken: ClusterError | None = None
    try:
        for result in triage.apply(cluster, alerts, change):
            told[result.outcome] += 1
            if result.outcome is triage.Outcome.REFUSED:
                refused.append(result)
            elif result.why and output is OutputFormat.TABLE and told[result.outcome] <= LISTED:
                say(printable(f"{result.alert.id[:12]}: {result.why}", 600))
    except ClusterError as error:
        broken = error
    if output is OutputFormat.JSON:
        _write_json(told, refused, bad)
    else:
        for line in _lines(told, refused, bad):
            write_line(line)
    if broken is not None:
        raise broken
    return ExitCode.LOSS if refused or bad else ExitCode.OK


def _lines(
    told: Counter[triage.Outcome], refused: Sequence[triage.Result], bad: Sequence[InputError]
) -> Iterator[str]:
    for error in bad:
        print_error(error, word="not done")
    for result in refused[:LISTED]:
        print_error(_refusal(result), word="not done")
    if len(refused) > LISTED:
        say(f"... and {len(refused) - LISTED:,} more refused; --output json lists all")
    left = len(refused) + len(bad)
    yield (
        f"{told[triage.Outcome.CHANGED]:,} changed"
        + (f", {told[triage.Outcome.UNCHANGED]:,} were so already" if told[triage.Outcome.UNCHANGED] else "")
        + (f", {left:,} not done" if left else "")
    )


def _refusal(result: triage.Result) -> UsageError:
    return UsageError(
        f"alert {result.alert.id}",
        cause=result.why,
        cure=f"look at it: osdetect alerts show {result.alert.id[:12]}",
    )


def _write_json(
    told: Counter[triage.Outcome], refused: Sequence[triage.Result], bad: Sequence[InputError]
) -> None:
    print_json(
        {
            **{outcome.value: told[outcome] for outcome in triage.Outcome},
            "not_done": [{"id": one.alert.id, "index": one.alert.index, "why": one.why} for one in refused],
            "not_found": [error_json(error) for error in bad],
        }
    )


def _confirmed(change: triage.Change, number: int) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            f"{number:,} alerts would be {change.verb.value}, and nobody can be asked",
            cure="give --yes when that is what you want",
        )
    what = f"{change.verb.value}{f' ({change.to})' if change.to else ''}"
    return typer.confirm(printable(f"{number:,} alerts will be {what} by {change.by}. Go on?"), err=True)


def _who(user: str) -> str:
    """Who makes the change: named, set, or logged in.

    Raises:
        UsageError: it is not known.
    """
    if given := user or settings.text("user"):
        return _name(given, "--user")
    try:
        return _name(getpass.getuser(), "--user")
    except (OSError, KeyError):
        raise UsageError(
            "who makes this change is not known", cure="give --user NAME, or set OSDETECT_USER"
        ) from None


def _name(text: str, option: str) -> str:
    name = text.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"{text!r} cannot be a person's name",
            cure=f"give {option} 1 to {_LONGEST_NAME} characters that can be printed",
        )
    return name


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
