"""How plans, rollbacks and backtests are shown."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from osdetect.cli.output import LISTED, print_table, write_line
from osdetect.deploy.difference import Difference
from osdetect.deploy.plan import Fate, RulePlan
from osdetect.detect.backtest import BacktestReport
from osdetect.source import printable

_SIGNS = {Fate.ADDED: "+", Fate.CHANGED: "~", Fate.REMOVED: "-"}


def counts(rules: Sequence[RulePlan], unchanged: int) -> dict[str, int]:
    """How many rules have which fate."""
    return {
        **{fate.value: sum(one.fate is fate for one in rules) for fate in Fate},
        "changed_in_meaning": sum(one.fate is Fate.CHANGED and one.meaning for one in rules),
        "unchanged": unchanged,
    }


def rules_json(rules: Sequence[RulePlan], unchanged: int) -> dict[str, Any]:
    """The same with each rule, for machines."""
    return {"rules": [one.to_json() for one in rules], "counts": counts(rules, unchanged)}


def print_rules(rules: Sequence[RulePlan], unchanged: int, *, all_of_them: bool) -> None:
    """A row for each rule and each difference, then the numbers."""
    shown = rules if all_of_them else rules[:LISTED]
    if shown:
        header = ("", "rule", "level", "what", "was", "is then", "finds")
        print_table("", header, [row for one in shown for row in _rows(one)])
    if len(rules) > len(shown):
        write_line(f"... and {len(rules) - len(shown)} more rules; --verbose shows all")
    said = counts(rules, unchanged)
    write_line(
        f"{said['added']} added, {said['changed']} changed ({said['changed_in_meaning']} in meaning), "
        f"{said['removed']} removed, {said['unchanged']} unchanged"
    )


def _rows(one: RulePlan) -> Iterator[tuple[str, ...]]:
    head = (f"{_SIGNS[one.fate]} {one.fate.value}", one.title or one.id, one.level)
    if not one.differences:
        yield (*head, "", "", "", "")
    for number, difference in enumerate(one.differences):
        yield (*(head if number == 0 else ("", "", "")), *_cells(difference))


def _cells(one: Difference) -> tuple[str, str, str, str]:
    place = f", {one.place}" if one.place else ""
    meaning = "" if one.meaning else " (no change of meaning)"
    return f"{one.aspect}{place}{meaning}", one.was, one.now, one.effect


def print_backtest(report: BacktestReport, days: int) -> None:
    """What the backtest found, rule by rule, those with most changed alerts first."""
    ordered = sorted(report.outcomes, key=lambda one: (-one.gained - one.lost, one.title))
    header = ("rule", "matches", "then", "alerts", "then", "new", "lost")
    rows = [
        (
            one.title or one.id,
            *(
                f"{number:,}"
                for number in (
                    one.old_matches,
                    one.new_matches,
                    one.old_alerts,
                    one.new_alerts,
                    one.gained,
                    one.lost,
                )
            ),
        )
        for one in ordered
    ]
    if rows:
        print_table(f"Alerts of the last {days} days", header, rows)
    for line in backtest_notes(report, days):
        write_line(line)


def backtest_json(report: BacktestReport, days: int) -> dict[str, Any]:
    """The backtest for machines."""
    return {
        "days": days,
        "rules": [one.to_json() for one in report.outcomes],
        "alerts_gained": sum(one.gained for one in report.outcomes),
        "alerts_lost": sum(one.lost for one in report.outcomes),
        "events_read": report.read,
        "shards": report.shards,
        "excepted": report.excepted,
        "undated": report.undated,
        "not_judged": report.unjudged,
        "not_read": [str(why) for why in report.not_read],
        "unreadable_rules": len(report.unreadable),
        "cut": report.cut,
        "interrupted": report.interrupted,
    }


def backtest_notes(report: BacktestReport, days: int) -> Iterable[str]:
    """What there is to say of it in words."""
    gained, lost = (sum(getattr(one, name) for one in report.outcomes) for name in ("gained", "lost"))
    yield (
        f"backtest: {gained:,} alerts more and {lost:,} fewer in {days} days; "
        f"{report.read:,} events were read in {report.shards:,} shards"
    )
    if not report.shards:
        yield "note: there is no index of events: load some, or give --namespace or --events"
    if report.cut:
        yield "note: the backtest ended early, at the most matches that it remembers; ask for fewer days"
    if report.interrupted:
        yield "note: the backtest was interrupted; the figures are those of the events until then"
    for why in report.not_read:
        yield f"note: not read: {why}"
    if report.unjudged:
        yield f"note: {report.unjudged:,} events could not be judged"
    if report.undated:
        yield f"note: {report.undated:,} matches are of events without a usable time"
    for error in report.unreadable:
        yield f"note: {printable(str(error), 300)}"
