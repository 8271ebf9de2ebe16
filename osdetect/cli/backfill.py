"""`osdetect backfill`: history judged by deployed rules."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from osdetect.cli.connect import connect
from osdetect.cli.detect import LeaseS, Target
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_json, progress_bar, say
from osdetect.cli.run_output import print_run, print_unfinished
from osdetect.cli.times import instant
from osdetect.detect import DetectOptions
from osdetect.detect.backfill import Backfill, BackfillOptions
from osdetect.documents.event import check_namespace
from osdetect.errors import UsageError
from osdetect.vocabulary import ExitCode

From = Annotated[
    str, typer.Option("--from", help="Events at this time (eventTime, UTC) or later.", metavar="TIME")
]
To = Annotated[str, typer.Option("--to", help="Events before this time.", metavar="TIME")]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rules", help="Id or title of a deployed rule to judge by; may be given again.", metavar="RULE"
    ),
]
Rate = Annotated[
    float, typer.Option("--rate", help="At most so many events a second; 0: as fast as it goes.", min=0.0)
]
NewRules = Annotated[
    bool,
    typer.Option(
        "--new-rules",
        help="Judge by the rules that the release before the live one had not, or had otherwise.",
    ),
]
Again = Annotated[
    bool,
    typer.Option(
        "--again", help="Judge also what this job has judged before: for alerts that were deleted since."
    ),
]


def backfill(
    start: From = "",
    end: To = "",
    rules: Rules = None,
    new_rules: NewRules = False,
    rate: Rate = 0.0,
    again: Again = False,
    namespace: Namespace = NAMESPACE,
    target: Target = "",
    lease_s: LeaseS = 30.0,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Judge events of the past by the deployed rules; alerts that are there stay as they are.

    Interrupted, it goes on from where it was when it is run again; several at once share the work, and each ends when all is
    judged. It waits while a live detector is at work.

    Examples: `osdetect backfill --from 2026-01-01 --to 2026-02-01` · `osdetect backfill --new-rules`
    """
    if not (start or end or rules or new_rules):
        raise UsageError(
            "say what to judge again", cure="give --from and --to, --rules, or --new-rules; see --help"
        )
    options = BackfillOptions(
        start=instant(start, "--from"),
        end=instant(end, "--to"),
        rules=tuple(rules or ()),
        new_rules=new_rules,
        events_per_s=rate,
        again=again,
    )
    if options.start and options.end and options.start >= options.end:
        raise UsageError(
            "--from is not before --to", cure="the first time belongs to the range, the last does not"
        )
    detect = DetectOptions(namespace=check_namespace(namespace), target=target, lease_s=lease_s)
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        job = Backfill(cluster, detect, options, lambda: datetime.now(UTC))
        if not job.release.rules:
            say("nothing to judge by: no deployed rule is new")
            return ExitCode.OK
        with progress_bar("Judging the past") as tell:
            report = job.run(uuid.uuid4().hex, tell, print_unfinished)
    if output is OutputFormat.JSON:
        print_json({"job": job.job, "waited_s": round(job.waited_s, 1), **report.to_json()})
        return ExitCode.LOSS if report.lossy else ExitCode.OK
    if job.waited_s:
        say(f"note: waited {job.waited_s:.0f} s for the live detector")
    return print_run(report)
