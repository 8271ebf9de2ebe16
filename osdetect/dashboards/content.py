"""The dashboards that osdetect brings: the one description, from which the saved objects are built."""

from osdetect.dashboards.description import (
    Board,
    Calculation,
    Chart,
    Condition,
    Form,
    Listing,
    Measure,
    Note,
    OverTime,
    Row,
    Source,
    Terms,
)
from osdetect.vocabulary import (
    ALERTS_PREFIX,
    DEADLETTER_PREFIX,
    EVENTS_PREFIX,
    MATCHES_PREFIX,
    RULES_ALIAS,
    RUNS_PREFIX,
)

ALERTS = Source(f"{ALERTS_PREFIX}*", "alerts")
EVENTS = Source(f"{EVENTS_PREFIX}*", "events")
MATCHES = Source(f"{MATCHES_PREFIX}*", "matches")
RUNS = Source(f"{RUNS_PREFIX}*", "runs")
DEADLETTERS = Source(f"{DEADLETTER_PREFIX}*", "deadletter")
RULES = Source(RULES_ALIAS, "rules", time="")
SOURCES = (ALERTS, EVENTS, MATCHES, RUNS, DEADLETTERS, RULES)
LINK_FIELD = "osdetect.source.id"
"""Of alerts: Dashboards shows it as a link to the alert's event among its neighbours."""

_LATEST = Measure(Calculation.MAX, "@timestamp", "latest")
_PRINCIPALS = Measure(Calculation.DISTINCT, "user.name", "principals")
_UNFINISHED = Condition("osdetect.status", ("open", "acknowledged"))
_OPEN = Condition("osdetect.status", ("open",))
_SEVERE = Condition("rule.level", ("high", "critical"))


def _top(key: str, title: str, field: str, label: str, size: int = 10) -> Chart:
    return Chart(key, title, Form.BARS, ALERTS, groups=(Terms(field, label, size),))


ALERT_COLUMNS = (
    "rule.level",
    "rule.name",
    "user.name",
    "event.action",
    "source.ip",
    "cloud.account.id",
    "cloud.region",
    "osdetect.status",
    "osdetect.assignee",
    LINK_FIELD,
)
QUEUE = Listing(
    "queue",
    "Triage queue",
    ALERTS,
    ALERT_COLUMNS,
    (_UNFINISHED,),
    "Alerts that are not closed; osdetect.source.id opens the event and its neighbours",
)
ALL_ALERTS = Listing("alerts", "Alerts", ALERTS, ALERT_COLUMNS, about="Every alert")
ALL_EVENTS = Listing(
    "events",
    "Events",
    EVENTS,
    (
        "eventSource",
        "eventName",
        "userIdentity.arn",
        "userIdentity.accessKeyId",
        "sourceIPAddress",
        "recipientAccountId",
        "awsRegion",
        "errorCode",
    ),
    about="CloudTrail as it was stored",
)
WITHHELD = Listing(
    "withheld",
    "Withheld matches",
    MATCHES,
    ("why", "rule.name", "exception.title", "exception.owner", "event.id"),
    about="Matches that made no alert of their own: gathered into one, excepted, or of a rule in shadow",
)
DEAD = Listing(
    "deadletters",
    "Dead letters",
    DEADLETTERS,
    ("reason", "source", "file.path", "file.record", "raw.bytes"),
    about="What could not be stored or judged",
)
PASSES = Listing(
    "runs",
    "Runs of the detector",
    RUNS,
    (
        "run.target",
        "run.outcome",
        "run.events",
        "run.alerts_created",
        "run.deadlettered",
        "run.rules_unreadable",
    ),
    about="One document for each pass that had something to do",
)

OVERVIEW = Board(
    "overview",
    "osdetect: overview",
    "What fired, when, on whom and where",
    (
        Row(
            7,
            (
                (Chart("count", "Alerts", Form.NUMBER, ALERTS, (Measure(label="alerts"),)), 10),
                (Chart("open", "Open", Form.NUMBER, ALERTS, (Measure(label="open"),), query=(_OPEN,)), 9),
                (
                    Chart(
                        "severe",
                        "High and critical",
                        Form.NUMBER,
                        ALERTS,
                        (Measure(label="alerts"),),
                        query=(_SEVERE,),
                    ),
                    10,
                ),
                (
                    Chart(
                        "fired",
                        "Rules that fired",
                        Form.NUMBER,
                        ALERTS,
                        (Measure(Calculation.DISTINCT, "rule.id", "rules"),),
                    ),
                    10,
                ),
                (Chart("principals", "Principals", Form.NUMBER, ALERTS, (_PRINCIPALS,)), 9),
            ),
        ),
        Row(
            12,
            (
                (
                    Chart(
                        "levels-over-time",
                        "Alerts over time by level",
                        Form.COLUMNS,
                        ALERTS,
                        groups=(OverTime(), Terms("rule.level", "level", 5)),
                    ),
                    48,
                ),
            ),
        ),
        Row(
            15,
            (
                (
                    Chart(
                        "top-rules",
                        "Top rules",
                        Form.TABLE,
                        ALERTS,
                        (Measure(label="alerts"), _PRINCIPALS, _LATEST),
                        (Terms("rule.name", "rule", 50), Terms("rule.level", "level", 5)),
                    ),
                    30,
                ),
                (_top("tactics", "ATT&CK tactics", "threat.tactic.name", "tactic", 20), 18),
            ),
        ),
        Row(
            13,
            (
                (_top("top-principals", "Top principals", "user.name", "principal"), 16),
                (_top("top-sources", "Top source addresses", "source.address", "address"), 16),
                (_top("top-actions", "Top calls", "event.action", "call"), 16),
            ),
        ),
        Row(
            13,
            (
                (_top("accounts", "Accounts", "cloud.account.id", "account", 20), 16),
                (_top("regions", "Regions", "cloud.region", "region", 20), 16),
                (_top("services", "Services", "event.provider", "service", 20), 16),
            ),
        ),
    ),
)

_QUEUE_NOTE = Note(
    "queue-note",
    "How to work on it",
    "Open an alert by its arrow. **osdetect.source.id** leads to its event and to what happened just before and after. "
    "The state of an alert is changed on the command line (`osdetect alerts ack | assign | close`), which keeps the history "
    "and never writes over another's change; here it is seen a second later.",
)

TRIAGE = Board(
    "triage",
    "osdetect: triage queue",
    "What is not closed yet, the most severe first, and who works on it",
    (
        Row(
            9,
            (
                (
                    Chart(
                        "queue-numbers",
                        "Not closed",
                        Form.NUMBER,
                        ALERTS,
                        (Measure(label="not closed"), Measure(Calculation.MIN, "@timestamp", "oldest event")),
                        query=(_UNFINISHED,),
                    ),
                    16,
                ),
                (
                    Chart(
                        "queue-levels",
                        "Not closed by level and status",
                        Form.TABLE,
                        ALERTS,
                        (Measure(label="alerts"),),
                        (Terms("rule.level", "level", 5), Terms("osdetect.status", "status", 3)),
                        (_UNFINISHED,),
                    ),
                    16,
                ),
                (_QUEUE_NOTE, 16),
            ),
        ),
        Row(
            10,
            (
                (
                    Chart(
                        "queue-rules",
                        "Not closed by rule",
                        Form.TABLE,
                        ALERTS,
                        (Measure(label="alerts"), _PRINCIPALS, _LATEST),
                        (Terms("rule.level", "level", 5), Terms("rule.name", "rule", 50)),
                        (_UNFINISHED,),
                    ),
                    32,
                ),
                (
                    Chart(
                        "queue-people",
                        "Assigned to",
                        Form.TABLE,
                        ALERTS,
                        (Measure(label="alerts"), Measure(Calculation.MIN, "@timestamp", "oldest event")),
                        (Terms("osdetect.assignee", "assignee", 50),),
                        (_UNFINISHED,),
                    ),
                    16,
                ),
            ),
        ),
        Row(30, ((QUEUE, 48),)),
    ),
    since="now-30d",
)
