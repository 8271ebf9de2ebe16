"""`osdetect deploy`: rules into the cluster."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from osdetect import deploy as deploying
from osdetect.cli.connect import connect
from osdetect.cli.dashboards import DashboardsUrl, dashboards_at, import_into
from osdetect.cli.dialects import AutoTarget, Pipelines, chosen_dialect
from osdetect.cli.options import CaCerts, Insecure, Output, Url, Verbose
from osdetect.cli.output import (
    OutputFormat,
    error_json,
    print_error,
    print_json,
    print_refusals,
    progress_bar,
    write_line,
)
from osdetect.cli.reading import Placeholders, placeholder_values
from osdetect.cli.rules import CompiledSet, compile_rules
from osdetect.cli.tuning import TuningFile, require_unexpired, tuned
from osdetect.documents.dialect import FACTS, RAW, Dialect
from osdetect.sigma import ReadOptions
from osdetect.vocabulary import ExitCode

Rules = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Sigma rule files and folders; default: the rules that come with osdetect.", metavar="RULES"
    ),
]

EveryLogSource = Annotated[
    bool,
    typer.Option(
        "--every-log-source",
        help="Store rules for other log sources than CloudTrail as well; the detector leaves them out.",
    ),
]
RulesShards = Annotated[
    int,
    typer.Option(
        "--rules-shards", help="Shards of the rules index: so many nodes share percolation.", min=1, max=64
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither use nor keep what was compiled before.")]


def deploy(
    rules: Rules = None,
    pipeline: Pipelines = None,
    target: AutoTarget = "",
    placeholders: Placeholders = None,
    every_log_source: EveryLogSource = False,
    tuning: TuningFile = None,
    rules_shards: RulesShards = 1,
    no_cache: NoCache = False,
    dashboards: DashboardsUrl = None,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Make these rules the live ones: templates, pipelines, a new rules index, one atomic switch.

    Rules that cannot be used are refused with file and line, and set exit code 1; the others are deployed.

    Examples: `osdetect deploy` · `osdetect deploy my-rules/ --output json` · `osdetect deploy --pipeline cloudtrail-ecs`
    """
    connected = partial(connect, url, ca_certs=ca_certs, insecure=insecure)
    shown_at = dashboards_at(dashboards, ca_certs=ca_certs, insecure=insecure)
    chosen = chosen_dialect(pipeline or [], target, connected)
    options = ReadOptions(
        every_log_source=every_log_source,
        placeholders=placeholder_values(placeholders),
        pipeline=chosen.pipeline,
    )
    compiled = compile_rules(rules or [], options, no_cache=no_cache)
    rules_tuned = tuned(compiled.compiled, tuning)
    require_unexpired(rules_tuned)
    with connected() as cluster, progress_bar("Deploying rules") as tell:
        report = deploying.deploy(
            cluster, rules_tuned, on_progress=tell, dialect=chosen.dialect, shards=rules_shards
        )
    refused = (*compiled.refused, *deploying.refusals(report))
    imported = import_into(shown_at)
    if output is OutputFormat.JSON:
        print_json(
            {
                **_json(compiled, report, chosen.dialect),
                **imported.to_json(),
                "refused": [error_json(error) for error in refused],
            }
        )
    else:
        print_refusals(refused, all_of_them=verbose)
        for warning in compiled.read.warnings if verbose else ():
            print_error(warning, word="warning")
        _print(compiled, report, len(refused), chosen.dialect)
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


def _json(compiled: CompiledSet, report: deploying.DeployReport, dialect: Dialect) -> dict[str, Any]:
    return {
        "index": report.index,
        "rules": report.rules,
        "changed": report.changed,
        "installed": report.installed,
        "deleted": report.deleted,
        "dialect": {"name": dialect.name, "not_in_events": _not_in_events(dialect)},
        "files": compiled.read.files,
        "other_log_sources": compiled.read.other_sources,
        "correlations_not_run": len(compiled.read.correlations),
        "warnings": [error_json(warning) for warning in compiled.read.warnings],
        "not_prefiltered": [
            {"rule": title, "kind": kind, "reason": reason} for title, kind, reason in _unfiltered(compiled)
        ],
    }


def _print(compiled: CompiledSet, report: deploying.DeployReport, refused: int, dialect: Dialect) -> None:
    if not report.changed:
        write_line(f"nothing to do: these {report.rules} rules are live already ({report.index})")
    else:
        for name in report.installed:
            write_line(f"installed {name}")
        write_line(f"live: {report.rules} rules in {report.index}")
    for name in report.deleted:
        write_line(f"deleted the old release {name}")
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
    if dialect != RAW:
        write_line(f"for events in the dialect {dialect.name}")
    for fact in _not_in_events(dialect):
        write_line(
            f"alerts will lack what CloudTrail calls {fact}: the pipeline says nowhere where events hold it"
        )
    unfiltered = _unfiltered(compiled)
    if not unfiltered:
        write_line("every rule is pre-filtered by a value that it names")
    for title, kind, reason in unfiltered:
        write_line(f"not pre-filtered by a value ({kind}): {title}: {reason}")
