"""`osdetect deploy`: rules into the cluster."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from osdetect import deploy as deploying
from osdetect.cli.connect import connect
from osdetect.cli.dashboards import DashboardsUrl, Imported, dashboards_at, import_into
from osdetect.cli.dialects import AutoTarget, Pipelines
from osdetect.cli.options import CaCerts, Insecure, Output, Url, Verbose
from osdetect.cli.output import (
    LISTED,
    OutputFormat,
    error_json,
    print_error,
    print_json,
    print_refusals,
    progress_bar,
    write_line,
)
from osdetect.cli.reading import Placeholders
from osdetect.cli.rules import CompiledSet
from osdetect.cli.tuning import TuningFile
from osdetect.cli.wanted import (
    BundleFile,
    EveryLogSource,
    FileOptions,
    NoCache,
    Rules,
    RulesShards,
    Sha256,
    Wanted,
    wanted_rules,
)
from osdetect.deploy import Limit
from osdetect.documents.dialect import FACTS, RAW, Dialect
from osdetect.source import printable
from osdetect.vocabulary import ExitCode

MaxDelete = Annotated[
    str,
    typer.Option(
        "--max-delete",
        help="Live rules that may go, a number or a share such as 50%; default: 10 or a quarter, whichever is more, but not all of three or more.",
        metavar="N",
    ),
]


def deploy(
    rules: Rules = None,
    pipeline: Pipelines = None,
    target: AutoTarget = "",
    placeholders: Placeholders = None,
    every_log_source: EveryLogSource = False,
    tuning: TuningFile = None,
    rules_shards: RulesShards = 1,
    max_delete: MaxDelete = "",
    bundle: BundleFile = None,
    sha256: Sha256 = None,
    no_cache: NoCache = False,
    dashboards: DashboardsUrl = None,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Make these rules the live ones: templates, pipelines, a new rules index, one atomic switch.

    Rules that are live and not among these go. Rules that cannot be used are refused with file and line, and set exit code 1;
    the others are deployed. One deploy at a time: another one that is under way is told (docs/deploying.md).

    Examples: `osdetect deploy` · `osdetect deploy my-rules/ --output json` · `osdetect deploy --pipeline cloudtrail-ecs` ·
    `osdetect deploy --bundle rules.tar`
    """
    connected = partial(connect, url, ca_certs=ca_certs, insecure=insecure)
    shown_at = dashboards_at(dashboards, ca_certs=ca_certs, insecure=insecure)
    limit = Limit.written(max_delete) if max_delete else Limit()
    options = FileOptions(
        pipeline or [], target, placeholders, every_log_source, tuning, rules_shards, no_cache
    )
    wanted = wanted_rules(rules or [], options, connected, bundle=bundle, sha256=sha256)
    with connected() as cluster, progress_bar("Deploying rules") as tell:
        report = deploying.deploy(
            cluster,
            wanted.rules,
            on_progress=tell,
            dialect=wanted.dialect,
            shards=wanted.shards,
            commit=wanted.commit,
            limit=limit,
        )
    return _tell(wanted, report, partial(import_into, shown_at), output, verbose=verbose)


def _tell(
    wanted: Wanted,
    report: deploying.DeployReport,
    import_now: Callable[[], Imported],
    output: OutputFormat,
    *,
    verbose: bool,
) -> int:
    """What was done, then the import, and the exit code: who ends a long import knows what is live."""
    refused = (*wanted.refused, *deploying.refusals(report))
    if output is OutputFormat.JSON:
        imported = import_now()
        print_json(
            {
                **_json(wanted, report),
                **imported.to_json(),
                "refused": [error_json(error) for error in refused],
            }
        )
    else:
        print_refusals(refused, all_of_them=verbose)
        for warning in wanted.compiled.read.warnings if verbose and wanted.compiled else ():
            print_error(warning, word="warning")
        _print(wanted, report, len(refused))
        imported = import_now()
        imported.tell()
    return imported.status or (ExitCode.LOSS if refused else ExitCode.OK)


def _unfiltered(compiled: CompiledSet) -> list[tuple[str, str, str]]:
    """Rules for CloudTrail that the percolator cannot pre-filter by a value: title, kind, reason.

    The detector asks for no others (`osdetect.detect.release`).
    """
    return [
        (one.title, found.word, found.reason)
        for one in compiled.compiled
        if one.logsource.covers_cloudtrail() and (found := one.prefilter).kind
    ]


def _not_in_events(dialect: Dialect) -> list[str]:
    """What alerts are made of, and the events of this dialect do not have."""
    return [fact for fact in FACTS if fact not in dialect.paths]


def _json(wanted: Wanted, report: deploying.DeployReport) -> dict[str, Any]:
    return {
        "index": report.index,
        "rules": report.rules,
        "changed": report.changed,
        "installed": report.installed,
        "removed": [{"id": rule_id, "title": title} for rule_id, title in report.removed.items()],
        "repaired": report.repaired,
        "deleted": report.deleted,
        "commit": wanted.commit,
        "dialect": {"name": wanted.dialect.name, "not_in_events": _not_in_events(wanted.dialect)},
        **(_json_of_files(wanted.compiled) if wanted.compiled else {}),
    }


def _json_of_files(compiled: CompiledSet) -> dict[str, Any]:
    return {
        "files": compiled.read.files,
        "other_log_sources": compiled.read.other_sources,
        "correlations_not_run": len(compiled.read.correlations),
        "warnings": [error_json(warning) for warning in compiled.read.warnings],
        "not_prefiltered": [
            {"rule": title, "kind": kind, "reason": reason} for title, kind, reason in _unfiltered(compiled)
        ],
    }


def _print(wanted: Wanted, report: deploying.DeployReport, refused: int) -> None:
    if not report.changed:
        write_line(f"nothing to do: these {report.rules} rules are live already ({report.index})")
    else:
        for name in report.installed:
            write_line(f"installed {name}")
        write_line(f"live: {report.rules} rules in {report.index}")
    if report.taken_over:
        write_line(f"took over the lock of a deploy by {printable(report.taken_over)} that had died")
    if report.repaired:
        write_line(
            f"mended {len(report.repaired)} rules that had been edited, deleted or added in the cluster"
        )
    for rule_id, title in list(report.removed.items())[:LISTED]:
        write_line(f"taken away: {printable(title or 'one without a title')} ({printable(rule_id)})")
    if len(report.removed) > LISTED:
        write_line(f"... and {len(report.removed) - LISTED} more were taken away; --output json lists all")
    for name in report.deleted:
        write_line(f"deleted the old release {name}")
    if wanted.compiled:
        _print_files(wanted.compiled, refused)
    if wanted.dialect != RAW:
        write_line(f"for events in the dialect {wanted.dialect.name}")
    for fact in _not_in_events(wanted.dialect):
        write_line(
            f"alerts will lack what CloudTrail calls {fact}: the pipeline says nowhere where events hold it"
        )
    unfiltered = _unfiltered(wanted.compiled) if wanted.compiled else []
    if wanted.compiled and not unfiltered:
        write_line("every rule is pre-filtered by a value that it names")
    for title, kind, reason in unfiltered:
        write_line(f"not pre-filtered by a value ({kind}): {title}: {reason}")


def _print_files(compiled: CompiledSet, refused: int) -> None:
    read = compiled.read
    write_line(
        f"{read.files} files: {len(compiled.compiled)} rules compiled, {refused} refused, "
        f"{read.other_sources} for other log sources, {len(read.warnings)} warnings"
    )
    if read.correlations:
        write_line(
            f"{len(read.correlations)} correlation rules were read; the detector does not run them yet, and the rules "
            "that they name alert by themselves (docs/correlations.md)"
        )
