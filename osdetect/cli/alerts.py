"""`osdetect alerts list | show`: read alerts. The commands that change them are in `alert_changes`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from osdetect import alerts as triage
from osdetect import settings
from osdetect.cli import alert_changes
from osdetect.cli import alert_output as shown
from osdetect.cli.alert_selection import NOBODY, chosen, selection
from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat
from osdetect.documents.event import check_namespace
from osdetect.vocabulary import ExitCode, Level

app = typer.Typer(help="Find alerts, look at them, and say what they are.", no_args_is_help=True)

_TABLE_ROWS = 100

Statuses = Annotated[
    list[triage.Status] | None, typer.Option("--status", help="In this state; may be given again.")
]
MinLevel = Annotated[Level | None, typer.Option("--level", help="Of this level and above.")]
OfRule = Annotated[
    str, typer.Option("--rule", help="Of the rule with this id, or with this in its title.", metavar="TEXT")
]
Assignee = Annotated[
    str, typer.Option("--assignee", help=f"Assigned to this person; {NOBODY}: to no one.", metavar="NAME")
]
Account = Annotated[str, typer.Option("--account", help="Of this AWS account.", metavar="ID")]
Principal = Annotated[
    str, typer.Option("--principal", help="Of this user name or principal id.", metavar="NAME")
]
Since = Annotated[
    str, typer.Option("--since", help="Of events at this time and after (UTC).", metavar="TIME")
]
Until = Annotated[str, typer.Option("--until", help="Of events before this time.", metavar="TIME")]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", min=0, help=f"The newest so many; 0: all. Default: {_TABLE_ROWS} in a table, else all."
    ),
]


class AlertsFormat(StrEnum):
    """How alerts are written."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


@app.command(name="list")
def list_(
    status: Statuses = None,
    level: MinLevel = None,
    rule: OfRule = "",
    assignee: Assignee = "",
    account: Account = "",
    principal: Principal = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = None,
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Annotated[
        AlertsFormat, typer.Option("--output", "-o", help="How to write the alerts.")
    ] = AlertsFormat.TABLE,
) -> int:
    """List alerts, the newest event first.

    Examples: `osdetect alerts list --status open --level high` · `osdetect alerts list --since 2024-05-01 --output ndjson`
    """
    wanted = selection(
        {
            "status": ",".join(status or ()),
            "min-level": level or "",
            "rule": rule,
            "assignee": assignee,
            "account": account,
            "principal": principal,
            "since": since,
            "until": until,
        }
    )
    rows = limit if limit is not None else _TABLE_ROWS if output is AlertsFormat.TABLE else 0
    write = {
        AlertsFormat.TABLE: shown.print_alerts,
        AlertsFormat.JSON: shown.write_json,
        AlertsFormat.NDJSON: shown.write_ndjson,
    }[output]
    namespace = check_namespace(namespace)
    with (
        connect(url, ca_certs=ca_certs, insecure=insecure) as cluster,
        triage.Snapshot(cluster, namespace) as snapshot,
    ):
        alerts = snapshot.alerts(wanted.query(), limit=rows)
        write(alerts, snapshot.count(wanted.query()), rows, datetime.now(UTC))
    return ExitCode.OK


@app.command()
def show(
    alert_id: Annotated[
        str, typer.Argument(help="The alert's id, or enough of its beginning.", metavar="ID")
    ],
    event: Annotated[bool, typer.Option("--event", help="Show the event itself as well.")] = False,
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Show an alert: which tests matched with which values, the rule, where the event is, and what people did.

    Examples: `osdetect alerts show 3fa9c1d20b77` · `osdetect alerts show 3fa9c1d20b77 --event --output json`
    """
    base = settings.text("dashboards_url")
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        good, bad = chosen(cluster, check_namespace(namespace), [alert_id])
        if bad:
            raise bad[0]
        (alert,) = good
        link = triage.dashboards_link(base, alert.source) if base else ""
        record = triage.event_of(cluster, alert) if event else None
    if output is OutputFormat.JSON:
        shown.write_one(alert, link, record, asked=event)
    else:
        shown.print_one(alert, link, record, asked=event)
    return ExitCode.LOSS if event and record is None else ExitCode.OK


app.command()(alert_changes.ack)
app.command()(alert_changes.close)
app.command()(alert_changes.reopen)
app.command()(alert_changes.assign)
app.command()(alert_changes.comment)
