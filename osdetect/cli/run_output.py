"""What a run of the detector did, in words."""

from collections.abc import Iterator

from osdetect.cli.output import print_error, say, write_line
from osdetect.detect import RunReport
from osdetect.vocabulary import ExitCode


def print_run(report: RunReport) -> int:
    """Write it; the exit status."""
    for error in report.unreadable:
        print_error(error, word="not run")
    for missing in report.not_judged:
        print_error(missing, word="not judged")
    write_line("; ".join((_judged(report), *_more(report))))
    return ExitCode.LOSS if report.lossy else ExitCode.OK


def print_unfinished(report: RunReport) -> None:
    """Say what a run did that was cut short, if it did anything."""
    counts = report.counts
    if not report.idle:
        alerts = counts.alerts_created + counts.groups_created
        lost = counts.deadlettered + counts.deadlettered_owed
        said = f"{counts.events:,} events judged, {alerts:,} new alerts, {lost:,} dead letters"
        say(f"note: it was cut short: {said}; the next run goes on from there")


def _judged(report: RunReport) -> str:
    counts = report.counts
    said = [
        f"{counts.events:,} events in {report.shards} shards judged by {report.rules} rules: {counts.matches:,} matches",
        f"{counts.alerts_created + counts.groups_created:,} new alerts",
        f"{counts.alerts_there:,} there already",
    ]
    amounts = (
        (counts.deadlettered + counts.deadlettered_owed, "dead letters"),
        (counts.evaluated_alone, "events not percolated but evaluated"),
        (counts.gathered, "matches gathered into alerts of groups"),
        (counts.shadowed, "in shadow"),
        (counts.excepted, "excepted"),
    )
    return ", ".join([*said, *(f"{number:,} {what}" for number, what in amounts if number)])


def _more(report: RunReport) -> Iterator[str]:
    amounts = (
        (len(report.put_off), "rules matched so much that they were judged behind the others"),
        (report.rules_off, "rules are off"),
        (report.passed_over, "sequence numbers before --since passed over"),
        (report.left_to_others, "shards left to another detector"),
    )
    return (f"{number:,} {what}" for number, what in amounts if number)
