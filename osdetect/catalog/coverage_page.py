"""Coverage for people and for machines: a table of tactics, then the calls of incidents that no rule watches."""

from typing import Any

from osdetect.catalog.blocks import Block, Look, Page, Paragraph, Section, Span, Table, joined, line
from osdetect.catalog.coverage import CallCoverage, Coverage, TacticCoverage
from osdetect.catalog.evidence import State
from osdetect.catalog.incidents import CREDIT, KnownCall
from osdetect.catalog.lists import ROOT
from osdetect.catalog.places import COVERAGE, INDEX, call_page
from osdetect.schema.attack import version

HEADER = ("Tactic", "Rules", "Techniques declared", "tested", "fired", "Calls watched")
_EXPLAINED = (
    "Techniques: of those that ATT&CK has for infrastructure as a service. Declared: a rule names it; tested: the tests of "
    "such a rule pass; fired: such a rule matched data. Calls watched: of the calls that served the tactic in incidents, "
    "those that a rule filters on by name."
)


def tactic_cells(one: TacticCoverage) -> tuple[str, ...]:
    """A tactic's row."""
    watched = len(one.calls) - len(one.gaps)
    return (
        one.tactic.name,
        f"{one.rules:,}",
        *(_share(one.covered(state), one.cloud) for state in State),
        _share(watched, len(one.calls)),
    )


def coverage_page(coverage: Coverage) -> Page:
    """The page of the site, and what the terminal shows."""
    rows = tuple(tuple(line(cell) for cell in tactic_cells(one)) for one in coverage.tactics)
    said = f"Rules watch {coverage.watched} of the {len(coverage.calls)} API calls that are known from incidents."
    return Page(
        path=COVERAGE,
        title="Coverage",
        crumbs=(Span(ROOT, INDEX), Span("Coverage")),
        badges=(),
        lead=(Paragraph(line(f"ATT&CK {version()}. {said}")), Paragraph(line(_EXPLAINED))),
        sections=(
            Section("tactics", "Tactics", (Table("Coverage of each tactic", HEADER, rows),)),
            Section("gaps", "Calls of incidents that no rule watches", _gaps(coverage)),
            Section("watched", "Calls of incidents that rules watch", (_watched(coverage),)),
        ),
        data=coverage_data(coverage),
    )


def _gaps(coverage: Coverage) -> tuple[Block, ...]:
    rows = tuple(
        (line(one.tactic.name), joined(line(Span(_said(call), look=Look.CODE)) for call in one.gaps))
        for one in coverage.tactics
        if one.gaps
    )
    shown = Table("Gaps of each tactic", ("Tactic", "Calls, those with most reports first"), rows)
    return (shown if rows else Paragraph(line("None.")), Paragraph(line(Span(CREDIT, look=Look.QUIET))))


def _said(call: KnownCall) -> str:
    return f"{call.source.removesuffix('.amazonaws.com')}:{call.name}"


def _watched(coverage: Coverage) -> Block:
    rows = tuple(
        (
            line(Span(one.call.source, look=Look.CODE)),
            line(_call_link(one)),
            line(str(len(one.rules))),
            line(str(one.call.reports)),
        )
        for one in coverage.calls
        if one.rules
    )
    return Table("Watched calls", ("Service", "Call", "Rules", "Reports"), rows)


def _call_link(one: CallCoverage) -> Span:
    """A call leads to its page where a rule names it: those that fit a pattern alone have none."""
    folded = one.call.name.lower()
    named = any(folded in map(str.lower, entry.operations) for entry in one.rules)
    return Span(one.call.name, call_page("aws", one.call.name) if named else "", Look.CODE)


def coverage_data(coverage: Coverage) -> dict[str, Any]:
    """Coverage for machines."""
    return {
        "attack": version(),
        "credit": CREDIT,
        "calls": {"known": len(coverage.calls), "watched": coverage.watched},
        "tactics": [
            {
                "id": one.tactic.id,
                "name": one.tactic.name,
                "rules": one.rules,
                "cloud_techniques": one.cloud,
                **{state.word: one.covered(state) for state in State},
                "techniques": [
                    {
                        "id": found.technique.id,
                        "name": found.technique.name,
                        **{state.word: found.rules(state) for state in State},
                    }
                    for found in one.techniques
                ],
                "calls": [_call_data(found) for found in one.calls],
            }
            for one in coverage.tactics
        ],
    }


def _call_data(one: CallCoverage) -> dict[str, Any]:
    return {
        "service": one.call.source,
        "call": one.call.name,
        "reports": one.call.reports,
        "techniques": [found.id for found in one.call.techniques],
        "rules": [entry.id for entry in one.rules],
    }


def _share(part: int, whole: int) -> str:
    """Of nothing there is no part."""
    return f"{part} of {whole}" if whole else "none"
