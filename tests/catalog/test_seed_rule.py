"""The page of one rule that the catalog has to reproduce: in the site, in its other forms, and on the terminal."""

import json
from pathlib import Path

import pytest

from osdetect.cli.main import run
from osdetect.sigma import ReadOptions, read_rules
from tests.catalog.conftest import SEED
from tests.catalog.naive import naive_count

TITLE = "Attempt To Create API Key"
ORDER = (
    "MITRE ATT&CK coverage",
    "Rules detecting the same action",
    "Rule body",
    "Stages and predicates",
    "Indicators",
    "Compiled query",
    "Tests and evidence",
    "Near-duplicates and subsumed rules",
    "History",
    "Licence and origin",
)


def test_the_page_for_machines(site: Path, cloud_rules: list[str]) -> None:
    page = json.loads((site / "rules" / f"{SEED}.json").read_text(encoding="utf-8"))
    assert page["title"] == TITLE
    (row,) = page["coverage"]
    assert row["tactic"]["name"] == "Persistence"
    assert [(one["id"], one["name"]) for one in row["techniques"]] == [
        ("T1098.001", "Account Manipulation: Additional Cloud Credentials")
    ]
    assert [(one["title"], one["source"]) for one in page["same_action"]["rules"]] == [
        ("API Key Created", "Sigma")
    ]
    condition, selection = page["stages"]
    assert (condition["number"], condition["name"], condition["alternatives"]) == (0, "selection", [])
    assert (selection["number"], selection["name"]) == (1, "selection")
    (predicates,) = selection["alternatives"]
    looked_for = [("eventName", "equals", "CreateApiKey"), ("errorCode", "equals", "AccessDenied")]
    assert [tuple(one["tests"][0].values()) for one in predicates] == looked_for
    rules = read_rules([Path(one) for one in cloud_rules], ReadOptions(every_log_source=True)).rules
    expected = [(*one, naive_count(rules, SEED, one[0], one[2])) for one in looked_for]
    assert [tuple(one.values()) for one in page["indicators"]] == expected
    assert all(count > 0 for *_, count in expected)


@pytest.mark.parametrize("named", [TITLE, SEED, TITLE.upper()])
def test_the_page_on_the_terminal(
    named: str, cloud_rules: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    run(["catalog", "show", named, *cloud_rules])
    lines = [one.strip() for one in capfd.readouterr().out.splitlines()]
    assert lines[:2] == [f"Detection rules › Sigma › {TITLE}", TITLE]  # noqa: RUF001  # as the page has it
    at = [next(i for i, one in enumerate(lines) if one.startswith(f"{title} ─")) for title in ORDER]
    assert at == sorted(at)
    text = "\n".join(lines)
    assert "│ Persistence │ T1098.001 Account Manipulation: Additional Cloud Credentials │" in text
    assert "• API Key Created (Sigma)" in text
    assert "Stage 0: selection" in text
    assert "Stage 1: selection" in text
    assert "selection holds when eventName equals CreateApiKey and errorCode equals AccessDenied." in text
    assert "│ eventName │ equals   │ CreateApiKey │" in text


def test_the_page_as_markdown(cloud_rules: list[str], site: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(["catalog", "show", SEED, *cloud_rules, "--output", "markdown"])
    shown = capfd.readouterr().out
    assert shown == (site / "rules" / f"{SEED}.md").read_text(encoding="utf-8")
    at = [shown.index(f"\n## {title}".replace("&", "\\&")) for title in ORDER]
    assert at == sorted(at)
    assert (
        "| Persistence | [T1098.001 Account Manipulation: Additional Cloud Credentials](../techniques/T1098.001.md) |"
        in shown
    )
