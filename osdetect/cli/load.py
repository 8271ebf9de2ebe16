"""`osdetect load`: CloudTrail files into the cluster."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from osdetect import load as loading
from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url, Verbose
from osdetect.cli.output import OutputFormat, error_json, print_json, print_refusals, progress_bar, write_line
from osdetect.cloudtrail import Limits
from osdetect.errors import RecordError
from osdetect.vocabulary import ExitCode

Paths = Annotated[
    list[Path],
    typer.Argument(help="CloudTrail log files (.json, .json.gz) and folders of them.", metavar="PATH"),
]
ByDay = Annotated[
    bool, typer.Option("--by-day", help="An index for each day of events instead of each month.")
]

MaxFileBytes = Annotated[
    int,
    typer.Option(
        "--max-file-bytes", min=1, help="The most text that one file may unpack to; it is held in memory."
    ),
]
DEFAULT_LIMITS = Limits()


def load(
    paths: Paths,
    namespace: Namespace = NAMESPACE,
    by_day: ByDay = False,
    max_file_bytes: MaxFileBytes = DEFAULT_LIMITS.text_bytes,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Store every record of CloudTrail's log files as an event, each once.

    What cannot be stored is kept as a dead letter with its reason, and sets exit code 1.

    Examples: `osdetect load AWSLogs/` · `osdetect load one.json.gz --namespace trial`
    """
    options = loading.LoadOptions(
        namespace=namespace, by_day=by_day, limits=Limits(text_bytes=max_file_bytes)
    )
    with (
        connect(url, ca_certs=ca_certs, insecure=insecure) as cluster,
        progress_bar("Loading", unit_bytes=True) as tell,
    ):
        report = loading.load(cluster, paths, options, now=datetime.now(UTC), on_progress=tell)
    losses = load_losses(report)
    if output is OutputFormat.JSON:
        print_json({**load_json(report), "losses": [error_json(loss) for loss in losses]})
    else:
        print_refusals(losses, all_of_them=verbose)
        print_load(report)
    return ExitCode.OK if report.lossless else ExitCode.LOSS


def load_losses(report: loading.LoadReport) -> tuple[RecordError, ...]:
    """What could not be loaded, as errors that a user can read."""
    files = [
        RecordError(note.reason, cure=note.cure, where=note.where)
        for note in (*report.refused, *report.partial)
    ]
    records = [
        RecordError(f"record {note.record} is a dead letter", cause=note.reason, where=note.where)
        for note in report.dead_letter_notes
    ]
    return (*files, *records)


def load_json(report: loading.LoadReport) -> dict[str, Any]:
    """The counts for machines."""
    return {
        "files_read": report.files_read,
        "files_already_loaded": report.files_already_loaded,
        "files_partial": len(report.partial),
        "files_refused": len(report.refused),
        "earlier_dead_letters": report.earlier_dead_letters,
        "digests": report.digests,
        "ignored": report.ignored,
        "records_read": report.records_read,
        "created": report.created,
        "already_there": report.already_there,
        "reused_ids": report.reused_ids,
        "dead_letters": report.dead_letters,
        "flawed": dict(report.flawed),
        "stored_bytes": report.stored_bytes,
        "text_bytes": report.text_bytes,
    }


def print_load(report: loading.LoadReport) -> None:
    """The counts for people."""
    if report.earlier_dead_letters:
        write_line(f"{report.earlier_dead_letters:,} records of files loaded earlier are dead letters")
    if not report.files_read and not report.refused:
        write_line(f"nothing new: {_files(report.files_already_loaded)} loaded already")
        return
    write_line(
        f"{report.records_read:,} records in {_files(report.files_read)}: {report.created:,} events stored, "
        f"{report.already_there:,} there already, {report.dead_letters:,} dead letters"
    )
    others = {
        "loaded already": report.files_already_loaded,
        "read in part": len(report.partial),
        "refused": len(report.refused),
        "digest files": report.digests,
        "not named like CloudTrail files": report.ignored,
    }
    said = [f"{number} {what}" for what, number in others.items() if number]
    if said:
        write_line("files: " + ", ".join(said))
    if report.reused_ids:
        write_line(
            f"{report.reused_ids:,} records reuse another record's eventID: stored under ids of their own"
        )
    for what, number in report.flawed:
        write_line(f"{number:,} events stored with {what}")


def _files(number: int) -> str:
    return f"{number:,} file{'' if number == 1 else 's'}"
