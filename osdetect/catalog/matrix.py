"""ATT&CK's matrix, with the rules that each technique has."""

import msgspec

from osdetect.catalog.blocks import Page, Paragraph, Section, Span, Table, line
from osdetect.catalog.lists import ROOT
from osdetect.catalog.overview import ATTACK_CREDIT, Techniques
from osdetect.catalog.places import INDEX, MATRIX, technique_page
from osdetect.schema.attack import Tactic, Technique, matrix, version

HEATS = (1, 2, 5)
"""From how many rules on a technique is shown in the next colour."""


class Cell(msgspec.Struct, frozen=True):
    """A technique in a tactic's column."""

    technique: Technique
    rules: int
    """Those of its sub-techniques of this tactic included."""
    parts: tuple["Cell", ...]
    """Its sub-techniques that have rules."""

    @property
    def heat(self) -> int:
        """0 for no rule, up to 3."""
        return sum(self.rules >= bound for bound in HEATS)

    @property
    def span(self) -> Span:
        """Its name, leading to its page where it has one; a sub-technique without the name that it stands under."""
        name = self.technique.name.rpartition(": ")[2] if "." in self.technique.id else self.technique.name
        return Span(f"{self.technique.id} {name}", technique_page(self.technique.id) if self.rules else "")


class Column(msgspec.Struct, frozen=True):
    """A tactic."""

    tactic: Tactic
    cells: tuple[Cell, ...]


def columns(techniques: Techniques) -> tuple[Column, ...]:
    """The matrix: techniques under each tactic, sub-techniques that have rules below their own."""
    return tuple(Column(stands, _cells(listed, techniques)) for stands, listed in matrix())


def _cells(listed: tuple[Technique, ...], techniques: Techniques) -> tuple[Cell, ...]:
    cells = []
    for one in (found for found in listed if "." not in found.id):
        parts = tuple(
            Cell(part, len(techniques.rules[part.id]), ())
            for part in listed
            if part.parent == one.id != part.id and techniques.rules.get(part.id)
        )
        every = {
            *techniques.rules.get(one.id, ()),
            *(rule for part in parts for rule in techniques.rules[part.technique.id]),
        }
        cells.append(Cell(one, len(every), parts))
    return tuple(cells)


def matrix_page(shown: tuple[Column, ...]) -> Page:
    """The matrix as a page: the table here is its Markdown, the site has a template for it."""
    rows = tuple(
        (line(column.tactic.name), line(cell.span), line(f"{cell.rules:,}"))
        for column in shown
        for cell in column.cells
        if cell.rules
    )
    return Page(
        path=MATRIX,
        title="ATT&CK matrix",
        crumbs=(Span(ROOT, INDEX), Span("ATT&CK matrix")),
        badges=(),
        lead=(
            Paragraph(
                line(
                    f"ATT&CK {version()}: the number of rules for each technique, with its sub-techniques. "
                    f"The colour deepens at {', '.join(map(str, HEATS[:-1]))} and {HEATS[-1]} rules."
                )
            ),
            Paragraph(line(ATTACK_CREDIT)),
        ),
        sections=(
            Section(
                "matrix",
                "Techniques with rules",
                (Table("Techniques with rules", ("Tactic", "Technique", "Rules"), rows),),
            ),
        ),
        data={
            "attack": version(),
            "tactics": [
                {
                    "id": column.tactic.id,
                    "name": column.tactic.name,
                    "techniques": [
                        {
                            "id": cell.technique.id,
                            "name": cell.technique.name,
                            "rules": cell.rules,
                            "sub_techniques": [
                                {"id": part.technique.id, "rules": part.rules} for part in cell.parts
                            ],
                        }
                        for cell in column.cells
                    ],
                }
                for column in shown
            ],
        },
    )
