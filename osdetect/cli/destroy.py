"""`osdetect destroy`: what osdetect made in a cluster is taken out of it."""

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from osdetect.cli.connect import connect
from osdetect.cli.options import CaCerts, Insecure, Output, Url
from osdetect.cli.output import OutputFormat, print_json, print_table, say, write_line
from osdetect.deploy.destroy import Share, Thing, chosen_things, found_things
from osdetect.deploy.destroy import destroy as destroyed
from osdetect.source import printable
from osdetect.vocabulary import ExitCode


def destroy(
    with_alerts: Annotated[
        bool, typer.Option("--with-alerts", help="Also alerts, withheld matches and the outbox.")
    ] = False,
    with_events: Annotated[bool, typer.Option("--with-events", help="Also events and dead letters.")] = False,
    with_state: Annotated[
        bool,
        typer.Option(
            "--with-state", help="Also cursors, the ledger of loaded files and the reports of runs."
        ),
    ] = False,
    everything: Annotated[bool, typer.Option("--everything", help="All three.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only list it; so it is where nobody can be asked, without --yes."),
    ] = False,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Delete what deploys made: rules, templates, pipelines. What was gathered since stays, unless it is asked for.

    Only what carries osdetect's mark is deleted, each by its whole name. On a terminal it asks; elsewhere it only lists,
    with exit code 3, unless --yes is given. Stop detectors and loaders first.

    Examples: `osdetect destroy` · `osdetect destroy --everything --yes`
    """
    wanted = {
        Share.DEPLOYED: True,
        Share.ALERTS: with_alerts or everything,
        Share.EVENTS: with_events or everything,
        Share.STATE: with_state or everything,
    }
    shares = [share for share, chosen in wanted.items() if chosen]
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        found = found_things(cluster)
        chosen = chosen_things(found, shares)
        listed = output is OutputFormat.TABLE and not (yes and not dry_run)
        if listed:
            _print(chosen, found, shares)
        go = bool(chosen) and not dry_run and (yes or _confirmed(chosen, output))
        gone = destroyed(cluster, chosen) if go else ()
    _tell(_Done(found, shares, chosen, gone, go, listed), output)
    return ExitCode.CHANGES if chosen and not go else ExitCode.OK


_ELSEWHERE = {
    "roles": "roles and users of osdetect security; delete them with the security plugin's own API (docs/deploying.md)",
    "dashboards": "saved objects in OpenSearch Dashboards; delete them there, under Saved Objects (docs/deploying.md)",
}
"""What osdetect makes outside the indices, and destroy does not delete."""


class _Done(msgspec.Struct, frozen=True):
    """What was found, and what became of it."""

    found: Sequence[Thing]
    shares: Sequence[Share]
    chosen: Sequence[Thing]
    gone: Sequence[Thing]
    went: bool
    """Whether it was deleted."""
    listed: bool
    """Whether the list is shown already."""


def _tell(done: _Done, output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        print_json(
            {
                "deleted": [one.to_json() for one in done.gone],
                "would_delete": [] if done.went else [one.to_json() for one in done.chosen],
                "kept": [one.to_json() for one in _kept(done.found, done.shares)],
                "not_ours": [one.to_json() for one in done.found if not one.ours],
                "not_looked_at": list(_ELSEWHERE),
            }
        )
        return
    said = f"deleted: {len(done.gone)}" if done.went else "nothing was deleted"
    write_line(said if done.chosen else "there is nothing to delete")
    if done.went and not done.listed:
        _print_kept(done.found, done.shares)
    for line in _ELSEWHERE.values() if done.went else ():
        write_line(f"not looked at: {line}")


def _kept(found: Sequence[Thing], shares: Sequence[Share]) -> list[Thing]:
    return [one for one in found if one.ours and one.share not in shares]


def _confirmed(chosen: Sequence[Thing], output: OutputFormat) -> bool:
    """Ask where somebody can answer."""
    if not sys.stdin.isatty() or output is OutputFormat.JSON:
        return False
    return typer.confirm(f"Delete these {len(chosen)} things?", err=True)


def _print(chosen: Sequence[Thing], found: Sequence[Thing], shares: Sequence[Share]) -> None:
    if chosen:
        rows = [
            (one.kind.value, one.name, f"{one.documents:,}" if one.documents else "", one.share.value)
            for one in chosen
        ]
        print_table("To be deleted", ("what", "name", "documents", "belongs to"), rows)
    _print_kept(found, shares)


def _print_kept(found: Sequence[Thing], shares: Sequence[Share]) -> None:
    kept = _kept(found, shares)
    for share in Share:
        names = [one for one in kept if one.share is share]
        if names:
            documents = sum(one.documents for one in names)
            write_line(
                f"kept: {len(names)} of {share.value} with {documents:,} documents (--with-{share.value})"
            )
    for one in found:
        if not one.ours:
            say(f"left alone: {one.kind.value} {printable(one.name)} {one.why_not}")
