"""`osdetect hunt`: what rules would have alerted on, over stored events."""

import heapq
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import orjson
import typer

from osdetect.cli import alert_output as shown
from osdetect.cli.connect import connect
from osdetect.cli.dialects import Pipelines
from osdetect.cli.hunted_rules import hunted
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Url
from osdetect.cli.output import LISTED, print_error, print_table, progress_bar, say, write_line
from osdetect.cli.times import instant
from osdetect.detect.hunt import Hunt, HuntOptions, Span
from osdetect.detect.judge import Alert
from osdetect.documents.event import check_namespace
from osdetect.documents.told import RunReference
from osdetect.errors import OsdetectError, RecordError, UsageError
from osdetect.source import printable
from osdetect.vocabulary import EVENTS_PREFIX, UNDATED, ExitCode

_RUN = "hunt"
_DAYS_SHOWN = 60


class HuntFormat(StrEnum):
    """How a hunt writes what it found."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


class _Tally(msgspec.Struct):
    """What is kept of the alerts that went by: numbers, and the earliest for the table."""

    limit: int
    per_day: Counter[str] = msgspec.field(default_factory=Counter)
    per_rule: Counter[str] = msgspec.field(default_factory=Counter)
    titles: dict[str, str] = msgspec.field(default_factory=dict)
    _latest_first: list[tuple[str, int, dict[str, Any]]] = msgspec.field(default_factory=list)
    _number: int = 0

    def add(self, alert: Alert) -> None:
        """Count an alert."""
        when = str(alert.source["@timestamp"])
        self.per_day[UNDATED if alert.index.endswith(UNDATED) else when[:10]] += 1
        self.per_rule[alert.rule_id] += 1
        self.titles[alert.rule_id] = str(alert.source["rule"]["name"])
        self._number += 1
        entry = (_inverse(when), -self._number, {"id": alert.id, **alert.source})
        if not self.limit or len(self._latest_first) < self.limit:
            heapq.heappush(self._latest_first, entry)
        else:
            heapq.heappushpop(self._latest_first, entry)

    def earliest(self) -> list[dict[str, Any]]:
        """The earliest of them, in order."""
        return [alert for _, _, alert in sorted(self._latest_first, reverse=True)]


def hunt(
    rules: Annotated[
        list[str],
        typer.Argument(help="Rule files, or ids or parts of titles of deployed rules.", metavar="RULE"),
    ],
    since: Annotated[
        str, typer.Option("--from", help="Events at this time and after (UTC).", metavar="TIME")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Events before this time.", metavar="TIME")] = "",
    target: Annotated[
        str,
        typer.Option(
            "--target", help="Index, pattern or alias; default: what `load` stored in the namespace."
        ),
    ] = "",
    pipeline: Pipelines = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Matches that the table shows; 0: all.")] = 100,
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Annotated[
        HuntFormat, typer.Option("--output", "-o", help="How to write the matches.")
    ] = HuntFormat.TABLE,
) -> int:
    """Say what rules would have alerted on, over stored events of any age. Nothing is stored.

    Examples: `osdetect hunt my-rule.yml --from 2024-05-01 --to 2024-06-01` · `osdetect hunt "Root Login" --output ndjson`
    """
    options = HuntOptions(
        namespace=check_namespace(namespace),
        target=target or f"{EVENTS_PREFIX}{namespace}-*",
        span=Span(instant(since, "--from"), instant(until, "--to")),
    )
    if options.span.since and options.span.until and options.span.since >= options.span.until:
        raise UsageError("no event is in this span", cause="--to is not after --from")
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        asked = hunted(cluster, rules, pipeline or [], options.target)
        made = Hunt(cluster, asked.release, asked.searches, options, RunReference(_RUN, datetime.now(UTC)))
        with progress_bar("Hunting") as tell:
            tally = _written(made, tell, output, limit)
    losses = (*asked.losses, *made.not_read, *_unjudged(made))
    for loss in losses[:LISTED]:
        print_error(loss, word="not judged")
    if len(losses) > LISTED:
        say(f"... and {len(losses) - LISTED:,} more were not judged")
    for line in _notes(made, options):
        say(line)
    if output is HuntFormat.TABLE:
        _print(made, tally, limit)
    return ExitCode.LOSS if losses else ExitCode.OK


def _written(made: Hunt, tell: Callable[[int, int], None], output: HuntFormat, limit: int) -> _Tally:
    """Read all alerts of the hunt, and write each as it comes where that is the form."""
    tally = _Tally(limit if output is HuntFormat.TABLE else 1)
    out = sys.stdout.buffer
    between = b'{\n  "alerts": [\n    ' if output is HuntFormat.JSON else b""
    for alert in made.alerts(tell):
        tally.add(alert)
        if output is not HuntFormat.TABLE:
            out.write(between + orjson.dumps({"id": alert.id, **alert.source}))
            between = b",\n    " if output is HuntFormat.JSON else b"\n"
    if output is HuntFormat.JSON:
        begun = b"" if tally.per_day else b'{\n  "alerts": ['
        out.write(begun + b"\n  ],\n  " + orjson.dumps(_numbers(made, tally))[1:] + b"\n")
    elif output is HuntFormat.NDJSON and tally.per_day:
        out.write(b"\n")
    out.flush()
    return tally


def _numbers(made: Hunt, tally: _Tally) -> dict[str, Any]:
    return {
        "matches": made.matches,
        "per_day": dict(sorted(tally.per_day.items())),
        "per_rule": dict(tally.per_rule.most_common()),
        "undated": made.undated,
        "excepted": made.excepted,
        "events_read": made.read,
        "not_searched": list(made.unsearched),
        "shards": made.shards,
        "not_judged": len(made.unjudged),
        "not_read": [str(why) for why in made.not_read],
    }


def _print(made: Hunt, tally: _Tally, limit: int) -> None:
    rows = tally.earliest()
    if rows:
        shown.print_matches(rows)
    if len(rows) < made.matches:
        write_line(
            f"{len(rows):,} of {made.matches:,} matches, the earliest: --limit {limit} cuts; 0 shows all"
        )
    days = sorted(tally.per_day.items())
    if days:
        print_table(
            "Matches a day", ("day", "matches"), [(day, f"{count:,}") for day, count in days[:_DAYS_SHOWN]]
        )
    if len(days) > _DAYS_SHOWN:
        write_line(f"... and {len(days) - _DAYS_SHOWN:,} more days: --output json has all")
    if len(tally.per_rule) > 1:
        counts = [(tally.titles[rule], f"{count:,}") for rule, count in tally.per_rule.most_common()]
        print_table("Matches of each rule", ("rule", "matches"), counts)
    write_line(f"{made.matches:,} matches in {made.shards:,} shards; {made.read:,} events were read for them")


def _notes(made: Hunt, options: HuntOptions) -> Iterator[str]:
    if not (made.shards or made.not_read):
        yield f"note: {printable(options.target)} stands for no index: load events, or give --namespace or --target"
    if made.unsearched:
        yield (
            f"note: every event of the span was read of {len(made.unsearched):,} indices: the rules' queries are made for "
            "indices and events as `osdetect load` stores them"
        )
    if made.excepted:
        yield f"note: {made.excepted:,} matches more are left out: an exception is for them"
    if made.undated:
        yield f"note: {made.undated:,} matches are of events without a usable time; they may be in the span or not"


def _unjudged(made: Hunt) -> Sequence[OsdetectError]:
    return [
        RecordError(
            f"the event {one.candidate[0].at.id} of {one.candidate[0].at.index} by the rule {one.candidate[1]}",
            cause=one.reason,
        )
        for one in made.unjudged
    ]


def _inverse(when: str) -> str:
    """A text that sorts the other way round: the heap drops the latest."""
    return "".join(chr(0x7F - ord(character)) for character in when)
