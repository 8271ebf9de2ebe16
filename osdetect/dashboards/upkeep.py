"""The dashboards about osdetect's own work: coverage by ATT&CK, rule health, ingest and lag."""

from osdetect.dashboards.content import (
    ALERTS,
    DEAD,
    DEADLETTERS,
    EVENTS,
    MATCHES,
    OVERVIEW,
    PASSES,
    RULES,
    RUNS,
    TRIAGE,
    WITHHELD,
)
from osdetect.dashboards.description import (
    AtLeast,
    Board,
    Calculation,
    Chart,
    Condition,
    Form,
    Heat,
    Measure,
    OverTime,
    Row,
    Terms,
)
from osdetect.dashboards.entity import ENTITY

_LATEST = Measure(Calculation.MAX, "@timestamp", "latest")


def _sum(field: str, label: str) -> Measure:
    return Measure(Calculation.SUM, f"run.{field}", label)


ATTACK = Board(
    "attack",
    "osdetect: ATT&CK",
    "Which tactics and techniques the alerts are of",
    (
        Row(28, ((Heat("attack-heat", "Alerts by tactic and technique", ALERTS), 48),)),
        Row(
            14,
            (
                (
                    Chart(
                        "attack-techniques",
                        "Techniques",
                        Form.TABLE,
                        ALERTS,
                        (
                            Measure(label="alerts"),
                            Measure(Calculation.DISTINCT, "rule.id", "rules"),
                            Measure(Calculation.DISTINCT, "user.name", "principals"),
                            _LATEST,
                        ),
                        (Terms("threat.technique.id", "technique", 100),),
                    ),
                    24,
                ),
                (
                    Chart(
                        "attack-time",
                        "Tactics over time",
                        Form.COLUMNS,
                        ALERTS,
                        groups=(OverTime(), Terms("threat.tactic.name", "tactic", 20)),
                    ),
                    24,
                ),
            ),
        ),
    ),
    since="now-30d",
)

RULE_HEALTH = Board(
    "rule-health",
    "osdetect: rule health",
    "Which rules are deployed, what they cost, and what became of their alerts",
    (
        Row(
            12,
            (
                (
                    Chart(
                        "rules-deployed",
                        "Deployed rules by level and status",
                        Form.TABLE,
                        RULES,
                        (Measure(label="rules"),),
                        (Terms("rule.level", "level", 5), Terms("status", "status", 10)),
                    ),
                    16,
                ),
                (
                    Chart(
                        "rules-unfiltered",
                        "Rules by why no value pre-filters them",
                        Form.TABLE,
                        RULES,
                        (Measure(label="rules"),),
                        (Terms("prefilter.kind", "kind", 10), Terms("rule.name", "rule", 100)),
                    ),
                    16,
                ),
                (
                    Chart(
                        "rules-releases",
                        "Rule sets that alerted",
                        Form.TABLE,
                        ALERTS,
                        (Measure(label="alerts"), Measure(Calculation.MAX, "event.created", "last")),
                        (Terms("rule.ruleset", "rule set", 20),),
                    ),
                    16,
                ),
            ),
        ),
        Row(
            15,
            (
                (
                    Chart(
                        "rules-verdicts",
                        "Verdicts by rule",
                        Form.TABLE,
                        ALERTS,
                        (Measure(label="alerts"), _LATEST),
                        (Terms("rule.name", "rule", 100), Terms("osdetect.closed_as", "closed as", 3)),
                        (Condition("osdetect.status", ("closed",)),),
                    ),
                    24,
                ),
                (
                    Chart(
                        "rules-noise",
                        "Loudest rules: alerts, and matches that they stand for",
                        Form.TABLE,
                        ALERTS,
                        (
                            Measure(label="alerts"),
                            Measure(Calculation.SUM, "osdetect.suppression.count", "matches gathered"),
                            Measure(Calculation.DISTINCT, "user.name", "principals"),
                        ),
                        (Terms("rule.name", "rule", 100),),
                    ),
                    24,
                ),
            ),
        ),
        Row(
            13,
            (
                (
                    Chart(
                        "rules-withheld",
                        "Withheld matches by rule and reason",
                        Form.TABLE,
                        MATCHES,
                        (Measure(label="matches"), _LATEST),
                        (Terms("rule.name", "rule", 100), Terms("why", "why", 3)),
                    ),
                    24,
                ),
                (
                    Chart(
                        "rules-exceptions",
                        "Exceptions and their hits",
                        Form.TABLE,
                        MATCHES,
                        (Measure(label="matches"), _LATEST),
                        (Terms("exception.title", "exception", 50), Terms("exception.owner", "owner", 5)),
                        (Condition("why", ("excepted",)),),
                    ),
                    24,
                ),
            ),
        ),
        Row(20, ((WITHHELD, 48),)),
    ),
    since="now-30d",
)

HEALTH = Board(
    "ingest",
    "osdetect: ingest and lag",
    "Whether events come in, how long alerts take, and what was lost",
    (
        Row(
            7,
            (
                (
                    Chart(
                        "health-lag",
                        "From stored to alerted, in milliseconds",
                        Form.NUMBER,
                        ALERTS,
                        (Measure(Calculation.PERCENTILES, "osdetect.lag_ms", "lag", (50, 95)),),
                    ),
                    16,
                ),
                (
                    Chart(
                        "health-runs",
                        "Passes: events, alerts",
                        Form.NUMBER,
                        RUNS,
                        (_sum("events", "events"), _sum("alerts_created", "alerts")),
                    ),
                    16,
                ),
                (
                    Chart(
                        "health-losses",
                        "Losses of passes",
                        Form.NUMBER,
                        RUNS,
                        (
                            _sum("deadlettered", "dead-lettered"),
                            Measure(Calculation.MAX, "run.rules_unreadable", "unreadable rules"),
                        ),
                    ),
                    16,
                ),
            ),
        ),
        Row(
            11,
            (
                (
                    Chart(
                        "health-stored",
                        "Events by the time they were stored",
                        Form.COLUMNS,
                        EVENTS,
                        groups=(OverTime("event.ingested", "stored"),),
                    ),
                    24,
                ),
                (
                    Chart(
                        "health-happened",
                        "Events by the time they happened",
                        Form.COLUMNS,
                        EVENTS,
                        groups=(OverTime(), Terms("recipientAccountId", "account", 15, other=True)),
                    ),
                    24,
                ),
            ),
        ),
        Row(
            11,
            (
                (
                    Chart(
                        "health-lag-time",
                        "Lag by the time of the alert, in milliseconds",
                        Form.LINES,
                        ALERTS,
                        (Measure(Calculation.PERCENTILES, "osdetect.lag_ms", "lag", (50, 95)),),
                        (OverTime("event.created", "alerted"),),
                    ),
                    24,
                ),
                (
                    Chart(
                        "health-passes-time",
                        "Events judged over time",
                        Form.LINES,
                        RUNS,
                        (
                            _sum("events", "events"),
                            _sum("judged", "judged"),
                            _sum("deadlettered", "dead-lettered"),
                        ),
                        (OverTime(),),
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
                        "health-targets",
                        "Last pass over each target",
                        Form.TABLE,
                        RUNS,
                        (
                            Measure(label="passes"),
                            Measure(Calculation.MAX, "run.ended", "last"),
                            _sum("events", "events"),
                        ),
                        (Terms("run.target", "target", 50), Terms("run.outcome", "outcome", 5)),
                    ),
                    18,
                ),
                (
                    Chart(
                        "health-reasons",
                        "Dead letters by reason",
                        Form.TABLE,
                        DEADLETTERS,
                        (Measure(label="dead letters"), _LATEST),
                        (Terms("reason", "reason", 50),),
                    ),
                    18,
                ),
                (
                    Chart(
                        "health-problems",
                        "Problems of stored events",
                        Form.TABLE,
                        EVENTS,
                        (Measure(label="events"),),
                        (Terms("osdetect.problems", "problem", 20),),
                    ),
                    12,
                ),
            ),
        ),
        Row(
            9,
            (
                (
                    Chart(
                        "health-lossy",
                        "Passes that lost something",
                        Form.TABLE,
                        RUNS,
                        (_sum("deadlettered", "dead-lettered"), _LATEST),
                        (Terms("run.target", "target", 50),),
                        (AtLeast("run.deadlettered", 1),),
                    ),
                    24,
                ),
                (
                    Chart(
                        "health-put-off",
                        "Passes that put rules off",
                        Form.TABLE,
                        RUNS,
                        (
                            Measure(label="passes"),
                            Measure(Calculation.MAX, "run.rules_put_off", "rules"),
                            _LATEST,
                        ),
                        (Terms("run.target", "target", 50),),
                        (AtLeast("run.rules_put_off", 1),),
                    ),
                    24,
                ),
            ),
        ),
        Row(14, ((PASSES, 48),)),
        Row(14, ((DEAD, 48),)),
    ),
)

BOARDS = (OVERVIEW, TRIAGE, ENTITY, ATTACK, RULE_HEALTH, HEALTH)
"""Every dashboard, in the order in which they are met."""
