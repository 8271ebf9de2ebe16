"""One entity's story: its alerts beside all that it did."""

from osdetect.dashboards.content import ALERTS, ALL_ALERTS, ALL_EVENTS, EVENTS
from osdetect.dashboards.description import (
    Board,
    Calculation,
    Chart,
    Form,
    Measure,
    Note,
    OverTime,
    Row,
    Terms,
)

_LATEST = Measure(Calculation.MAX, "@timestamp", "latest")

_ENTITY_NOTE = Note(
    "entity-note",
    "Whose story",
    "Write the name of a principal, its ARN, the id of an access key or an address in double quotes into the query bar: "
    '`"AKIA..."`, `"203.0.113.7"`. Written without a field it is looked for in every field, of alerts and of events, so both halves of this page tell '
    "of the same one. A click on a value filters by a field that only one of the two halves has: the other is then empty.",
)

ENTITY = Board(
    "entity",
    "osdetect: one entity's story",
    "One principal, access key or address: its alerts beside all that it did",
    (
        Row(
            8,
            (
                (_ENTITY_NOTE, 24),
                (
                    Chart(
                        "entity-alerts",
                        "Alerts",
                        Form.NUMBER,
                        ALERTS,
                        (Measure(label="alerts"), Measure(Calculation.DISTINCT, "rule.id", "rules")),
                    ),
                    12,
                ),
                (
                    Chart(
                        "entity-events",
                        "Events",
                        Form.NUMBER,
                        EVENTS,
                        (
                            Measure(label="events"),
                            Measure(Calculation.DISTINCT, "eventName", "different calls"),
                        ),
                    ),
                    12,
                ),
            ),
        ),
        Row(
            11,
            (
                (
                    Chart(
                        "entity-alerts-time",
                        "Alerts over time by rule",
                        Form.COLUMNS,
                        ALERTS,
                        groups=(OverTime(), Terms("rule.name", "rule", 15, other=True)),
                    ),
                    24,
                ),
                (
                    Chart(
                        "entity-events-time",
                        "Events over time by service",
                        Form.COLUMNS,
                        EVENTS,
                        groups=(OverTime(), Terms("eventSource", "service", 15, other=True)),
                    ),
                    24,
                ),
            ),
        ),
        Row(
            14,
            (
                (
                    Chart(
                        "entity-calls",
                        "Calls, with their errors",
                        Form.TABLE,
                        EVENTS,
                        (
                            Measure(label="events"),
                            Measure(Calculation.DISTINCT, "errorCode", "kinds of error"),
                            _LATEST,
                        ),
                        (Terms("eventSource", "service", 30), Terms("eventName", "call", 50)),
                    ),
                    24,
                ),
                (
                    Chart(
                        "entity-who",
                        "Principals and access keys, with their addresses",
                        Form.TABLE,
                        EVENTS,
                        (
                            Measure(label="events"),
                            Measure(Calculation.DISTINCT, "sourceIPAddress", "addresses"),
                            Measure(Calculation.MIN, "@timestamp", "first"),
                            _LATEST,
                        ),
                        (
                            Terms("userIdentity.arn", "principal", 30),
                            Terms("userIdentity.accessKeyId", "access key", 20),
                        ),
                    ),
                    24,
                ),
            ),
        ),
        Row(
            12,
            (
                (
                    Chart(
                        "entity-sources",
                        "Addresses and programs",
                        Form.TABLE,
                        EVENTS,
                        (Measure(label="events"), Measure(Calculation.MIN, "@timestamp", "first"), _LATEST),
                        (Terms("sourceIPAddress", "address", 30), Terms("userAgent", "program", 20)),
                    ),
                    24,
                ),
                (
                    Chart(
                        "entity-places",
                        "Accounts and regions",
                        Form.TABLE,
                        EVENTS,
                        (Measure(label="events"),),
                        (Terms("recipientAccountId", "account", 30), Terms("awsRegion", "region", 30)),
                    ),
                    24,
                ),
            ),
        ),
        Row(20, ((ALL_ALERTS, 48),)),
        Row(25, ((ALL_EVENTS, 48),)),
    ),
)
