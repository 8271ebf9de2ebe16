"""`osdetect plan`: what a deploy would change, and how the alerts of stored events would."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import typer

from osdetect.cli.connect import connect
from osdetect.cli.dialects import AutoTarget, Pipelines
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url, Verbose
from osdetect.cli.output import (
    OutputFormat,
    error_json,
    print_json,
    print_refusals,
    progress_bar,
    write_line,
)
from osdetect.cli.plan_output import backtest_json, print_backtest, print_rules, rules_json
from osdetect.cli.reading import Placeholders
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
from osdetect.cluster import Cluster
from osdetect.deploy import Limit
from osdetect.deploy.plan import Fate, Plan, make_plan
from osdetect.detect.backtest import BacktestReport, Compared, backtest
from osdetect.detect.hunt import HuntOptions, Span
from osdetect.documents.event import check_namespace
from osdetect.documents.told import RunReference
from osdetect.errors import UsageError
from osdetect.vocabulary import EVENTS_PREFIX, ExitCode

Backtest = Annotated[
    int,
    typer.Option(
        "--backtest",
        help="Also count how the alerts of the last so many days of stored events would change.",
        min=0,
        max=3660,
        metavar="DAYS",
    ),
]
Events = Annotated[
    str,
    typer.Option(
        "--events", help="Index or pattern of the backtest; default: what `load` stored in the namespace."
    ),
]


def plan(
    rules: Rules = None,
    backtest: Backtest = 0,
    pipeline: Pipelines = None,
    target: AutoTarget = "",
    placeholders: Placeholders = None,
    every_log_source: EveryLogSource = False,
    tuning: TuningFile = None,
    rules_shards: RulesShards = 1,
    bundle: BundleFile = None,
    sha256: Sha256 = None,
    no_cache: NoCache = False,
    events: Events = "",
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Say what a deploy of these rules would change, by meaning and not by text. Nothing is stored.

    Exit code 3 when there are changes, 0 when there are none, 1 when a rule is refused besides (docs/deploying.md).

    Examples: `osdetect plan my-rules/` · `osdetect plan my-rules/ --backtest 30` · `osdetect plan my-rules/ --output json`
    """
    connected = partial(connect, url, ca_certs=ca_certs, insecure=insecure)
    if events and not backtest:
        raise UsageError("--events is for a backtest", cure="give --backtest DAYS as well")
    options = FileOptions(
        pipeline or [], target, placeholders, every_log_source, tuning, rules_shards, no_cache
    )
    wanted = wanted_rules(rules or [], options, connected, bundle=bundle, sha256=sha256)
    tested = None
    with connected() as cluster:
        made = make_plan(cluster, wanted.rules, dialect=wanted.dialect, shards=wanted.shards)
        if backtest:
            pattern = events or f"{EVENTS_PREFIX}{check_namespace(namespace)}-*"
            tested = _tested(cluster, made, wanted, backtest, HuntOptions(namespace, pattern, Span()))
    if output is OutputFormat.JSON:
        print_json(_json(made, wanted, tested, backtest))
    else:
        print_refusals(wanted.refused, all_of_them=verbose)
        _print(made, verbose=verbose)
        if tested:
            print_backtest(tested, backtest)
    return _status(made, wanted, tested)


def _tested(cluster: Cluster, made: Plan, wanted: Wanted, days: int, options: HuntOptions) -> BacktestReport:
    if made.live is not None and made.live.dialect != wanted.dialect:
        raise UsageError(
            "a backtest compares rules for the same events",
            cause="the live rules are for events in another dialect than these",
            cure="give the --pipeline of the live rules, or leave --backtest out and use osdetect hunt",
        )
    now = datetime.now(UTC)
    asked = HuntOptions(options.namespace, options.target, Span(since=now - timedelta(days=days)))
    rules = [Compared(one.id, one.title, one.old, one.new) for one in made.rules if one.meaning]
    with progress_bar("Backtest") as tell:
        return backtest(
            cluster,
            rules,
            asked,
            RunReference("backtest", now),
            dialect=wanted.dialect,
            on_progress=tell,
        )


def _status(made: Plan, wanted: Wanted, tested: BacktestReport | None) -> int:
    if tested is not None and tested.interrupted:
        return ExitCode.INTERRUPTED
    if wanted.refused or (tested is not None and (tested.unjudged or tested.not_read or tested.cut)):
        return ExitCode.LOSS
    return ExitCode.CHANGES if made.changes else ExitCode.OK


def _guarded(made: Plan) -> bool:
    """Whether a deploy without `--max-delete` would refuse to take so many rules away."""
    return len(made.of(Fate.REMOVED)) > Limit().allowed(made.deployed)


def _json(made: Plan, wanted: Wanted, tested: BacktestReport | None, days: int) -> dict[str, Any]:
    return {
        "changes": made.changes,
        "guarded": _guarded(made),
        "live": made.live.to_json() if made.live else None,
        "index": made.index,
        **rules_json(made.rules, made.unchanged),
        "to_install": list(made.resources),
        "others": list(made.others),
        "refused": [error_json(error) for error in wanted.refused],
        **({"backtest": backtest_json(tested, days)} if tested else {}),
    }


def _print(made: Plan, *, verbose: bool) -> None:
    if made.live is None:
        write_line("nothing is deployed yet")
    else:
        write_line(f"compared with {made.live.index}, live since {made.live.at}")
    print_rules(made.rules, made.unchanged, all_of_them=verbose)
    if _guarded(made):
        removed = len(made.of(Fate.REMOVED))
        write_line(f"a deploy refuses to take {removed} rules away unless it is given --max-delete {removed}")
    for name in made.resources:
        write_line(f"to install: {name}")
    for line in made.others:
        write_line(f"also: {line}")
    write_line("a deploy would change this: osdetect deploy" if made.changes else "no changes")
