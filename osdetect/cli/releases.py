"""`osdetect releases`, `osdetect rollback` and `osdetect drift`: what was deployed, going back, and what was edited since."""

from typing import Annotated, Any

import typer

from osdetect.cli.connect import connect
from osdetect.cli.options import CaCerts, Insecure, Output, Url, Verbose
from osdetect.cli.output import OutputFormat, print_json, print_table, say, write_line
from osdetect.cli.plan_output import print_rules, rules_json
from osdetect.deploy.drift import Drift, find_drift
from osdetect.deploy.releases import Kept, kept_releases
from osdetect.deploy.rollback import Rollback, planned_rollback, roll_back
from osdetect.errors import UsageError
from osdetect.vocabulary import ExitCode

_COMMIT_SHOWN = 12


def releases(
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """List the releases that the cluster keeps: when each was deployed, by whom, out of which commit, and which one is live.

    Examples: `osdetect releases` · `osdetect releases --output json`
    """
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        kept = kept_releases(cluster)
    if output is OutputFormat.JSON:
        print_json({"releases": [one.to_json() for one in kept]})
    elif not kept:
        write_line("nothing is deployed")
    else:
        header = ("", "release", "deployed", "by", "rules", "commit", "before it", "rolled back to")
        print_table("", header, [_row(one, kept) for one in kept])
    return ExitCode.OK


def _row(one: Kept, kept: tuple[Kept, ...]) -> tuple[str, ...]:
    state = "closed" if one.closed else "live" if one.live else "" if one.complete else "unfinished"
    before = next((other.name for other in kept if other.index == one.stamp.follows), "")
    rules = f"{one.stamp.rules:,}" if one.stamp.at else ""
    return (
        state,
        one.name,
        one.at[:19],
        one.stamp.by,
        rules,
        one.stamp.commit[:_COMMIT_SHOWN],
        before,
        one.stamp.back,
    )


def rollback(
    steps: Annotated[
        int | None,
        typer.Argument(
            help="How many releases back; default: 1, the one that was live before.",
            min=1,
            max=1_000,
            metavar="N",
        ),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", help="Or this release: its name, or how it begins (osdetect releases).")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would change; exit code 3 if something would.")
    ] = False,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Make an earlier release the live one again, and say what that changes. Nothing is compiled: it is one request.

    Examples: `osdetect rollback` · `osdetect rollback 2` · `osdetect rollback --to 3f9c --dry-run`
    """
    if to and steps is not None:
        raise UsageError("a number of releases and --to exclude each other", cure="give one of them")
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        go = planned_rollback if dry_run else roll_back
        done = go(cluster, steps=steps or 1, to=to)
    moved = done.old.index != done.new.index
    for one in done.expired:
        say(f"warning: {one.told}: what it withheld of {one.rule!r} makes alerts")
    if output is OutputFormat.JSON:
        print_json(_rollback_json(done, dry_run=dry_run, moved=moved))
    else:
        print_rules(done.rules, done.unchanged, all_of_them=verbose)
        word = "would be live" if dry_run else "live"
        said = f"{word}: {done.new.index}, deployed {done.new.at[:19]}" if moved else "it is live already"
        write_line(f"{said} by {done.new.stamp.by}" if moved and done.new.stamp.by else said)
    return ExitCode.CHANGES if dry_run and moved else ExitCode.OK


def _rollback_json(done: Rollback, *, dry_run: bool, moved: bool) -> dict[str, Any]:
    return {
        "changed": moved and not dry_run,
        "would_change": moved,
        "from": done.old.to_json(),
        "to": done.new.to_json(),
        "expired_exceptions": [one.to_json() for one in done.expired],
        **rules_json(done.rules, done.unchanged),
    }


def drift(
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Say what was edited in the cluster since the deploy: rules, the alias, templates, pipelines. Nothing is stored.

    Exit code 3 when something is not as it was deployed. A deploy of the same rules mends it.

    Examples: `osdetect drift` · `osdetect drift --output json`
    """
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        found = find_drift(cluster)
    if output is OutputFormat.JSON:
        print_json({"drift": [one.to_json() for one in found]})
    elif not found:
        write_line("no drift: rules, alias, templates and pipelines are as they were deployed")
    else:
        print_table("", ("what", "name", "rule", "what is the matter"), [_drift_row(one) for one in found])
        write_line(f"not as it was deployed: {len(found)}; mend it: osdetect deploy with the same rules")
    return ExitCode.CHANGES if found else ExitCode.OK


def _drift_row(one: Drift) -> tuple[str, ...]:
    return (one.kind.value, one.name, one.title, one.what)
