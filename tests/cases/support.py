"""Writes docs/support.md, the table of what is supported, from the cases: `make docs`."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from osdetect.compiler.search_query import is_exact
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import read_rules
from tests.cases.case_file import Case, all_cases
from tests.cases.constructs import CONSTRUCTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "support.md"
_HEAD = """\
# What of Sigma is supported

Every construct of the Sigma specification 2.1, with a case that proves what is said of it. Made from the files in `tests/cases/` by `make docs`; each
case is run by evaluation, by percolation in a real OpenSearch, and as a search. What the constructs mean: [semantics.md](semantics.md).

- **stored query**: what the detector percolates. It is always exact. *indexed*: the percolator finds it by a value that the rule names;
  *token*: by a test that is decided in process, once an event. No rule that asks anything is verified against every event.
- **search query**: what finds stored events. It never misses one. *exact*: it finds no other either; *finds more*: the index cannot say
  the test exactly, and evaluation has the last word. Said of the case's own fields: of a field that the event index does not
  hold as text, every test finds more.
- **refused**: with file, line, column and the reason given here. A rule is never read as something else than it says.

{accepted} cases are accepted and {refused} refused, of {constructs} constructs.
"""


def page() -> str:
    """The document's text; the same cases give the same text."""
    cases = all_cases()
    refused = sum(case.refusal is not None for case in cases)
    head = _HEAD.format(accepted=len(cases) - refused, refused=refused, constructs=len(CONSTRUCTS))
    return head + "".join(
        f"\n## {document}\n\n| construct | section | stored query | search query | case | file |\n|---|---|---|---|---|---|\n"
        + "".join(f"| {' | '.join(map(_cell, row))} |\n" for row in rows)
        for document, rows in _tables(cases)
    )


def _tables(cases: tuple[Case, ...]) -> Iterator[tuple[str, Iterable[tuple[str, ...]]]]:
    """The rows for each document of the specification, in the order of `CONSTRUCTS`."""
    verdicts = {case.title: _verdict(case) for case in cases}
    for wanted, title in _DOCUMENTS.items():
        yield (
            title,
            [
                (construct, section, *verdicts[case.title], case.name, case.file)
                for construct, where in CONSTRUCTS.items()
                for document, _, section in [where.partition(": ")]
                if document == wanted
                for case in sorted(cases, key=_order)
                if construct in case.constructs
            ],
        )


_DOCUMENTS = {
    "Rules": "Rules",
    "Modifiers": "Modifiers",
    "Filters": "Filters",
    "Correlations": "Correlations",
    "none": "Beyond the specification",
}
"""What stands before the colon in `CONSTRUCTS`, and the heading for it."""


def _order(case: Case) -> tuple[bool, str, str]:
    return (case.refusal is not None, case.file, case.name)


def _verdict(case: Case) -> tuple[str, str]:
    """What is said of the stored query and of the search query."""
    if case.refusal is not None:
        return "refused", case.refusal.said
    kinds = sorted({expected.kind for expected in case.rules.values()})
    return ", ".join(kinds), "exact" if _is_exact(case) else "finds more"


def _is_exact(case: Case) -> bool:
    fields = EventFields.shipped()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "case.yml")
        file.write_bytes(case.content)
        rules = read_rules([file], case.options).rules
    return all(is_exact(rule.tree, fields) for rule in rules)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


if __name__ == "__main__":
    DOCUMENT.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT.name} written\n")
