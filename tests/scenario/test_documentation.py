"""docs/scenario.md tells the story that the code tells."""

from pathlib import Path

from osdetect.scenario import START, STORY, Step

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "scenario.md"


def _row(step: Step) -> str:
    refused = " (refused)" if step.call.error else ""
    return f"| {START + step.at:%a %H:%M} | {step.title} | `{step.call.service}:{step.call.name}`{refused} | "


def test_the_page_tells_every_step_in_order() -> None:
    rows = [line for line in _PAGE.read_text().splitlines() if line.startswith(("| Mon ", "| Tue "))]
    assert len(rows) == len(STORY)
    for row, step in zip(rows, STORY, strict=True):
        assert row.startswith(_row(step))
        assert row.endswith(f"/{step.rule}` |")
