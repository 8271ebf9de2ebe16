"""`osdetect check`: what is wrong with rules, before they are deployed."""

from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from osdetect import __version__
from osdetect import check as checking
from osdetect.check import Finding, Report, Severity
from osdetect.check.sarif import sarif
from osdetect.cli.output import print_json, progress_bar, write_line
from osdetect.cli.reading import Pipelines, Placeholders, read
from osdetect.resources import folder
from osdetect.sigma.check_documents import rule_documents
from osdetect.sigma.gather import to_deploy
from osdetect.source import printable
from osdetect.vocabulary import ExitCode


class CheckFormat(StrEnum):
    """How findings are written."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """The lightest finding that sets exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"


Rules = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Sigma rule files and folders; default: the rules that come with osdetect.", metavar="RULES"
    ),
]
Output = Annotated[CheckFormat, typer.Option("--output", "-o", help="How to write the findings.")]
Threshold = Annotated[FailOn, typer.Option("--fail-on", help="The lightest finding that sets exit code 1.")]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="Do not tell findings of this code; may be repeated.", metavar="CODE"),
]


def check(
    rules: Rules = None,
    output: Output = CheckFormat.TABLE,
    fail_on: Threshold = FailOn.ERROR,
    ignore: Ignore = None,
    pipeline: Pipelines = None,
    placeholders: Placeholders = None,
) -> int:
    """Find mistakes in rules: the Sigma specification, and what CloudTrail records can hold.

    Each finding has a code, a place and a cure; docs/check.md explains the codes. A rule that is refused counts as an error.

    Examples: `osdetect check my-rules/` · `osdetect check --fail-on warning --output sarif > check.sarif`
    """
    paths = rules or [folder("rules")]
    with progress_bar("Reading rules") as tell:
        found = read(paths, placeholders=placeholders, pipelines=pipeline, on_progress=tell)
    rule_set = to_deploy(found, pipeline or ())
    with progress_bar("Checking rules") as tell:
        report = checking.check(rule_set, rule_documents(paths, tell), ignore=ignore or ())
    if output is CheckFormat.SARIF:
        print_json(sarif(report, root=Path.cwd(), version=__version__))
    elif output is CheckFormat.JSON:
        print_json(_json(report))
    else:
        _print(report)
    failed = fail_on is not FailOn.NEVER and report.reaches(Severity(fail_on.value))
    return ExitCode.LOSS if failed else ExitCode.OK


def _counts(report: Report) -> dict[str, int]:
    return {f"{severity.value}s": report.count(severity) for severity in Severity}


def _json(report: Report) -> dict[str, Any]:
    return {
        "files": report.files,
        "documents": report.documents,
        "rules": report.rules,
        **_counts(report),
        "ignored": report.ignored,
        "findings": [_finding_json(finding) for finding in report.findings],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code.id,
        "name": finding.code.name,
        "severity": finding.severity.value,
        "what": finding.what,
        "cause": finding.cause,
        "cure": finding.cure,
        "rule": finding.rule_id,
        "file": finding.where.file,
        "line": finding.where.line,
        "column": finding.where.column,
        "excerpt": finding.where.excerpt,
    }


def _print(report: Report) -> None:
    for _file, findings in groupby(report.findings, key=lambda finding: finding.where.file):
        for finding in findings:
            _print_finding(finding)
        write_line("")
    told = ", ".join(f"{number} {name}" for name, number in _counts(report).items())
    ignored = f", {report.ignored} ignored" if report.ignored else ""
    write_line(f"{report.files} files, {report.documents} documents, {report.rules} rules: {told}{ignored}")


def _print_finding(finding: Finding) -> None:
    where = finding.where
    write_line(
        f"{printable(str(where), 600)}: {finding.severity.value} {finding.code.id}: {printable(finding.what, 600)}"
    )
    if where.excerpt:
        write_line(f"    | {where.excerpt}")
        if 0 < where.column <= len(where.excerpt):
            write_line(f"    | {' ' * (where.column - 1)}^")
    if finding.cause:
        write_line(f"  cause: {printable(finding.cause, 1200)}")
    if finding.cure:
        write_line(f"  cure:  {printable(finding.cure, 600)}")
